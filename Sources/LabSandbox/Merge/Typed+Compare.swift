import LabCore

/// What differs between two objects, in paths.
package struct Comparison: Sendable {
    package var added = FieldSet()
    package var modified = FieldSet()
    package var removed = FieldSet()

    package var isSame: Bool { added.isEmpty && modified.isEmpty && removed.isEmpty }
}

extension SchemaType {
    /// Compares two objects (structured-merge-diff's `Compare`); maps and items that only one side has are paths of
    /// their own, besides what is in them.
    package func compare(_ old: Value, _ new: Value) -> Comparison {
        var result = Comparison()
        compare(old, new, at: [], into: &result)
        return result
    }

    private func compare(_ old: Value?, _ new: Value?, at path: FieldPath, into result: inout Comparison) {
        let oldType = resolved(for: old)
        let newType = resolved(for: new)
        let type = new == nil || new?.isNull == true ? oldType : newType
        switch type {
        case .scalar, .any:
            leaf(old, new, at: path, into: &result)
        case .list(let list):
            let oldItems = old?.list ?? []
            let newItems = new?.list ?? []
            if case .atomic = list.relation { return leaf(old, new, at: path, into: &result) }
            if oldItems.isEmpty && newItems.isEmpty { return leaf(old, new, at: path, into: &result) }
            let olds = list.indexed(oldItems)
            let news = list.indexed(newItems)
            let oldValues = Dictionary(olds.map { ($0.element, $0.item) }, uniquingKeysWith: { first, _ in first })
            let newValues = Dictionary(news.map { ($0.element, $0.item) }, uniquingKeysWith: { first, _ in first })
            for (element, item) in olds {
                list.element.compare(item, newValues[element], at: path + [element], into: &result)
            }
            for (element, item) in news where oldValues[element] == nil {
                list.element.compare(nil, item, at: path + [element], into: &result)
            }
            item(old, new, at: path, into: &result)
        case .map(let map):
            let oldEntries = old?.map ?? [:]
            let newEntries = new?.map ?? [:]
            if map.isAtomic || (oldEntries.isEmpty && newEntries.isEmpty) {
                return leaf(old, new, at: path, into: &result)
            }
            for (key, value) in oldEntries {
                (map.fields[key] ?? map.element ?? .any)
                    .compare(value, newEntries[key], at: path + [.field(key)], into: &result)
            }
            for (key, value) in newEntries where oldEntries[key] == nil {
                (map.fields[key] ?? map.element ?? .any)
                    .compare(nil, value, at: path + [.field(key)], into: &result)
            }
            item(old, new, at: path, into: &result)
        }
    }

    private func leaf(_ old: Value?, _ new: Value?, at path: FieldPath, into result: inout Comparison) {
        if old == nil {
            result.added.insert(path)
        } else if new == nil {
            result.removed.insert(path)
        } else if old != new {
            result.modified.insert(path)
        }
    }

    private func item(_ old: Value?, _ new: Value?, at path: FieldPath, into result: inout Comparison) {
        if old == nil {
            result.added.insert(path)
        } else if new == nil {
            result.removed.insert(path)
        }
    }
}
