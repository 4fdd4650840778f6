/// The sentences for mistakes that need no more than the place: structure, properties, directives.
extension Failure {
    // MARK: Anchors, tags, aliases

    @inline(never)
    static func secondProperty(_ what: String, at range: Range<Int>, first: Range<Int>) -> Failure {
        Failure(
            "a node cannot have two \(what)s", at: range, notes: [("the first \(what) is here", first)],
            hint: "remove one of the two; when one is meant for the first key, put it on the key's line")
    }

    @inline(never)
    static func unexpectedAfterProperty(at range: Range<Int>, property: Range<Int>) -> Failure {
        Failure(
            "an anchor or a tag must be followed by white space", at: range,
            notes: [("the anchor or tag starts here", property)],
            hint: "put a space after it; a text that starts with & or ! must be quoted")
    }

    @inline(never)
    static func aliasWithProperties(at range: Range<Int>, _ properties: SyntaxTree.Properties) -> Failure {
        let end = max(properties.anchor?.upperBound ?? 0, properties.tagRange?.upperBound ?? 0)
        return Failure(
            "an alias cannot have an anchor or a tag", at: range,
            notes: [("the anchor or tag is here", properties.start..<max(end, properties.start))],
            hint: "an alias stands for the anchored node with its tag; remove the anchor or tag before it")
    }

    @inline(never)
    static func propertyBeforeIndicator(_ what: String, at offset: Int, property: Range<Int>) -> Failure {
        Failure(
            "\(what) cannot start on the line of its anchor or tag", at: offset..<offset + 1,
            notes: [("the anchor or tag is here", property)],
            hint: "put the anchor or tag on a line of its own, or after the indicator when it is meant for the item")
    }

    // MARK: Structure

    @inline(never)
    static func collectionOnSameLine(_ what: String, at offset: Int, place: Parser.Place) -> Failure {
        Failure(
            place == .root
                ? "\(what) cannot start on the line of `---`" : "\(what) cannot start on the same line as its key",
            at: offset..<offset + 1,
            hint: "start it on the next line" + (place == .root ? "" : ", indented deeper than the key"))
    }

    @inline(never)
    static func itemInMap(at offset: Int, entry: Int) -> Failure {
        Failure(
            "a list item stands where the next key of a map is expected", at: offset..<offset + 1,
            notes: [("the entry of the map before it starts here", entry..<entry + 1)],
            hint: "indent the item to the list that it belongs to, or give the list a key")
    }

    @inline(never)
    static func noItem(at range: Range<Int>, item: Int) -> Failure {
        Failure(
            "expected the next item of the list, which starts with `- `", at: range,
            notes: [("the item before it starts here", item..<item + 1)],
            hint: "put `- ` before it, or change the indentation of the line to that of what it belongs to")
    }

    @inline(never)
    static func keyOverLines(_ key: Range<Int>, colon: Int?) -> Failure {
        Failure(
            "a key must be on one line", at: key,
            notes: colon.map { [("its colon is here", $0..<$0 + 1)] } ?? [],
            hint: "close the quote or the bracket on the line where it was opened, or write `? ` before a long key")
    }

    @inline(never)
    static func misplacedIndicator(_ byte: UInt8, at offset: Int) -> Failure {
        let character = Character(Unicode.Scalar(byte))
        return Failure(
            "`\(character)` has a meaning of its own here and cannot start a text", at: offset..<offset + 1,
            hint: "quote it when the character itself is meant: \"\(character)\"")
    }

    // MARK: Flow collections

    @inline(never)
    static func emptyFlowEntry(at offset: Int, opener: Int) -> Failure {
        Failure(
            "nothing stands before this comma", at: offset..<offset + 1,
            notes: [("the list or map starts here", opener..<opener + 1)],
            hint: "remove the comma, or write `null` or \"\" for an empty entry")
    }

    @inline(never)
    static func wrongCloser(at offset: Int, opener: Int, openerByte: UInt8) -> Failure {
        let closer = openerByte == .openBracket ? "]" : "}"
        return Failure(
            "expected `\(closer)`, found another bracket", at: offset..<offset + 1,
            notes: [("the bracket to close is here", opener..<opener + 1)],
            hint: "close the brackets in the order in which they were opened",
            resumable: false)
    }

    @inline(never)
    static func commentWithoutSpace(at range: Range<Int>) -> Failure {
        Failure(
            "a comment needs a space before its `#`", at: range,
            hint: "put a space before it, or quote the text when the `#` belongs to it")
    }

    // MARK: Quoted and block scalars

    @inline(never)
    static func markerInside(_ what: String, at range: Range<Int>, opener: Int) -> Failure {
        Failure(
            "a document marker stands inside of \(what)", at: range,
            notes: [("it starts here and is not closed", opener..<opener + 1)],
            hint: "close it before the marker, or indent the line when the text itself is meant", resumable: false)
    }

    @inline(never)
    static func underindentedQuote(at offset: Int, parent: Int, opener: Int) -> Failure {
        Failure(
            "a line of quoted text is not indented deeper than what it belongs to", at: offset..<offset + 1,
            notes: [("the quoted text starts here", opener..<opener + 1)],
            hint: "indent it by at least \(spaces(parent + 1)), not tabs, or close the quote before", resumable: false)
    }

    @inline(never)
    static func afterBlockHeader(at range: Range<Int>, header: Range<Int>) -> Failure {
        Failure(
            "text cannot start on the line of `|` or `>`", at: range,
            notes: [("the block of text starts here", header)],
            hint:
                "start the text on the next line, indented; after `|` or `>` only `+`, `-`, a digit from 1 to 9 and a comment may stand"
        )
    }

    @inline(never)
    static func blankLineTooWide(
        _ blank: (indent: Int, offset: Int), indent: Int, header: Int
    ) -> Failure {
        Failure(
            "an empty line before the text has more spaces than the text is indented by",
            at: blank.offset..<blank.offset + blank.indent,
            notes: [("the block of text starts here", header..<header + 1)],
            hint: "remove the spaces of the empty line; the text is indented by \(indent)")
    }

    @inline(never)
    static func tabInBlockScalar(at offset: Int, header: Int) -> Failure {
        Failure(
            "a tab stands where the block of text needs spaces", at: offset..<offset + 1,
            notes: [("the block of text starts here", header..<header + 1)],
            hint: "replace the tab by spaces, or remove it from the empty line")
    }

    @inline(never)
    static func underindentedBlockScalar(at offset: Int, indent: Int, header: Int) -> Failure {
        Failure(
            "a line of the block of text is indented less than its first line", at: offset..<offset + 1,
            notes: [("the block of text starts here", header..<header + 1)],
            hint:
                "indent all of its lines alike; when the first line is meant to have spaces of its own, say the indentation after the indicator: `|2`"
        )
    }

    // MARK: Directives and document markers

    @inline(never)
    static func directiveWithoutDocument(at range: Range<Int>) -> Failure {
        Failure(
            "a directive must be followed by a document that starts with `---`", at: range,
            hint: "put `---` on the line after it; quote a text that starts with %")
    }

    @inline(never)
    static func directiveInDocument(at range: Range<Int>) -> Failure {
        Failure(
            "a line that starts with % is a directive, and no directive may stand here", at: range,
            hint: "end the document before it with `...`, or quote the text")
    }

    @inline(never)
    static func secondDirective(_ name: String, at range: Range<Int>, first: Range<Int>) -> Failure {
        Failure(
            "a document has two \(name) directives", at: range, notes: [("the first one is here", first)],
            hint: "remove one of the two")
    }

    @inline(never)
    static func malformedDirective(_ name: String, at range: Range<Int>, example: String) -> Failure {
        Failure("the \(name) directive is not well-formed", at: range, hint: "write `\(example)`")
    }

    @inline(never)
    static func afterDocumentEnd(at range: Range<Int>, marker: Range<Int>) -> Failure {
        Failure(
            "text cannot follow `...` on its line", at: range, notes: [("the document ends here", marker)],
            hint: "`...` ends the document; quote it when it is meant as text")
    }
}

/// `1 space`, `2 spaces`.
func spaces(_ count: Int) -> String { count == 1 ? "1 space" : "\(count) spaces" }
