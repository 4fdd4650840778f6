import LabCore

extension SourceValue {
    /// The value with every string in it rendered, keys too; what renders to `omit` is left out of maps and lists.
    ///
    /// `!unsafe` and `!vault` values, and all within them, stay as they are.
    ///
    /// - Throws: `TemplateError`, and what the scope threw.
    package func rendered(_ scope: some TemplateScope) throws -> Value {
        if isUntouchable { return value }
        switch content {
        case .null, .bool, .int, .float: return value
        case .string(let text): return try Template.parse(text, span: span).render(scope)
        case .list(let items):
            var result: [Value] = []
            result.reserveCapacity(items.count)
            for item in items {
                let value = try item.rendered(scope)
                if !value.isOmitted { result.append(value) }
            }
            return .list(result)
        case .map(let entries):
            var result = ValueMap(minimumCapacity: entries.count)
            for entry in entries {
                let value = try entry.value.rendered(scope)
                if !value.isOmitted { result[try entry.renderedKey(scope)] = value }
            }
            return .map(result)
        }
    }

    /// Whether the value is exempt from templating.
    var isUntouchable: Bool { tag == "!unsafe" || tag == "!vault" }
}

extension SourceValue.Entry {
    func renderedKey(_ scope: some TemplateScope) throws -> String {
        let template = try Template.parse(key, span: keySpan)
        if template.isConstant { return key }
        let rendered = Object(try template.render(scope))
        return try DictKey(rendered)?.canonicalText ?? rendered.text()
    }
}

extension Template {
    /// What is wrong with the templates in a tree, as far as it can be known without rendering: syntax, and filters
    /// and tests that do not exist.
    package static func check(_ value: SourceValue) -> [Diagnostic] {
        if value.isUntouchable { return [] }
        switch value.content {
        case .null, .bool, .int, .float: return []
        case .string(let text): return check(text, value.span)
        case .list(let items): return items.flatMap(check)
        case .map(let entries): return entries.flatMap { check($0.key, $0.keySpan) + check($0.value) }
        }
    }

    /// As `check` of a tree, for one bare expression.
    package static func checkExpression(_ text: String, span: SourceSpan? = nil) -> [Diagnostic] {
        do { return try parseExpression(text, span: span).problems.map(\.diagnostic) } catch {
            return [error.diagnostic]
        }
    }

    /// As `check` of a tree, for a template file.
    package static func check(file: SourceFile) -> [Diagnostic] {
        let text = String(decoding: file.bytes, as: UTF8.self)
        do {
            let template = try parse(text, span: file.span(0..<file.bytes.count), options: .file)
            return template.problems.map(\.diagnostic)
        } catch {
            return [error.diagnostic]
        }
    }

    private static func check(_ text: String, _ span: SourceSpan?) -> [Diagnostic] {
        do { return try parse(text, span: span).problems.map(\.diagnostic) } catch { return [error.diagnostic] }
    }
}
