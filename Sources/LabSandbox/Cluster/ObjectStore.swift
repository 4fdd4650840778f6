import LabCore

/// Where an object is stored.
package struct ObjectKey: Sendable, Hashable {
    /// `group/plural`, whatever the version.
    package var resource: String
    /// Empty for objects of the cluster.
    package var namespace: String
    package var name: String
}

/// One change of the store.
package struct Change: Sendable {
    /// What happened to the object, as a watch names it.
    package enum Kind: String, Sendable { case added = "ADDED", modified = "MODIFIED", deleted = "DELETED" }

    package let revision: Int
    package let kind: Kind
    package let key: ObjectKey
    /// The object after the change; the last state of a deleted one, with the revision of its deletion.
    package let object: Value
    package let previous: Value?
}

/// All objects, in memory, under one revision counter, with the history that watches need.
struct ObjectStore: Sendable {
    /// A real server has some hundreds of objects of its own before anybody comes.
    private(set) var revision = 220
    private var objects: [String: [ObjectKey: Value]] = [:]
    private(set) var history: [Change] = []
    private let historyLimit: Int

    init(historyLimit: Int) { self.historyLimit = historyLimit }

    subscript(key: ObjectKey) -> Value? { objects[key.resource]?[key] }

    /// The objects of a resource, in the order of their names, of one namespace or of all.
    func list(_ resource: String, namespace: String?) -> [(key: ObjectKey, object: Value)] {
        (objects[resource] ?? [:])
            .filter { namespace == nil || $0.key.namespace == namespace }
            .map { (key: $0.key, object: $0.value) }
            .sorted { ($0.key.namespace, $0.key.name) < ($1.key.namespace, $1.key.name) }
    }

    var allKeys: [ObjectKey] { objects.values.flatMap(\.keys) }

    /// The revision before the oldest change that is still known: a watch cannot start earlier.
    var compactedRevision: Int { (history.first?.revision ?? revision + 1) - 1 }

    mutating func write(_ object: Value, at key: ObjectKey) -> Change {
        revision += 1
        var object = object
        object.set(["metadata", "resourceVersion"], .string(String(revision)))
        object = object.inServerOrder
        let previous = objects[key.resource]?[key]
        objects[key.resource, default: [:]][key] = object
        return record(
            Change(
                revision: revision, kind: previous == nil ? .added : .modified, key: key, object: object,
                previous: previous))
    }

    mutating func remove(_ key: ObjectKey) -> Change? {
        guard var object = objects[key.resource]?.removeValue(forKey: key) else { return nil }
        let previous = object
        revision += 1
        object.set(["metadata", "resourceVersion"], .string(String(revision)))
        return record(Change(revision: revision, kind: .deleted, key: key, object: object, previous: previous))
    }

    /// Forgets all history, as etcd's compaction does: watches from older revisions are answered with 410.
    mutating func compact() { history.removeAll() }

    private mutating func record(_ change: Change) -> Change {
        history.append(change)
        if history.count > historyLimit { history.removeFirst(history.count - historyLimit) }
        return change
    }
}

extension Value {
    /// The object with its keys in the order in which the API server writes them.
    var inServerOrder: Value {
        guard case .map(let entries) = self else { return self }
        var result = ValueMap()
        for key in ["kind", "apiVersion", "metadata"] { if let value = entries[key] { result[key] = value } }
        for (key, value) in entries where result[key] == nil { result[key] = value }
        if case .map(let metadata) = result["metadata"] {
            var ordered = ValueMap()
            for key in Self.metadataOrder { if let value = metadata[key] { ordered[key] = value } }
            for (key, value) in metadata where ordered[key] == nil { ordered[key] = value }
            result["metadata"] = .map(ordered)
        }
        return .map(result)
    }

    private static let metadataOrder = [
        "name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
        "deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers",
        "managedFields",
    ]

    var objectName: String { self[path: ["metadata", "name"]]?.string ?? "" }
    var objectNamespace: String { self[path: ["metadata", "namespace"]]?.string ?? "" }
    var uid: String { self[path: ["metadata", "uid"]]?.string ?? "" }
    var resourceVersion: String { self[path: ["metadata", "resourceVersion"]]?.string ?? "" }
    var labels: ValueMap { self[path: ["metadata", "labels"]]?.map ?? [:] }
}
