/// The shell text that runs one command, without the way to the node and without `become`.
package enum CommandScript {
    /// POSIX shell text that ends in an `exec` of the command, so that the shell's process becomes the command's.
    package static func text(for command: Command) -> String {
        var lines: [String] = []
        if let directory = command.workingDirectory {
            // A relative name that starts with a dash would be an option, and one in $CDPATH would be printed.
            lines.append("CDPATH= cd -- \(ShellQuoting.quote(directory)) || exit 1")
        }
        var oddVariables: [String] = []
        for (name, value) in command.environment {
            if ShellQuoting.isVariableName(name) {
                lines.append("export \(name)=\(ShellQuoting.quote(value))")
            } else {
                oddVariables.append("\(name)=\(value)")
            }
        }
        var words: [String]
        switch command.program {
        case .arguments(let arguments): words = arguments
        case .shell(let text, let executable): words = [executable ?? "/bin/sh", "-c", text]
        }
        if !oddVariables.isEmpty { words = ["env"] + oddVariables + words }
        lines.append("exec " + ShellQuoting.join(words))
        return lines.joined(separator: "\n")
    }
}
