import OrderedCollections

/// The one dynamic value: what YAML, JSON, variables, module arguments and API objects are made of.
///
/// Maps keep the order in which their keys were written; two maps are equal when they hold equal entries, in
/// whatever order. Keys are strings: a YAML key of another type is held by its canonical text.
package enum Value: Sendable {
    case null
    case bool(Bool)
    case int(Int)
    case float(Double)
    case string(String)
    case list([Value])
    case map(OrderedDictionary<String, Value>)
}

/// A map from string keys to values that keeps the order of its keys.
package typealias ValueMap = OrderedDictionary<String, Value>

extension Value: Hashable {
    package static func == (lhs: Value, rhs: Value) -> Bool {
        switch (lhs, rhs) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.int(let a), .int(let b)): a == b
        case (.float(let a), .float(let b)): a == b
        case (.string(let a), .string(let b)): a == b
        case (.list(let a), .list(let b)): a == b
        case (.map(let a), .map(let b)):
            a.count == b.count && a.allSatisfy { b[$0.key] == $0.value }
        default: false
        }
    }

    package func hash(into hasher: inout Hasher) {
        switch self {
        case .null: hasher.combine(0)
        case .bool(let value): hasher.combine(value)
        case .int(let value): hasher.combine(value)
        case .float(let value): hasher.combine(value)
        case .string(let value): hasher.combine(value)
        case .list(let values): hasher.combine(values)
        case .map(let entries):
            // Order must not matter, as it does not for equality.
            var combined = 0
            for (key, value) in entries {
                var entry = Hasher()
                entry.combine(key)
                entry.combine(value)
                combined ^= entry.finalize()
            }
            hasher.combine(combined)
        }
    }
}

extension Value: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .int(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(floatLiteral value: Double) { self = .float(value) }
    package init(arrayLiteral elements: Value...) { self = .list(elements) }
    package init(nilLiteral: ()) { self = .null }
    package init(dictionaryLiteral elements: (String, Value)...) {
        self = .map(ValueMap(elements, uniquingKeysWith: { _, last in last }))
    }
}

extension Value {
    /// The name of the value's type as people read it in errors: `null`, `a boolean`, `a list` …
    package var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .int: "an integer"
        case .float: "a number"
        case .string: "a string"
        case .list: "a list"
        case .map: "a map"
        }
    }

    package var isNull: Bool { if case .null = self { true } else { false } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var int: Int? { if case .int(let value) = self { value } else { nil } }
    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var list: [Value]? { if case .list(let value) = self { value } else { nil } }
    package var map: ValueMap? { if case .map(let value) = self { value } else { nil } }

    /// The number that an `int` or a `float` holds.
    package var double: Double? {
        switch self {
        case .int(let value): Double(value)
        case .float(let value): value
        default: nil
        }
    }

    /// The entry under `key` of a map; nil for any other value and for a missing key. Setting to nil removes.
    package subscript(key: String) -> Value? {
        get { map?[key] }
        set {
            guard case .map(var entries) = self else { return }
            self = .null  // so that `entries` is the only owner and is changed in place
            entries[key] = newValue
            self = .map(entries)
        }
    }

    /// The value that `path` leads to through nested maps, or nil where a step is missing.
    package subscript(path: [String]) -> Value? {
        var current = self
        for key in path {
            guard let next = current[key] else { return nil }
            current = next
        }
        return current
    }
}
