import CLibSSH
import LabCore
import LabTransport

/// A `/bin/sh` on the node that runs one command after the other. Lives on its session's thread.
final class RemoteShell {
    let channel: Channel
    let become: Become?
    var opening: ShellOpening
    private var frames: ShellFrames
    /// Set when the shell must not be used for another command.
    var isSpent = false
    private var setUpSent = false
    /// The exec request is repeated until libssh has its answer; frames do not wait for that.
    private var requestPending = true
    private var pending: ArraySlice<UInt8> = []

    init(channel: Channel, become: Become?, opening: ShellOpening, mark: String) {
        self.channel = channel
        self.become = become
        self.opening = opening
        frames = ShellFrames(opening, mark: mark)
    }

    /// Runs a command.
    ///
    /// - Throws: `becomeDenied` and the like when the shell never came; why the link is over; `Abandoned.timedOut`,
    ///   `CancellationError`. The shell is spent then.
    func run(
        _ command: Command, until deadline: ContinuousClock.Instant?, isolation: isolated (any Actor)? = #isolation
    ) async throws -> CommandResult {
        let start = ContinuousClock.now
        isSpent = true
        let (bytes, mark) = frames.next(command)
        var run = ShellRun(command: command, mark: mark)
        if !setUpSent, opening.isReady || opening.takesFramesAtOnce {
            pending += frames.setUp
            setUpSent = true
        }
        var frame: [UInt8]? = bytes
        while true {
            try pushRequest()
            if setUpSent, let ready = frame {
                pending += ready
                frame = nil
            }
            for piece in channel.takeOutput() {
                let step = opening.receive(piece)
                if step.mustAbort { throw opening.failure(exitStatus: 1) }
                pending += step.reply
                if opening.isReady, !setUpSent {
                    pending += frames.setUp
                    setUpSent = true
                }
                run.receive(piece, step.rest)
            }
            if run.outputSize > CommandResult.outputLimit {
                throw ConnectionError.outputTooLarge(hostName: channel.link.hostName)
            }
            if setUpSent, let ready = frame {
                pending += ready
                frame = nil
            }
            if let status = run.exitStatus {
                isSpent = run.isPolluted || channel.isClosed || !pending.isEmpty
                return run.result(exitStatus: status, duration: .now - start)
            }
            if channel.isClosed { return try died(&run, start) }
            if !pending.isEmpty, !channel.sawEOF { pending = pending.dropFirst(try channel.write(pending)) }
            if let failure = channel.link.failure { throw failure }
            if channel.hasOutput || channel.isClosed { continue }
            let condition = pending.isEmpty && !requestPending ? channel.changed : channel.link.progress
            try await channel.link.wait(for: condition, until: deadline)
        }
    }

    private func pushRequest() throws(ConnectionError) {
        guard requestPending, let handle = channel.handle else { return }
        let result = ssh_channel_request_exec(handle, opening.launchLine)
        if result == SSH_AGAIN { return }
        requestPending = false
        guard result == SSH_OK else {
            throw channel.link.failure
                ?? ConnectionError(
                    .protocolMismatch, hostName: channel.link.hostName, "the server refused to run a command",
                    notes: [channel.link.lastError.lowercasedFirst])
        }
    }

    /// The shell ended before the command's mark: the command has killed it, or it never ran.
    private func died(_ run: inout ShellRun, _ start: ContinuousClock.Instant) throws -> CommandResult {
        if channel.exitStatus == nil, channel.exitSignal == nil, let failure = channel.link.failure { throw failure }
        let (status, signal) = channel.exit
        guard opening.isReady else { throw opening.failure(exitStatus: status) }
        run.flush()
        return run.result(exitStatus: status, signal: signal, duration: .now - start)
    }
}

/// The outputs of one command in a shell.
private struct ShellRun {
    private let command: Command
    private var scanners: (output: MarkScanner, error: MarkScanner)
    private var output: [UInt8] = []
    private var errorOutput: [UInt8] = []
    /// Something came behind the marks: a process that was left behind still writes.
    private(set) var isPolluted = false

    init(command: Command, mark: [UInt8]) {
        self.command = command
        scanners = (MarkScanner(mark: mark), MarkScanner(mark: mark))
    }

    /// Set when both outputs have ended.
    var exitStatus: Int? {
        guard scanners.error.trailer != nil, let status = scanners.output.trailer else { return nil }
        return Int(status) ?? 255
    }

    mutating func receive(_ piece: OutputPiece, _ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        switch piece {
        case .standardOutput:
            let (new, beyond) = scanners.output.feed(bytes)
            if !new.isEmpty { command.onOutput?(.standardOutput(new)) }
            output += new
            if !beyond.isEmpty { isPolluted = true }
        case .standardError:
            let (new, beyond) = scanners.error.feed(bytes)
            if !new.isEmpty { command.onOutput?(.standardError(new)) }
            errorOutput += new
            if !beyond.isEmpty { isPolluted = true }
        }
    }

    var outputSize: Int { output.count + errorOutput.count }

    mutating func flush() {
        output += scanners.output.flush()
        errorOutput += scanners.error.flush()
    }

    func result(exitStatus: Int, signal: String? = nil, duration: Duration) -> CommandResult {
        CommandResult(
            exitStatus: exitStatus, signal: signal, standardOutput: output, standardError: errorOutput,
            duration: duration)
    }
}
