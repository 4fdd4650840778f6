import LabCore
import LabTemplate

/// One expression of `when`, `until`, `changed_when`, `failed_when` or `assert`'s `that`.
package struct Condition: Sendable {
    private enum Kind: Sendable {
        case constant(Bool)
        case expression(Template)
    }

    /// The expression as written.
    package let text: String
    package let span: SourceSpan?
    private let kind: Kind

    /// A condition as a file has it: a boolean, or a text with an expression.
    ///
    /// - Throws: `InputError` for other values, `TemplateError` when the text is no expression.
    package init(_ source: SourceValue, keyword: String) throws {
        self.span = source.span
        switch source.content {
        case .bool(let value):
            text = value ? "true" : "false"
            kind = .constant(value)
        // Ansible takes an empty condition for one that holds; the lint warns of it.
        case .null, .string(""):
            text = ""
            kind = .constant(true)
        case .string(let expression):
            text = expression
            kind = .expression(try Condition.parse(expression, span: source.span))
        case .int(let value):
            text = String(value)
            kind = .expression(try Template.parseExpression(text, span: source.span))
        default:
            throw InputError("'\(keyword)' needs an expression, not \(source.typeName)", span: source.span)
        }
    }

    /// The conditions of a keyword: one, or a list of which all have to hold.
    package static func list(_ source: SourceValue, keyword: String) throws -> [Condition] {
        guard let items = source.list else { return [try Condition(source, keyword: keyword)] }
        return try items.map { try Condition($0, keyword: keyword) }
    }

    /// Whether the condition holds.
    ///
    /// - Throws: `TemplateError`, for example for an undefined variable.
    package func holds(_ scope: some TemplateScope) throws -> Bool {
        switch kind {
        case .constant(let value): value
        case .expression(let template): try template.evaluateCondition(scope)
        }
    }

    // Ansible still renders a condition that is one whole template (`when: "{{ flag }}"`), though it warns.
    private static func parse(_ text: String, span: SourceSpan?) throws -> Template {
        let template =
            text.hasTemplateMarks
            ? try Template.parse(text, span: span)
            : try Template.parseExpression(text, span: span)
        let problems = template.problems
        if !problems.isEmpty { throw InputError(problems.map(\.diagnostic)) }
        return template
    }
}

extension Sequence where Element == Condition {
    /// The first condition that does not hold, or nil when all do.
    package func firstFalse(_ scope: some TemplateScope) throws -> Condition? {
        for condition in self where try !condition.holds(scope) { return condition }
        return nil
    }
}
