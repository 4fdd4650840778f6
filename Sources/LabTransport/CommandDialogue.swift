import LabCore

/// One command's talk with a shell of its own: the shell becomes the command, and the streams end with it.
package struct CommandDialogue: Sendable {
    /// What the caller has to do with the shell's channel next.
    package enum Action: Sendable, Equatable {
        case write([UInt8])
        case closeInput
        /// Give up now; `finish` tells why.
        case abort
    }

    private let command: Command
    private var opening: ShellOpening
    private var output: [UInt8] = []
    private var errorOutput: [UInt8] = []
    private var frameSent = false

    package init(_ command: Command, hostName: String, nonce: String, startsWithExec: Bool = true) {
        self.command = command
        opening = ShellOpening(
            become: command.become, hostName: hostName, nonce: nonce, startsWithExec: startsWithExec)
    }

    package var launchLine: String { opening.launchLine }
    package var needsTerminal: Bool { opening.needsTerminal }
    /// Whether the other side has begun to run the command.
    package var hasStarted: Bool { opening.isReady }
    /// The process id of the command on the other side, once it is known.
    package var processID: Int? { opening.processID }

    /// How much output there is so far.
    package var outputSize: Int { output.count + errorOutput.count }

    /// What to send at once. Without a password nothing has to be waited for.
    package mutating func begin() -> [Action] { opening.takesFramesAtOnce ? sendFrame() : [] }

    /// Takes a piece of output and says what to do next. Live output goes to the command's own callback.
    package mutating func receive(_ piece: OutputPiece) -> [Action] {
        let step = opening.receive(piece)
        if step.mustAbort { return [.abort] }
        if !step.rest.isEmpty {
            switch piece {
            case .standardOutput:
                output += step.rest
                command.onOutput?(.standardOutput(step.rest))
            case .standardError:
                errorOutput += step.rest
                command.onOutput?(.standardError(step.rest))
            }
        }
        if opening.isReady { return sendFrame() }
        return step.reply.isEmpty ? [] : [.write(step.reply)]
    }

    /// Why the command was given up before it began: whoever should start its shell says nothing more.
    package func silence(after time: String) -> ConnectionError { opening.silence(after: time) }

    /// The result, once both outputs ended and the status is known.
    ///
    /// - Throws: `becomeDenied` when `become` refused, `protocolMismatch` when the login shell ran nothing.
    package func finish(
        exitStatus: Int, signal: String? = nil, duration: Duration
    ) throws(ConnectionError) -> CommandResult {
        guard opening.isReady else { throw opening.failure(exitStatus: exitStatus) }
        return CommandResult(
            exitStatus: exitStatus, signal: signal, standardOutput: output, standardError: errorOutput,
            duration: duration)
    }

    private mutating func sendFrame() -> [Action] {
        guard !frameSent else { return [] }
        frameSent = true
        if needsTerminal { return [.write(terminalFrame())] }
        var bytes = opening.frame(CommandScript.text(for: command))
        if let input = command.standardInput { bytes += input }
        return [.write(bytes), .closeInput]
    }

    /// A terminal has no end of input: the command gets its input counted, and the shell ends after it.
    private func terminalFrame() -> [UInt8] {
        let script = CommandScript.text(for: command)
        guard let input = command.standardInput, !input.isEmpty else {
            return opening.frame("( \(script)\n) </dev/null\nexit $?")
        }
        // Only GNU's head is known to take not one byte too many.
        let take =
            "case $(head --version 2>/dev/null </dev/null) in *\"GNU coreutils\"*) head -c \(input.count);; "
            + "*) dd bs=1 count=\(input.count) 2>/dev/null;; esac"
        return opening.frame("{ \(take); } | ( \(script)\n)\nexit $?") + input
    }
}
