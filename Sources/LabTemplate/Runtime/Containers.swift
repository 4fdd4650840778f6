import LabCore
import OrderedCollections

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
