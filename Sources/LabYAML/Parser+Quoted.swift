extension Parser {
    /// Reads a single-quoted scalar (c-single-quoted, [120]); `''` is its one escape.
    @inline(never)
    mutating func readSingleQuoted(parent: Int) throws(Failure) -> SyntaxTree.Node {
        let start = pos
        var index = pos + 1
        while index < end, bytes[index] != .singleQuote, !bytes[index].isBreak { index += 1 }
        if byte(index) == .singleQuote, byte(index + 1) != .singleQuote {
            pos = index + 1
            tokenEnd = pos
            return SyntaxTree.Node(.singleQuoted, start: start, end: pos, text: start + 1..<index)
        }
        let textStart = decoded.count
        var from = start + 1
        while true {
            guard index < end else { throw unclosedQuote(start) }
            if bytes[index] == .singleQuote {
                decoded.append(contentsOf: bytes[from..<index])
                guard byte(index + 1) == .singleQuote else { break }
                decoded.append(.singleQuote)
                index += 2
                from = index
            } else if bytes[index].isBreak {
                decoded.append(contentsOf: bytes[from..<trimmed(from, index)])
                index = try foldQuotedLines(at: index, opener: start, parent: parent)
                from = index
            } else {
                index += 1
            }
        }
        pos = index + 1
        return decodedScalar(.singleQuoted, start: start, textStart: textStart)
    }

    /// Reads a double-quoted scalar (c-double-quoted, [109]).
    @inline(never)
    mutating func readDoubleQuoted(parent: Int) throws(Failure) -> SyntaxTree.Node {
        let start = pos
        var index = pos + 1
        while index < end, bytes[index] != .doubleQuote, bytes[index] != .backslash, !bytes[index].isBreak {
            index += 1
        }
        if byte(index) == .doubleQuote {
            pos = index + 1
            tokenEnd = pos
            return SyntaxTree.Node(.doubleQuoted, start: start, end: pos, text: start + 1..<index)
        }
        let textStart = decoded.count
        var from = start + 1
        // White space that an escape made is not trimmed at the end of a line.
        while true {
            guard index < end else { throw unclosedQuote(start) }
            switch bytes[index] {
            case .doubleQuote:
                decoded.append(contentsOf: bytes[from..<index])
                pos = index + 1
                return decodedScalar(.doubleQuoted, start: start, textStart: textStart)
            case .backslash:
                decoded.append(contentsOf: bytes[from..<index])
                if index + 1 < end, bytes[index + 1].isBreak {
                    index = try skipEscapedBreak(at: index + 1, opener: start, parent: parent)
                } else {
                    index = try readEscape(at: index, opener: start)
                }
                from = index
            case .lineFeed, .carriageReturn:
                decoded.append(contentsOf: bytes[from..<trimmed(from, index)])
                index = try foldQuotedLines(at: index, opener: start, parent: parent)
                from = index
            default:
                index += 1
            }
        }
    }

    private mutating func decodedScalar(
        _ style: SyntaxTree.Style, start: Int, textStart: Int
    ) -> SyntaxTree.Node {
        tokenEnd = pos
        var node = SyntaxTree.Node(style, start: start, end: pos, text: textStart..<decoded.count)
        node.flags |= SyntaxTree.Node.isDecoded
        return node
    }

    /// The end of a line's text without the white space before its break.
    private func trimmed(_ from: Int, _ lineEnd: Int) -> Int {
        var index = lineEnd
        while index > from, bytes[index - 1].isBlank { index -= 1 }
        return index
    }

    /// Folds the breaks at `offset` (s-flow-folded, [74]) and returns where the text goes on.
    private mutating func foldQuotedLines(at offset: Int, opener: Int, parent: Int) throws(Failure) -> Int {
        appendFold(try skipQuotedBreaks(at: offset, opener: opener, parent: parent))
        return lineContent
    }

    /// After `\` and a break: the break vanishes, the empty lines after it stay (s-double-escaped, [112]).
    private mutating func skipEscapedBreak(at offset: Int, opener: Int, parent: Int) throws(Failure) -> Int {
        let breaks = try skipQuotedBreaks(at: offset, opener: opener, parent: parent)
        for _ in 1..<breaks { decoded.append(.lineFeed) }
        return lineContent
    }

    /// Moves over the break at `offset` and the empty lines after it; returns the number of breaks.
    private mutating func skipQuotedBreaks(at offset: Int, opener: Int, parent: Int) throws(Failure) -> Int {
        var breaks = 0
        pos = offset
        repeat {
            breaks += 1
            beginLine(afterBreak(pos))
            pos = lineContent
        } while pos < end && bytes[pos].isBreak
        if atEnd { throw unclosedQuote(opener) }
        if isAtDocumentMarker { throw .markerInside("quoted text", at: pos..<pos + 3, opener: opener) }
        if lineIndent <= parent, !dialect.isLax { throw .underindentedQuote(at: pos, parent: parent, opener: opener) }
        return breaks
    }

    // MARK: Escapes

    /// Appends what the escape at `offset` stands for (c-ns-esc-char, [62]) and returns the offset after it.
    private mutating func readEscape(at offset: Int, opener: Int) throws(Failure) -> Int {
        let code = byte(offset + 1)
        switch code {
        case UInt8(ascii: "n"): decoded.append(0x0A)
        case UInt8(ascii: "t"), .tab: decoded.append(0x09)
        case .doubleQuote, .backslash, UInt8(ascii: "/"), .space: decoded.append(code)
        case UInt8(ascii: "r"): decoded.append(0x0D)
        case UInt8(ascii: "0"): decoded.append(0x00)
        case UInt8(ascii: "a"): decoded.append(0x07)
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "e"): decoded.append(0x1B)
        case UInt8(ascii: "f"): decoded.append(0x0C)
        case UInt8(ascii: "v"): decoded.append(0x0B)
        case UInt8(ascii: "N"): append("\u{85}")
        case UInt8(ascii: "_"): append("\u{A0}")
        case UInt8(ascii: "L"): append("\u{2028}")
        case UInt8(ascii: "P"): append("\u{2029}")
        case UInt8(ascii: "x"): return try readCodePoint(at: offset, digits: 2)
        case UInt8(ascii: "u"): return try readCodePoint(at: offset, digits: 4)
        case UInt8(ascii: "U"): return try readCodePoint(at: offset, digits: 8)
        default:
            if offset + 1 >= end { throw unclosedQuote(opener) }
            throw unknownEscape(at: offset, opener: opener)
        }
        return offset + 2
    }

    private mutating func append(_ scalar: Unicode.Scalar) {
        decoded.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
    }

    /// Reads `\xXX`, `\uXXXX` or `\UXXXXXXXX`. Two `\u` that are a surrogate pair are one character, as in JSON.
    private mutating func readCodePoint(at offset: Int, digits: Int) throws(Failure) -> Int {
        let first = try hexadecimal(at: offset, digits: digits)
        let next = offset + 2 + digits
        if let scalar = Unicode.Scalar(first) {
            append(scalar)
            return next
        }
        if digits == 4, (0xD800...0xDBFF).contains(first), byte(next) == .backslash,
            byte(next + 1) == UInt8(ascii: "u")
        {
            let second = try hexadecimal(at: next, digits: 4)
            if (0xDC00...0xDFFF).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            {
                append(scalar)
                return next + 6
            }
        }
        throw Failure(
            "the escape is not a Unicode character", at: offset..<next,
            hint: "characters are 0 to 10FFFF, without the surrogates D800 to DFFF")
    }

    private func hexadecimal(at offset: Int, digits: Int) throws(Failure) -> UInt32 {
        var value: UInt32 = 0
        for index in offset + 2..<offset + 2 + digits {
            guard let digit = byte(index).hexadecimalValue else {
                throw Failure(
                    "expected \(digits) hexadecimal digits after \\\(Character(Unicode.Scalar(byte(offset + 1))))",
                    at: offset..<min(max(index, offset + 2), end),
                    hint: "in double quotes a backslash is written \\\\; in single quotes it stands for itself")
            }
            value = value << 4 | digit
        }
        return value
    }
}
