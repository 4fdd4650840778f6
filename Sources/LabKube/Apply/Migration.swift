import LabCore

/// Takes over what earlier `kubectl apply` runs own, so that fields which later go from the manifest go from the cluster.
///
/// As client-go's csaupgrade does it: the entries of kubectl become part of our own `Apply` entry, in one JSON patch that a
/// resource version guards. After that the apply itself removes what is no longer wanted.
struct Migration: Sendable {
    /// The annotation by which client-side apply knows what it applied last.
    private static let lastApplied = FieldPath.keys(
        "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")

    /// Who is taken over, for the report: `kubectl-client-side-apply (Update)`.
    let managers: [String]
    /// Their bare names.
    let takenManagers: [String]
    private let taken: [ManagedFields.Entry]
    private let others: [ManagedFields.Entry]
    private let entries: [Value]

    /// nil when there is nothing to take over.
    ///
    /// - Parameter takesServerSide: Also take over kubectl's own server-side entries; without force that would be taking
    ///   fields from a manager that still may use them.
    init?(live: Value, fieldManager: String, takesServerSide: Bool) {
        guard let raw = live[["metadata", "managedFields"]]?.list else { return nil }
        let parsed = ManagedFields(of: live).entries
        let taken = parsed.indices.filter { index in
            parsed[index].manager != fieldManager
                && Self.isKubectls(parsed[index], of: live, serverSide: takesServerSide)
        }
        guard let first = taken.first else { return nil }
        let own = parsed.indices.first { index in
            parsed[index].manager == fieldManager && parsed[index].operation == "Apply"
                && parsed[index].subresource.isEmpty
        }
        let target = own ?? first
        var merged = raw[target]
        merged["manager"] = Value.string(fieldManager)
        merged["operation"] = "Apply"
        for index in taken where index != target {
            merged["fieldsV1"] = ManagedFields.union(merged["fieldsV1"] ?? [:], parsed[index].fields)
        }
        var result: [Value] = []
        for index in raw.indices {
            if index == target {
                result.append(merged)
            } else if !taken.contains(index) {
                result.append(raw[index])
            }
        }
        self.managers = taken.map { parsed[$0].description }
        self.takenManagers = taken.map { parsed[$0].manager }
        self.taken = taken.map { parsed[$0] }
        self.others = parsed.indices.filter { !taken.contains($0) && $0 != own }.map { parsed[$0] }
        self.entries = result
    }

    /// The managers that the live object's migration would make ours.
    static func ownManagers(live: Value?, fieldManager: String, takesServerSide: Bool) -> Set<String> {
        guard let live else { return [fieldManager] }
        let taken = ManagedFields(of: live).entries.filter { isKubectls($0, of: live, serverSide: takesServerSide) }
        return Set(taken.map(\.manager)).union([fieldManager])
    }

    /// Whether an entry is of a client-side `kubectl apply`, whatever its name, or of a server-side one.
    private static func isKubectls(_ entry: ManagedFields.Entry, of live: Value, serverSide: Bool) -> Bool {
        guard entry.subresource.isEmpty else { return false }
        if entry.operation == "Update" { return !ManagedFields([entry]).owners(of: lastApplied, in: live).isEmpty }
        return serverSide && entry.operation == "Apply" && entry.manager == "kubectl"
    }

    /// The JSON patch (RFC 6902) that does it, guarded by the resource version that was read.
    func patch(of live: Value) -> Value {
        [
            ["op": "replace", "path": "/metadata/managedFields", "value": .list(entries)],
            [
                "op": "replace", "path": "/metadata/resourceVersion",
                "value": live[["metadata", "resourceVersion"]] ?? "",
            ],
        ]
    }

    /// The fields that only kubectl still wanted: not in the apply, and nobody else's.
    func abandoned(live: Value, result: Value, by fieldManager: String) -> Set<FieldPath> {
        func leaves(_ entries: [ManagedFields.Entry]) -> Set<FieldPath> {
            entries.reduce(into: []) { $0.formUnion(ManagedFields.leaves(of: $1.fields)) }
        }
        let ours = ManagedFields(of: result).entries.filter { $0.manager == fieldManager }
        return leaves(taken).subtracting(leaves(ours)).subtracting(leaves(others))
            .filter { live[field: $0] != nil && result[field: $0] != nil }
    }

    /// How the fields that go are told.
    func removals(_ fields: Set<FieldPath>, live: Value) -> [FieldChange] {
        fields.map { path in
            FieldChange(
                path: path.description,
                before: path == Self.lastApplied ? "(what kubectl apply recorded)" : live[field: path], after: nil,
                owner: managers.first)
        }
        .sorted { $0.path < $1.path }
    }
}
