/// A place in a text: `line` and `column` count from 1 (columns in Unicode scalars), `offset` is in bytes from 0.
package struct SourcePosition: Sendable, Hashable, Comparable {
    package var line: Int
    package var column: Int
    package var offset: Int

    package init(line: Int, column: Int, offset: Int) {
        self.line = line
        self.column = column
        self.offset = offset
    }

    package static func < (lhs: Self, rhs: Self) -> Bool { lhs.offset < rhs.offset }
}

/// A text that was read: its path as the user would name it, and its bytes in UTF-8.
package final class SourceFile: Sendable {
    /// The path relative to where labctl was started when that is shorter, or a name in angle brackets
    /// (`<stdin>`, `<command line>`).
    package let path: String
    package let bytes: [UInt8]
    /// Whether it holds passwords, tokens or keys: of its lines only the keys are shown.
    package let isSecret: Bool
    /// Offsets in 32 bits: the readers of files refuse larger ones long before.
    private let lineStarts: [UInt32]

    package init(path: String, bytes: [UInt8], isSecret: Bool = false) {
        self.path = path
        self.bytes = bytes
        self.isSecret = isSecret
        self.lineStarts = SourceFile.lineStarts(of: bytes)
    }

    package convenience init(path: String, text: String, isSecret: Bool = false) {
        self.init(path: path, bytes: Array(text.utf8), isSecret: isSecret)
    }

    /// The text of a line (counted from 1) without its line break, or nil when there is no such line.
    package func line(_ number: Int) -> String? {
        guard number >= 1, number <= lineStarts.count else { return nil }
        let start = Int(lineStarts[number - 1])
        var end = number < lineStarts.count ? Int(lineStarts[number]) : bytes.count
        while end > start, bytes[end - 1] == 0x0A || bytes[end - 1] == 0x0D { end -= 1 }
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    /// A line as people may see it: of a secret file only indentation, dashes and a plain key; of others without the
    /// passwords, tokens and keys that are written out in it.
    package func shownLine(_ number: Int) -> String? {
        guard let line = line(number) else { return nil }
        guard isSecret else { return SecretWords.masked(line) }
        let start = line.prefix { $0 == " " || $0 == "-" }
        let key = line.dropFirst(start.count).prefix { $0.isASCII && ($0.isLetter || $0 == "-") }
        let rest = line.dropFirst(start.count + key.count)
        // A line of a longer text has no colon, and what looks like a key in it may be part of a secret.
        guard !key.isEmpty, key.count <= 40, rest == ":" || rest.hasPrefix(": ") else { return "" }
        return start + key + ":" + (rest.count > 2 ? " …" : "")
    }

    /// The position of a byte offset; an offset past the end is the end.
    package func position(at offset: Int) -> SourcePosition {
        let offset = min(max(offset, 0), bytes.count)
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if Int(lineStarts[middle]) <= offset { low = middle } else { high = middle }
        }
        // UTF-8 continuation bytes (0b10xxxxxx) do not start a scalar.
        let column = bytes[min(Int(lineStarts[low]), offset)..<offset].count { $0 & 0xC0 != 0x80 }
        return SourcePosition(line: low + 1, column: column + 1, offset: offset)
    }

    /// The span between two byte offsets.
    package func span(_ range: Range<Int>) -> SourceSpan {
        SourceSpan(file: self, start: position(at: range.lowerBound), end: position(at: range.upperBound))
    }

    /// Counted first, so that the table is no larger than it must be: a file may be nothing but line breaks.
    private static func lineStarts(of bytes: [UInt8]) -> [UInt32] {
        bytes.withUnsafeBufferPointer { bytes in
            var count = 1
            for byte in bytes where byte == 0x0A || byte == 0x0D { count += 1 }
            return [UInt32](unsafeUninitializedCapacity: count) { starts, used in
                starts[0] = 0
                used = 1
                for index in bytes.indices where bytes[index] == 0x0A || bytes[index] == 0x0D {
                    // The break of "\r\n" is its line feed.
                    if bytes[index] == 0x0D, index + 1 < bytes.count, bytes[index + 1] == 0x0A { continue }
                    starts[used] = UInt32(clamping: index + 1)
                    used += 1
                }
            }
        }
    }
}

/// A stretch of a file; `end` is just past its last character.
package struct SourceSpan: Sendable, Hashable, CustomStringConvertible {
    package let file: SourceFile
    package let start: SourcePosition
    package let end: SourcePosition

    package init(file: SourceFile, start: SourcePosition, end: SourcePosition) {
        self.file = file
        self.start = start
        self.end = end
    }

    /// `path:line:column`, the form that editors and terminals make clickable.
    package var description: String { "\(file.path):\(start.line):\(start.column)" }

    package static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.file === rhs.file && lhs.start == rhs.start && lhs.end == rhs.end
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(file))
        hasher.combine(start)
        hasher.combine(end)
    }
}
