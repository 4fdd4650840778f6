import LabCore

/// Builds the syntax tree from tokens: jinja2's grammar (parser.py of version 3.1).
struct Parser {
    /// How deeply expressions and statements may be nested.
    static let maximumNesting = 60

    private let tokens: [Token]
    private var index = 0
    private var nesting = 0
    /// The tags that are open, for errors.
    var openTags: [(name: String, range: Range<Int>)] = []
    /// Filters and tests as they are used, so that unknown ones are found before anything is rendered.
    var uses: [NameUse] = []
    /// Every name that is read, and those that calls and macros care about.
    var names: Set<String> = []

    /// A filter or test that is used by a name which is known when the template is read.
    struct NameUse: Sendable {
        enum Kind: Sendable { case filter, test }
        let kind: Kind
        let name: String
        let range: Range<Int>
    }

    /// Whether string literals with `{{ }}` in them are templates themselves, as in Ansible's conditions.
    private let rendersStrings: Bool

    init(_ tokens: [Token], rendersStrings: Bool = false) {
        self.tokens = tokens
        self.rendersStrings = rendersStrings
    }

    /// A string literal, or the template that it holds.
    func literal(_ text: String, isLookupTerm: Bool = false) -> Expression.Kind {
        guard rendersStrings || isLookupTerm, text.contains("{{") || text.contains("{%") else {
            return .constant(.string(text))
        }
        return .embedded(text)
    }

    var current: Token { tokens[min(index, tokens.count - 1)] }
    var next: Token { tokens[min(index + 1, tokens.count - 1)] }
    /// Where the token before the current one ends.
    var lastEnd: Int { index > 0 ? tokens[min(index, tokens.count) - 1].range.upperBound : 0 }

    @discardableResult
    mutating func advance() -> Token {
        let token = current
        if index < tokens.count { index += 1 }
        return token
    }

    mutating func skip(_ op: Token.Operator) -> Bool {
        guard current.isOperator(op) else { return false }
        advance()
        return true
    }

    mutating func skip(name: String) -> Bool {
        guard current.isName(name) else { return false }
        advance()
        return true
    }

    func unexpected(_ expected: String) -> Failure {
        Failure("expected \(expected) but found \(current.described)", kind: .syntax, range: current.range)
    }

    mutating func expect(_ op: Token.Operator) throws {
        guard skip(op) else { throw unexpected("'\(op.rawValue)'") }
    }

    mutating func expectName() throws -> (name: String, range: Range<Int>) {
        guard case .name(let name) = current.kind else { throw unexpected("a name") }
        return (name, advance().range)
    }

    mutating func expectBlockEnd() throws {
        guard current.kind == .blockEnd else { throw unexpected("the end of the statement") }
        advance()
    }

    mutating func nested<Result>(_ body: (inout Parser) throws -> Result) throws -> Result {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= Self.maximumNesting else {
            throw Failure("the template is nested too deeply", kind: .syntax, range: current.range)
        }
        return try body(&self)
    }

    /// A bare expression that takes the whole text.
    mutating func wholeExpression() throws -> Expression {
        guard current.kind != .end else { throw unexpected("an expression") }
        let expression = try expression()
        guard current.kind == .end else { throw unexpected("the end of the expression") }
        return expression
    }

    /// A whole template.
    mutating func template() throws -> [Statement] {
        let (body, stop) = try statements(until: [])
        guard stop == nil else { throw unexpected("the end of the template") }
        return body
    }

    /// Statements up to a tag of `ends`, which is left as the current token; nil when the text ended.
    mutating func statements(until ends: [String]) throws -> (body: [Statement], stop: String?) {
        try nested { parser in
            var body: [Statement] = []
            while true {
                switch parser.current.kind {
                case .data(let text):
                    parser.advance()
                    // Texts with only a comment between them are one text, as in jinja2.
                    if case .text(let before)? = body.last {
                        body[body.count - 1] = .text(before + text)
                    } else {
                        body.append(.text(text))
                    }
                case .variableBegin:
                    parser.advance()
                    body.append(.output(try parser.tuple()))
                    guard parser.current.kind == .variableEnd else {
                        throw parser.unexpected("an operator or the end of the expression")
                    }
                    parser.advance()
                case .blockBegin:
                    if case .name(let name) = parser.next.kind, ends.contains(name) {
                        parser.advance()
                        return (body, name)
                    }
                    parser.advance()
                    if let statement = try parser.statement(ends: ends) { body.append(statement) }
                default:
                    guard ends.isEmpty else { throw parser.unclosed(ends) }
                    return (body, nil)
                }
            }
        }
    }

    private func unclosed(_ ends: [String]) -> Failure {
        let wanted = ends.map { "'{% \($0) %}'" }.joined(separator: " or ")
        guard let tag = openTags.last else {
            return Failure("\(wanted) is missing", kind: .syntax, range: current.range)
        }
        return Failure("this '\(tag.name)' is not closed", kind: .syntax, hint: "add \(wanted)", range: tag.range)
    }

    /// The body of a tag up to one of `ends`, with the tag's own end before it and the end tag's name behind it read.
    mutating func body(until ends: String...) throws -> (body: [Statement], stop: String) {
        _ = skip(.colon)
        try expectBlockEnd()
        let (body, stop) = try statements(until: ends)
        guard let stop else { throw unclosed(ends) }
        advance()
        return (body, stop)
    }
}
