import LabCore

/// One field that differs between two states of an object.
package struct FieldChange: Sendable, Hashable {
    /// `.spec.addresses[0]`.
    package let path: String
    /// nil when the field is added.
    package let before: Value?
    /// nil when the field is removed.
    package let after: Value?
    /// Who set it before: `MetalLB (Update)`.
    package let owner: String?

    package init(path: String, before: Value?, after: Value?, owner: String? = nil) {
        self.path = path
        self.before = before
        self.after = after
        self.owner = owner
    }
}

/// Compares two states of an object, field by field.
package enum FieldDiff {
    /// What changes by itself with every write, or is not part of what anybody wants.
    private static let ignoredMetadata: Set<String> = [
        "resourceVersion", "generation", "managedFields", "uid", "creationTimestamp", "selfLink",
    ]
    /// The fields by which elements of lists are told apart, the most telling first.
    private static let elementKeys = ["name", "key", "mountPath", "containerPort", "port", "ip", "type", "uid"]

    /// The fields in which `after` differs from `before`, in the order of `after`. The values of Secrets
    /// and passwords of MetalLB's peers are not shown.
    package static func changes(from before: Value, to after: Value) -> [FieldChange] {
        var found: [FieldChange] = []
        let owners = ManagedFields(of: before)
        let isSecret = after["kind"]?.string == "Secret"
        let isPeer = after["kind"]?.string == "BGPPeer" && after["apiVersion"]?.string?.hasPrefix("metallb.io/") == true
        compare(strip(before), strip(after), FieldPath()) { path, old, new in
            let isHidden =
                isSecret && [.key("data"), .key("stringData")].contains(path.steps.first)
                || isPeer && path.steps.starts(with: [.key("spec"), .key("password")])
            let owner =
                old == nil ? nil : owners.owners(of: path, in: before).map(\.description).joined(separator: ", ")
            found.append(
                FieldChange(
                    path: path.description, before: isHidden ? old.map { _ in "<secret>" } : old,
                    after: isHidden ? new.map { _ in "<secret>" } : new,
                    owner: owner?.isEmpty == true ? nil : owner))
        }
        return found
    }

    /// Whether two states are the same but for what changes by itself: values and who owns them.
    package static func isSame(_ a: Value, _ b: Value) -> Bool {
        strip(a) == strip(b) && ManagedFields(of: a).comparable == ManagedFields(of: b).comparable
    }

    /// Whether any field differs, whoever owns it.
    package static func differs(_ a: Value, _ b: Value) -> Bool { strip(a) != strip(b) }

    private static func strip(_ object: Value) -> Value {
        guard case .map(var entries) = object else { return object }
        entries["status"] = nil
        if case .map(let metadata)? = entries["metadata"] {
            entries["metadata"] = .map(metadata.filter { !ignoredMetadata.contains($0.key) })
        }
        return .map(entries)
    }

    private static func compare(
        _ a: Value, _ b: Value, _ path: FieldPath, _ report: (FieldPath, Value?, Value?) -> Void
    ) {
        switch (a, b) {
        case (.map(let old), .map(let new)):
            for (key, value) in new {
                let path = path.appending(.key(key))
                if let before = old[key] { compare(before, value, path, report) } else { report(path, nil, value) }
            }
            for (key, value) in old where new[key] == nil { report(path.appending(.key(key)), value, nil) }
        case (.list(let old), .list(let new)):
            if a == b { return }
            if let key = elementKey(old, new) {
                compareElements(old, new, by: key, path, report)
            } else if old.count == new.count {
                for index in old.indices { compare(old[index], new[index], path.appending(.index(index)), report) }
            } else {
                report(path, a, b)
            }
        default: if a != b { report(path, a, b) }
        }
    }

    private static func compareElements(
        _ old: [Value], _ new: [Value], by key: String, _ path: FieldPath,
        _ report: (FieldPath, Value?, Value?) -> Void
    ) {
        func step(_ item: Value) -> FieldPath { path.appending(.element([key: item[key] ?? .null])) }
        for item in new {
            if let before = old.first(where: { $0[key] == item[key] }) {
                compare(before, item, step(item), report)
            } else {
                report(step(item), nil, item)
            }
        }
        for item in old where !new.contains(where: { $0[key] == item[key] }) { report(step(item), item, nil) }
    }

    /// A key that every element of both lists has, with no value twice in one list.
    private static func elementKey(_ old: [Value], _ new: [Value]) -> String? {
        elementKeys.first { key in
            [old, new].allSatisfy { list in
                let values = list.compactMap { $0[key] }
                return values.count == list.count && Set(values).count == list.count
            } && !(old.isEmpty && new.isEmpty)
        }
    }
}
