import LabCore

/// Words of a line as a POSIX shell splits them, with their places.
struct ShellWord {
    let text: String
    /// Bytes from the start of the text that was split.
    let range: Range<Int>

    /// An unclosed quote, with its offset.
    struct Unclosed: Error { let offset: Int }

    /// Splits a text at spaces; quotes and backslashes work as in a shell; `#` begins a comment where `comments` is set
    /// (Python's `shlex` in POSIX mode, which INI inventories are read with).
    static func split(_ text: String, comments: Bool = false) throws(Unclosed) -> [ShellWord] {
        let bytes = Array(text.utf8)
        var words: [ShellWord] = []
        var word: [UInt8] = []
        var start: Int?
        var index = 0
        func finish(_ end: Int) {
            if let begin = start {
                words.append(ShellWord(text: String(decoding: word, as: UTF8.self), range: begin..<end))
            }
            word = []
            start = nil
        }
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                finish(index)
            case UInt8(ascii: "#") where comments:
                finish(index)
                return words
            case UInt8(ascii: "'"):
                start = start ?? index
                guard let end = bytes[(index + 1)...].firstIndex(of: UInt8(ascii: "'")) else {
                    throw Unclosed(offset: index)
                }
                word += bytes[(index + 1)..<end]
                index = end
            case UInt8(ascii: "\""):
                start = start ?? index
                index = try readDoubleQuoted(bytes, from: index, into: &word)
            case UInt8(ascii: "\\") where index + 1 < bytes.count:
                start = start ?? index
                index += 1
                word.append(bytes[index])
            default:
                start = start ?? index
                word.append(byte)
            }
            index += 1
        }
        finish(bytes.count)
        return words
    }

    /// - Returns: the offset of the closing quote.
    private static func readDoubleQuoted(
        _ bytes: [UInt8], from open: Int, into word: inout [UInt8]
    ) throws(Unclosed) -> Int {
        var index = open + 1
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""): return index
            case UInt8(ascii: "\\") where index + 1 < bytes.count:
                let next = bytes[index + 1]
                if next != UInt8(ascii: "\""), next != UInt8(ascii: "\\") { word.append(bytes[index]) }
                word.append(next)
                index += 2
            default:
                word.append(bytes[index])
                index += 1
            }
        }
        throw Unclosed(offset: open)
    }
}
