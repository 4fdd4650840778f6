extension Parser {
    /// What stands before a node, which decides what the node may be (the contexts of YAML 1.2.2, 4.1, and more).
    enum Place {
        /// The root of a document.
        case root
        /// After `- `: a collection may start on the same line ([185], s-l+block-indented).
        case item
        /// After `? ` or the `: ` of an explicit key: as after `- `, and a sequence may stand at the key's own column.
        case explicit
        /// After the colon of an implicit key: a collection starts on a line of its own.
        case value

        var allowsCompact: Bool { self == .item || self == .explicit }
        var allowsSequenceAtParent: Bool { self == .value || self == .explicit }
    }

    /// Whether the next token belongs to no node of a parent at column `parent`.
    @inline(__always)
    mutating func isOutdented(_ parent: Int, _ place: Place) -> Bool {
        if atEnd { return true }
        guard isFirstOnLine else { return false }
        if lineIndent <= parent {
            // libyaml does not look at the column of a block scalar's indicator.
            if dialect.isLax, lineIndent == parent, byte(pos) == .pipe || byte(pos) == .greater { return false }
            return
                !(place.allowsSequenceAtParent && lineIndent == parent && pos - lineStart == parent
                && byte(pos) == .dash && isSpace(pos + 1))
        }
        return isAtDocumentMarker
    }

    /// What is known of a node before its content is read.
    private struct NodeStart {
        /// Properties on lines of their own, which are the node's whatever it is.
        var outer: UInt32 = 0
        /// Those on the line of the content, which are the key's when the content is one.
        var inline: UInt32 = 0
        var offset: Int
        /// Whether a tab stands before it, so that it cannot be indented content.
        var tabBefore: Bool
        var mayStartCollection = false
    }

    /// A mapping whose first key was read; `pos` is at its colon.
    private struct MappingStart {
        let map: Int
        let column: Int
        let key: Range<Int>
    }

    // The recursion runs through few and small functions: what is read without it stays out of their stack frames.

    /// Reads the node after an indicator of a parent at column `parent` (s-l+block-node, [196]); -1 is the document.
    mutating func readBlockNode(parent: Int, place: Place) throws(Failure) {
        let origin = pos
        skipSeparation()
        if isOutdented(parent, place) { return appendEmpty(at: origin) }
        var start = NodeStart(offset: pos, tabBefore: separatedByTab)
        if byte(pos) == .ampersand || byte(pos) == .exclamation {
            guard try readBlockProperties(&start, parent: parent, place: place) else { return }
        }
        start.mayStartCollection = start.offset == lineContent || place.allowsCompact

        let first = byte(pos)
        if isSpace(pos + 1) {
            if first == .dash {
                try checkCollectionStart("a list", start, place: place)
                return try readBlockSequence(column: column(pos), parent: parent, properties: start.outer)
            }
            if first == .question || (first == .colon && start.inline == 0) {
                try checkCollectionStart("a map", start, place: place)
                let map = open(.mapping, .block, at: pos, properties: start.outer)
                return try readBlockMapping(map, column: column(pos), firstKey: .none)
            }
        }
        if first == .pipe || first == .greater {
            return try readBlockScalar(parent: parent, properties: merge(start.outer, start.inline))
        }
        if let mapping = try readNodeOrKey(start, parent: parent, place: place) {
            try readBlockMapping(mapping.map, column: mapping.column, firstKey: mapping.key)
        }
    }

    /// Reads the properties at `pos`, those on lines of their own and those before the content of a line.
    ///
    /// - Returns: false when nothing but an empty node follows, which is appended.
    @inline(never)
    private mutating func readBlockProperties(
        _ start: inout NodeStart, parent: Int, place: Place
    ) throws(Failure) -> Bool {
        while byte(pos) == .ampersand || byte(pos) == .exclamation {
            start.offset = pos
            start.tabBefore = separatedByTab
            start.inline = try readProperties(inFlow: false)
            let propertiesEnd = pos
            skipSeparation()
            guard isFirstOnLine || atEnd else { return true }
            start.outer = try merge(start.outer, start.inline)
            start.inline = 0
            if isOutdented(parent, place) {
                appendEmpty(at: propertiesEnd, properties: start.outer)
                return false
            }
            start.offset = pos
            start.tabBefore = separatedByTab
        }
        return true
    }

    /// Reads a node that may turn out to be the first key of a mapping, which is then opened before it.
    @inline(never)
    private mutating func readNodeOrKey(
        _ start: NodeStart, parent: Int, place: Place
    ) throws(Failure) -> MappingStart? {
        let line = lineStart
        let keyColumn = column(start.offset)
        let index = nodes.count
        let inline = start.inline
        switch byte(pos) {
        case .colon where isSpace(pos + 1):
            appendEmpty(at: pos, properties: inline)
            tokenEnd = pos
        case .openBracket, .openBrace:
            try readFlowCollection(parent: parent, properties: inline)
        case .doubleQuote:
            append(try readDoubleQuoted(parent: parent), properties: inline)
        case .singleQuote:
            append(try readSingleQuoted(parent: parent), properties: inline)
        case .asterisk:
            if inline != 0 { throw .aliasWithProperties(at: pos..<endOfWord(pos), properties[Int(inline) - 1]) }
            append(try readAlias())
        default:
            try checkPlainStart(inFlow: false)
            let scalar = try readPlainFirstLine(inFlow: false)
            if byte(pos) == .colon {
                guard start.mayStartCollection else { throw nestedColon(in: scalar.range, place: place) }
                try checkKey(scalar.range, start: start.offset, tabBefore: start.tabBefore)
                let map = open(.mapping, .block, at: start.offset, properties: start.outer)
                append(scalar, properties: inline)
                return MappingStart(map: map, column: keyColumn, key: scalar.range)
            }
            let properties = try merge(start.outer, inline)
            let whole = try readPlainRest(scalar, parent: parent, opener: nil)
            if byte(pos) == .colon, !isFirstOnLine, isSpace(pos + 1) {
                throw multiLineKey(whole.range, place: place)
            }
            append(whole, properties: properties)
            return nil
        }

        // Is there a colon, so that it was a key?
        let keyEnd = tokenEnd
        let afterKey = pos
        skipBlanks()
        if byte(pos) == .colon, isSpace(pos + 1) || afterKey == pos {
            let keyRange = Int(nodes[index].start)..<keyEnd
            guard isSpace(pos + 1) else { throw missingSpace(pos, key: keyRange) }
            guard line == lineStart else { throw .keyOverLines(keyRange, colon: pos) }
            guard start.mayStartCollection else { throw nestedColon(in: keyRange, place: place) }
            try checkKey(keyRange, start: start.offset, tabBefore: start.tabBefore)
            insert(.mapping, .block, before: index, at: start.offset, properties: start.outer)
            return MappingStart(map: index, column: keyColumn, key: keyRange)
        }
        pos = afterKey
        if start.outer != 0 {
            if nodes[index].kind == .alias {
                throw .aliasWithProperties(at: nodes[index].range, properties[Int(start.outer) - 1])
            }
            nodes[index].properties = try merge(start.outer, inline)
        }
        return nil
    }

    /// Refuses a block collection where none may start.
    @inline(never)
    private func checkCollectionStart(
        _ what: String, _ start: NodeStart, place: Place
    ) throws(Failure) {
        if start.inline != 0 {
            let range = properties[Int(start.inline) - 1].start..<tokenEnd
            throw .propertyBeforeIndicator(what, at: pos, property: range)
        }
        guard start.mayStartCollection else { throw .collectionOnSameLine(what, at: pos, place: place) }
        if start.tabBefore { throw tabIndentation() }
    }

    /// Refuses an implicit key that is too long or indented by a tab.
    @inline(__always)
    func checkKey(_ range: Range<Int>, start: Int, tabBefore: Bool) throws(Failure) {
        if tabBefore { throw tabIndentation() }
        if range.upperBound - start > limits.implicitKey { try checkKeyLength(range) }
    }

    // MARK: Block sequences

    /// Reads a block sequence whose first `-` stands at `pos` (l+block-sequence, [183]; compact, [186]).
    ///
    /// - Parameter parent: the column of the parent; a list may stand at the column of the map that it is a value of.
    @inline(never)
    mutating func readBlockSequence(column: Int, parent: Int, properties: UInt32) throws(Failure) {
        let sequence = open(.sequence, .block, at: pos, properties: properties)
        try enter(at: pos)
        let level = depth
        var dash = pos
        while true {
            do throws(Failure) {
                dash = pos
                pos += 1
                tokenEnd = pos
                try readBlockNode(parent: column, place: .item)
                guard try isAtNextEntry(of: column, after: dash) else { break }
                guard byte(pos) == .dash, isSpace(pos + 1) else {
                    if parent == column { break }
                    throw .noItem(at: pos..<endOfLine(pos), item: dash)
                }
            } catch {
                depth = level
                guard try recover(from: error, column: column, isList: true) else { break }
            }
        }
        depth = level - 1
        close(sequence, at: tokenEnd)
    }

    // MARK: Block mappings

    /// Reads the rest of a block mapping (l+block-mapping, [187]; compact, [195]).
    ///
    /// - Parameter firstKey: where the first key stands when it is read already, with `pos` at its colon; nil when
    ///   `pos` is at the `?` or `:` that starts the first entry.
    @inline(never)
    mutating func readBlockMapping(_ map: Int, column: Int, firstKey: Range<Int>?) throws(Failure) {
        try enter(at: Int(nodes[map].start))
        let level = depth
        var key = firstKey
        var entry = firstKey?.lowerBound ?? pos
        while true {
            do throws(Failure) {
                if key == nil, byte(pos) == .question, isSpace(pos + 1) {
                    try readExplicitEntry(column: column)
                } else {
                    if key == nil { try readImplicitKey(column: column, lastEntry: entry) }
                    key = nil
                    pos += 1
                    tokenEnd = pos
                    try readBlockNode(parent: column, place: .value)
                }
                guard try isAtNextEntry(of: column, after: entry) else { break }
                entry = pos
            } catch {
                key = nil
                depth = level
                guard try recover(from: error, column: column, isList: false) else { break }
                entry = pos
            }
        }
        depth = level - 1
        close(map, at: tokenEnd)
    }

    /// Reads the key at `pos`, which is the start of a line's content at the column of the mapping, up to its colon
    /// (ns-s-block-map-implicit-key, [193]).
    @inline(never)
    private mutating func readImplicitKey(column: Int, lastEntry: Int) throws(Failure) {
        var properties: UInt32 = 0
        let start = pos
        switch byte(pos) {
        case .dash where isSpace(pos + 1):
            throw .itemInMap(at: pos, entry: lastEntry)
        case .ampersand, .exclamation:
            properties = try readProperties(inFlow: false)
            skipBlanks()
        default:
            break
        }
        let index = nodes.count
        switch byte(pos) {
        case .colon where isSpace(pos + 1):
            appendEmpty(at: pos, properties: properties)
            tokenEnd = pos
        case .openBracket, .openBrace:
            try readFlowCollection(parent: column, properties: properties)
        case .doubleQuote:
            append(try readDoubleQuoted(parent: column), properties: properties)
        case .singleQuote:
            append(try readSingleQuoted(parent: column), properties: properties)
        case .asterisk:
            if properties != 0 {
                throw .aliasWithProperties(at: pos..<endOfWord(pos), self.properties[Int(properties) - 1])
            }
            append(try readAlias())
        case .pipe, .greater:
            throw missingColon(start..<endOfLine(start))
        default:
            if atEnd || byte(pos).isBreak || byte(pos) == .hash { throw missingColon(start..<max(tokenEnd, start + 1)) }
            try checkPlainStart(inFlow: false)
            let scalar = try readPlainFirstLine(inFlow: false)
            append(scalar, properties: properties)
        }
        let range = start..<tokenEnd
        guard column + lineStart == start else { throw .keyOverLines(range, colon: nil) }
        skipBlanks()
        guard byte(pos) == .colon else { throw missingColon(range) }
        guard isSpace(pos + 1) else { throw missingSpace(pos, key: nodes[index].range) }
        if tokenEnd - start > limits.implicitKey { try checkKeyLength(range) }
    }

    /// Reads `? key` and, when it follows, `: value` (c-l-block-map-explicit-entry, [189]).
    @inline(never)
    private mutating func readExplicitEntry(column: Int) throws(Failure) {
        pos += 1
        tokenEnd = pos
        try readBlockNode(parent: column, place: .explicit)
        let keyEnd = tokenEnd
        skipSeparation()
        guard isFirstOnLine, lineIndent == column, pos - lineStart == column, byte(pos) == .colon, isSpace(pos + 1)
        else { return appendEmpty(at: keyEnd) }
        pos += 1
        tokenEnd = pos
        try readBlockNode(parent: column, place: .explicit)
    }

    // MARK: Between entries

    /// Moves to the next entry of a block collection at `column`; false when the collection has ended.
    ///
    /// - Parameter entry: where the entry starts that was just read.
    @inline(never)
    private mutating func isAtNextEntry(of column: Int, after entry: Int) throws(Failure) -> Bool {
        skipSeparation()
        if atEnd { return false }
        if nodes.count > limits.nodes { throw tooManyNodes() }
        guard isFirstOnLine else { throw trailing(entry: entry) }
        if isAtDocumentMarker { return false }
        if separatedByTab { throw tabIndentation() }
        if lineIndent == column { return true }
        guard lineIndent < column else { throw overindented(column: column, entry: entry) }
        return false
    }

    @inline(never)
    func tooManyNodes() -> Failure {
        Failure(
            "the file has more than \(limits.nodes) values", at: pos..<min(pos + 1, end),
            hint: "split the file", resumable: false)
    }

    @inline(never)
    mutating func enter(at start: Int) throws(Failure) {
        depth += 1
        if depth > limits.depth {
            throw Failure(
                "nested more than \(limits.depth) levels deep", at: start..<min(start + 1, end), resumable: false)
        }
    }

    /// Notes a mistake and moves to the next line that is indented no deeper than `column`, where reading can go on.
    ///
    /// - Returns: whether that line is an entry of the collection at `column`.
    /// - Throws: `failure` when nothing after it could be trusted.
    @inline(never)
    private mutating func recover(from failure: Failure, column: Int, isList: Bool) throws(Failure) -> Bool {
        guard failure.details.resumable, failures.count + 1 < limits.mistakes else { throw failure }
        failures.append(failure)
        var next = max(pos, failure.details.range.lowerBound)
        while true {
            next = endOfLine(next)
            guard next < end else {
                pos = end
                return false
            }
            beginLine(afterBreak(next))
            next = lineContent
            pos = lineContent
            separatedByTab = lineContent - lineStart != lineIndent
            if atEnd { return false }
            if byte(pos).isBreak || byte(pos) == .hash { continue }
            if isAtDocumentMarker { return false }
            if lineIndent < column, !separatedByTab { return false }
            // Further lines that are no entries belong to the same mistake.
            if lineIndent == column, !separatedByTab, looksLikeEntry(),
                (byte(pos) == .dash && isSpace(pos + 1)) == isList
            {
                return true
            }
        }
    }
}
