import LabCore
import LabTemplate

/// A type that a keyword's rendered value can be read as.
package protocol TemplatedValue: Sendable {
    /// Reads the value as Ansible reads a keyword's; nil when it is no such thing.
    init?(keyword value: Value)
    /// What the keyword needs, for errors: `true or false`, `a number`.
    static var expectation: String { get }
}

/// A keyword's value: a constant, or a template that is rendered for each host.
package struct Templated<Wrapped: TemplatedValue>: Sendable {
    /// The keyword, for errors.
    package let keyword: String
    package let source: SourceValue
    private let constant: Wrapped?

    /// - Throws: `InputError` when a constant cannot be read as the type.
    package init(_ keyword: String, _ source: SourceValue) throws(InputError) {
        self.keyword = keyword
        self.source = source
        if source.containsTemplate {
            constant = nil
        } else {
            constant = try Self.read(source.value, keyword: keyword, span: source.span)
        }
    }

    /// The value where it needs no rendering.
    package var staticValue: Wrapped? { constant }

    /// The value for a host.
    ///
    /// - Throws: `TemplateError` of the template, `InputError` when it renders to something else.
    package func resolve(_ scope: some TemplateScope) throws -> Wrapped {
        if let constant { return constant }
        return try Self.read(try source.rendered(scope), keyword: keyword, span: source.span)
    }

    private static func read(_ value: Value, keyword: String, span: SourceSpan?) throws(InputError) -> Wrapped {
        guard let result = Wrapped(keyword: value) else {
            throw InputError("'\(keyword)' needs \(Wrapped.expectation), not \(value.brief)", span: span)
        }
        return result
    }
}

extension Bool: TemplatedValue {
    package init?(keyword value: Value) {
        switch value {
        case .bool(let value): self = value
        case .int(1): self = true
        case .int(0): self = false
        case .float(1): self = true
        case .float(0): self = false
        case .string(let text):
            switch text.lowercased() {
            case "true", "yes", "on", "1", "y", "t", "1.0": self = true
            case "false", "no", "off", "0", "n", "f", "0.0": self = false
            default: return nil
            }
        default: return nil
        }
    }

    package static var expectation: String { "true or false" }
}

extension Int: TemplatedValue {
    package init?(keyword value: Value) {
        switch value {
        case .int(let value): self = value
        case .string(let text):
            guard let value = Int(text.drop { $0 == " " }) else { return nil }
            self = value
        case .float(let value):
            guard let whole = Int(exactly: value) else { return nil }
            self = whole
        default: return nil
        }
    }

    package static var expectation: String { "a whole number" }
}

extension Double: TemplatedValue {
    package init?(keyword value: Value) {
        switch value {
        case .int(let value): self = Double(value)
        case .float(let value): self = value
        case .string(let text):
            guard let value = Double(text) else { return nil }
            self = value
        default: return nil
        }
    }

    package static var expectation: String { "a number" }
}

extension String: TemplatedValue {
    package init?(keyword value: Value) {
        switch value {
        case .string(let text): self = text
        case .int(let value): self = String(value)
        case .float(let value): self = String(value)
        case .bool(let value): self = value ? "True" : "False"
        default: return nil
        }
    }

    package static var expectation: String { "a text" }
}

extension SourceValue {
    /// Whether a string anywhere in the value has the marks of a template.
    package var containsTemplate: Bool {
        switch content {
        case .string(let text): tag != "!unsafe" && text.hasTemplateMarks
        case .list(let values): values.contains(where: \.containsTemplate)
        case .map(let entries): entries.contains { $0.key.hasTemplateMarks || $0.value.containsTemplate }
        default: false
        }
    }
}

extension String {
    /// Whether the text has `{{`, `{%` or `{#`.
    var hasTemplateMarks: Bool {
        var previousWasBrace = false
        for byte in utf8 {
            if previousWasBrace, byte == UInt8(ascii: "{") || byte == UInt8(ascii: "%") || byte == UInt8(ascii: "#") {
                return true
            }
            previousWasBrace = byte == UInt8(ascii: "{")
        }
        return false
    }
}

extension Value {
    /// The value for a message: short scalars as they are, anything else by its type.
    var brief: String {
        switch self {
        case .string(let text) where text.count <= 40: "'\(text)'"
        case .int(let value): String(value)
        case .float(let value): String(value)
        case .bool(let value): String(value)
        default: typeName
        }
    }
}
