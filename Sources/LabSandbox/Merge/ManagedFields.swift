import LabCore

/// Who owns which fields of an object: its `metadata.managedFields`, decoded.
package struct ManagedFields: Sendable, Hashable {
    /// How a manager wrote: by server-side apply or by any other write.
    package enum Operation: String, Sendable, Hashable { case apply = "Apply", update = "Update" }

    /// What tells one manager from another. An applier is the same in every version.
    package struct Manager: Sendable, Hashable {
        package var name: String
        package var operation: Operation
        /// The version that an updater wrote in; nil for appliers.
        package var updateVersion: GroupVersion?
        package var subresource = ""
    }

    /// What one manager owns, in which version its paths are, and the time of its entry.
    package struct Entry: Sendable, Hashable {
        package var fields: FieldSet
        package var version: GroupVersion
        package var time: String?
    }

    package var entries: [Manager: Entry] = [:]

    package init() {}

    /// Reads `metadata.managedFields`.
    package init(_ encoded: Value?) {
        for item in encoded?.list ?? [] {
            guard let operation = item["operation"]?.string.flatMap(Operation.init(rawValue:)) else { continue }
            let version = GroupVersion(item["apiVersion"]?.string ?? "")
            let manager = Manager(
                name: item["manager"]?.string ?? "", operation: operation,
                updateVersion: operation == .update ? version : nil,
                subresource: item["subresource"]?.string ?? "")
            entries[manager] = Entry(
                fields: FieldSet(encoded: item["fieldsV1"] ?? .null), version: version, time: item["time"]?.string)
        }
    }

    /// The entries as `metadata.managedFields`, in the order of apimachinery's `sortEncodedManagedFields`.
    package var encoded: Value {
        let sorted = entries.sorted { a, b in
            if a.key.operation != b.key.operation { return a.key.operation == .apply }
            let times = (a.value.time ?? "", b.value.time ?? "")
            if times.0 != times.1 { return times.0 < times.1 }
            if a.key.name != b.key.name { return a.key.name < b.key.name }
            if a.value.version != b.value.version { return "\(a.value.version)" < "\(b.value.version)" }
            return a.key.subresource < b.key.subresource
        }
        return .list(
            sorted.map { manager, entry in
                var map: ValueMap = [
                    "manager": .string(manager.name), "operation": .string(manager.operation.rawValue),
                    "apiVersion": .string("\(entry.version)"),
                ]
                if let time = entry.time { map["time"] = .string(time) }
                map["fieldsType"] = "FieldsV1"
                map["fieldsV1"] = entry.fields.encoded
                if !manager.subresource.isEmpty { map["subresource"] = .string(manager.subresource) }
                return .map(map)
            })
    }
}

extension ManagedFields.Manager {
    /// The manager in a conflict's message: `"editor" using v1`.
    var description: String {
        var text = "\"\(name)\""
        if !subresource.isEmpty { text += " with subresource \"\(subresource)\"" }
        if let updateVersion { text += " using \(updateVersion)" }
        return text
    }

    /// The order in which conflicts are told (apimachinery sorts the managers' JSON).
    var sortKey: String {
        var map: ValueMap = ["manager": .string(name), "operation": .string(operation.rawValue)]
        if let updateVersion { map["apiVersion"] = .string("\(updateVersion)") }
        if !subresource.isEmpty { map["subresource"] = .string(subresource) }
        return Value.map(map).json()
    }
}

extension APIStatus {
    /// The 409 of an apply that would change what others own (apimachinery's managedfields/internal/conflict.go).
    static func applyConflict(_ conflicts: [(manager: ManagedFields.Manager, path: FieldPath)]) -> APIStatus {
        let causes = conflicts.map {
            Cause(
                reason: "FieldManagerConflict", message: "conflict with \($0.manager.description)",
                field: $0.path.text)
        }
        var message: String
        if conflicts.count == 1, let only = conflicts.first {
            message = "Apply failed with 1 conflict: conflict with \(only.manager.description): \(only.path.text)"
        } else {
            var lines: [String] = []
            var seen: Set<ManagedFields.Manager> = []
            for conflict in conflicts.sorted(by: { $0.manager.sortKey < $1.manager.sortKey })
            where seen.insert(conflict.manager).inserted {
                lines.append("conflicts with \(conflict.manager.description):")
                lines += conflicts.filter { $0.manager == conflict.manager }.map { "- \($0.path.text)" }
            }
            message = "Apply failed with \(conflicts.count) conflicts: \(lines.joined(separator: "\n"))"
        }
        return APIStatus(409, "Conflict", message, details: ["causes": encode(causes)])
    }
}
