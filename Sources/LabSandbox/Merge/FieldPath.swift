import LabCore

/// One step of a path through an object, as managedFields write it (KEP-555, FieldsV1).
package enum PathElement: Sendable, Hashable {
    /// `f:<name>`: a field of a map.
    case field(String)
    /// `k:{"name":"x"}`: an item of an associative list; the key fields sorted by their names.
    case key([KeyField])
    /// `v:<json>`: an item of a set.
    case value(Value)
    /// `i:<n>`: an item by its place.
    case index(Int)

    /// A key field of an associative list and the value that it has in one item.
    package struct KeyField: Sendable, Hashable {
        package let name: String
        package let value: Value
    }

    /// The element as a key of FieldsV1.
    package var encoded: String {
        switch self {
        case .field(let name): "f:" + name
        case .key(let fields):
            "k:"
                + Value.map(ValueMap(fields.map { ($0.name, $0.value) }, uniquingKeysWith: { _, last in last }))
                .json(sortedKeys: true)
        case .value(let value): "v:" + value.json(sortedKeys: true)
        case .index(let index): "i:\(index)"
        }
    }

    /// Reads a key of FieldsV1; nil when it is none.
    package init?(encoded: String) {
        let content = String(encoded.dropFirst(2))
        switch encoded.prefix(2) {
        case "f:": self = .field(content)
        case "k:":
            guard let fields = try? Value(json: content), let map = fields.map else { return nil }
            self = .key(map.map { KeyField(name: $0.key, value: $0.value) }.sorted { $0.name < $1.name })
        case "v:":
            guard let value = try? Value(json: content) else { return nil }
            self = .value(value)
        case "i:":
            guard let index = Int(content) else { return nil }
            self = .index(index)
        default: return nil
        }
    }

    /// The element as error messages write it: `.name`, `[name="x"]`, `[="x"]`, `[3]`.
    package var description: String {
        switch self {
        case .field(let name): "." + name
        case .key(let fields):
            "[" + fields.map { "\($0.name)=\($0.value.json(sortedKeys: true))" }.joined(separator: ",") + "]"
        case .value(let value): "[=\(value.json(sortedKeys: true))]"
        case .index(let index): "[\(index)]"
        }
    }

    /// The order of elements in paths and sets: fields, then keys, then values, then places.
    package static func precedes(_ a: PathElement, _ b: PathElement) -> Bool {
        if a.rank != b.rank { return a.rank < b.rank }
        if case .index(let first) = a, case .index(let second) = b { return first < second }
        return a.encoded.utf8.lexicographicallyPrecedes(b.encoded.utf8)
    }

    private var rank: Int {
        switch self {
        case .field: 0
        case .key: 1
        case .value: 2
        case .index: 3
        }
    }
}

/// A path through an object, from its root.
package typealias FieldPath = [PathElement]

extension [PathElement] {
    /// The path as the API server's messages write it: `.spec.ports[port=443,protocol="TCP"].name`.
    package var text: String { map(\.description).joined() }
}
