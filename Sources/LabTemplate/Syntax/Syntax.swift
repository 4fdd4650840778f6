import LabCore

/// An expression and where it stands in the template's text, in bytes.
struct Expression: Sendable {
    indirect enum Kind: Sendable {
        case constant(Value)
        /// A string literal that is a template itself.
        case embedded(String)
        case name(String)
        case list([Expression])
        case tuple([Expression])
        case dict([(key: Expression, value: Expression)])
        case attribute(Expression, String)
        case item(Expression, Expression)
        case slice(Expression, start: Expression?, stop: Expression?, step: Expression?)
        case call(Expression, CallArguments)
        case filter(Expression, FilterUse)
        case test(Expression, FilterUse)
        case negate(Expression)
        case plus(Expression)
        case binary(BinaryOperator, Expression, Expression)
        case concatenation([Expression])
        case comparison(Expression, [(Comparison, Expression)])
        case not(Expression)
        case and(Expression, Expression)
        case or(Expression, Expression)
        case conditional(test: Expression, then: Expression, otherwise: Expression?)
    }

    let kind: Kind
    let range: Range<Int>
}

enum BinaryOperator: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case modulo = "%"
    case power = "**"
}

enum Comparison: String, Sendable {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case contained = "in"
    case notContained = "not in"
}

/// What stands in the parentheses of a call, a filter or a test.
struct CallArguments: Sendable {
    var positional: [Expression] = []
    var keywords: [(name: String, value: Expression)] = []
    var spread: Expression?
    var spreadKeywords: Expression?
}

/// A filter or a test by name, with its arguments.
struct FilterUse: Sendable {
    /// As written, with a collection in front or not.
    let name: String
    let nameRange: Range<Int>
    let arguments: CallArguments
}

/// What a value is assigned to.
indirect enum Target: Sendable {
    case name(String)
    case attribute(of: String, String)
    case tuple([Target])
}

/// Parameters of a macro; the defaults belong to the last ones.
struct Signature: Sendable {
    var names: [String] = []
    var defaults: [Expression] = []
}

/// The body of a macro or of a call block.
final class MacroDefinition: Sendable {
    let name: String
    let signature: Signature
    let body: [Statement]
    /// Which of the names that macros get without declaring them are used in the body.
    let usesCaller: Bool
    let usesVariableArguments: Bool
    let usesKeywordArguments: Bool

    init(name: String, signature: Signature, body: [Statement], names: Set<String>) {
        self.name = name
        self.signature = signature
        self.body = body
        self.usesCaller = names.contains("caller")
        self.usesVariableArguments = names.contains("varargs")
        self.usesKeywordArguments = names.contains("kwargs")
    }
}

indirect enum Statement: Sendable {
    case text(String)
    case output(Expression)
    case condition([(test: Expression, body: [Statement])], otherwise: [Statement])
    case loop(ForLoop)
    case set(Target, Expression)
    case setBlock(Target, filters: [FilterUse], body: [Statement])
    case macro(MacroDefinition)
    case call(Expression, caller: MacroDefinition)
    case with([(Target, Expression)], body: [Statement])
    case filter([FilterUse], body: [Statement])
    /// A body with variables of its own: a block of a template that nothing extends.
    case scope([Statement])
}

final class ForLoop: Sendable {
    let target: Target
    let iterable: Expression
    let condition: Expression?
    let isRecursive: Bool
    let body: [Statement]
    let otherwise: [Statement]

    init(
        target: Target, iterable: Expression, condition: Expression?, isRecursive: Bool, body: [Statement],
        otherwise: [Statement]
    ) {
        self.target = target
        self.iterable = iterable
        self.condition = condition
        self.isRecursive = isRecursive
        self.body = body
        self.otherwise = otherwise
    }
}
