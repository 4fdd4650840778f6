import LabCore
import OrderedCollections

/// A value while a template runs: what `Value` can be, and what only exists inside (undefined, tuples, functions).
///
/// Lists and dicts are shared by reference, as in Python, so that `list.append` and `dict.update` work.
enum Object {
    case undefined(Undefined)
    case omit
    case null
    case bool(Bool)
    case int(Int)
    case float(Double)
    case string(String)
    case list(ListBox)
    case tuple(Tuple)
    case dict(DictBox)
    case range(PythonRange)
    case instance(any Instance)

    init(_ value: Value) {
        self =
            switch value {
            case .null: .null
            case .bool(let value): .bool(value)
            case .int(let value): .int(value)
            case .float(let value): .float(value)
            case .string(OmitMarker.text): .omit
            case .string(let value): .string(value)
            case .list(let values): .list(ListBox(values))
            case .map(let entries): .dict(DictBox(entries))
            }
    }

    static func list(_ items: [Object]) -> Object { .list(ListBox(items)) }
    static func tuple(_ items: [Object]) -> Object { .tuple(Tuple(items)) }
}

/// Why there is no value, told when somebody needs it.
struct Undefined {
    /// The name as it was written, when there is one.
    var name: String?
    var message: String
    /// What to try; worked out only when the error is told, since most undefined values meet a `default`.
    var hint: () -> String?
    /// Where the missing name stands, in bytes of the template's text.
    var range: Range<Int>?
    /// The error of the variable's own template, when it is that one that misses something.
    var cause: (any Error)?

    init(
        name: String? = nil, message: String, hint: @autoclosure @escaping () -> String? = nil,
        range: Range<Int>? = nil, cause: (any Error)? = nil
    ) {
        self.name = name
        self.message = message
        self.hint = hint
        self.range = range
        self.cause = cause
    }

    var failure: Failure {
        if let cause {
            var failure = Failure(passingOn: cause)
            failure.range = range
            return failure
        }
        return Failure(message, kind: .undefined(name ?? ""), hint: hint(), range: range)
    }
}

/// "did you mean …?" for a name, when one of the candidates is near.
func suggestion(for name: String, among candidates: some Sequence<String>) -> String? {
    nearestName(to: name, among: candidates).map { "did you mean '\($0)'?" }
}

struct Tuple {
    var items: [Object]
    /// Names of the items, for what `groupby` gives.
    var fields: [String] = []

    init(_ items: [Object], fields: [String] = []) {
        self.items = items
        self.fields = fields
    }
}

struct PythonRange {
    let start: Int
    let stop: Int
    let step: Int

    /// The bounds are below 2^62, so that nothing overflows.
    var count: Int {
        if step > 0 { return start < stop ? (stop - start - 1) / step + 1 : 0 }
        return start > stop ? (start - stop - 1) / -step + 1 : 0
    }

    subscript(index: Int) -> Int { start + index * step }
}

/// A list; values from outside are converted when somebody needs their items.
final class ListBox {
    private enum Storage {
        case values([Value])
        case objects([Object])
    }
    private var storage: Storage

    init(_ values: [Value]) { storage = .values(values) }
    init(_ items: [Object]) { storage = .objects(items) }
    private init(_ storage: Storage) { self.storage = storage }

    /// Another list with the same items.
    func copy() -> ListBox { ListBox(storage) }

    var count: Int {
        switch storage {
        case .values(let values): values.count
        case .objects(let items): items.count
        }
    }

    /// The values as they came in, while nobody could have changed them.
    var untouched: [Value]? { if case .values(let values) = storage { values } else { nil } }

    var items: [Object] {
        get {
            switch storage {
            case .values(let values):
                let items = values.map { Object($0) }
                storage = .objects(items)
                return items
            case .objects(let items): return items
            }
        }
        set { storage = .objects(newValue) }
    }

    func append(_ item: Object) {
        var items = self.items
        storage = .objects([])  // so that `items` is the only owner and is changed in place
        items.append(item)
        storage = .objects(items)
    }
}

/// A dict; values from outside are converted when somebody needs more than a scalar of them.
final class DictBox {
    private enum Storage {
        case values(ValueMap)
        case objects(OrderedDictionary<DictKey, Object>)
    }
    private var storage: Storage
    /// Whether the keys come from a file, where each is held by its text.
    private let hasTextKeys: Bool

    init(_ entries: ValueMap) {
        storage = .values(entries)
        hasTextKeys = true
    }

    init(_ entries: OrderedDictionary<DictKey, Object> = [:]) {
        storage = .objects(entries)
        hasTextKeys = false
    }

    private init(other: DictBox) {
        storage = other.storage
        hasTextKeys = other.hasTextKeys
    }

    /// Another dict with the same entries.
    func copy() -> DictBox { DictBox(other: self) }

    var count: Int {
        switch storage {
        case .values(let entries): entries.count
        case .objects(let entries): entries.count
        }
    }

    /// The entries as they came in, while nobody could have changed them.
    var untouched: ValueMap? { if case .values(let entries) = storage { entries } else { nil } }

    var entries: OrderedDictionary<DictKey, Object> {
        get {
            switch storage {
            case .values(let values):
                let entries = OrderedDictionary(
                    uniqueKeysWithValues: values.map { (DictKey.string($0.key), Object($0.value)) })
                storage = .objects(entries)
                return entries
            case .objects(let entries): return entries
            }
        }
        set { storage = .objects(newValue) }
    }

    subscript(name: String) -> Object? {
        if case .values(let values) = storage {
            guard let value = values[name] else { return nil }
            switch value {
            case .list, .map: break
            default: return Object(value)
            }
        }
        return entries[.string(name)]
    }

    /// The entry of a key; in maps from files a number or boolean also finds the key that is held by its text.
    subscript(key: DictKey) -> Object? {
        if case .string(let name) = key { return self[name] }
        if let found = entries[key] { return found }
        guard hasTextKeys else { return nil }
        return key.canonicalText.flatMap { entries[.string($0)] }
    }

    func set(_ key: DictKey, _ value: Object) {
        var entries = self.entries
        storage = .objects([:])  // so that `entries` is the only owner and is changed in place
        entries[key] = value
        storage = .objects(entries)
    }

    func contains(_ key: DictKey) -> Bool {
        if case .values(let values) = storage, case .string(let name) = key { return values[name] != nil }
        return self[key] != nil
    }
}

/// What can be a key of a dict: as in Python, `1`, `1.0` and `True` are the same key.
enum DictKey: Hashable {
    case string(String)
    case int(Int)
    case bool(Bool)
    case float(Double)
    case null
    case tuple([DictKey])

    init?(_ object: Object) {
        switch object {
        case .string(let text): self = .string(text)
        case .int(let value): self = .int(value)
        case .bool(let value): self = .bool(value)
        case .float(let value): self = .float(value)
        case .null: self = .null
        case .tuple(let tuple):
            var keys: [DictKey] = []
            for item in tuple.items {
                guard let key = DictKey(item) else { return nil }
                keys.append(key)
            }
            self = .tuple(keys)
        default: return nil
        }
    }

    var object: Object {
        switch self {
        case .string(let text): .string(text)
        case .int(let value): .int(value)
        case .bool(let value): .bool(value)
        case .float(let value): .float(value)
        case .null: .null
        case .tuple(let keys): .tuple(keys.map(\.object))
        }
    }

    /// The text under which a YAML map holds a key of another type than string.
    var canonicalText: String? {
        switch self {
        case .string(let text): text
        case .int(let value): String(value)
        case .bool(let value): value ? "true" : "false"
        case .float(let value): Python.text(of: value)
        case .null: "null"
        case .tuple: nil
        }
    }

    private var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .bool(let value): value ? 1 : 0
        case .float(let value): value
        default: nil
        }
    }

    static func == (lhs: DictKey, rhs: DictKey) -> Bool {
        switch (lhs, rhs) {
        case (.string(let a), .string(let b)): a == b
        case (.int(let a), .int(let b)): a == b
        case (.null, .null): true
        case (.tuple(let a), .tuple(let b)): a == b
        default:
            if let a = lhs.number, let b = rhs.number { a == b } else { false }
        }
    }

    func hash(into hasher: inout Hasher) {
        switch self {
        case .string(let text): hasher.combine(text)
        case .null: hasher.combine(0)
        case .tuple(let keys): hasher.combine(keys)
        default: hasher.combine(number)
        }
    }
}

/// An object with attributes, or one that can be called: functions, methods, macros, `loop`, namespaces.
protocol Instance: AnyObject {
    /// As people read it in errors.
    var typeName: String { get }
    func attribute(_ name: String) throws -> Object?
    func setAttribute(_ name: String, _ value: Object) throws
    func call(_ arguments: Arguments, in evaluator: Evaluator) throws -> Object
}

extension Instance {
    func attribute(_ name: String) throws -> Object? { nil }
    func setAttribute(_ name: String, _ value: Object) throws {
        throw Failure("cannot assign attributes of \(typeName)", hint: "only namespace() objects can be changed so")
    }
    func call(_ arguments: Arguments, in evaluator: Evaluator) throws -> Object {
        throw Failure("\(typeName) cannot be called")
    }
}

/// A function of the template language or a method that is bound to its object.
final class Function: Instance {
    let name: String
    private let body: (Arguments, Evaluator) throws -> Object

    init(_ name: String, _ body: @escaping (Arguments, Evaluator) throws -> Object) {
        self.name = name
        self.body = body
    }

    var typeName: String { "the function '\(name)'" }
    func call(_ arguments: Arguments, in evaluator: Evaluator) throws -> Object { try body(arguments, evaluator) }
}

/// What `namespace()` gives: a bag of attributes that loops can change.
final class Namespace: Instance {
    private var attributes: [String: Object] = [:]
    var typeName: String { "a namespace" }

    init(_ attributes: [String: Object]) { self.attributes = attributes }

    func attribute(_ name: String) -> Object? { attributes[name] }
    func setAttribute(_ name: String, _ value: Object) { attributes[name] = value }
}

/// How an omitted value (`default(omit)`) travels through variables: as a text that nobody writes by chance.
package enum OmitMarker {
    /// The text that stands for "leave this parameter out" in values that templates gave.
    package static let text = "\u{0}labctl: omit\u{0}"
}
