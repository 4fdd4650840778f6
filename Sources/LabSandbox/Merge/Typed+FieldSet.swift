import LabCore

extension SchemaType {
    /// The paths that a manager owns who applies `value` (structured-merge-diff's `ToFieldSet`).
    package func fieldSet(of value: Value) -> FieldSet {
        var set = FieldSet()
        collect(value, at: [], into: &set)
        return set
    }

    private func collect(_ value: Value, at path: FieldPath, into set: inout FieldSet) {
        switch resolved(for: value) {
        case .scalar: set.insert(path)
        case .list(let list):
            if case .atomic = list.relation {
                set.insert(path)
                return
            }
            guard case .list(let items) = value else { return }
            for (index, item) in items.enumerated() {
                guard case .success(let element) = list.element(of: item, at: index) else { continue }
                list.element.collect(item, at: path + [element], into: &set)
                set.insert(path + [element])
            }
        case .map(let map):
            if map.isAtomic {
                set.insert(path)
                return
            }
            guard case .map(let entries) = value else { return }
            for (key, value) in entries {
                let below = path + [.field(key)]
                (map.fields[key] ?? map.element ?? .any).collect(value, at: below, into: &set)
                let isEmpty = value.isNull || value.map?.isEmpty == true
                if isEmpty || map.fields[key] == nil { set.insert(below) }
            }
        case .any: set.insert(path)
        }
    }
}
