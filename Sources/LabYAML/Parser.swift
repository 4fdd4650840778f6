/// Reads the bytes of a stream once, from the left to the right, and appends nodes to a flat array.
///
/// A recursive descent over the productions of YAML 1.2.2, chapters 6 to 9, that never goes back: whether a node is the
/// key of a mapping shows after it was read, and the mapping's node is then put before it. The bytes must have passed
/// `Encoding.inspect` (well-formed UTF-8, no NUL), so that 0 can stand for the end of the input.
struct Parser: ~Copyable {
    let bytes: UnsafeBufferPointer<UInt8>
    let end: Int
    let dialect: Dialect
    let limits: Limits

    var pos = 0
    /// Offset of the first byte of the current line.
    var lineStart = 0
    /// Number of spaces that the current line starts with (s-indent, [63]).
    var lineIndent = 0
    /// Offset of the first byte of the current line that is neither space nor tab.
    var lineContent = 0
    /// Whether the white space just before `pos` has a tab in it.
    var separatedByTab = false
    /// Just past the last byte of the last token; where an open collection ends.
    var tokenEnd = 0
    var depth = 0

    var nodes: [SyntaxTree.Node] = []
    var decoded: [UInt8] = []
    var properties: [SyntaxTree.Properties] = []
    var failures: [Failure] = []
    /// The prefixes that `%TAG` gave to handles in the current document.
    var tagPrefixes: [String: String] = [:]

    init(_ bytes: UnsafeBufferPointer<UInt8>, dialect: Dialect, limits: Limits) {
        self.bytes = bytes
        self.end = bytes.count
        self.dialect = dialect
        self.limits = limits
        // A manifest has a node for every 15 to 25 bytes.
        nodes.reserveCapacity(bytes.count / 20 + 8)
    }

    /// The byte at an offset; 0 past the end.
    @inline(__always)
    func byte(_ offset: Int) -> UInt8 { offset < end ? bytes[offset] : 0 }

    @inline(__always)
    var atEnd: Bool { pos >= end }

    /// The column of an offset of the current line, counted from 0 in bytes.
    @inline(__always)
    func column(_ offset: Int) -> Int { offset - lineStart }

    // MARK: Lines and separation

    /// Starts the line at `start`: counts its indentation and finds its content.
    @inline(__always)
    mutating func beginLine(_ start: Int) {
        lineStart = start
        var index = start
        while byte(index) == .space { index += 1 }
        lineIndent = index - start
        while byte(index).isBlank { index += 1 }
        lineContent = index
    }

    /// Just past the line break at `offset` (b-break, [28]).
    @inline(__always)
    func afterBreak(_ offset: Int) -> Int {
        bytes[offset] == .carriageReturn && byte(offset + 1) == .lineFeed ? offset + 2 : offset + 1
    }

    /// Moves to the next token over white space, comments and line breaks (s-l-comments, [79]).
    ///
    /// A `#` that no white space precedes starts no comment and is left for the caller to complain about, unless the
    /// dialect is as lax as libyaml.
    @inline(never)
    mutating func skipSeparation() {
        separatedByTab = pos == lineContent && lineContent - lineStart != lineIndent
        while true {
            switch byte(pos) {
            case .space:
                pos += 1
            case .tab:
                separatedByTab = true
                pos += 1
            case .lineFeed, .carriageReturn:
                beginLine(afterBreak(pos))
                separatedByTab = lineContent - lineStart != lineIndent
                pos = lineContent
            case .hash:
                guard dialect.isLax || pos == lineStart || bytes[pos - 1].isBlank else { return }
                pos = endOfLine(pos)
            default:
                return
            }
        }
    }

    /// Moves over spaces and tabs.
    @inline(__always)
    mutating func skipBlanks() {
        while byte(pos).isBlank { pos += 1 }
    }

    /// The offset of the next line break, or of the end.
    func endOfLine(_ offset: Int) -> Int {
        var index = offset
        while index < end, !bytes[index].isBreak { index += 1 }
        return index
    }

    /// Whether `pos` is the first token of its line.
    @inline(__always)
    var isFirstOnLine: Bool { pos == lineContent }

    /// Whether the byte at `offset` is white space, a line break or the end.
    @inline(__always)
    func isSpace(_ offset: Int) -> Bool {
        let byte = byte(offset)
        return byte <= .space && (byte.isBlank || byte.isBreak || offset >= end)
    }

    /// Whether `---` or `...` stands at `pos`, at the start of a line (c-forbidden, [206]).
    @inline(__always)
    var isAtDocumentMarker: Bool {
        guard pos == lineStart else { return false }
        let first = byte(pos)
        guard first == .dash || first == .dot else { return false }
        return byte(pos + 1) == first && byte(pos + 2) == first && isSpace(pos + 3)
    }

    // MARK: Nodes

    @inline(never)
    mutating func append(_ node: SyntaxTree.Node, properties: UInt32 = 0) {
        var node = node
        node.properties = properties
        node.next = UInt32(truncatingIfNeeded: nodes.count + 1)
        nodes.append(node)
    }

    /// Appends the empty node ([105], e-node) that stands at `offset`.
    @inline(never)
    mutating func appendEmpty(at offset: Int, properties: UInt32 = 0) {
        append(SyntaxTree.Node(.plain, start: offset, end: offset, text: offset..<offset), properties: properties)
    }

    /// Opens a collection at the end of the array and returns its index.
    @inline(never)
    mutating func open(_ kind: SyntaxTree.Kind, _ style: SyntaxTree.Style, at start: Int, properties: UInt32) -> Int {
        append(SyntaxTree.Node(kind, style, start: start, end: start), properties: properties)
        return nodes.count - 1
    }

    /// Puts a collection before the nodes from `index` on, which turn out to be its first key.
    ///
    /// A key is at most 1024 bytes long (7.4.2), so that the nodes to move are few.
    @inline(never)
    mutating func insert(
        _ kind: SyntaxTree.Kind, _ style: SyntaxTree.Style, before index: Int, at start: Int, properties: UInt32
    ) {
        for moved in index..<nodes.count { nodes[moved].next += 1 }
        var node = SyntaxTree.Node(kind, style, start: start, end: start)
        node.properties = properties
        nodes.insert(node, at: index)
    }

    @inline(never)
    mutating func close(_ index: Int, at end: Int) {
        nodes[index].end = UInt32(truncatingIfNeeded: max(end, Int(nodes[index].start)))
        nodes[index].next = UInt32(truncatingIfNeeded: nodes.count)
    }
}

/// Where the readers that labctl stands in for are laxer than YAML 1.2.2.
struct Dialect: Sendable {
    /// As PyYAML and go-yaml (both after libyaml): the lines of a flow collection or a quoted scalar may be indented less
    /// than their node, and a comment needs no white space before it after a quote or a bracket.
    var isLax: Bool
    /// Whether the end of the input ends the last line of a block scalar as a break does. Not to PyYAML; kubectl hands
    /// its reader whole lines.
    var endIsBreak: Bool
    /// Anchors are made of `[0-9A-Za-z_-]` only, as in libyaml, so that `*a:` is the alias `a` and a colon.
    var hasPlainAnchors: Bool { isLax }
}

extension UInt8 {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let exclamation = UInt8(ascii: "!")
    static let doubleQuote = UInt8(ascii: "\"")
    static let hash = UInt8(ascii: "#")
    static let percent = UInt8(ascii: "%")
    static let ampersand = UInt8(ascii: "&")
    static let singleQuote = UInt8(ascii: "'")
    static let asterisk = UInt8(ascii: "*")
    static let comma = UInt8(ascii: ",")
    static let dash = UInt8(ascii: "-")
    static let dot = UInt8(ascii: ".")
    static let colon = UInt8(ascii: ":")
    static let greater = UInt8(ascii: ">")
    static let question = UInt8(ascii: "?")
    static let at = UInt8(ascii: "@")
    static let openBracket = UInt8(ascii: "[")
    static let backslash = UInt8(ascii: "\\")
    static let closeBracket = UInt8(ascii: "]")
    static let backtick = UInt8(ascii: "`")
    static let openBrace = UInt8(ascii: "{")
    static let pipe = UInt8(ascii: "|")
    static let closeBrace = UInt8(ascii: "}")

    /// s-white, [33].
    @inline(__always)
    var isBlank: Bool { self == .space || self == .tab }

    /// b-char, [26].
    @inline(__always)
    var isBreak: Bool { self == .lineFeed || self == .carriageReturn }

    /// c-flow-indicator, [23].
    @inline(__always)
    var isFlowIndicator: Bool {
        self == .comma || self == .openBracket || self == .closeBracket || self == .openBrace || self == .closeBrace
    }

    @inline(__always)
    var isDigit: Bool { self &- 0x30 < 10 }

    /// ns-word-char, [38]: letters, digits, dash.
    var isWord: Bool { isDigit || (self | 0x20) &- 0x61 < 26 || self == .dash }

    /// The value of a hexadecimal digit.
    var hexadecimalValue: UInt32? {
        if isDigit { return UInt32(self &- 0x30) }
        let letter = (self | 0x20) &- 0x61
        return letter < 6 ? UInt32(letter) + 10 : nil
    }
}
