import LabCore

/// Splits the one-line form of arguments (`copy: src=a dest="b c"`) as Ansible's `parse_kv` does.
struct KeyValueText {
    struct Pair {
        let key: String
        let value: String
        /// Bytes from the start of the text.
        let range: Range<Int>
    }

    /// The parameters of free-form modules; any other `a=b` in a command is part of the command.
    private static let freeFormKeys: Set<String> = [
        "creates", "removes", "chdir", "executable", "warn", "stdin", "stdin_add_newline", "strip_empty_ends",
    ]

    private(set) var pairs: [Pair] = []
    /// What is no pair, as it was written; nil when there is nothing.
    private(set) var rest: String?

    /// - Parameter isCommand: whether only the options of commands are taken out of the text.
    init(_ text: String, isCommand: Bool) {
        let bytes = Array(text.utf8)
        let words = Self.words(bytes)
        var others: [Range<Int>] = []
        for range in words {
            if let pair = Self.pair(bytes, range), !isCommand || Self.freeFormKeys.contains(pair.key) {
                pairs.append(pair)
            } else {
                others.append(range)
            }
        }
        guard let first = others.first, let last = others.last else { return }
        if pairs.isEmpty {
            rest = String(decoding: bytes[first.lowerBound..<last.upperBound], as: UTF8.self).replacing(
                "\\=", with: "=")
        } else {
            var text = ""
            var end = first.lowerBound
            for range in others {
                if !text.isEmpty { text += bytes[end..<range.lowerBound].contains(0x0A) ? "\n" : " " }
                text += String(decoding: bytes[range], as: UTF8.self)
                end = range.upperBound
            }
            rest = text.replacing("\\=", with: "=")
        }
    }

    /// Words between spaces that are in no quotes and in no template.
    private static func words(_ bytes: [UInt8]) -> [Range<Int>] {
        var words: [Range<Int>] = []
        var start: Int?
        var quote: UInt8?
        var depth = 0
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            let next = index + 1 < bytes.count ? bytes[index + 1] : 0
            let isSpace = byte == 0x20 || byte == 0x0A || byte == 0x09 || byte == 0x0D
            if isSpace, quote == nil, depth == 0 {
                if let begin = start { words.append(begin..<index) }
                start = nil
                index += 1
                continue
            }
            start = start ?? index
            if byte == UInt8(ascii: "{"), [UInt8(ascii: "{"), UInt8(ascii: "%"), UInt8(ascii: "#")].contains(next) {
                depth += 1
                index += 2
                continue
            }
            if next == UInt8(ascii: "}"), depth > 0,
                [UInt8(ascii: "}"), UInt8(ascii: "%"), UInt8(ascii: "#")].contains(byte)
            {
                depth -= 1
                index += 2
                continue
            }
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'"), index == 0 || bytes[index - 1] != 0x5C {
                if quote == byte { quote = nil } else if quote == nil { quote = byte }
            }
            index += 1
        }
        if let begin = start { words.append(begin..<bytes.count) }
        return words
    }

    private static func pair(_ bytes: [UInt8], _ range: Range<Int>) -> Pair? {
        // As for Ansible, `\=` separates nothing, and a word does not begin with its `=`.
        var position = range.lowerBound + 1
        while position < range.upperBound {
            if bytes[position] == UInt8(ascii: "="), bytes[position - 1] != 0x5C { break }
            position += 1
        }
        guard position < range.upperBound else { return nil }
        let key = String(decoding: bytes[range.lowerBound..<position], as: UTF8.self)
        let value = String(decoding: bytes[(position + 1)..<range.upperBound], as: UTF8.self)
        guard key.isVariableName else { return nil }
        return Pair(key: key, value: unquoted(decoded(value)), range: range)
    }

    private static func unquoted(_ text: String) -> String {
        guard text.utf8.count > 1, let first = text.first, first == text.last, first == "\"" || first == "'",
            text.dropLast().last != "\\"
        else { return text }
        return String(text.dropFirst().dropLast())
    }

    /// Python's escapes; `_decode_escapes` of Ansible's splitter.
    private static func decoded(_ text: String) -> String {
        guard text.contains("\\") else { return text }
        var result = String.UnicodeScalarView()
        var rest = Substring(text).unicodeScalars
        while let scalar = rest.popFirst() {
            guard scalar == "\\", let code = rest.first else {
                result.append(scalar)
                continue
            }
            let width: Int? =
                switch code {
                case "x": 2
                case "u": 4
                case "U": 8
                default: nil
                }
            if let width {
                let digits = rest.dropFirst().prefix(width)
                if digits.count == width, let number = UInt32(String(digits), radix: 16),
                    let decoded = Unicode.Scalar(number)
                {
                    result.append(decoded)
                    rest = rest.dropFirst(width + 1)
                    continue
                }
            }
            let simple: [Unicode.Scalar: Unicode.Scalar] = [
                "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "\"": "\"", "a": "\u{07}", "b": "\u{08}",
                "f": "\u{0C}", "v": "\u{0B}",
            ]
            if let decoded = simple[code] {
                result.append(decoded)
                rest.removeFirst()
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }
}

extension SourceValue {
    /// The place of a part of a text, given in bytes of the text; the place of the whole where the file does not have the
    /// text word for word (escapes, several lines).
    func span(ofBytes range: Range<Int>) -> SourceSpan? {
        guard let span, let text = string else { return self.span }
        for quote in [0, 1] {
            let start = span.start.offset + quote
            let bytes = span.file.bytes
            if start + text.utf8.count <= bytes.count,
                bytes[start..<start + text.utf8.count].elementsEqual(text.utf8)
            {
                return span.file.span(start + range.lowerBound..<start + range.upperBound)
            }
        }
        return span
    }
}
