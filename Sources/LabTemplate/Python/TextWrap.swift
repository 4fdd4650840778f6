/// Python's `textwrap.wrap` with `expand_tabs` and `replace_whitespace` off.
struct TextWrap {
    let width: Int
    let breaksLongWords: Bool
    let breaksOnHyphens: Bool

    func lines(of text: String) throws -> [String] {
        guard width > 0 else { throw Failure("the width must be above zero") }
        var chunks: [[Unicode.Scalar]] = self.chunks(Array(text.unicodeScalars)).reversed()
        var lines: [String] = []
        while !chunks.isEmpty {
            var line: [[Unicode.Scalar]] = []
            var length = 0
            if isBlank(chunks[chunks.count - 1]), !lines.isEmpty { chunks.removeLast() }
            while let next = chunks.last, length + next.count <= width {
                line.append(next)
                length += next.count
                chunks.removeLast()
            }
            if let next = chunks.last, next.count > width {
                let room = width - length
                if breaksLongWords {
                    var end = room
                    if breaksOnHyphens, next.count > room, let hyphen = next[..<room].lastIndex(of: "-"), hyphen > 0,
                        next[..<hyphen].contains(where: { $0 != "-" })
                    {
                        end = hyphen + 1
                    }
                    line.append(Array(next[..<end]))
                    chunks[chunks.count - 1] = Array(next[end...])
                } else if line.isEmpty {
                    line.append(next)
                    chunks.removeLast()
                }
            }
            if let last = line.last, isBlank(last) { line.removeLast() }
            if !line.isEmpty { lines.append(line.joined().map(String.init).joined()) }
        }
        return lines
    }

    private func isBlank(_ chunk: [Unicode.Scalar]) -> Bool { chunk.allSatisfy(Self.isSpace) }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.isASCII && UInt8(scalar.value).isSpace }

    private func isWord(_ scalar: Unicode.Scalar) -> Bool {
        StringMethods.isLetter(scalar) || scalar == "_" || scalar.properties.numericType != nil
            || ["!", "\"", "'", "&", ".", ",", "?"].contains(scalar)
    }

    /// Runs of white space and words; words are cut behind hyphens between letters when that is allowed.
    private func chunks(_ scalars: [Unicode.Scalar]) -> [[Unicode.Scalar]] {
        var result: [[Unicode.Scalar]] = []
        var current: [Unicode.Scalar] = []
        func flush() {
            if !current.isEmpty { result.append(current) }
            current = []
        }
        for (index, scalar) in scalars.enumerated() {
            if let last = current.last, Self.isSpace(last) != Self.isSpace(scalar) { flush() }
            current.append(scalar)
            guard breaksOnHyphens, scalar == "-", index > 1, index + 2 < scalars.count else { continue }
            let isLetter = { (at: Int) in StringMethods.isLetter(scalars[at]) }
            if isWord(scalars[index - 1]), scalars[index - 1] != "-", isLetter(index - 1),
                isLetter(index - 2) || scalars[index - 2] == "-",
                isLetter(index + 1), isLetter(index + 2) || scalars[index + 2] == "-"
            {
                flush()
            }
        }
        flush()
        return result
    }
}
