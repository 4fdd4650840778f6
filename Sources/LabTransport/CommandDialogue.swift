import LabCore

/// One command's talk with a shell of its own: the shell becomes the command, and the streams end with it.
package struct CommandDialogue: Sendable {
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
        var bytes = opening.frame(CommandScript.text(for: command))
        if let input = command.standardInput { bytes += input }
        return [.write(bytes), .closeInput]
    }
}
