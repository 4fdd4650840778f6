import LabCore
import LabReport
import LabSSH

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The process's environment and terminal, read where a command starts.
enum Surroundings {
    /// All environment variables.
    static let environment: [String: String] = {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return variables
    }()

    /// Colours where a person looks at them: on a terminal, unless NO_COLOR (https://no-color.org) or TERM=dumb say no.
    static func style(_ stream: StandardStream, noColor: Bool = false) -> Style {
        let isWanted =
            stream.isTerminal && !noColor && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
        return Style(isColoured: isWanted)
    }

    /// The columns for text: the terminal's, else those of COLUMNS, else 100.
    static func width(_ stream: StandardStream) -> Int {
        stream.columns ?? environment["COLUMNS"].flatMap { Int($0) } ?? 100
    }
}

/// Shows errors and warnings on standard error.
enum Failure {
    static func show(_ error: any DiagnosticError) { show(error.diagnostics) }

    static func show(_ diagnostics: [Diagnostic]) {
        let stream = StandardStream.error
        let renderer = DiagnosticRenderer(style: Surroundings.style(stream), width: Surroundings.width(stream))
        stream.write(renderer.render(diagnostics))
    }
}

/// Asks the person at the terminal, without echo.
enum SecretPrompt {
    /// - Returns: what was typed, or nil when there is no terminal to ask at.
    static func ask(_ question: String) -> Secret? {
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard terminal >= 0 else { return nil }
        defer { close(terminal) }
        var settings = termios()
        guard tcgetattr(terminal, &settings) == 0 else { return nil }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        StandardStream(descriptor: terminal).write(question)
        tcsetattr(terminal, TCSAFLUSH, &silent)
        defer {
            tcsetattr(terminal, TCSAFLUSH, &settings)
            StandardStream(descriptor: terminal).write("\n")
        }
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while read(terminal, &byte, 1) == 1, byte != 0x0A { bytes.append(byte) }
        return Secret(String(decoding: bytes, as: UTF8.self))
    }

    /// Answers the questions of the SSH transport.
    static func answer(_ question: SSHSettings.Question) -> Secret? {
        switch question {
        case .passphrase(let file): ask("passphrase for \(file): ")
        case .password(let user, let host): ask("password of \(user) on \(host): ")
        case .challenge(let host, let prompt, _): ask("\(host): \(prompt)")
        }
    }
}
