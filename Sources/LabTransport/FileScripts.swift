import LabCore

/// Commands that read and write whole files on the other side, for every connection that has only a shell there.
package enum FileScripts {
    /// Reads the file to standard output.
    package static func read(_ path: String, become: Become?) -> Command {
        Command(.arguments(["cat", "--", path]), become: become)
    }

    /// Takes the file's bytes from standard input: into a temporary file beside the path, then mode and owner, then
    /// `fsync` where the node can, then a rename. A symbolic link is followed, so that the link stays.
    package static func write(
        _ bytes: [UInt8], to path: String, attributes: FileAttributes, become: Become?
    ) -> Command {
        var lines = [
            "set -e",
            "f=\(ShellQuoting.quote(path))",
            // A rename would replace a link by a file; readlink -f is in GNU, busybox, BSD and macOS 12.3.
            "if [ -L \"$f\" ]; then f=$(readlink -f -- \"$f\"); fi",
            "if [ -d \"$f\" ]; then echo \"$f is a directory\" >&2; exit 1; fi",
            "t=\"$f.labctl.$$\"",
            "trap 'rm -f -- \"$t\"' EXIT",
            "trap 'exit 1' HUP INT TERM",
        ]
        if attributes.mode == nil {
            // An existing file's mode and owner stay: start from a copy of it.
            lines.append("if [ -e \"$f\" ]; then cp -p -- \"$f\" \"$t\"; fi")
            lines.append("cat > \"$t\"")
        } else {
            lines.append("(umask 077; : > \"$t\")")
            lines.append("cat > \"$t\"")
        }
        // A stream that broke off must not replace the file.
        lines.append(
            "[ \"$(wc -c < \"$t\")\" -eq \(bytes.count) ] || { echo 'the file did not arrive whole' >&2; exit 1; }")
        if let owner = attributes.owner {
            let value = attributes.group.map { owner + ":" + $0 } ?? owner
            lines.append("chown -- \(ShellQuoting.quote(value)) \"$t\"")
        } else if let group = attributes.group {
            lines.append("chgrp -- \(ShellQuoting.quote(group)) \"$t\"")
        }
        // After chown, which drops the set-user-id bit.
        if let mode = attributes.mode { lines.append("chmod -- \(octal(mode)) \"$t\"") }
        lines.append("sync -- \"$t\" 2>/dev/null || :")
        lines.append("mv -f -- \"$t\" \"$f\"")
        return Command(
            .shell(lines.joined(separator: "\n")), standardInput: bytes, become: become)
    }

    /// What a failed read or write says.
    package static func refusal(
        _ result: CommandResult, _ verb: String, _ path: String, hostName: String
    ) -> ConnectionError {
        let lines = result.errorText.split(whereSeparator: \.isNewline).map(String.init)
        return ConnectionError(
            .fileRefused, hostName: hostName, "cannot \(verb) \(path)",
            notes: lines.isEmpty ? ["it ended with status \(result.exitStatus)"] : lines.suffix(3))
    }

    private static func octal(_ mode: Int) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
