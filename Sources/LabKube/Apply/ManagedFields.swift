import LabCore

/// Who set which fields of an object (`metadata.managedFields`, structured-merge-diff's `fieldsV1`).
package struct ManagedFields: Sendable, Hashable {
    /// The fields that one manager set by one operation.
    package struct Entry: Sendable, Hashable {
        package let manager: String
        /// `Apply` or `Update`.
        package let operation: String
        /// `status`, `scale`, or empty.
        package let subresource: String
        package let apiVersion: String
        /// The trie of `f:`, `k:`, `v:` and `.` keys.
        package let fields: Value

        /// For people: `MetalLB (Update)`.
        package var description: String { "\(manager) (\(operation))" }
    }

    package let entries: [Entry]

    package init(_ entries: [Entry]) { self.entries = entries }

    /// Reads an object's entries.
    package init(of object: Value) {
        entries = (object[["metadata", "managedFields"]]?.list ?? []).map { entry in
            Entry(
                manager: entry["manager"]?.string ?? "", operation: entry["operation"]?.string ?? "",
                subresource: entry["subresource"]?.string ?? "", apiVersion: entry["apiVersion"]?.string ?? "",
                fields: entry["fieldsV1"] ?? [:])
        }
    }

    /// The entries that own a field of `object`, or something inside of it.
    package func owners(of path: FieldPath, in object: Value) -> [Entry] {
        entries.filter { Self.owns($0.fields, path, in: object) }
    }

    private static func owns(_ fields: Value, _ path: FieldPath, in object: Value) -> Bool {
        var trie = fields
        var current = object
        for (depth, step) in path.steps.enumerated() {
            guard let children = trie.map else { return false }
            // An empty node below the root owns the whole value: atomic lists and maps, and leaves.
            if children.isEmpty { return depth > 0 }
            guard let next = child(children, step, of: current) else { return false }
            trie = next
            current = current[field: FieldPath([step])] ?? .null
        }
        return true
    }

    private static func child(_ children: ValueMap, _ step: FieldPath.Step, of value: Value) -> Value? {
        switch step {
        case .key(let key): return children["f:\(key)"]
        case .index(let index):
            if let child = children["i:\(index)"] { return child }
            guard let item = value[field: FieldPath([step])] else { return nil }
            return children.first { key, _ in keyFields(key).map(item.matches) ?? (key == "v:\(item.json())") }?.value
        case .element(let fields):
            return children.first { key, _ in
                guard let found = keyFields(key) else { return false }
                // The server's key may have more fields than the path names (`containerPort` and `protocol`).
                return fields.allSatisfy { found[$0.key] == nil || found[$0.key] == $0.value }
                    && fields.contains { found[$0.key] != nil }
            }?.value
        }
    }

    /// The fields of a `k:{"name":"x"}` key; nil for other keys.
    private static func keyFields(_ key: String) -> [String: Value]? {
        guard key.hasPrefix("k:"), case .map(let entries)? = try? Value(json: String(key.dropFirst(2))) else {
            return nil
        }
        return Dictionary(uniqueKeysWithValues: entries.map { ($0.key, $0.value) })
    }

    /// The paths of everything that the trie owns and has nothing below, list elements by their keys.
    static func leaves(of fields: Value) -> Set<FieldPath> {
        var found: Set<FieldPath> = []
        collect(fields, FieldPath(), into: &found)
        return found
    }

    private static func collect(_ fields: Value, _ path: FieldPath, into found: inout Set<FieldPath>) {
        let children = (fields.map ?? [:]).filter { $0.key != "." }
        guard !children.isEmpty else {
            if !path.steps.isEmpty { found.insert(path) }
            return
        }
        for (key, child) in children { collect(child, path.appending(step(key)), into: &found) }
    }

    private static func step(_ key: String) -> FieldPath.Step {
        let rest = String(key.dropFirst(2))
        switch key.prefix(2) {
        case "k:": return .element(keyFields(key) ?? [:])
        case "v:": return .element(["": (try? Value(json: rest)) ?? .string(rest)])
        case "i:": return .index(Int(rest) ?? 0)
        default: return .key(rest)
        }
    }

    /// What matters of the entries when two states are compared: everything but the times, in any order.
    var comparable: Set<Entry> { Set(entries) }

    /// The union of two tries.
    static func union(_ a: Value, _ b: Value) -> Value {
        guard case .map(var entries) = a, case .map(let others) = b else { return a }
        for (key, value) in others { entries[key] = entries[key].map { union($0, value) } ?? value }
        return .map(entries)
    }
}
