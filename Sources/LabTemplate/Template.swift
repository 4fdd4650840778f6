import LabCore

/// A text with Jinja in it, or a bare Jinja expression: read once, rendered many times.
package struct Template: Sendable {
    private let program: Program
    /// The place of the scalar that held the text.
    package let span: SourceSpan?

    /// Reads a text that may contain `{{ }}`, `{% %}` and `{# #}`.
    ///
    /// - Throws: `TemplateError` of kind `syntax`. Unknown filters and tests are no errors yet, see `problems`.
    package static func parse(
        _ text: String, span: SourceSpan? = nil, options: TemplateOptions = TemplateOptions()
    ) throws(TemplateError) -> Template {
        try Template(Program.Key(text: text, kind: .template(options)), span)
    }

    /// Reads a bare expression, as `when`, `until` and `changed_when` hold. An expression that is wholly in `{{ }}` is
    /// read as well, as Ansible does.
    ///
    /// - Throws: `TemplateError` of kind `syntax`.
    package static func parseExpression(_ text: String, span: SourceSpan? = nil) throws(TemplateError) -> Template {
        try Template(Program.Key(text: text, kind: .expression), span)
    }

    private init(_ key: Program.Key, _ span: SourceSpan?) throws(TemplateError) {
        do {
            self.program = try ProgramCache.program(for: key)
            self.span = span
        } catch let failure as Failure {
            throw Template.error(failure, Array(key.text.utf8), span)
        } catch {
            throw TemplateError(.syntax, Diagnostic("the template cannot be read", span: span))
        }
    }

    /// Whether there is no markup in the text, so that it renders to itself.
    package var isConstant: Bool { program.isConstant }

    /// The text as it was given.
    package var text: String { program.text }

    /// The filters and tests that do not exist.
    package var problems: [TemplateError] {
        program.uses.compactMap { Registry.failure(for: $0) }.map { Template.error($0, program.source, span) }
    }

    /// Runs the template.
    ///
    /// A text that is one single `{{ expression }}` gives the expression's own value; everything else gives a string
    /// made of Python's texts of the pieces; a text that writes nothing gives null. A value that is to be left out is
    /// `Value.isOmitted`.
    ///
    /// - Throws: `TemplateError`; and what the scope threw, as it is.
    package func render(_ scope: some TemplateScope) throws -> Value {
        if program.isConstant { return .string(program.text) }
        return try located { try program.render(Evaluator(scope: scope, source: program.source)).value() }
    }

    /// Runs the expression and says whether it holds.
    ///
    /// Python's truth counts, with one exception: a string that spells a boolean (`"false"`, `"no"`) is an error, since
    /// it would count as true.
    ///
    /// - Throws: as `render`.
    package func evaluateCondition(_ scope: some TemplateScope) throws -> Bool {
        try located {
            let result = try program.render(Evaluator(scope: scope, source: program.source))
            guard case .string(let text) = result else { return try result.isTrue() }
            if program.isWrapped {
                // A text that a variable holds is an expression itself: `when: "{{ condition }}"`.
                let inner = try Template.parseExpression(text, span: span)
                guard !inner.program.isWrapped else { throw Failure("the condition gives another template") }
                return try inner.evaluateCondition(scope)
            }
            guard !Self.booleanTexts.contains(text.lowercased()) else {
                throw Failure(
                    "the condition is the string '\(text)', not a boolean",
                    hint: "add '| bool' to what gives the string", range: 0..<program.source.count)
            }
            return !text.isEmpty
        }
    }

    private static let booleanTexts: Set<String> = ["true", "false", "yes", "no", "on", "off"]

    /// How many renderings are under way within each other: variables whose values are templates of variables.
    @TaskLocal private static var depth = 0

    private func located<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            guard Template.depth < Limits.renderings else {
                throw Failure(
                    "too many variables are made of each other", hint: "does a variable refer to itself?",
                    range: 0..<program.source.count)
            }
            return try Template.$depth.withValue(Template.depth + 1, operation: body)
        } catch let failure as Failure {
            guard let underlying = failure.underlying else { throw Template.error(failure, program.source, span) }
            guard var error = underlying as? TemplateError else { throw underlying }
            let place = Template.place(of: failure.range, program.source, span)
            if let place, error.diagnostic.notes.count < 4, place != error.diagnostic.span {
                error.diagnostic.notes.append(Diagnostic.Note("it is used here", span: place))
            }
            throw error
        }
    }

    private static func place(of range: Range<Int>?, _ source: [UInt8], _ span: SourceSpan?) -> SourceSpan? {
        guard let span, let range else { return span }
        return SourceMap(span: span, text: source).span(of: range) ?? span
    }

    private static func error(_ failure: Failure, _ source: [UInt8], _ span: SourceSpan?) -> TemplateError {
        var notes = failure.notes
        if span == nil, let range = failure.range, !range.isEmpty, range.upperBound <= source.count,
            range.count < source.count
        {
            notes.append(Diagnostic.Note("in '\(String(decoding: source[range], as: UTF8.self))'"))
        }
        return TemplateError(
            failure.kind,
            Diagnostic(
                failure.message, span: place(of: failure.range, source, span), notes: notes, hint: failure.hint))
    }
}

extension Value {
    /// Whether the value is what `omit` gives: the parameter that holds it is to be left out.
    package var isOmitted: Bool { if case .string(OmitMarker.text) = self { true } else { false } }
}
