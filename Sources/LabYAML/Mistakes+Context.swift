/// The sentences for mistakes that are told apart by what stands around them.
extension Parser {
    /// The text of a range, cut for a message.
    func excerpt(_ range: Range<Int>, limit: Int = 40) -> String {
        var end = min(range.upperBound, endOfLine(range.lowerBound))
        var isCut = false
        if end - range.lowerBound > limit {
            end = range.lowerBound + limit
            isCut = true
            // Not in the middle of a character.
            while end > range.lowerBound, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        }
        return String(decoding: bytes[range.lowerBound..<max(end, range.lowerBound)], as: UTF8.self)
            + (isCut ? "…" : "")
    }

    /// Just the character at an offset.
    func character(at offset: Int) -> Range<Int> {
        var next = min(offset + 1, end)
        while next < end, bytes[next] & 0xC0 == 0x80 { next += 1 }
        return offset..<next
    }

    /// Whether a template `{{ … }}` stands in the range.
    func hasTemplate(_ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        while index + 1 < range.upperBound {
            if bytes[index] == .openBrace, bytes[index + 1] == .openBrace { return true }
            index += 1
        }
        return false
    }

    // MARK: Indentation

    @inline(never)
    func tabIndentation() -> Failure {
        var tab = lineStart
        while tab < pos, bytes[tab] != .tab { tab += 1 }
        var tabEnd = tab
        while byte(tabEnd) == .tab { tabEnd += 1 }
        return Failure(
            "a tab cannot be used for indentation", at: tab..<max(tabEnd, tab),
            hint: "replace it by spaces; editors can do so for the whole file")
    }

    /// A line whose indentation is none of the collections that are open or have just ended.
    @inline(never)
    func overindented(column: Int, entry: Int) -> Failure {
        let isItem = byte(pos) == .dash && isSpace(pos + 1)
        let range = pos..<max(isItem ? pos + 1 : endOfWord(pos), pos)
        // The collection that has just ended, with the same kind of entries, is what the line was most likely meant for.
        let ended = nodes.last {
            $0.style == .block && $0.kind == (isItem ? .sequence : .mapping) && Int($0.end) == tokenEnd
                && $0.start >= entry
        }
        if let ended {
            let other = columnOf(Int(ended.start))
            return Failure(
                isItem
                    ? "this item is indented by \(lineIndent), but its list by \(other)"
                    : "this key is indented by \(lineIndent), but its map by \(other)", at: range,
                notes: [("the \(isItem ? "list" : "map") starts here", Int(ended.start)..<Int(ended.start) + 1)],
                hint: isItem
                    ? "indent all items of a list alike"
                    : "indent all keys of a map alike: by \(other) for this one"
                        + (column < other ? ", or by \(column) for the one around it" : ""))
        }
        if let last = nodes.last, last.kind == .scalar, last.style == .plain, bytes[tokenEnd..<pos].contains(.hash) {
            return Failure(
                "a comment ends the text before it, so that this line belongs to nothing",
                at: pos..<max(endOfLine(pos), pos),
                notes: [("the text starts here", last.range)],
                hint: "move the comment above the text, or write the text as a block: `>-` after the key")
        }
        return Failure(
            "this line is indented by \(lineIndent), which fits nothing before it", at: range,
            notes: [("it follows this entry, which is indented by \(column)", entry..<entry + 1)],
            hint: "indent it by \(column) when it is the next entry")
    }

    /// The column of an offset of an earlier line, counted from 0.
    private func columnOf(_ offset: Int) -> Int {
        var index = offset
        while index > 0, !bytes[index - 1].isBreak { index -= 1 }
        return offset - index
    }

    /// What stands after a complete value on the same line.
    @inline(never)
    func trailing(entry: Int) -> Failure {
        let range = pos..<max(endOfLine(pos), pos)
        if byte(pos) == .hash { return .commentWithoutSpace(at: range) }
        var trimmedEnd = range.upperBound
        while trimmedEnd > pos + 1, bytes[trimmedEnd - 1].isBlank { trimmedEnd -= 1 }
        let last = tokenEnd > 0 ? bytes[tokenEnd - 1] : 0
        if last == .doubleQuote || last == .singleQuote { return afterQuote(pos..<trimmedEnd, quote: last) }
        if last == .closeBrace, tokenEnd > 1, bytes[tokenEnd - 2] == .closeBrace {
            return Failure(
                "a value that starts with `{{` must be quoted", at: entryValue()..<trimmedEnd,
                notes: [("without quotes, `{` starts a map, which ends here", tokenEnd - 1..<tokenEnd)],
                hint: "put the whole value into double quotes: \"\(excerpt(entryValue()..<trimmedEnd, limit: 60))\"")
        }
        if last == .closeBrace || last == .closeBracket {
            return Failure(
                "text follows the closing bracket", at: pos..<trimmedEnd,
                notes: [("the \(last == .closeBrace ? "map" : "list") ends here", tokenEnd - 1..<tokenEnd)],
                hint: "remove the text, or put the whole value into quotes when it is meant as text")
        }
        return Failure(
            "unexpected text after the value", at: pos..<trimmedEnd,
            hint: "put the text on a line of its own, or put the whole value into quotes")
    }

    /// Text after the closing quote of a value.
    @inline(never)
    private func afterQuote(_ range: Range<Int>, quote: UInt8) -> Failure {
        let start = nodes.last.map { Int($0.start) } ?? tokenEnd
        if start < lineStart {
            return Failure(
                "the quote that is opened here is closed on a later line, in the middle of other text",
                at: start..<start + 1,
                notes: [("the quote is closed here, and text follows it", tokenEnd - 1..<tokenEnd)],
                hint: "close the quote on the line where it is opened, or quote the whole value", resumable: false)
        }
        // The value was meant to end at the end of the line; without its own outer quotes, if it has some.
        var text = bytes[start..<range.upperBound]
        if quote == .singleQuote, text.count > 1, text.last == quote { text = text.dropFirst().dropLast() }
        let fixed = String(decoding: text, as: UTF8.self)
        let hint: String
        if !text.contains(.singleQuote), text.count < 80 {
            hint = "put the whole value into single quotes: '\(fixed)'"
        } else if !text.contains(.doubleQuote), !text.contains(.backslash), text.count < 80 {
            hint = "put the whole value into double quotes: \"\(fixed)\""
        } else {
            hint =
                quote == .singleQuote
                ? "put the whole value into quotes; a single quote inside of single quotes is written twice: ''"
                : "put the whole value into quotes; a double quote inside of double quotes is written \\\""
        }
        return Failure(
            "text follows the closing quote", at: range, notes: [("the quote is closed here", tokenEnd - 1..<tokenEnd)],
            hint: hint)
    }

    /// Where the flow collection starts that is the last value read: the outermost one of the line's.
    private func entryValue() -> Int {
        var index = nodes.count - 1
        while index >= 0 {
            let node = nodes[index]
            if node.style == .flow, Int(node.end) == tokenEnd { return Int(nodes[outermostFlow(index)].start) }
            index -= 1
        }
        return pos
    }

    private func outermostFlow(_ index: Int) -> Int {
        var outer = index
        while outer > 0, nodes[outer - 1].style == .flow, nodes[outer - 1].start < nodes[outer].start,
            Int(nodes[outer - 1].end) >= tokenEnd || nodes[outer - 1].end == nodes[outer - 1].start
        {
            outer -= 1
        }
        return outer
    }

    /// What follows the root node of a document.
    @inline(never)
    func afterRoot(document: Int) -> Failure {
        let range = pos..<max(endOfLine(pos), pos)
        guard document + 1 < nodes.count else {
            return Failure("unexpected text", at: range)
        }
        let root = nodes[document + 1]
        let start = Int(root.start)..<min(Int(root.start) + 1, end)
        if byte(pos) == .percent, pos == lineStart { return .directiveInDocument(at: range) }
        if byte(pos) == .closeBracket || byte(pos) == .closeBrace { return reservedStart(byte(pos), inFlow: false) }
        switch (root.kind, root.style) {
        case (.sequence, .block):
            return Failure(
                "the document is a list, and this line is no item of it", at: range,
                notes: [("the list starts here", start)],
                hint: "put `- ` before it when it is an item, or start a new document with `---`")
        case (.mapping, .block):
            return Failure(
                "the document is a map, and this line is no entry of it", at: range,
                notes: [("the map starts here", start)],
                hint: "align it with the keys of the map, or start a new document with `---`")
        default:
            return Failure(
                "the document has ended before this line", at: range,
                notes: [("its one value is here", root.range)],
                hint: root.style == .plain
                    ? "a comment ends a text of several lines; move the comment, or start a new document with `---`"
                    : "start a new document with `---`")
        }
    }

    // MARK: Keys and colons

    /// A second `: ` on the line of a key.
    @inline(never)
    func nestedColon(in value: Range<Int>, place: Place) -> Failure {
        let colon = pos..<pos + 1
        if place == .root {
            return Failure(
                "a map cannot start on the line of `---`", at: value, notes: [("this colon makes it a map", colon)],
                hint: "start it on the next line")
        }
        return Failure(
            "a colon and a space stand inside of a value that is not quoted", at: colon,
            notes: [("the value starts here", value.lowerBound..<value.lowerBound + 1)],
            hint: quotedHint(value.lowerBound) + "; a map starts on the next line, indented deeper than its key")
    }

    /// How to quote the rest of the line, spelled out where it is short.
    func quotedHint(_ start: Int) -> String {
        var end = endOfLine(start)
        while end > start, bytes[end - 1].isBlank { end -= 1 }
        let text = bytes[start..<end]
        guard text.count < 60, !text.contains(.doubleQuote), !text.contains(.backslash) else {
            return "put the whole value into quotes"
        }
        return "put the whole value into quotes: \"\(String(decoding: text, as: UTF8.self))\""
    }

    /// A line of a plain scalar, not the first, that has a `: `.
    @inline(never)
    func multiLineKey(_ scalar: Range<Int>, place: Place) -> Failure {
        let firstLine = scalar.lowerBound..<endOfLine(scalar.lowerBound)
        let lineText = lineContent..<pos
        if place == .root || place == .item, let colon = colonWithoutSpace(firstLine) {
            return missingSpace(colon, key: scalar.lowerBound..<colon)
        }
        let word = String(decoding: bytes[lineText], as: UTF8.self)
        let isKey = !bytes[lineText].contains(.space) && lineText.count < 40
        if place == .value, isKey, let parent = nodes.last, parent.kind == .scalar, parent.end <= scalar.lowerBound {
            let name = excerpt(parent.range)
            return Failure(
                "the key `\(word)` is indented below `\(name)`, which has a value already", at: lineText,
                notes: [
                    ("the value of `\(name)` starts here and takes in the lines that are indented deeper", firstLine)
                ],
                hint: "align `\(word)` with `\(name)`; or remove the value of `\(name)` when it is meant to be a map")
        }
        if place == .value {
            return Failure(
                "a colon and a space stand inside of a value that is not quoted", at: pos..<pos + 1,
                notes: [("the value starts here and takes in the lines that are indented deeper", firstLine)],
                hint:
                    "write the value as a block: `>-` after the key, the text on the lines below it; or put it into quotes"
            )
        }
        return Failure(
            "the line before this key has no colon", at: firstLine, notes: [("the key is here", lineText)],
            hint: "write `key: value`, or put the text into quotes")
    }

    /// `key:value`, with what was meant spelled out.
    @inline(never)
    func missingSpace(_ colon: Int, key: Range<Int>) -> Failure {
        var end = endOfLine(colon)
        while end > colon, bytes[end - 1].isBlank { end -= 1 }
        let name = excerpt(key)
        let value = String(decoding: bytes[colon + 1..<end], as: UTF8.self)
        return Failure(
            "no space after the colon", at: colon..<colon + 1, notes: [("the key is here", key)],
            hint: "write `\(name): \(value.utf8.count < 40 ? value : "…")`")
    }

    /// The first colon of a range that no white space follows and that may have been meant as an indicator.
    func colonWithoutSpace(_ range: Range<Int>) -> Int? {
        for index in range where bytes[index] == .colon && index > range.lowerBound && !isSpace(index + 1) {
            // Not that of a URL or a time.
            if byte(index + 1) == UInt8(ascii: "/") { return nil }
            return index
        }
        return nil
    }

    /// A line at the column of a map's keys that is no entry.
    @inline(never)
    func missingColon(_ range: Range<Int>) -> Failure {
        let line = range.lowerBound..<min(max(endOfLine(range.lowerBound), range.lowerBound), end)
        if let colon = colonWithoutSpace(line) {
            return missingSpace(colon, key: line.lowerBound..<colon)
        }
        if bytes[line.lowerBound] == .ampersand || bytes[line.lowerBound] == .exclamation,
            isSpace(endOfWord(line.lowerBound))
        {
            return Failure(
                "an anchor or a tag on a line of its own must be indented deeper than the key of its value", at: line,
                hint: "indent it, or put it on the line of the key")
        }
        // The text of the line itself may have been appended as a key.
        let before = nodes.last { $0.start < line.lowerBound }
        if let block = before, block.style == .literal || block.style == .folded, block.textStart == block.textEnd {
            return Failure(
                "the lines of a block of text must be indented deeper than its key", at: line,
                notes: [("the block of text starts here", block.range)],
                hint: "indent them by 2 spaces more than the key")
        }
        var lineEnd = line.upperBound
        while lineEnd > line.lowerBound, bytes[lineEnd - 1].isBlank { lineEnd -= 1 }
        return Failure(
            "expected `key: value`, found no colon", at: line.lowerBound..<max(lineEnd, line.lowerBound),
            hint: "put `: ` after the key; indent the line deeper when it continues the value before it")
    }

    @inline(never)
    func checkKeyLength(_ range: Range<Int>) throws(Failure) {
        // The limit is in characters.
        let length = bytes[range].count { $0 & 0xC0 != 0x80 }
        guard length > limits.implicitKey else { return }
        throw Failure(
            "a key is longer than \(limits.implicitKey) characters",
            at: range.lowerBound..<min(range.lowerBound + 40, end),
            hint: "write `? ` before the key and `: ` before the value, each on a line of its own")
    }
}
