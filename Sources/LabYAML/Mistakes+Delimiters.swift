/// The sentences for characters that open, close or separate: quotes, brackets, commas, indicators.
extension Parser {
    // MARK: Starts of texts

    /// A character that cannot start a text without quotes ([22], c-indicator).
    @inline(never)
    func reservedStart(_ byte: UInt8, inFlow: Bool) -> Failure {
        let range = character(at: pos)
        let name = Character(Unicode.Scalar(byte))
        switch byte {
        case .percent:
            if pos == lineStart, self.byte(pos + 1) == UInt8(ascii: "Y") || self.byte(pos + 1) == UInt8(ascii: "T") {
                return .directiveInDocument(at: pos..<endOfLine(pos))
            }
            return Failure(
                "a text cannot start with `%` without quotes", at: range, hint: quotedHint(pos))
        case .at, .backtick:
            return Failure(
                "a text cannot start with `\(name)` without quotes: YAML reserves the character", at: range,
                hint: quotedHint(pos))
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

    /// `&` or `*` without a name.
    @inline(never)
    func emptyName(_ offset: Int) -> Failure {
        let isAlias = bytes[offset] == .asterisk
        return Failure(
            isAlias ? "an alias must have a name" : "an anchor must have a name", at: offset..<offset + 1,
            notes: [
                (
                    "a text that starts with `\(isAlias ? "*" : "&")` is \(isAlias ? "an alias" : "an anchor") without quotes",
                    nil
                )
            ],
            hint: quotedHint(offset))
    }

    // MARK: Unclosed

    @inline(never)
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

    @inline(never)
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

    /// A bracket that is still open where a line starts that looks like the next entry of the block around it.
    @inline(never)
    func unclosedBracket(_ opener: Int, before line: Int) -> Failure {
        let isList = bytes[opener] == .openBracket
        return Failure(
            "the \(isList ? "list" : "map") that is opened here is never closed", at: opener..<opener + 1,
            notes: [("this line looks like the next entry", line..<max(endOfLine(line), line))],
            hint: "close it with `\(isList ? "]" : "}")`, before that line")
    }

    /// Whether the current line starts like `key: value` or `- item`.
    func looksLikeEntry() -> Bool {
        if byte(lineContent) == .dash, isSpace(lineContent + 1) { return true }
        var index = lineContent
        while index < end, !bytes[index].isBreak, !bytes[index].isFlowIndicator {
            if bytes[index] == .colon, isSpace(index + 1) { return true }
            index += 1
        }
        return false
    }

    @inline(never)
    func markerInFlow(_ opener: Int) -> Failure {
        Failure(
            "the \(bytes[opener] == .openBracket ? "list" : "map") that is opened here is not closed before the document ends",
            at: opener..<opener + 1, notes: [("the document ends here", pos..<pos + 3)],
            hint: "close it with `\(bytes[opener] == .openBracket ? "]" : "}")`", resumable: false)
    }

    @inline(never)
    func underindentedFlow(parent: Int, opener: Int) -> Failure {
        if looksLikeEntry() { return unclosedBracket(opener, before: pos) }
        return Failure(
            "a line inside of brackets is not indented deeper than what it belongs to", at: character(at: pos),
            notes: [("the \(bytes[opener] == .openBracket ? "list" : "map") starts here", opener..<opener + 1)],
            hint: "indent it by at least \(spaces(parent + 1)), or close the bracket before", resumable: false)
    }

    /// Anything but a comma after an entry of a flow collection.
    @inline(never)
    func afterFlowEntry(entryEnd: Int, closer: UInt8, opener: Int, parent: Int) -> Failure {
        let what = closer == .closeBracket ? "list" : "map"
        let bracket = Character(Unicode.Scalar(closer))
        let opening = [("the \(what) starts here", opener..<opener + 1)] as [(message: String, range: Range<Int>?)]
        switch byte(pos) {
        case .closeBracket, .closeBrace:
            return .wrongCloser(at: pos, opener: opener, openerByte: bytes[opener])
        case .hash:
            return .commentWithoutSpace(at: pos..<endOfLine(pos))
        case .colon:
            let key = min(max(lineContent, opener + 1), pos)..<pos
            return Failure(
                "no comma before the key of this entry", at: key, notes: opening,
                hint: "put a comma after the entry before it; key and colon stand on one line")
        default:
            if isFirstOnLine {
                if lineIndent <= parent, looksLikeEntry() { return unclosedBracket(opener, before: pos) }
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

    @inline(never)
    func unknownEscape(at offset: Int, opener: Int) -> Failure {
        let escape = offset..<character(at: offset + 1).upperBound
        return Failure(
            "`\(String(decoding: bytes[escape], as: UTF8.self))` is no escape that YAML knows", at: escape,
            notes: [("in double quotes a backslash starts an escape; the text starts here", opener..<opener + 1)],
            hint: "write \\\\ for a backslash, or use single quotes, in which a backslash stands for itself")
    }
}

extension Failure {
    @inline(never)
    static func unquotedTemplate(_ range: Range<Int>) -> Failure {
        Failure(
            "a value that starts with `{{` must be quoted", at: range,
            notes: [("without quotes, `{` starts a map", nil)],
            hint: "put the whole value into double quotes: \"{{ variable }}\"", resumable: true)
    }
}
