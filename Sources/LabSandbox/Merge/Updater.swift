import LabCore

/// Server-side apply and its bookkeeping for all other writes (structured-merge-diff's merge/update.go and
/// apimachinery's managedfields).
///
/// All versions of a kind share one type here: the sandbox converts nothing but `apiVersion`.
struct Updater {
    let type: SchemaType
    let version: GroupVersion

    /// Paths that no manager owns (apimachinery's stripmeta.go).
    static let unowned: [FieldPath] =
        [["apiVersion"], ["kind"], ["metadata"]].map { $0.map { .field($0) } }
        + [
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields",
            "resourceVersion",
        ].map { [.field("metadata"), .field($0)] }

    /// Lays `config` over `live`, takes away what the manager applied last time and now dropped, and settles ownership.
    ///
    /// - Throws: a conflict, when others own what would change and `isForced` is not set.
    func apply(
        _ config: Value, to live: Value, owners: ManagedFields, manager: ManagedFields.Manager, isForced: Bool
    ) throws(APIStatus) -> (object: Value, owners: ManagedFields) {
        var owners = owners
        let last = owners.entries[manager]
        let merged = type.merge(live, config) ?? config
        owners.entries[manager] = ManagedFields.Entry(
            fields: type.fieldSet(of: config), version: version, time: last?.time)
        let object = prune(merged, owners: owners, last: last?.fields)
        try settle(&owners, live: live, object: object, manager: manager, isForced: isForced)
        // Only now: while items are pruned, the applied `metadata.name` is what keeps `metadata`.
        owners.entries[manager]?.fields = owned(type.fieldSet(of: config))
        if owners.entries[manager]?.fields.isEmpty == true { owners.entries[manager] = nil }
        return (object, owners)
    }

    /// Gives the manager what it changed between `live` and `object`, and takes that from everybody else.
    func update(
        live: Value, object: Value, owners: ManagedFields, manager: ManagedFields.Manager, isCreate: Bool,
        isBuiltIn: Bool
    ) -> ManagedFields {
        var owners = owners
        try? settle(&owners, live: live, object: object, manager: manager, isForced: true)
        let comparison = type.compare(live, object)
        var fields = owners.entries[manager]?.fields ?? FieldSet()
        fields = fields.subtracting(comparison.removed).union(comparison.modified).union(comparison.added)
        fields = owned(fields)
        if isBuiltIn { fields = Self.withoutPlainStructs(fields, depth: 0) }
        if fields.isEmpty {
            owners.entries[manager] = nil
        } else {
            let time = owners.entries[manager]?.time
            owners.entries[manager] = ManagedFields.Entry(fields: fields, version: version, time: time)
        }
        return owners
    }

    /// Built-in kinds hold these structs by value: they are there, empty, before anybody writes them, and so nobody
    /// owns them as such.
    private static let plainStructs: Set<String> = [
        "metadata", "spec", "status", "template", "strategy", "updateStrategy", "source", "loadBalancer",
        "resources", "names", "acceptedNames",
    ]

    private static func withoutPlainStructs(_ set: FieldSet, depth: Int) -> FieldSet {
        var result = set
        for path in set.paths {
            guard case .field(let name) = path.last, plainStructs.contains(name) else { continue }
            let below = path.dropLast().reduce(set) { $0.below($1) }.below(.field(name))
            if !below.isEmpty { result.remove(path) }
        }
        return result
    }

    private func owned(_ fields: FieldSet) -> FieldSet {
        var fields = fields
        for path in Self.unowned { fields.remove(path) }
        return fields
    }

    private func settle(
        _ owners: inout ManagedFields, live: Value, object: Value, manager: ManagedFields.Manager, isForced: Bool
    ) throws(APIStatus) {
        let comparison = type.compare(live, object)
        let changed = comparison.modified.union(comparison.added)
        var conflicts: [ManagedFields.Manager: FieldSet] = [:]
        for (other, entry) in owners.entries where other != manager {
            let conflict = entry.fields.intersection(changed)
            if !conflict.isEmpty { conflicts[other] = conflict }
        }
        if !isForced, !conflicts.isEmpty {
            throw APIStatus.applyConflict(
                conflicts.sorted { $0.key.sortKey < $1.key.sortKey }
                    .flatMap { manager, fields in fields.paths.map { (manager: manager, path: $0) } })
        }
        for other in owners.entries.keys where other != manager {
            guard var entry = owners.entries[other] else { continue }
            if let conflict = conflicts[other] { entry.fields = entry.fields.subtracting(conflict) }
            entry.fields = entry.fields.subtracting(comparison.removed)
            owners.entries[other] = entry.fields.isEmpty ? nil : entry
        }
    }

    /// Removes an item that the manager applied last time, did not apply now, and no other applier owns.
    private func prune(_ merged: Value, owners: ManagedFields, last: FieldSet?) -> Value {
        guard let last, !last.isEmpty else { return merged }
        // Names and the like stay: the real server strips them from a manager's set only after this.
        var named = last.withNamedFields(type)
        for path in Self.unowned { named.remove(path) }
        var pruned = type.removing(named, from: merged) ?? .map([:])

        var applied = FieldSet()
        for (manager, entry) in owners.entries where manager.operation == .apply {
            applied = applied.union(entry.fields)
        }
        let mergedSet = type.fieldSet(of: merged).withNamedFields(type)
        let kept = type.fieldSet(of: pruned).withNamedFields(type).union(applied.withNamedFields(type))
        pruned = type.removing(mergedSet.subtracting(kept), from: merged) ?? .map([:])

        let prunedSet = type.fieldSet(of: pruned).withNamedFields(type)
        let gone = mergedSet.subtracting(prunedSet).intersection(named)
        return type.removing(gone, from: merged) ?? .map([:])
    }
}
