import LabCore

extension SchemaType {
    /// `old` with `new` laid over it: granular maps and associative lists are merged, everything else is taken from
    /// `new` (structured-merge-diff's `Merge`).
    package func merge(_ old: Value?, _ new: Value?) -> Value? {
        guard let new else { return old }
        guard let old else { return new }
        switch resolved(for: new.isNull ? old : new) {
        case .scalar, .any: return new
        case .list(let list):
            if case .atomic = list.relation { return new }
            let oldItems = old.list ?? []
            let newItems = new.list ?? []
            if oldItems.isEmpty && newItems.isEmpty { return new }
            return .list(merge(list, oldItems, newItems))
        case .map(let map):
            let oldEntries = old.map ?? [:]
            let newEntries = new.map ?? [:]
            if map.isAtomic || (oldEntries.isEmpty && newEntries.isEmpty) { return new }
            var result = oldEntries
            for (key, value) in newEntries {
                result[key] = (map.fields[key] ?? map.element ?? .any).merge(oldEntries[key], value)
            }
            return .map(result)
        }
    }

    /// New items come in their own order; old ones that are not among them keep their place before the next shared
    /// item (structured-merge-diff v4's `visitListItems`).
    private func merge(_ list: ListShape, _ oldItems: [Value], _ newItems: [Value]) -> [Value] {
        let old = list.indexed(oldItems)
        let new = list.indexed(newItems)
        let oldValues = Dictionary(old.map { ($0.element, $0.item) }, uniquingKeysWith: { first, _ in first })
        let newValues = Dictionary(new.map { ($0.element, $0.item) }, uniquingKeysWith: { first, _ in first })
        var shared = new.map(\.element).filter { oldValues[$0] != nil }[...]
        var nextShared = shared.popFirst()
        var result: [Value] = []
        var o = 0
        var n = 0
        while o < old.count || n < new.count {
            if o < old.count, n < new.count {
                let element = old[o].element
                if element == new[n].element {
                    if let merged = list.element.merge(old[o].item, new[n].item) { result.append(merged) }
                    o += 1
                    n += 1
                    nextShared = shared.popFirst()
                    continue
                }
                if newValues[element] != nil, let wanted = nextShared, wanted != element {
                    o += 1
                    continue
                }
            }
            if o < old.count, newValues[old[o].element] == nil {
                result.append(old[o].item)
                o += 1
                continue
            }
            if n < new.count {
                let element = new[n].element
                if let merged = list.element.merge(oldValues[element], new[n].item) { result.append(merged) }
                n += 1
                if nextShared == element { nextShared = shared.popFirst() }
                continue
            }
            o += 1
        }
        return result
    }
}

extension SchemaType.ListShape {
    /// The items with what names each; the first of items of one name.
    func indexed(_ items: [Value]) -> [(element: PathElement, item: Value)] {
        var seen: Set<PathElement> = []
        var result: [(element: PathElement, item: Value)] = []
        for (index, item) in items.enumerated() {
            guard case .success(let element) = self.element(of: item, at: index) else { continue }
            if seen.insert(element).inserted { result.append((element, item)) }
        }
        return result
    }
}
