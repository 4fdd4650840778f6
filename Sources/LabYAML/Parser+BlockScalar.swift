extension Parser {
    private enum Chomping { case clip, strip, keep }

    /// Reads a block scalar whose `|` or `>` stands at `pos` (c-l+literal, [170]; c-l+folded, [174]).
    @inline(never)
    mutating func readBlockScalar(parent: Int, properties: UInt32) throws(Failure) {
        let start = pos
        let isLiteral = byte(pos) == .pipe
        let (chomping, explicitIndent) = try readBlockScalarHeader()
        let style: SyntaxTree.Style = isLiteral ? .literal : .folded
        let textStart = decoded.count
        let headerEnd = tokenEnd

        var indent = explicitIndent.map { max(parent, 0) + $0 } ?? -1
        /// Breaks that were seen since the last line of text and not written yet.
        var breaks = 0
        var hasText = false
        var lastWasIndented = false
        /// The longest blank line before the first text, whose spaces must not exceed the indentation.
        var widestBlank: (indent: Int, offset: Int) = (0, 0)

        while pos < end {
            beginScalarLine(afterBreak(pos), indent: indent)
            let content = lineStart + lineIndent
            if lineIndent == 0, byte(lineStart) == .dash || byte(lineStart) == .dot {
                pos = lineStart
                if isAtDocumentMarker { break }
            }
            if indent < 0, content < end, !bytes[content].isBreak {
                // The first line with text tells the indentation (8.1.1.1).
                // To libyaml, the text at the root is indented as well: a `#` at the margin is a comment.
                let isComment = dialect.isLax && lineIndent == 0 && bytes[content] == .hash
                if lineIndent <= parent || isComment {
                    try checkScalarEnd(content, parent: parent, header: start)
                    break
                }
                indent = lineIndent
                // libyaml ends the scalar there, before a comment.
                if widestBlank.indent > indent, dialect.isLax, bytes[content] == .hash { break }
                if widestBlank.indent > indent { throw .blankLineTooWide(widestBlank, indent: indent, header: start) }
            }
            if content >= end {
                // White space without a break is the last line all the same.
                pos = end
                if content > lineStart, dialect.endIsBreak { breaks += 1 }
                break
            }
            if bytes[content].isBreak {
                if indent < 0, lineIndent > widestBlank.indent { widestBlank = (lineIndent, lineStart) }
                breaks += 1
                pos = content
                continue
            }
            if lineIndent < indent {
                try checkScalarEnd(content, parent: parent, header: start)
                break
            }
            let text = lineStart + indent
            let isIndented = bytes[text].isBlank
            writeBreaks(breaks, isFolded: !isLiteral && hasText && !isIndented && !lastWasIndented)
            let lineEnd = endOfLine(text)
            decoded.append(contentsOf: bytes[text..<lineEnd])
            hasText = true
            lastWasIndented = isIndented
            // The end of the input ends a line as a break does ([165]); PyYAML sees no break there.
            breaks = lineEnd < end || dialect.endIsBreak ? 1 : 0
            tokenEnd = lineEnd
            pos = lineEnd
        }

        switch chomping {
        case .strip: break
        case .clip: if hasText, breaks > 0 { decoded.append(.lineFeed) }
        case .keep:
            for _ in 0..<breaks { decoded.append(.lineFeed) }
        }
        if !hasText { tokenEnd = headerEnd }
        var node = SyntaxTree.Node(style, start: start, end: tokenEnd, text: textStart..<decoded.count)
        node.flags |= SyntaxTree.Node.isDecoded
        append(node, properties: properties)
        settleLine()
    }

    /// Reads the indicators after `|` or `>` and moves to the break of the line (c-b-block-header, [162]).
    private mutating func readBlockScalarHeader() throws(Failure) -> (Chomping, Int?) {
        let start = pos
        var chomping: Chomping?
        var indent: Int?
        pos += 1
        while true {
            let byte = byte(pos)
            if byte == .dash || byte == UInt8(ascii: "+"), chomping == nil {
                chomping = byte == .dash ? .strip : .keep
            } else if byte.isDigit, byte != UInt8(ascii: "0"), indent == nil {
                indent = Int(byte &- 0x30)
            } else {
                break
            }
            pos += 1
        }
        tokenEnd = pos
        let afterIndicators = pos
        skipBlanks()
        if byte(pos) == .hash, pos > afterIndicators || dialect.isLax { pos = endOfLine(pos) }
        guard atEnd || byte(pos).isBreak else {
            throw .afterBlockHeader(at: pos..<endOfLine(pos), header: start..<afterIndicators)
        }
        return (chomping ?? .clip, indent)
    }

    /// Starts a line of a block scalar: spaces beyond the scalar's indentation belong to its text.
    private mutating func beginScalarLine(_ start: Int, indent: Int) {
        lineStart = start
        var index = start
        if indent < 0 {
            while byte(index) == .space { index += 1 }
        } else {
            let limit = start + indent
            while index < limit, byte(index) == .space { index += 1 }
        }
        lineIndent = index - start
    }

    /// Writes the breaks between two lines of text (b-l-folded, [73]; l-nb-literal-text, [171]).
    private mutating func writeBreaks(_ breaks: Int, isFolded: Bool) {
        if isFolded {
            appendFold(breaks)
        } else {
            for _ in 0..<breaks { decoded.append(.lineFeed) }
        }
    }

    /// Refuses a line that ends the scalar although it looks like a part of it.
    private func checkScalarEnd(_ content: Int, parent: Int, header: Int) throws(Failure) {
        if bytes[content] == .tab, lineIndent <= max(parent, 0) {
            throw .tabInBlockScalar(at: content, header: header)
        }
        if lineIndent > parent, bytes[content] != .hash {
            throw .underindentedBlockScalar(at: content, indent: lineIndent, header: header)
        }
    }

    /// After a block scalar: `pos` is at a break, the end, or somewhere in a line that is not the scalar's.
    private mutating func settleLine() {
        guard pos < end else { return }
        if bytes[pos].isBreak {
            beginLine(afterBreak(pos))
        } else {
            beginLine(lineStart)
        }
        pos = lineContent
        separatedByTab = lineContent - lineStart != lineIndent
    }
}
