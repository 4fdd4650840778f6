import LabCore

/// One command's talk with a shell on the other side of three byte streams: pure, so that SSH and the laptop share it.
///
/// A constant line starts a `/bin/sh` (through `sudo`, `su` or `doas` where asked). That shell first says a nonce and
/// its process id on standard output and the nonce on standard error, then reads one line, the command's script, and
/// runs it with the rest of the input. So the login shell never sees anything but the constant line, whatever start-up
/// files or `sudo` print before the nonce is dropped, and a missing nonce tells that the command never started.
package struct CommandDialogue {
    package enum Action: Sendable, Equatable {
        case write([UInt8])
        case closeInput
        /// Give up now; `finish` tells why.
        case abort
    }

    private let command: Command
    private let hostName: String
    private let nonce: String
    private var output: [UInt8] = []
    private var errorOutput: [UInt8] = []
    private var outputStarted = false
    private var errorStarted = false
    private var passwordSent = false
    private var passwordRefused = false
    private var frameSent = false
    /// The process id of the command on the other side, once it is known.
    package private(set) var processID: Int?

    /// - Parameter nonce: letters and digits that occur in no output by chance.
    package init(_ command: Command, hostName: String, nonce: String) {
        self.command = command
        self.hostName = hostName
        self.nonce = "labctl-" + nonce
    }

    /// The line to execute: valid in sh, bash, zsh, fish and csh, and the same for every command but for the nonce.
    package var launchLine: String {
        // No single quote, no exclamation mark, no backslash and no line break: what those mean differs by shell.
        let bootstrap =
            "echo \(nonce):$$; echo \(nonce) >&2; "
            + "while IFS= read -r labctl; do case $labctl in \(nonce):*) break;; esac; done; eval \"${labctl#*:}\""
        return "exec " + ShellQuoting.join(becomeWords(bootstrap))
    }

    private var promptMark: String { nonce + "-password:" }

    private func becomeWords(_ bootstrap: String) -> [String] {
        guard let become = command.become else { return ["/bin/sh", "-c", bootstrap] }
        switch become.method {
        case .sudo:
            let password = become.password == nil ? ["-n"] : ["-S", "-p", promptMark]
            return ["sudo", "-H"] + password + ["-u", become.user, "--", "/bin/sh", "-c", bootstrap]
        case .su:
            return ["su", "-s", "/bin/sh", "-c", bootstrap, become.user]
        case .doas:
            let password = become.password == nil ? ["-n"] : []
            return ["doas"] + password + ["-u", become.user, "--", "/bin/sh", "-c", bootstrap]
        }
    }

    /// What to send at once. Without a password nothing has to be waited for.
    package mutating func begin() -> [Action] {
        command.become?.password == nil ? sendFrame() : []
    }

    /// Takes a piece of output and says what to do next. Live output goes to the command's own callback.
    package mutating func receive(_ piece: OutputPiece) -> [Action] {
        switch piece {
        case .standardOutput(let bytes):
            output += bytes
            guard !outputStarted else {
                command.onOutput?(piece)
                return []
            }
            if let end = startOfOutput() {
                outputStarted = true
                if end < output.count { command.onOutput?(.standardOutput(Array(output[end...]))) }
                output.removeFirst(end)
                return sendFrame()
            }
            return answerPrompt()
        case .standardError(let bytes):
            errorOutput += bytes
            guard !errorStarted else {
                command.onOutput?(piece)
                return []
            }
            if let mark = errorOutput.firstRange(of: Array((nonce + "\n").utf8)) {
                errorStarted = true
                if mark.upperBound < errorOutput.count {
                    command.onOutput?(.standardError(Array(errorOutput[mark.upperBound...])))
                }
                errorOutput.removeFirst(mark.upperBound)
                return []
            }
            return answerPrompt()
        }
    }

    /// The result, once both outputs ended and the status is known.
    ///
    /// - Throws: `becomeDenied` when `become` refused, `protocolMismatch` when the login shell ran nothing.
    package mutating func finish(
        exitStatus: Int, signal: String? = nil, duration: Duration
    ) throws(ConnectionError) -> CommandResult {
        guard outputStarted else { throw neverStarted(exitStatus) }
        return CommandResult(
            exitStatus: exitStatus, signal: signal, standardOutput: output,
            standardError: errorStarted ? errorOutput : [], duration: duration)
    }

    private mutating func sendFrame() -> [Action] {
        guard !frameSent else { return [] }
        frameSent = true
        var bytes = Array(Self.frame(CommandScript.text(for: command), mark: nonce).utf8)
        if let input = command.standardInput { bytes += input }
        return [.write(bytes), .closeInput]
    }

    /// A script as one line that `read -r` takes and `eval` turns back into the script.
    static func frame(_ script: String, mark: String) -> String {
        guard script.utf8.contains(UInt8(ascii: "\n")) else { return "\(mark):\(script)\n" }
        let pieces = script.split(separator: "\n", omittingEmptySubsequences: false)
        let quoted = pieces.map { ShellQuoting.quote(String($0)) }.joined(separator: "\"$labctl\"")
        return "\(mark):labctl=$(printf \"\\n.\"); labctl=${labctl%.}; eval \(quoted)\n"
    }

    /// The offset just past `nonce:PID\n` in the output.
    private mutating func startOfOutput() -> Int? {
        guard let mark = output.firstRange(of: Array((nonce + ":").utf8)),
            let end = output[mark.upperBound...].firstIndex(of: UInt8(ascii: "\n"))
        else { return nil }
        processID = Int(String(decoding: output[mark.upperBound..<end], as: UTF8.self))
        return end + 1
    }

    private mutating func answerPrompt() -> [Action] {
        guard let become = command.become, let password = become.password else { return [] }
        switch become.method {
        case .sudo:
            let mark = Array(promptMark.utf8)
            guard let prompt = errorOutput.firstRange(of: mark) ?? output.firstRange(of: mark) else { return [] }
            if passwordSent {
                // sudo asks again: what it was given is wrong.
                passwordRefused = true
                return [.abort]
            }
            if errorOutput.firstRange(of: mark) != nil { errorOutput.removeSubrange(prompt) } else { output = [] }
        case .su, .doas:
            // They have no prompt of our choosing, and it comes in the user's language: but it ends without a line break.
            guard !passwordSent, let last = errorOutput.last ?? output.last, last != UInt8(ascii: "\n") else {
                return []
            }
        }
        passwordSent = true
        return [.write(Array((password.reveal() + "\n").utf8))]
    }

    private func neverStarted(_ exitStatus: Int) -> ConnectionError {
        let said = String(decoding: errorOutput.isEmpty ? output : errorOutput, as: UTF8.self)
            .split(whereSeparator: \.isNewline).map { $0.replacing(promptMark, with: "") }
            .filter { line in !line.allSatisfy(\.isWhitespace) && !line.contains(nonce) }
            .map { String($0) }
        guard let become = command.become else {
            return ConnectionError(
                .protocolMismatch, hostName: hostName, "the login shell runs no commands",
                notes: said.suffix(3) + ["it ended with status \(exitStatus)"],
                hint: "log in with `ssh` and look at the user's shell and start-up files")
        }
        let method = become.method.rawValue
        if passwordRefused || passwordSent && become.method != .sudo {
            return ConnectionError(
                .becomeDenied, hostName: hostName, "\(method) refused the password for becoming \(become.user)",
                notes: Array(said.suffix(3)))
        }
        var hint: String?
        if become.password == nil { hint = "give the password with --ask-become-pass, or allow it without one" }
        if exitStatus == 127 { hint = "install \(method) on the node, or set ansible_become_method" }
        return ConnectionError(
            .becomeDenied, hostName: hostName, "\(method) did not let the login user become \(become.user)",
            notes: Array(said.suffix(3)), hint: hint)
    }
}
