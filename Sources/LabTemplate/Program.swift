import LabCore
import Synchronization

/// What a text was read to; it has no place, so that equal texts share one.
final class Program: Sendable {
    struct Key: Hashable, Sendable {
        enum Kind: Hashable, Sendable {
            case template(TemplateOptions)
            case expression
        }
        let text: String
        let kind: Kind
    }

    private enum Content: Sendable {
        case constant
        case template([Statement])
        case expression(Expression)
    }

    let text: String
    let source: [UInt8]
    private let content: Content
    /// The filters and tests that are used by name.
    let uses: [Parser.NameUse]
    /// Whether the expression was written in `{{ }}`.
    let isWrapped: Bool

    init(_ key: Key) throws {
        self.text = key.text
        self.source = Array(key.text.utf8)
        switch key.kind {
        case .template(var options):
            self.isWrapped = false
            let start = try options.readHeader(source)
            try options.validate()
            guard start > 0 || Self.hasMarkup(source, options) else {
                self.content = .constant
                self.uses = []
                return
            }
            var parser = Parser(try Lexer.template(source, from: start, options: options))
            self.content = .template(try parser.template())
            self.uses = parser.uses
        case .expression:
            let (range, isWrapped) = try Self.expressionRange(source)
            self.isWrapped = isWrapped
            var parser = Parser(try Lexer.expression(source, in: range), rendersStrings: true)
            self.content = .expression(try parser.wholeExpression())
            self.uses = parser.uses
        }
    }

    var isConstant: Bool { if case .constant = content { true } else { false } }

    private static func hasMarkup(_ source: [UInt8], _ options: TemplateOptions) -> Bool {
        let starts = [options.blockStart, options.variableStart, options.commentStart].map { Array($0.utf8) }
        for index in source.indices {
            for start in starts where source[index] == start[0] && source[index...].starts(with: start) { return true }
        }
        return false
    }

    /// Where the expression stands when space and `{{ }}` around it are taken off.
    private static func expressionRange(_ source: [UInt8]) throws -> (Range<Int>, isWrapped: Bool) {
        var lower = 0
        var upper = source.count
        func trim() {
            while lower < upper, source[lower].isSpace { lower += 1 }
            while upper > lower, source[upper - 1].isSpace { upper -= 1 }
        }
        trim()
        guard lower < upper else { throw Failure("the condition is empty", kind: .syntax, range: 0..<source.count) }
        let whole = lower..<upper
        guard source[whole].starts(with: "{{".utf8) || source[whole].starts(with: "{%".utf8) else {
            return (whole, false)
        }
        let inner = whole.lowerBound + 2..<max(whole.upperBound - 2, whole.lowerBound + 2)
        guard source[whole].starts(with: "{{".utf8), source[whole].suffix(2).elementsEqual("}}".utf8),
            !source[inner].contains(sequence: "}}"), !source[inner].contains(sequence: "{{")
        else {
            // `{{'a': 1}…}` would be a dict in a dict, which cannot be a key; nobody loses anything here.
            throw Failure(
                "a condition is an expression already", kind: .syntax, hint: "leave out '{{ }}' and '{% %}'",
                range: whole.lowerBound..<whole.lowerBound + 2)
        }
        (lower, upper) = (inner.lowerBound, inner.upperBound)
        trim()
        return (lower..<upper, true)
    }

    func render(_ evaluator: Evaluator) throws -> Object {
        switch content {
        case .constant: return .string(text)
        case .expression(let expression):
            return try evaluator.located(expression) { try evaluator.evaluate(expression) }
        case .template(let body):
            let result = try evaluator.render(body)
            guard case .string(let rendered) = result else { return result }
            // The lexer drops the last line break; as in Ansible a text ends with as many as its template.
            let missing = source.trailingLineBreaks - Array(rendered.utf8.suffix(source.count)).trailingLineBreaks
            return missing > 0 ? .string(rendered + String(repeating: "\n", count: missing)) : result
        }
    }
}

extension [UInt8] {
    var trailingLineBreaks: Int { reversed().prefix { $0 == 0x0A }.count }
}

extension ArraySlice<UInt8> {
    func contains(sequence text: String) -> Bool {
        let wanted = Array(text.utf8)
        return indices.contains { self[$0...].starts(with: wanted) }
    }
}

/// Programs by their text: the same strings are rendered for every host and every task.
enum ProgramCache {
    private static let capacity = 4096
    private static let programs = Mutex<[Program.Key: Program]>([:])

    static func program(for key: Program.Key) throws -> Program {
        if let known = programs.withLock({ $0[key] }) { return known }
        let program = try Program(key)
        programs.withLock { programs in
            if programs.count >= capacity { programs.removeAll(keepingCapacity: true) }
            programs[key] = program
        }
        return program
    }
}
