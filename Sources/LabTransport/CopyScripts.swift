/// Shell texts that copy files to and from a node which has nothing but the usual programs. Names may hold anything but
/// NUL; a path that begins with `~/` is in the home of whoever the command runs as.
package enum CopyScripts {
    /// A path as a word of the shell.
    static func word(_ path: String) -> String {
        if path.isEmpty { return "." }
        if path == "~" { return "\"$HOME\"" }
        if path.hasPrefix("~/") { return "\"$HOME\"" + ShellQuoting.quote(String(path.dropFirst())) }
        // A name that begins with a dash would be an option.
        return ShellQuoting.quote(path.hasPrefix("-") ? "./" + path : path)
    }

    // MARK: Looking

    /// Says `folder`, `file` or `none`.
    package static func kind(of path: String) -> String {
        """
        p=\(word(path))
        if [ -d "$p" ]; then echo folder; elif [ -e "$p" ] || [ -L "$p" ]; then echo file; else echo none; fi
        """
    }

    /// Lists what a path stands for, in the form that `trees` reads. A path that does not exist is taken for a pattern of the
    /// shell's. A symbolic link is followed where it is the path itself, and told as a link below it.
    package static func survey(_ path: String, isRecursive: Bool) -> String {
        let depth = isRecursive ? "" : " -maxdepth 0"
        return """
            p=\(word(path))
            if [ -e "$p" ] || [ -L "$p" ]; then set -- "$p"; else IFS=; set -- $p; fi
            s=0
            for f; do
              case $f in -*) f=./$f;; esac
              [ -e "$f" ] || { printf 'there is no %s\\n' "$f" >&2; s=1; continue; }
              printf 'tree\\0%s\\0\\0' "$f"
              if find / -maxdepth 0 -printf '' 2>/dev/null; then
                find -H "$f"\(depth) -printf '%y %m %s %T@\\0%p\\0%l\\0' || s=1
              else
                find -H "$f"\(depth) -exec sh -c '
                  for f; do
                    l=; h=
                    if [ "$f" = "$0" ]; then h=-L; elif [ -L "$f" ]; then l=$(readlink -- "$f"; echo .); l=${l%??}; fi
                    i=$(stat $h -c "%f %s %Y" -- "$f") && printf "raw %s\\0%s\\0%s\\0" "$i" "$f" "$l"
                  done' "$f" {} + || s=1
              fi
            done
            exit $s
            """
    }

    /// Reads the output of `survey`.
    package static func trees(_ output: [UInt8]) -> [CopyTree] {
        var trees: [CopyTree] = []
        var fields: [String] = []
        for field in output.split(separator: 0, omittingEmptySubsequences: false) {
            fields.append(String(decoding: field, as: UTF8.self))
            guard fields.count == 3 else { continue }
            defer { fields = [] }
            if fields[0] == "tree" {
                trees.append(CopyTree(path: fields[1], entries: []))
            } else if let entry = entry(fields[0], path: fields[1], link: fields[2]), !trees.isEmpty {
                trees[trees.count - 1].entries.append(entry)
            }
        }
        return trees
    }

    private static func entry(_ text: String, path: String, link: String) -> CopyEntry? {
        let words = text.split(separator: " ").map(String.init)
        guard words.count == 4, let size = Int(words[2]), let modified = time(words[3]) else { return nil }
        let letter: Character
        let mode: Int
        if words[0] == "raw" {
            guard let bits = Int(words[1], radix: 16) else { return nil }
            letter = letters[bits & 0o170000] ?? "?"
            mode = bits & 0o7777
        } else {
            guard let bits = Int(words[1], radix: 8) else { return nil }
            letter = words[0].first ?? "?"
            mode = bits
        }
        let kind: CopyEntry.Kind =
            switch letter {
            case "f": .file
            case "d": .folder
            case "l": .link(link)
            default: .other(letter)
            }
        return CopyEntry(path: path, kind: kind, mode: mode, size: size, modified: modified)
    }

    /// File types of stat(2) as find(1) names them.
    private static let letters: [Int: Character] = [
        0o100000: "f", 0o040000: "d", 0o120000: "l", 0o140000: "s", 0o060000: "b", 0o020000: "c", 0o010000: "p",
    ]

    /// `1700000000.1234567890`, or without the fraction.
    private static func time(_ text: String) -> CopyEntry.Time? {
        let parts = text.split(separator: ".").map(String.init)
        guard let seconds = parts.first.flatMap({ Int($0) }) else { return nil }
        let digits = parts.count > 1 ? String(parts[1].prefix(9)) : "0"
        let padded = digits + String(repeating: "0", count: 9 - digits.count)
        return CopyEntry.Time(seconds: seconds, nanoseconds: Int(padded) ?? 0)
    }

    // MARK: Reading and writing

    /// Writes the file to standard output.
    package static func read(_ path: String) -> String { "exec cat -- \(word(path))" }

    /// Takes a file of `entry.size` bytes from standard input: into a temporary file in the same folder, then mode, owner and
    /// time, then `fsync`, then a rename. Whatever ends it before that, a lost connection too, leaves no file behind. A
    /// symbolic link at the path is followed.
    ///
    /// - Parameters:
    ///   - nonce: letters and digits for the temporary file's name.
    ///   - keeps: whether the file gets the entry's mode and time; else an existing file's mode and owner stay, and a new one
    ///     gets the entry's mode less the umask.
    package static func write(_ entry: CopyEntry, to path: String, nonce: String, keeps: Bool) -> String {
        var lines = [
            "set -e", "f=\(word(path))",
            "if [ -L \"$f\" ]; then l=$(readlink -f -- \"$f\"; echo .); f=${l%??}; fi",
            "if [ -d \"$f\" ]; then printf '%s is a folder\\n' \"$f\" >&2; exit 1; fi",
            "case $f in */*) d=${f%/*}; d=${d:-/};; *) d=.;; esac",
            "if ! [ -d \"$d\" ]; then printf 'there is no folder %s\\n' \"$d\" >&2; exit 1; fi",
            // A name of its own, because one that is made from the file's could be too long.
            "t=$d/.labctl.$$.\(nonce)", "trap 'rm -f -- \"$t\"' EXIT", "trap 'exit 1' HUP INT TERM PIPE",
            "(umask 077; set -C; : > \"$t\")", "cat > \"$t\"",
            "[ \"$(wc -c < \"$t\")\" -eq \(entry.size) ] || { echo 'the file did not arrive whole' >&2; exit 1; }",
        ]
        let mode = String(entry.mode & 0o7777, radix: 8)
        if keeps {
            lines += ["chmod \(mode) \"$t\"", touch(entry.modified, "\"$t\"")]
        } else {
            lines += [
                "if [ -e \"$f\" ]; then",
                "  m=$(stat -c %a -- \"$f\" 2>/dev/null || stat -f %Lp -- \"$f\")",
                "  chown \"$(stat -c %u:%g -- \"$f\" 2>/dev/null || stat -f %u:%g -- \"$f\")\" \"$t\" 2>/dev/null || :",
                "else m=$(printf %o $((0\(mode) & 0777 & ~0$(umask)))); fi", "chmod \"$m\" \"$t\"",
            ]
        }
        lines += ["sync -- \"$t\" 2>/dev/null || :", "mv -f -- \"$t\" \"$f\""]
        return lines.joined(separator: "\n")
    }

    /// Sets a file's time: GNU's and busybox's `touch` take seconds, others a date.
    private static func touch(_ time: CopyEntry.Time, _ file: String) -> String {
        let fraction = String(time.nanoseconds)
        let seconds = "@\(time.seconds)"
        let exact = seconds + "." + String(repeating: "0", count: 9 - fraction.count) + fraction
        return "touch -d \(exact) \(file) 2>/dev/null || touch -d \(seconds) \(file) 2>/dev/null"
            + " || TZ=UTC0 touch -t $(TZ=UTC0 date -r \(time.seconds) +%Y%m%d%H%M.%S) \(file)"
    }

    // MARK: Folders and links

    /// Makes folders and those above them; ones that are there already stay.
    package static func makeFolders(_ paths: [String]) -> String {
        "mkdir -p -- " + paths.map(word).joined(separator: " ")
    }

    /// Makes a symbolic link, in the place of a file or a link that is there.
    package static func link(_ path: String, to target: String) -> String {
        "p=\(word(path)); if [ -d \"$p\" ] && ! [ -L \"$p\" ]; then printf '%s is a folder\\n' \"$p\" >&2; exit 1; fi; "
            + "ln -sfn -- \(ShellQuoting.quote(target)) \"$p\""
    }

    /// Gives folders the modes and times of the entries; what is inside must be there already.
    package static func setAttributes(_ folders: [(path: String, entry: CopyEntry)]) -> String {
        folders.map { path, entry in
            "d=\(word(path)); chmod \(String(entry.mode & 0o7777, radix: 8)) \"$d\" && { "
                + touch(entry.modified, "\"$d\"") + "; } || s=1"
        }.joined(separator: "\n") + "\nexit ${s:-0}"
    }
}
