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

    func tabIndentation() -> Failure {
        var tab = lineStart
        while tab < pos, bytes[tab] != .tab { tab += 1 }
        var tabEnd = tab
        while byte(tabEnd) == .tab { tabEnd += 1 }
        return Failure(
            "a tab cannot be used for indentation", at: tab..<max(tabEnd, tab),
            hint: "replace it by spaces; editors can do so for the whole file")
    }

    /// A line that is indented deeper than the collection that goes on here.
    func overindented(column: Int, entry: Int) -> Failure {
        let isItem = byte(pos) == .dash && isSpace(pos + 1)
        return Failure(
            "this line is indented by \(lineIndent), which fits nothing before it", at: pos..<max(endOfWord(pos), pos),
            notes: [("it follows this entry, which is indented by \(column)", entry..<entry + 1)],
            hint: isItem
                ? "align the `-` with those of its list"
                : "align it with the key or item that it belongs to: \(spaces(column)) to continue the one that is shown"
        )
    }

    /// What stands after a complete value on the same line.
    func trailing(entry: Int) -> Failure {
        let range = pos..<max(endOfLine(pos), pos)
        if byte(pos) == .hash { return .commentWithoutSpace(at: range) }
        var trimmedEnd = range.upperBound
        while trimmedEnd > pos + 1, bytes[trimmedEnd - 1].isBlank { trimmedEnd -= 1 }
        let last = tokenEnd > 0 ? bytes[tokenEnd - 1] : 0
        if last == .doubleQuote || last == .singleQuote {
            return Failure(
                "text follows the closing quote", at: pos..<trimmedEnd,
                notes: [("the quote is closed here", tokenEnd - 1..<tokenEnd)],
                hint: last == .singleQuote
                    ? "put the whole value into quotes; a single quote inside of single quotes is written twice: ''"
                    : "put the whole value into quotes; a double quote inside of double quotes is written \\\"")
        }
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
            hint: "put the whole value into quotes; a map starts on the next line, indented deeper than its key")
    }

    /// A line of a plain scalar, not the first, that has a `: `.
    func multiLineKey(_ scalar: Range<Int>, place: Place) -> Failure {
        let firstLine = scalar.lowerBound..<endOfLine(scalar.lowerBound)
        let lineText = lineContent..<pos
        if place == .root || place == .item, let colon = colonWithoutSpace(firstLine) {
            return .missingSpaceAfterColon(at: colon, key: scalar.lowerBound..<colon)
        }
        if place == .value {
            return Failure(
                "a key stands where a value of several lines goes on", at: lineText,
                notes: [
                    ("the value starts here and takes in all lines that are indented deeper than its key", firstLine)
                ],
                hint:
                    "indent the line like the key before it when it is the next key; remove the value when these lines are a map; quote the value when the colon belongs to it"
            )
        }
        return Failure(
            "the line before this key has no colon", at: firstLine, notes: [("the key is here", lineText)],
            hint: "write `key: value`, or put the text into quotes")
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
    func missingColon(_ range: Range<Int>) -> Failure {
        let line = range.lowerBound..<min(max(endOfLine(range.lowerBound), range.lowerBound), end)
        if let colon = colonWithoutSpace(line) {
            return .missingSpaceAfterColon(at: colon, key: line.lowerBound..<colon)
        }
        var lineEnd = line.upperBound
        while lineEnd > line.lowerBound, bytes[lineEnd - 1].isBlank { lineEnd -= 1 }
        return Failure(
            "expected `key: value`, found no colon", at: line.lowerBound..<max(lineEnd, line.lowerBound),
            hint: "put `: ` after the key; indent the line deeper when it continues the value before it")
    }

    func checkKeyLength(_ range: Range<Int>) throws(Failure) {
        // The limit is in characters.
        let length = bytes[range].count { $0 & 0xC0 != 0x80 }
        guard length > limits.implicitKey else { return }
        throw Failure(
            "a key is longer than \(limits.implicitKey) characters",
            at: range.lowerBound..<min(range.lowerBound + 40, end),
            hint: "write `? ` before the key and `: ` before the value, each on a line of its own")
    }

    // MARK: Starts of texts

    /// A character that cannot start a text without quotes ([22], c-indicator).
    func reservedStart(_ byte: UInt8, inFlow: Bool) -> Failure {
        let range = character(at: pos)
        let name = Character(Unicode.Scalar(byte))
        switch byte {
        case .percent:
            if self.byte(pos + 1) == UInt8(ascii: "}") || isTemplateTag(pos) {
                return Failure(
                    "a text cannot start with `%` without quotes", at: range, hint: "put the whole text into quotes")
            }
            return Failure(
                "a text cannot start with `%` without quotes", at: range, hint: "put the whole text into quotes")
        case .at, .backtick:
            return Failure(
                "a text cannot start with `\(name)` without quotes: YAML reserves the character", at: range,
                hint: "put the whole text into quotes")
        case .closeBracket, .closeBrace:
            return Failure(
                "`\(name)` closes nothing", at: range,
                hint: "remove it, or put the text into quotes when it belongs to it")
        case .comma:
            return Failure(
                "a text cannot start with a comma", at: range,
                hint: "remove the comma: block lists and maps have none; or put the text into quotes")
        case .hash:
            return .commentWithoutSpace(at: pos..<endOfLine(pos))
        case .pipe, .greater:
            return Failure(
                "a block of text (`\(name)`) cannot stand inside of brackets", at: range,
                hint: "put the text into double quotes")
        default:
            return Failure(
                "a text cannot start with `\(name)` without quotes", at: range, hint: "put the whole text into quotes")
        }
    }

    private func isTemplateTag(_ offset: Int) -> Bool { offset > 0 && bytes[offset - 1] == .openBrace }

    // MARK: Unclosed

    func unclosedQuote(_ opener: Int) -> Failure {
        let isSingle = bytes[opener] == .singleQuote
        return Failure(
            "the quote that is opened here is never closed", at: opener..<opener + 1,
            notes: [("the file ends without a further \(isSingle ? "single" : "double") quote", nil)],
            hint: isSingle
                ? "close it with '; a single quote inside is written twice: ''"
                : "close it with \"; a double quote inside is written \\\"",
            resumable: false)
    }

    func unclosedBracket(_ opener: Int) -> Failure {
        let isList = bytes[opener] == .openBracket
        if !isList, byte(opener + 1) == .openBrace || (opener > 0 && bytes[opener - 1] == .openBrace) {
            let start = byte(opener + 1) == .openBrace ? opener : opener - 1
            return .unquotedTemplate(start..<start + 2)
        }
        return Failure(
            "the \(isList ? "list" : "map") that is opened here is never closed", at: opener..<opener + 1,
            notes: [("the file ends before a `\(isList ? "]" : "}")`", nil)],
            hint: "close it with `\(isList ? "]" : "}")`; put the text into quotes when the bracket belongs to it",
            resumable: false)
    }

    func markerInFlow(_ opener: Int) -> Failure {
        Failure(
            "the \(bytes[opener] == .openBracket ? "list" : "map") that is opened here is not closed before the document ends",
            at: opener..<opener + 1, notes: [("the document ends here", pos..<pos + 3)],
            hint: "close it with `\(bytes[opener] == .openBracket ? "]" : "}")`", resumable: false)
    }

    func underindentedFlow(parent: Int) -> Failure {
        Failure(
            "a line inside of brackets is not indented deeper than what it belongs to", at: character(at: pos),
            hint: "indent it by at least \(spaces(parent + 1)), or close the bracket before", resumable: false)
    }

    /// Anything but a comma after an entry of a flow collection.
    func afterFlowEntry(entryEnd: Int, closer: UInt8, opener: Int) -> Failure {
        let what = closer == .closeBracket ? "list" : "map"
        let bracket = Character(Unicode.Scalar(closer))
        let opening = [("the \(what) starts here", opener..<opener + 1)] as [(message: String, range: Range<Int>?)]
        switch byte(pos) {
        case .closeBracket, .closeBrace:
            return .wrongCloser(at: pos, opener: opener, openerByte: bytes[opener])
        case .hash:
            return .commentWithoutSpace(at: pos..<endOfLine(pos))
        case .colon:
            return Failure(
                "the key of an entry in a list must be on the line of its colon", at: character(at: pos),
                notes: opening,
                hint: "put key and colon on one line")
        default:
            if isFirstOnLine {
                return Failure(
                    "no comma or `\(bracket)` after the entry", at: max(entryEnd - 1, 0)..<entryEnd,
                    notes: opening + [("the next line goes on with this", pos..<max(endOfWord(pos), pos))],
                    hint: "put a comma between the entries, or close the \(what) with `\(bracket)`")
            }
            return Failure(
                "expected a comma or `\(bracket)`", at: pos..<max(endOfWord(pos), pos), notes: opening,
                hint: "put a comma between the entries, or quote the text as a whole")
        }
    }

    func unknownEscape(at offset: Int, opener: Int) -> Failure {
        let escape = offset..<character(at: offset + 1).upperBound
        return Failure(
            "`\(String(decoding: bytes[escape], as: UTF8.self))` is no escape that YAML knows", at: escape,
            notes: [("in double quotes a backslash starts an escape; the text starts here", opener..<opener + 1)],
            hint: "write \\\\ for a backslash, or use single quotes, in which a backslash stands for itself")
    }
}

extension Failure {
    static func unquotedTemplate(_ range: Range<Int>) -> Failure {
        Failure(
            "a value that starts with `{{` must be quoted", at: range,
            notes: [("without quotes, `{` starts a map", nil)],
            hint: "put the whole value into double quotes: \"{{ variable }}\"", resumable: true)
    }
}
