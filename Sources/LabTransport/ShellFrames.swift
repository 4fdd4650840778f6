import LabCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The frames that a long-lived shell is fed, one per command, and the marks with which it answers.
///
/// Each command runs in a subshell with its own input, so what it does to its directory, traps, options or input stays
/// its own. Before it, the shell says `mark:number<` on both outputs; after it `mark:number:` on standard error and
/// `mark:number:status` on standard output. The mark is random and known to the shell alone, so output may hold any bytes,
/// and what an earlier command left behind says in between is nobody's output.
package struct ShellFrames: Sendable {
    private let opening: ShellOpening
    private let mark: String
    private var number = 0

    package init(_ opening: ShellOpening, mark: String) {
        self.opening = opening
        // A byte that is rare in output comes first, so that output is searched at the speed of memchr.
        self.mark = "\u{1}" + mark
    }

    /// The frame that comes before all others: it defines what the others call.
    package var setUp: [UInt8] {
        // The shell's own words ("Terminated") are nobody's output: its standard error is kept aside as descriptor 9.
        let lines = [
            "exec 9>&2 2>/dev/null", "labctl_m=\(ShellQuoting.quote(mark))",
            "labctl_n=$(printf \"\\n.\"); labctl_n=${labctl_n%.}",
            "labctl_begin() { echo \"$labctl_m:$1<\" >&9; echo \"$labctl_m:$1<\"; }",
            "labctl_end() { echo \"$labctl_m:$1:\" >&9; echo \"$labctl_m:$1:$2\"; }",
            "labctl_run() { labctl_begin $1; (eval \"$2\") </dev/null 2>&9 9>&-; labctl_end $1 $?; }",
            // Only GNU's head is known to take not one byte too many, which would be the next frame's; dd is slow but exact.
            "labctl_h=",
            "labctl_take() { case $labctl_h in 1) head -c \"$1\";; *) dd bs=1 count=\"$1\" 2>/dev/null;; esac; }",
            "labctl_feed() { [ \"$labctl_h\" ] || case $(head --version 2>/dev/null </dev/null) in "
                + "*\"GNU coreutils\"*) labctl_h=1;; *) labctl_h=2;; esac; labctl_begin $1; "
                // What the command leaves unread must not be taken for the next frame.
                + "labctl_take \"$3\" | { (eval \"$2\") 2>&9 9>&-; labctl_s=$?; cat >/dev/null; labctl_end $1 $labctl_s; }; }",
        ]
        return opening.frame(lines.joined(separator: "; "))
    }

    /// The frame of a command, with its input behind it, and the marks around its two outputs.
    package mutating func next(_ command: Command) -> (bytes: [UInt8], begin: [UInt8], end: [UInt8]) {
        number += 1
        let script = ShellOpening.quoteLine(CommandScript.text(for: command), newline: "labctl_n")
        let begin = Array("\(mark):\(number)<".utf8)
        let end = Array("\(mark):\(number):".utf8)
        guard let input = command.standardInput, !input.isEmpty else {
            return (opening.frame("labctl_run \(number) \(script)"), begin, end)
        }
        return (opening.frame("labctl_feed \(number) \(script) \(input.count)") + input, begin, end)
    }
}

/// Finds the mark that ends a command's output, in pieces of any size.
package struct MarkScanner: Sendable {
    private let mark: [UInt8]
    private var held: [UInt8] = []
    /// What follows the mark up to the line break, once it is there.
    package private(set) var trailer: String?

    package init(mark: [UInt8]) { self.mark = mark }

    /// Takes a piece; gives the bytes that are output for certain. Those that may be the mark's beginning are kept.
    ///
    /// - Returns: the output, and what came behind the whole mark: nothing that belongs to this command.
    package mutating func feed(_ bytes: [UInt8]) -> (output: [UInt8], beyond: [UInt8]) {
        guard trailer == nil else { return ([], bytes) }
        if held.isEmpty { held = bytes } else { held += bytes }
        if let found = findMark() {
            let output = Array(held[..<found.lowerBound])
            guard let end = held[found.upperBound...].firstIndex(of: UInt8(ascii: "\n")) else {
                held.removeFirst(found.lowerBound)
                return (output, [])
            }
            trailer = String(decoding: held[found.upperBound..<end], as: UTF8.self)
            defer { held = [] }
            return (output, Array(held[(end + 1)...]))
        }
        let kept = partialMark()
        let output = Array(held[..<(held.count - kept)])
        held.removeFirst(held.count - kept)
        return (output, [])
    }

    private func findMark() -> Range<Int>? {
        held.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return nil }
            var start = 0
            while start + mark.count <= buffer.count,
                let hit = memchr(base + start, Int32(mark[0]), buffer.count - start)
            {
                start = UnsafeRawPointer(hit) - base
                if start + mark.count <= buffer.count, memcmp(hit, mark, mark.count) == 0 {
                    return start..<(start + mark.count)
                }
                start += 1
            }
            return nil
        }
    }

    /// The length of the longest beginning of the mark at the end of what is held.
    private func partialMark() -> Int {
        var length = min(mark.count - 1, held.count)
        while length > 0 {
            if held[(held.count - length)...].elementsEqual(mark[..<length]) { return length }
            length -= 1
        }
        return 0
    }

    /// What is held at the end of the stream, when no mark came.
    package mutating func flush() -> [UInt8] {
        defer { held = [] }
        return held
    }
}
