extension Parser {
    /// Reads all documents of the stream (l-yaml-stream, [211]).
    ///
    /// Mistakes are collected in `failures`; the nodes are complete only when there are none.
    mutating func readStream() {
        skipByteOrderMark()
        beginLine(pos)
        pos = lineContent
        separatedByTab = lineContent - lineStart != lineIndent
        var mayHaveDirectives = true
        while true {
            do throws(Failure) {
                guard try readDocument(mayHaveDirectives: &mayHaveDirectives) else { return }
            } catch {
                failures.append(error)
                depth = 0
                guard error.details.resumable, failures.count < limits.mistakes, skipToDocument() else { return }
                mayHaveDirectives = false
            }
        }
    }

    /// Reads the next document with its directives and its end; false at the end of the stream.
    private mutating func readDocument(mayHaveDirectives: inout Bool) throws(Failure) -> Bool {
        skipDocumentPrefix()
        tagPrefixes.removeAll()
        var directive: Range<Int>?
        if mayHaveDirectives { directive = try readDirectives() }
        if atEnd {
            if let directive { throw .directiveWithoutDocument(at: directive) }
            return false
        }

        let start = pos
        var node = SyntaxTree.Node(.document, .block, start: start, end: start)
        if isAtDocumentMarker, byte(pos) == .dash {
            node.flags = SyntaxTree.Node.hasExplicitStart
            pos += 3
            tokenEnd = pos
        } else if let directive {
            throw .directiveWithoutDocument(at: directive)
        } else if isAtDocumentMarker {
            // `...` after `...`: an empty suffix, no document.
            try readDocumentEnd()
            mayHaveDirectives = true
            return true
        } else {
            if byte(pos) == .percent, isFirstOnLine, pos == lineStart {
                throw .directiveInDocument(at: pos..<endOfLine(pos))
            }
            tokenEnd = pos
        }
        append(node)
        let document = nodes.count - 1
        try readBlockNode(parent: -1, place: .root)
        skipSeparation()
        let isFollowed = !atEnd
        if isFollowed, !isFirstOnLine { throw trailing(entry: start) }
        guard !isFollowed || isAtDocumentMarker else { throw afterRoot(document: document) }
        if isFollowed, byte(pos) == .dot {
            nodes[document].flags |= SyntaxTree.Node.hasExplicitEnd
            try readDocumentEnd()
            mayHaveDirectives = true
        } else {
            mayHaveDirectives = false
        }
        close(document, at: tokenEnd)
        return true
    }

    /// Reads `...` and the rest of its line (l-document-suffix, [205]).
    private mutating func readDocumentEnd() throws(Failure) {
        let start = pos
        pos += 3
        tokenEnd = pos
        skipSeparation()
        guard atEnd || isFirstOnLine else {
            throw .afterDocumentEnd(at: pos..<endOfLine(pos), marker: start..<start + 3)
        }
    }

    /// Moves over comments, empty lines and byte order marks before a document (l-document-prefix, [202]).
    private mutating func skipDocumentPrefix() {
        while true {
            skipSeparation()
            guard pos == lineStart, skipByteOrderMark() else { return }
            beginLine(pos)
            pos = lineContent
        }
    }

    @discardableResult
    mutating func skipByteOrderMark() -> Bool {
        guard byte(pos) == 0xEF, byte(pos + 1) == 0xBB, byte(pos + 2) == 0xBF else { return false }
        pos += 3
        return true
    }

    /// Reads the lines that start with `%` (l-directive, [82]); returns where the last one stands.
    private mutating func readDirectives() throws(Failure) -> Range<Int>? {
        var last: Range<Int>?
        var version: Range<Int>?
        while byte(pos) == .percent, pos == lineStart {
            let range = pos..<endOfLine(pos)
            let words = directiveWords(range)
            let name = words.first.map { String(decoding: bytes[$0], as: UTF8.self) } ?? "%"
            switch name {
            case "%YAML":
                if let first = version { throw .secondDirective("%YAML", at: range, first: first) }
                version = range
                try checkVersion(words, at: range)
            case "%TAG":
                try declareTagHandle(words, at: range)
            default:
                // Reserved directives are ignored (6.8).
                break
            }
            last = range
            pos = range.upperBound
            tokenEnd = pos
            skipSeparation()
        }
        return last
    }

    private func directiveWords(_ range: Range<Int>) -> [Range<Int>] {
        var words: [Range<Int>] = []
        var index = range.lowerBound
        while index < range.upperBound {
            while index < range.upperBound, bytes[index].isBlank { index += 1 }
            let start = index
            while index < range.upperBound, !bytes[index].isBlank { index += 1 }
            guard index > start, bytes[start] != .hash else { break }
            words.append(start..<index)
        }
        return words
    }

    private func checkVersion(_ words: [Range<Int>], at range: Range<Int>) throws(Failure) {
        guard words.count == 2, let version = words.last else {
            throw .malformedDirective("%YAML", at: range, example: "%YAML 1.2")
        }
        let parts = bytes[version].split(separator: .dot, omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty && $0.count < 4 && $0.allSatisfy(\.isDigit) }) else {
            throw .malformedDirective("%YAML", at: range, example: "%YAML 1.2")
        }
        guard parts[0].elementsEqual([UInt8(ascii: "1")]) else {
            let text = String(decoding: bytes[version], as: UTF8.self)
            throw Failure(
                "YAML \(Composer.cut(text)) is not known", at: version,
                hint: "labctl reads YAML 1.2 and 1.1: write `%YAML 1.2`")
        }
    }

    private mutating func declareTagHandle(_ words: [Range<Int>], at range: Range<Int>) throws(Failure) {
        guard words.count == 3 else {
            throw .malformedDirective("%TAG", at: range, example: "%TAG !e! tag:example.com,2000:")
        }
        let handle = bytes[words[1]]
        let isHandle =
            handle.first == .exclamation && handle.last == .exclamation
            && handle.dropFirst().dropLast().allSatisfy(\.isWord)
        guard isHandle else { throw .malformedDirective("%TAG", at: range, example: "%TAG !e! tag:example.com,2000:") }
        let name = String(decoding: handle, as: UTF8.self)
        guard tagPrefixes[name] == nil else {
            throw Failure(
                "the tag handle \(Composer.cut(name)) is declared twice for one document", at: words[1],
                hint: "remove one of the two lines")
        }
        tagPrefixes[name] = try unescapeURI(words[2])
    }

    /// Moves to the next line that is `---`; false when there is none.
    private mutating func skipToDocument() -> Bool {
        while pos < end {
            pos = endOfLine(pos)
            guard pos < end else { return false }
            beginLine(afterBreak(pos))
            pos = lineStart
            if isAtDocumentMarker, byte(pos) == .dash { return true }
        }
        return false
    }
}
