import CLibSSH
import LabCore
import LabTransport

/// A `/bin/sh` on the node that runs one command after the other. Lives on its session's thread.
final class RemoteShell {
    let channel: Channel
    let become: Become?
    var opening: ShellOpening
    private var frames: ShellFrames
    /// How long `become` may take.
    var becomeLimit = Duration.seconds(30)
    /// Set when the shell must not be used for another command.
    var isSpent = false
    private var setUpSent = false
    /// Whether something may be on its way that the shell will run.
    var hasSentFrames: Bool { setUpSent }
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
        let (bytes, begin, end) = frames.next(command)
        var run = ShellRun(command: command, begin: begin, end: end)
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
            if opening.isReady || become == nil {
                try await channel.link.wait(for: condition, until: deadline)
            } else {
                try await waitForBecome(condition, since: start, until: deadline)
            }
        }
    }

    private func waitForBecome(
        _ condition: Condition, since start: ContinuousClock.Instant, until deadline: ContinuousClock.Instant?,
        isolation: isolated (any Actor)? = #isolation
    ) async throws {
        let end = start + becomeLimit
        do {
            try await channel.link.wait(for: condition, until: min(end, deadline ?? end))
        } catch is Abandoned where .now >= end {
            throw opening.silence(after: becomeLimit.shortText)
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
    /// One output: what comes before the first mark and after the second is not the command's.
    private struct Stream {
        var begin: MarkScanner
        var end: MarkScanner
        var bytes: [UInt8] = []
        var isPolluted = false

        /// - Returns: the bytes that are new.
        mutating func feed(_ piece: [UInt8]) -> [UInt8] {
            var piece = piece
            if begin.trailer == nil {
                let (before, beyond) = begin.feed(piece)
                if !before.isEmpty { isPolluted = true }
                piece = beyond
            }
            guard !piece.isEmpty else { return [] }
            let (new, beyond) = end.feed(piece)
            if !beyond.isEmpty { isPolluted = true }
            bytes += new
            return new
        }
    }

    private let command: Command
    private var output: Stream
    private var errorOutput: Stream

    init(command: Command, begin: [UInt8], end: [UInt8]) {
        self.command = command
        output = Stream(begin: MarkScanner(mark: begin), end: MarkScanner(mark: end))
        errorOutput = output
    }

    /// Set when both outputs have ended.
    var exitStatus: Int? {
        guard errorOutput.end.trailer != nil, let status = output.end.trailer else { return nil }
        return Int(status) ?? 255
    }

    /// Something came outside of the marks: a process that was left behind still writes.
    var isPolluted: Bool { output.isPolluted || errorOutput.isPolluted }

    var outputSize: Int { output.bytes.count + errorOutput.bytes.count }

    mutating func receive(_ piece: OutputPiece, _ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        switch piece {
        case .standardOutput:
            let new = output.feed(bytes)
            if !new.isEmpty { command.onOutput?(.standardOutput(new)) }
        case .standardError:
            let new = errorOutput.feed(bytes)
            if !new.isEmpty { command.onOutput?(.standardError(new)) }
        }
    }

    /// Takes what looked like the beginning of a mark for output: no mark will come any more.
    mutating func flush() {
        output.bytes += output.end.flush()
        errorOutput.bytes += errorOutput.end.flush()
    }

    func result(exitStatus: Int, signal: String? = nil, duration: Duration) -> CommandResult {
        CommandResult(
            exitStatus: exitStatus, signal: signal, standardOutput: output.bytes, standardError: errorOutput.bytes,
            duration: duration)
    }
}
