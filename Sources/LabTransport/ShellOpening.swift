import LabCore

/// The way from a login to a `/bin/sh` that takes frames: pure, so that SSH and the laptop share it.
///
/// A constant line starts the shell, through `sudo`, `su` or `doas` where asked. The shell first says a nonce and its
/// process id on standard output and the nonce on standard error; then it evaluates every line of its input that starts
/// with the nonce. So the login shell never sees anything but the constant line, whatever start-up files or `sudo` print
/// before the nonce is dropped, a password that nobody asked for is passed over, and a missing nonce tells that the shell
/// never started.
package struct ShellOpening: Sendable {
    /// What comes of one piece of output.
    package struct Step: Sendable, Equatable {
        /// What to write now: the answer to a prompt.
        package var reply: [UInt8] = []
        /// Give up: the password was refused.
        package var mustAbort = false
        /// Output that came after the nonce.
        package var rest: [UInt8] = []
    }

    private let become: Become?
    private let hostName: String
    let nonce: String
    private let startsWithExec: Bool
    private var output: [UInt8] = []
    private var errorOutput: [UInt8] = []
    private var outputStarted = false
    private var errorStarted = false
    private var passwordSent = false
    /// How much of the two outputs a reply has answered.
    private var answered = (output: 0, error: 0)
    private var passwordRefused = false
    /// The shell's process id on the other side, once it is known.
    package private(set) var processID: Int?

    /// - Parameters:
    ///   - nonce: letters and digits that occur in no output by chance.
    ///   - startsWithExec: whether the login shell knows `exec`; a restricted one does not.
    package init(become: Become?, hostName: String, nonce: String, startsWithExec: Bool = true) {
        self.become = become
        self.hostName = hostName
        self.nonce = "labctl-" + nonce
        self.startsWithExec = startsWithExec
    }

    /// Whether the shell is there and takes frames.
    package var isReady: Bool { outputStarted }
    /// Whether frames may be sent before the shell has answered: nothing in between reads the input.
    package var takesFramesAtOnce: Bool { become?.password == nil }

    /// The line to execute: valid in sh, bash, zsh, fish and csh.
    package var launchLine: String {
        // No single quote, no exclamation mark, no backslash and no line break: what those mean differs by shell.
        // A terminal must pass bytes as they are, and its one stream needs no second mark.
        let marks =
            needsTerminal ? "stty raw -echo; echo \(nonce):$$; " : "echo \(nonce):$$; echo \(nonce) >&2; "
        let bootstrap =
            marks + "while IFS= read -r labctl; "
            + "do case $labctl in \(nonce):*) eval \"${labctl#*:}\";; esac; done"
        return (startsWithExec ? "exec " : "") + ShellQuoting.join(words(bootstrap))
    }

    private var promptMark: String { nonce + "-password:" }

    private func words(_ bootstrap: String) -> [String] {
        guard let become else { return ["/bin/sh", "-c", bootstrap] }
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

    /// Whether the method insists on a terminal for its password.
    package var needsTerminal: Bool { become?.method == .doas && become?.password != nil }

    /// A script as one line that the shell evaluates.
    package func frame(_ script: String) -> [UInt8] {
        guard script.utf8.contains(UInt8(ascii: "\n")) else { return Array("\(nonce):\(script)\n".utf8) }
        let line = "labctl=$(printf \"\\n.\"); labctl=${labctl%.}; eval \(Self.quoteLine(script, newline: "labctl"))"
        return Array("\(nonce):\(line)\n".utf8)
    }

    /// Quotes a text into one line: line breaks become a shell variable that holds one.
    static func quoteLine(_ text: String, newline: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { ShellQuoting.quote(String($0)) }
            .joined(separator: "\"$\(newline)\"")
    }

    /// Takes a piece of output.
    package mutating func receive(_ piece: OutputPiece) -> Step {
        switch piece {
        case .standardOutput(let bytes):
            guard !outputStarted else { return Step(rest: bytes) }
            output += bytes
            guard let end = startOfOutput() else { return answerPrompt() }
            outputStarted = true
            return Step(rest: Array(output[end...]))
        case .standardError(let bytes):
            guard !errorStarted else { return Step(rest: bytes) }
            errorOutput += bytes
            guard let mark = errorOutput.firstRange(of: Array((nonce + "\n").utf8)) else { return answerPrompt() }
            errorStarted = true
            return Step(rest: Array(errorOutput[mark.upperBound...]))
        }
    }

    /// The offset just past `nonce:PID\n`; a terminal on the way makes the line break two bytes.
    private mutating func startOfOutput() -> Int? {
        guard let mark = output.firstRange(of: Array((nonce + ":").utf8)),
            let end = output[mark.upperBound...].firstIndex(of: UInt8(ascii: "\n"))
        else { return nil }
        processID = Int(String(decoding: output[mark.upperBound..<end].filter { $0 != 0x0D }, as: UTF8.self))
        return end + 1
    }

    private mutating func answerPrompt() -> Step {
        guard let become, let password = become.password, takePrompt(become.method) else { return Step() }
        answered = (output.count, errorOutput.count)
        if passwordSent {
            // It asks again: what it was given is wrong.
            passwordRefused = true
            return Step(mustAbort: true)
        }
        passwordSent = true
        return Step(reply: Array((password.reveal() + "\n").utf8))
    }

    /// Whether there is a prompt that was not answered yet.
    private mutating func takePrompt(_ method: Become.Method) -> Bool {
        let mark = Array(promptMark.utf8)
        if method == .sudo {
            if let prompt = errorOutput.firstRange(of: mark) {
                errorOutput.removeSubrange(prompt)
                return true
            }
            if let prompt = output.firstRange(of: mark) {
                output.removeSubrange(prompt)
                return true
            }
        }
        // Others ask in the user's language, and so does PAM in sudo's place where sudoers say so (passprompt_override). What
        // tells a prompt from other output is that no line break ends it. A password that nobody asked for does no harm.
        func isPrompt(_ bytes: [UInt8], beyond start: Int) -> Bool {
            let tail =
                bytes[min(start, bytes.count)...].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                .last ?? []
            guard tail.contains(where: { $0 > 0x20 }) else { return false }
            // The beginning of our own words is none either.
            return !mark.starts(with: tail) && !tail.starts(with: Array(nonce.utf8))
        }
        return isPrompt(errorOutput, beyond: answered.error) || isPrompt(output, beyond: answered.output)
    }

    /// Why the shell never came, when whoever should start it says nothing more.
    package func silence(after time: String) -> ConnectionError {
        let method = become?.method.rawValue ?? "the login shell"
        return ConnectionError(
            .becomeDenied, hostName: hostName, "\(method) has not started a shell within \(time)",
            notes: Array(lines.suffix(3)),
            hint: "try it on the host itself: it may wait for something that is no password")
    }

    /// What was said instead of starting a shell.
    private var lines: [String] {
        String(decoding: errorOutput.isEmpty ? output : errorOutput, as: UTF8.self)
            .split(whereSeparator: \.isNewline).map { $0.replacing(promptMark, with: "") }
            .filter { line in !line.allSatisfy(\.isWhitespace) && !line.contains(nonce) }
            .map { String($0) }
    }

    /// Why the shell never came.
    package func failure(exitStatus: Int) -> ConnectionError {
        let said = lines
        guard let become else {
            return ConnectionError(
                .protocolMismatch, hostName: hostName, "the login shell runs no commands",
                notes: said.suffix(3) + ["it ended with status \(exitStatus)"],
                hint: "log in with ssh and look at the user's shell and start-up files")
        }
        let method = become.method.rawValue
        if passwordRefused || passwordSent && become.method != .sudo {
            return ConnectionError(
                .becomeDenied, hostName: hostName, "\(method) refused the password for becoming \(become.user)",
                notes: Array(said.suffix(3)))
        }
        var hint: String?
        if exitStatus == 127 {
            hint = "install \(method) on the node, or set ansible_become_method"
        } else if said.contains(where: { $0.contains("tty") }) {
            hint = "remove requiretty from the node's sudoers for this user"
        } else if become.password == nil {
            hint = "give the password with --ask-become-pass, or allow \(method) without one"
        }
        return ConnectionError(
            .becomeDenied, hostName: hostName, "\(method) did not let the login user become \(become.user)",
            notes: Array(said.suffix(3)), hint: hint)
    }
}
