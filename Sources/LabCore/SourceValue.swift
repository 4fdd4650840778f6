/// A value together with where each part of it was written.
///
/// What the YAML reader hands to everything above it: templates in it are not rendered yet.
package struct SourceValue: Sendable {
    /// The value itself, by its type.
    package enum Content: Sendable {
        case null
        case bool(Bool)
        case int(Int)
        case float(Double)
        case string(String)
        case list([SourceValue])
        /// The entries in the order in which they were written, after merge keys were resolved; keys are unique.
        case map([Entry])
    }

    /// One key of a map and its value.
    package struct Entry: Sendable {
        package let key: String
        /// Where the key stands; nil for values that no file holds.
        package let keySpan: SourceSpan?
        package let value: SourceValue

        package init(key: String, keySpan: SourceSpan?, value: SourceValue) {
            self.key = key
            self.keySpan = keySpan
            self.value = value
        }
    }

    package let content: Content
    /// Where the value stands; nil for values that no file holds (registered results, `-e k=v` pairs).
    package let span: SourceSpan?
    /// The explicit local tag, as written (`!vault`, `!unsafe`), or nil.
    package let tag: String?

    package init(_ content: Content, span: SourceSpan?, tag: String? = nil) {
        self.content = content
        self.span = span
        self.tag = tag
    }

    /// A value that no file holds.
    package init(_ value: Value, span: SourceSpan? = nil) {
        let content: Content =
            switch value {
            case .null: .null
            case .bool(let value): .bool(value)
            case .int(let value): .int(value)
            case .float(let value): .float(value)
            case .string(let value): .string(value)
            case .list(let values): .list(values.map { SourceValue($0, span: span) })
            case .map(let entries):
                .map(entries.map { Entry(key: $0.key, keySpan: span, value: SourceValue($0.value, span: span)) })
            }
        self.init(content, span: span)
    }

    /// The value without its places.
    package var value: Value {
        switch content {
        case .null: .null
        case .bool(let value): .bool(value)
        case .int(let value): .int(value)
        case .float(let value): .float(value)
        case .string(let value): .string(value)
        case .list(let values): .list(values.map(\.value))
        case .map(let entries):
            .map(ValueMap(entries.map { ($0.key, $0.value.value) }, uniquingKeysWith: { _, last in last }))
        }
    }

    package var string: String? { if case .string(let value) = content { value } else { nil } }
    package var bool: Bool? { if case .bool(let value) = content { value } else { nil } }
    package var int: Int? { if case .int(let value) = content { value } else { nil } }
    package var list: [SourceValue]? { if case .list(let value) = content { value } else { nil } }
    package var entries: [Entry]? { if case .map(let value) = content { value } else { nil } }
    package var isNull: Bool { if case .null = content { true } else { false } }

    /// The value under `key` of a map; nil for any other value and for a missing key.
    package subscript(key: String) -> SourceValue? { entries?.first { $0.key == key }?.value }

    /// The name of the value's type as people read it in errors.
    package var typeName: String {
        switch content {
        case .null: "null"
        case .bool: "a boolean"
        case .int: "an integer"
        case .float: "a number"
        case .string: "a string"
        case .list: "a list"
        case .map: "a map"
        }
    }
}
