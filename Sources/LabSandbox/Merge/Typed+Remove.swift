import LabCore

extension SchemaType {
    /// The value without the items and fields of `set`; nil when nothing is left of it (structured-merge-diff's
    /// `RemoveItems`).
    package func removing(_ set: FieldSet, from value: Value) -> Value? {
        switch (resolved(for: value), value) {
        case (.list(let list), .list(let items)):
            guard list.relation != .atomic, !items.isEmpty else { return nil }
            var result: [Value] = []
            for (index, item) in items.enumerated() {
                guard case .success(let element) = list.element(of: item, at: index) else { continue }
                if set.contains(element) { continue }
                let below = set.below(element)
                result.append(below.isEmpty ? item : list.element.removing(below, from: item) ?? .null)
            }
            if result.isEmpty { return nil }
            return .list(result)
        case (.map(let map), .map(let entries)):
            guard !map.isAtomic, !entries.isEmpty else { return nil }
            var result = ValueMap()
            for (key, value) in entries {
                let element = PathElement.field(key)
                if set.contains(element) { continue }
                let below = set.below(element)
                if below.isEmpty {
                    result[key] = value
                } else {
                    // structured-merge-diff leaves a null here, which the server drops when it decodes the object.
                    result[key] = (map.fields[key] ?? map.element ?? .any).removing(below, from: value)
                }
            }
            if result.isEmpty { return nil }
            return .map(result)
        default: return value
        }
    }
}
