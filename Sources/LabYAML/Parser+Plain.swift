extension Parser {
    /// Refuses the characters that cannot start a plain scalar (ns-plain-first, [126]).
    @inline(__always)
    func checkPlainStart(inFlow: Bool) throws(Failure) {
        let first = byte(pos)
        // All indicators are below `A` but for brackets, braces, the backtick and the bar.
        if (first | 0x20) &- 0x61 < 26 || first.isDigit || first >= 0x80 { return }
        try checkIndicator(first, inFlow: inFlow)
    }

    @inline(never)
    private func checkIndicator(_ first: UInt8, inFlow: Bool) throws(Failure) {
        switch first {
        case .dash, .question, .colon:
            // libyaml takes the dash of `[-]` for text.
            if isSpace(pos + 1) || (inFlow && byte(pos + 1).isFlowIndicator && !(dialect.isLax && first == .dash)) {
                throw .misplacedIndicator(first, at: pos)
            }
        case .comma, .openBracket, .closeBracket, .openBrace, .closeBrace, .hash, .ampersand, .asterisk, .exclamation,
            .pipe, .greater, .singleQuote, .doubleQuote, .percent, .at, .backtick:
            throw reservedStart(first, inFlow: inFlow)
        default:
            break
        }
    }

    /// Reads the part of a plain scalar that is on the current line (ns-plain-one-line, [133]).
    ///
    /// Leaves `pos` at what ended it: a colon that is an indicator, a `#` that starts a comment, a flow indicator, a line
    /// break, or the end.
    @inline(never)
    mutating func readPlainFirstLine(inFlow: Bool) throws(Failure) -> SyntaxTree.Node {
        let start = pos
        let textEnd = scanPlainLine(inFlow: inFlow)
        tokenEnd = textEnd
        return SyntaxTree.Node(.plain, start: start, end: textEnd, text: start..<textEnd)
    }

    /// Moves over the plain text of a line and returns where it ends without the white space after it.
    @inline(__always)
    private mutating func scanPlainLine(inFlow: Bool) -> Int {
        var index = pos
        scan: while index < end {
            let byte = bytes[index]
            // Letters and everything beyond ASCII are the common case.
            if byte > .colon {
                if inFlow, byte.isFlowIndicator { break scan }
                index += 1
                continue
            }
            switch byte {
            case .colon:
                if isSpace(index + 1) || (inFlow && self.byte(index + 1).isFlowIndicator) { break scan }
            case .hash:
                if index > pos, bytes[index - 1].isBlank { break scan }
            case .lineFeed, .carriageReturn:
                break scan
            case .comma:
                if inFlow { break scan }
            default:
                break
            }
            index += 1
        }
        let start = pos
        pos = index
        while index > start, bytes[index - 1].isBlank { index -= 1 }
        return index
    }

    /// Reads the further lines of a plain scalar (s-ns-plain-next-line, [134]) and folds them (6.5).
    ///
    /// - Parameters:
    ///   - parent: the column of the parent; lines that are indented no deeper are not part of the scalar.
    ///   - opener: where the flow collection around it starts, or nil.
    @inline(never)
    mutating func readPlainRest(
        _ first: SyntaxTree.Node, parent: Int, opener: Int?
    ) throws(Failure) -> SyntaxTree.Node {
        guard pos < end, bytes[pos].isBreak else { return first }
        let inFlow = opener != nil
        var scalar = first
        var isFolded = false
        while pos < end, bytes[pos].isBreak {
            var breaks = 0
            repeat {
                breaks += 1
                beginLine(afterBreak(pos))
                pos = lineContent
            } while pos < end && bytes[pos].isBreak
            separatedByTab = lineContent - lineStart != lineIndent
            if atEnd || isAtDocumentMarker || byte(pos) == .hash { break }
            if lineIndent <= parent {
                guard let opener else { break }
                try checkFlowLine(parent: parent, opener: opener)
            }
            if inFlow, byte(pos).isFlowIndicator { break }
            if byte(pos) == .colon, isSpace(pos + 1) || (inFlow && byte(pos + 1).isFlowIndicator) { break }
            if !isFolded {
                isFolded = true
                let textStart = decoded.count
                decoded.append(contentsOf: bytes[Int(first.textStart)..<Int(first.textEnd)])
                scalar.textStart = UInt32(truncatingIfNeeded: textStart)
                scalar.flags |= SyntaxTree.Node.isDecoded
            }
            appendFold(breaks)
            let lineStart = pos
            let textEnd = scanPlainLine(inFlow: inFlow)
            decoded.append(contentsOf: bytes[lineStart..<textEnd])
            tokenEnd = textEnd
        }
        guard isFolded else { return first }
        scalar.textEnd = UInt32(truncatingIfNeeded: decoded.count)
        scalar.end = UInt32(truncatingIfNeeded: tokenEnd)
        return scalar
    }

    /// Appends what a run of line breaks is folded to (b-l-folded, [73]): a space for one, else one break less.
    @inline(__always)
    mutating func appendFold(_ breaks: Int) {
        if breaks == 1 {
            decoded.append(.space)
        } else {
            for _ in 1..<breaks { decoded.append(.lineFeed) }
        }
    }

    /// Reads `*name` (c-ns-alias-node, [104]).
    @inline(never)
    mutating func readAlias() throws(Failure) -> SyntaxTree.Node {
        let start = pos
        let name = try readAnchorName()
        tokenEnd = pos
        var node = SyntaxTree.Node(.alias, .plain, start: start, end: pos)
        node.textStart = UInt32(truncatingIfNeeded: name.lowerBound)
        node.textEnd = UInt32(truncatingIfNeeded: name.upperBound)
        return node
    }
}
