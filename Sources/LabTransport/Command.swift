import LabCore

/// One command for a node (or for the laptop), and how to run it.
package struct Command: Sendable {
    /// What is run: a program or a shell's text.
    package enum Program: Sendable {
        /// A program and its arguments; nothing is interpreted by a shell (Ansible's `command`).
        case arguments([String])
        /// A text for `/bin/sh -c` or for `executable -c` (Ansible's `shell`).
        case shell(String, executable: String? = nil)
    }

    package var program: Program
    /// Added to the node's environment, in this order.
    package var environment: [(name: String, value: String)]
    package var workingDirectory: String?
    /// What the command reads; nil is an empty input.
    package var standardInput: [UInt8]?
    /// As whom the command runs; nil is the login user.
    package var become: Become?
    /// After this long the command is killed and `ConnectionError.Kind.commandTimedOut` thrown; nil waits as long as it takes.
    package var timeout: Duration?
    /// Gets output as it arrives, in pieces, besides the result; called on no particular thread.
    package var onOutput: (@Sendable (OutputPiece) -> Void)?

    package init(
        _ program: Program, environment: [(name: String, value: String)] = [], workingDirectory: String? = nil,
        standardInput: [UInt8]? = nil, become: Become? = nil, timeout: Duration? = nil,
        onOutput: (@Sendable (OutputPiece) -> Void)? = nil
    ) {
        self.program = program
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.standardInput = standardInput
        self.become = become
        self.timeout = timeout
        self.onOutput = onOutput
    }
}

/// A piece of a running command's output.
package enum OutputPiece: Sendable {
    case standardOutput([UInt8])
    case standardError([UInt8])
}

/// Another user to run commands as (Ansible's `become`).
package struct Become: Sendable, Hashable {
    /// The program that changes the user.
    package enum Method: String, Sendable, CaseIterable { case sudo, su, doas }

    package var method: Method
    package var user: String
    package var password: Secret?

    package init(method: Method = .sudo, user: String = "root", password: Secret? = nil) {
        self.method = method
        self.user = user
        self.password = password
    }
}

/// What a command did.
package struct CommandResult: Sendable {
    /// The exit status; 128 + n when signal n ended the command, as shells report it.
    package var exitStatus: Int
    /// The name of the signal that ended the command (`KILL`), where the server told.
    package var signal: String?
    package var standardOutput: [UInt8]
    package var standardError: [UInt8]
    package var duration: Duration

    package init(
        exitStatus: Int, signal: String? = nil, standardOutput: [UInt8] = [], standardError: [UInt8] = [],
        duration: Duration = .zero
    ) {
        self.exitStatus = exitStatus
        self.signal = signal
        self.standardOutput = standardOutput
        self.standardError = standardError
        self.duration = duration
    }

    /// How many bytes of both outputs together are kept; a command that writes more is killed.
    package static let outputLimit = 256 << 20

    /// Standard output as text; bytes that are no UTF-8 become U+FFFD.
    package var outputText: String { String(decoding: standardOutput, as: UTF8.self) }
    /// Standard error as text; bytes that are no UTF-8 become U+FFFD.
    package var errorText: String { String(decoding: standardError, as: UTF8.self) }
}
