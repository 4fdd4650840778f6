extension Parser {
    /// Reads the `[…]` or `{…}` that starts at `pos` (c-flow-sequence, [137]; c-flow-mapping, [140]).
    ///
    /// - Parameter parent: the column of the block node around it; its further lines are indented deeper.
    mutating func readFlowCollection(parent: Int, properties: UInt32) throws(Failure) {
        let opener = pos
        try enter(at: opener)
        if byte(pos) == .openBracket {
            let sequence = open(.sequence, .flow, at: pos, properties: properties)
            pos += 1
            try readFlowSequence(opener: opener, parent: parent)
            close(sequence, at: pos)
        } else {
            let mapping = open(.mapping, .flow, at: pos, properties: properties)
            pos += 1
            try readFlowMapping(opener: opener, parent: parent)
            close(mapping, at: pos)
        }
        depth -= 1
    }

    /// Reads the entries of a flow sequence and its `]`.
    private mutating func readFlowSequence(opener: Int, parent: Int) throws(Failure) {
        while true {
            try skipFlowSeparation(opener: opener, parent: parent)
            switch byte(pos) {
            case .closeBracket:
                pos += 1
                tokenEnd = pos
                return
            case .comma:
                throw .emptyFlowEntry(at: pos, opener: opener)
            default:
                try readFlowSequenceEntry(opener: opener, parent: parent)
                try readFlowComma(closer: .closeBracket, opener: opener, parent: parent)
            }
        }
    }

    /// Reads an entry: a node, or a mapping of one pair without braces (ns-flow-pair, [150]).
    @inline(never)
    private mutating func readFlowSequenceEntry(opener: Int, parent: Int) throws(Failure) {
        let start = pos
        let index = nodes.count
        if isKeyIndicator {
            let pair = open(.mapping, .flow, at: start, properties: 0)
            pos += 1
            tokenEnd = pos
            try readFlowKeyAndValue(opener: opener, parent: parent)
            return close(pair, at: tokenEnd)
        }
        let line = lineStart
        let isJSON = try readFlowNode(opener: opener, parent: parent)
        let keyEnd = tokenEnd
        // The key of a pair and its colon are on one line ([154], ns-s-implicit-yaml-key).
        try skipFlowSeparation(opener: opener, parent: parent)
        guard byte(pos) == .colon, isJSON || isValueIndicator else { return }
        guard line == lineStart else {
            if lineIndent <= parent, looksLikeEntry() { throw unclosedBracket(opener, before: lineContent) }
            throw .keyOverLines(start..<keyEnd, colon: pos)
        }
        if keyEnd - start > limits.implicitKey { try checkKeyLength(start..<keyEnd) }
        insert(.mapping, .flow, before: index, at: start, properties: 0)
        try readFlowValue(opener: opener, parent: parent)
        close(index, at: tokenEnd)
    }

    /// Reads the entries of a flow mapping and its `}`.
    private mutating func readFlowMapping(opener: Int, parent: Int) throws(Failure) {
        while true {
            try skipFlowSeparation(opener: opener, parent: parent)
            switch byte(pos) {
            case .closeBrace:
                pos += 1
                tokenEnd = pos
                return
            case .comma:
                throw .emptyFlowEntry(at: pos, opener: opener)
            case .question where isKeyIndicator:
                pos += 1
                tokenEnd = pos
                try readFlowKeyAndValue(opener: opener, parent: parent)
            default:
                let isJSON = try readFlowNode(opener: opener, parent: parent)
                try readOptionalFlowValue(afterJSONKey: isJSON, opener: opener, parent: parent)
            }
            try readFlowComma(closer: .closeBrace, opener: opener, parent: parent)
        }
    }

    /// After `?`: the key, which may be empty, and the value, which may be missing.
    @inline(never)
    private mutating func readFlowKeyAndValue(opener: Int, parent: Int) throws(Failure) {
        let origin = pos
        try skipFlowSeparation(opener: opener, parent: parent)
        var isJSON = false
        switch byte(pos) {
        case .comma, .closeBracket, .closeBrace: appendEmpty(at: origin)
        default: isJSON = try readFlowNode(opener: opener, parent: parent)
        }
        try readOptionalFlowValue(afterJSONKey: isJSON, opener: opener, parent: parent)
    }

    @inline(never)
    private mutating func readOptionalFlowValue(afterJSONKey isJSON: Bool, opener: Int, parent: Int) throws(Failure) {
        let keyEnd = tokenEnd
        try skipFlowSeparation(opener: opener, parent: parent)
        if byte(pos) == .colon, isJSON || isValueIndicator {
            try readFlowValue(opener: opener, parent: parent)
        } else {
            appendEmpty(at: keyEnd)
        }
    }

    /// Reads the colon at `pos` and the value after it, which may be empty.
    @inline(never)
    private mutating func readFlowValue(opener: Int, parent: Int) throws(Failure) {
        pos += 1
        tokenEnd = pos
        let origin = pos
        try skipFlowSeparation(opener: opener, parent: parent)
        switch byte(pos) {
        case .comma, .closeBracket, .closeBrace: appendEmpty(at: origin)
        default: _ = try readFlowNode(opener: opener, parent: parent)
        }
    }

    /// Reads a node inside of a flow collection (ns-flow-node, [161]).
    ///
    /// - Returns: whether it is like JSON (quoted or in brackets), so that a colon after it needs no white space.
    @inline(never)
    private mutating func readFlowNode(opener: Int, parent: Int) throws(Failure) -> Bool {
        var properties: UInt32 = 0
        if byte(pos) == .ampersand || byte(pos) == .exclamation {
            repeat {
                properties = try merge(properties, readProperties(inFlow: true))
                try skipFlowSeparation(opener: opener, parent: parent)
            } while byte(pos) == .ampersand || byte(pos) == .exclamation
            switch byte(pos) {
            case .comma, .closeBracket, .closeBrace:
                appendEmpty(at: tokenEnd, properties: properties)
                return false
            default:
                break
            }
        }
        switch byte(pos) {
        case .openBracket, .openBrace:
            try readFlowCollection(parent: parent, properties: properties)
            return true
        case .doubleQuote:
            append(try readDoubleQuoted(parent: parent), properties: properties)
            return true
        case .singleQuote:
            append(try readSingleQuoted(parent: parent), properties: properties)
            return true
        case .asterisk:
            if properties != 0 {
                throw .aliasWithProperties(at: pos..<endOfWord(pos), self.properties[Int(properties) - 1])
            }
            append(try readAlias())
            return false
        case .colon where isValueIndicator:
            appendEmpty(at: pos, properties: properties)
            return false
        case .closeBracket, .closeBrace:
            throw .wrongCloser(at: pos, opener: opener, openerByte: bytes[opener])
        default:
            if atEnd { throw unclosedBracket(opener) }
            try checkPlainStart(inFlow: true)
            let first = try readPlainFirstLine(inFlow: true)
            append(try readPlainRest(first, parent: parent, opener: opener), properties: properties)
            return false
        }
    }

    /// Moves over the comma after an entry, or to the closing bracket.
    @inline(never)
    private mutating func readFlowComma(closer: UInt8, opener: Int, parent: Int) throws(Failure) {
        let entryEnd = tokenEnd
        if nodes.count > limits.nodes { throw tooManyNodes() }
        try skipFlowSeparation(opener: opener, parent: parent)
        if byte(pos) == .comma {
            pos += 1
            tokenEnd = pos
            if byte(pos) == .hash, !dialect.isLax { throw .commentWithoutSpace(at: pos..<endOfLine(pos)) }
            return
        }
        guard byte(pos) != closer else { return }
        if atEnd { throw unclosedBracket(opener) }
        throw afterFlowEntry(entryEnd: entryEnd, closer: closer, opener: opener, parent: parent)
    }

    /// Whether the byte at `offset` may follow an indicator in a flow collection.
    @inline(__always)
    private func isFlowSeparator(_ offset: Int) -> Bool { isSpace(offset) || byte(offset).isFlowIndicator }

    /// Whether the `:` at `pos` starts a value; libyaml takes any that starts a token for one.
    private var isValueIndicator: Bool { isFlowSeparator(pos + 1) || dialect.isLax }

    /// Whether `pos` is at the `?` of an explicit key; libyaml takes any `?` that starts an entry for one.
    private var isKeyIndicator: Bool { byte(pos) == .question && (isFlowSeparator(pos + 1) || dialect.isLax) }

    /// Moves to the next token inside of a flow collection.
    @inline(never)
    private mutating func skipFlowSeparation(opener: Int, parent: Int) throws(Failure) {
        let line = lineStart
        skipSeparation()
        if atEnd { throw unclosedBracket(opener) }
        if lineStart != line, isFirstOnLine {
            if isAtDocumentMarker { throw markerInFlow(opener) }
            if lineIndent <= parent { try checkFlowLine(parent: parent, opener: opener) }
        }
    }

    /// Refuses a line of a flow collection that is indented no deeper than the node around it (s-flow-line-prefix, [69]).
    func checkFlowLine(parent: Int, opener: Int) throws(Failure) {
        if dialect.isLax { return }
        if lineIndent <= parent { throw underindentedFlow(parent: parent, opener: opener) }
    }
}
