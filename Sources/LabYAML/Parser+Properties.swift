extension Parser {
    /// Reads the anchor and the tag that stand at `pos`, in either order, on one line (c-ns-properties, [96]).
    ///
    /// - Returns: the 1-based index of the new entry of `properties`; `pos` is just past the last property.
    @inline(never)
    mutating func readProperties(inFlow: Bool) throws(Failure) -> UInt32 {
        var result = SyntaxTree.Properties(anchor: nil, tag: nil, tagRange: nil, start: pos)
        while true {
            let start = pos
            if byte(pos) == .ampersand {
                let name = try readAnchorName()
                if let first = result.anchor { throw .secondProperty("anchor", at: start..<pos, first: first) }
                result.anchor = name
            } else {
                let tag = try readTag(inFlow: inFlow)
                if let first = result.tagRange { throw .secondProperty("tag", at: start..<pos, first: first) }
                result.tag = tag
                result.tagRange = start..<pos
            }
            // libyaml lets a few more characters end an anchor, such as the colon of `&a:`.
            let isEnded =
                isSpace(pos) || (inFlow && byte(pos).isFlowIndicator)
                || (dialect.isLax && byte(start) == .ampersand && [.colon, .comma, .question].contains(byte(pos)))
            guard isEnded else {
                throw .unexpectedAfterProperty(at: pos..<endOfWord(pos), property: start..<pos)
            }
            tokenEnd = pos
            var next = pos
            while byte(next).isBlank { next += 1 }
            guard byte(next) == .ampersand || byte(next) == .exclamation else { break }
            pos = next
        }
        properties.append(result)
        return UInt32(truncatingIfNeeded: properties.count)
    }

    /// Joins the properties that stand on lines of their own with those on the line of the node.
    @inline(never)
    mutating func merge(_ outer: UInt32, _ inner: UInt32) throws(Failure) -> UInt32 {
        guard outer != 0, inner != 0 else { return outer | inner }
        let added = properties[Int(inner) - 1]
        var merged = properties[Int(outer) - 1]
        if let second = added.anchor {
            if let first = merged.anchor { throw .secondProperty("anchor", at: second, first: first) }
            merged.anchor = second
        }
        if let second = added.tagRange {
            if let first = merged.tagRange { throw .secondProperty("tag", at: second, first: first) }
            merged.tagRange = second
            merged.tag = added.tag
        }
        properties[Int(outer) - 1] = merged
        return outer
    }

    /// Reads `&name` or `*name` (ns-anchor-name, [103]); the range is that of the name.
    mutating func readAnchorName() throws(Failure) -> Range<Int> {
        let start = pos + 1
        pos = start
        while !isSpace(pos), !byte(pos).isFlowIndicator {
            if dialect.hasPlainAnchors, !byte(pos).isWord, byte(pos) != UInt8(ascii: "_") { break }
            pos += 1
        }
        guard pos > start else { throw emptyName(start - 1) }
        return start..<pos
    }

    /// Reads a tag (c-ns-tag-property, [97]) and expands its shorthand.
    @inline(never)
    mutating func readTag(inFlow: Bool) throws(Failure) -> String {
        let start = pos
        pos += 1
        if byte(pos) == UInt8(ascii: "<") {
            let uri = pos + 1
            pos = uri
            while isURI(byte(pos)) { pos += 1 }
            guard byte(pos) == .greater, pos > uri else {
                throw Failure(
                    "a tag in the form !<…> is not closed", at: start..<max(pos, start + 1),
                    hint: "write `!<tag:example.com,2000:name>`")
            }
            pos += 1
            return try unescapeURI(uri..<pos - 1)
        }
        // A handle is `!`, `!!` or `!word!`.
        var word = pos
        while byte(word).isWord { word += 1 }
        let handleEnd = byte(word) == .exclamation ? word + 1 : pos
        let handle = String(decoding: bytes[start..<handleEnd], as: UTF8.self)
        pos = handleEnd
        while isURI(byte(pos)), byte(pos) != .exclamation, !byte(pos).isFlowIndicator { pos += 1 }
        let suffix = try unescapeURI(handleEnd..<pos)
        if handle == "!", suffix.isEmpty { return "!" }
        guard !suffix.isEmpty else {
            throw Failure(
                "the tag \(Composer.cut(handle)) has a handle but no name", at: start..<pos,
                hint: "write the name of the type after it, as in `!!str`")
        }
        if let prefix = tagPrefixes[handle] { return prefix + suffix }
        switch handle {
        case "!": return "!" + suffix
        case "!!": return "tag:yaml.org,2002:" + suffix
        default:
            throw Failure(
                "the tag handle \(Composer.cut(handle)) is not declared in this document", at: start..<pos,
                hint:
                    "declare it before `---` with `%TAG \(Composer.cut(handle)) tag:example.com,2000:`, or write one `!` only"
            )
        }
    }

    /// ns-uri-char, [39].
    func isURI(_ byte: UInt8) -> Bool {
        if byte.isWord { return true }
        switch byte {
        case .percent, .hash, UInt8(ascii: ";"), UInt8(ascii: "/"), .question, .colon, .at, .ampersand,
            UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "$"), .comma, UInt8(ascii: "_"), .dot, .exclamation,
            UInt8(ascii: "~"), .asterisk, .singleQuote, UInt8(ascii: "("), UInt8(ascii: ")"), .openBracket,
            .closeBracket:
            return true
        default:
            return false
        }
    }

    /// Replaces `%XX` by the byte that it stands for.
    func unescapeURI(_ range: Range<Int>) throws(Failure) -> String {
        var text: [UInt8] = []
        var index = range.lowerBound
        while index < range.upperBound {
            guard bytes[index] == .percent else {
                text.append(bytes[index])
                index += 1
                continue
            }
            guard index + 2 < range.upperBound, let high = bytes[index + 1].hexadecimalValue,
                let low = bytes[index + 2].hexadecimalValue
            else {
                throw Failure(
                    "a % in a tag must be followed by two hexadecimal digits",
                    at: index..<min(index + 3, range.upperBound), hint: "write a percent sign itself as %25")
            }
            text.append(UInt8(truncatingIfNeeded: high << 4 | low))
            index += 3
        }
        guard let text = String(validating: text, as: UTF8.self) else {
            throw Failure("the tag is not UTF-8 after its % escapes were replaced", at: range)
        }
        return text
    }

    /// The end of the run of characters up to the next white space, for the caret of an error.
    func endOfWord(_ offset: Int) -> Int {
        var index = offset
        while index < end, !bytes[index].isBlank, !bytes[index].isBreak { index += 1 }
        return max(index, min(offset + 1, end))
    }
}
