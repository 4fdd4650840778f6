/// A piece of a template: text outside of tags, a delimiter, or a token of the expression language.
struct Token: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        case data(String)
        case variableBegin
        case variableEnd
        case blockBegin
        case blockEnd
        case name(String)
        case string(String)
        case integer(Int)
        case float(Double)
        case op(Operator)
        case end
    }

    enum Operator: String, Sendable, CaseIterable {
        // Longest first: the lexer takes the first that fits.
        case floorDivide = "//"
        case power = "**"
        case equal = "=="
        case notEqual = "!="
        case greaterOrEqual = ">="
        case lessOrEqual = "<="
        case greater = ">"
        case less = "<"
        case assign = "="
        case plus = "+"
        case minus = "-"
        case divide = "/"
        case multiply = "*"
        case modulo = "%"
        case tilde = "~"
        case leftBracket = "["
        case rightBracket = "]"
        case leftParenthesis = "("
        case rightParenthesis = ")"
        case leftBrace = "{"
        case rightBrace = "}"
        case dot = "."
        case colon = ":"
        case pipe = "|"
        case comma = ","
        case semicolon = ";"
    }

    let kind: Kind
    /// In bytes of the template's text.
    let range: Range<Int>

    /// The token as it is named in errors.
    var described: String {
        switch kind {
        case .data: "text"
        case .variableBegin, .blockBegin: "the start of a tag"
        case .variableEnd: "the end of the expression"
        case .blockEnd: "the end of the statement"
        case .name(let name): "'\(name)'"
        case .string: "a string"
        case .integer, .float: "a number"
        case .op(let op): "'\(op.rawValue)'"
        case .end: "the end of the template"
        }
    }

    func isName(_ name: String) -> Bool { kind == .name(name) }
    func isOperator(_ op: Operator) -> Bool { kind == .op(op) }
}
