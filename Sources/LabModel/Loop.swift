import LabCore
import LabTemplate

/// A task's loop.
package struct Loop: Sendable {
    /// Which keyword it was written with.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case loop
        case items = "with_items"
        case list = "with_list"
        case flattened = "with_flattened"
        case dict = "with_dict"
        case indexedItems = "with_indexed_items"
        case nested = "with_nested"
        case together = "with_together"
        case sequence = "with_sequence"
        case subelements = "with_subelements"
        case files = "with_file"
        case fileGlob = "with_fileglob"
        case firstFound = "with_first_found"
    }

    package let kind: Kind
    /// What is looped over, with its templates.
    package let source: SourceValue
    /// The variable that holds the item, `item` unless `loop_var` names another.
    package var variable = "item"
    package var indexVariable: String?
    package var label: SourceValue?
    /// Seconds between the items.
    package var pause: Templated<Double>?
    /// Whether `ansible_loop` is set.
    package var isExtended = false
    /// Whether `ansible_loop.allitems` is set.
    package var extendedAllItems = true
    /// Ends the loop early, checked after each item.
    package var breakWhen: [Condition] = []

    package init(_ kind: Kind, source: SourceValue) {
        self.kind = kind
        self.source = source
    }
}

extension Loop {
    /// The items for a host.
    ///
    /// - Throws: `TemplateError`; `InputError` when it renders to something that the keyword does not take.
    package func items(_ scope: some TemplateScope) throws -> [Value] {
        let value = try source.rendered(scope)
        switch kind {
        case .loop:
            guard let list = value.list else { throw wrong(value, "a list", hint: loopHint(value)) }
            return list
        case .items: return (value.list ?? [value]).flatMap { $0.list ?? [$0] }
        case .list:
            guard let list = value.list else { throw wrong(value, "a list", hint: nil) }
            return list
        case .flattened: return Self.flattened(value)
        case .dict: return try pairs(value)
        case .indexedItems:
            return (value.list ?? [value]).flatMap { $0.list ?? [$0] }.enumerated().map { .list([.int($0), $1]) }
        case .nested: return product(try lists(value).reversed())
        case .together: return zipped(try lists(value))
        case .sequence: return try sequence(value)
        case .subelements: return try subelements(value)
        case .files, .fileGlob, .firstFound:
            let lookup = String(kind.rawValue.dropFirst("with_".count))
            return try scope.lookup(lookup, arguments: [value], options: [:]).list ?? []
        }
    }

    /// The variables that an item sets.
    package func variables(item: Value, index: Int, items: [Value]) -> ValueMap {
        var variables: ValueMap = [variable: item, "ansible_loop_var": .string(variable)]
        if let indexVariable {
            variables[indexVariable] = .int(index)
            variables["ansible_index_var"] = .string(indexVariable)
        }
        if isExtended {
            var loop: ValueMap = [
                "index": .int(index + 1), "index0": .int(index), "first": .bool(index == 0),
                "last": .bool(index + 1 == items.count), "length": .int(items.count),
                "revindex": .int(items.count - index), "revindex0": .int(items.count - index - 1),
            ]
            if extendedAllItems { loop["allitems"] = .list(items) }
            if index > 0 { loop["previtem"] = items[index - 1] }
            if index + 1 < items.count { loop["nextitem"] = items[index + 1] }
            variables["ansible_loop"] = .map(loop)
        }
        return variables
    }

    private func wrong(_ value: Value, _ expected: String, hint: String?) -> InputError {
        InputError("'\(kind.rawValue)' needs \(expected), not \(value.brief)", span: source.span, hint: hint)
    }

    private func loopHint(_ value: Value) -> String? {
        switch value {
        case .map: "loop over 'dict2items' of the map"
        case .string: "write a list, or 'with_items' where one item may stand alone"
        default: nil
        }
    }

    private static func flattened(_ value: Value) -> [Value] {
        value.list?.flatMap { flattened($0) } ?? [value]
    }

    private func pairs(_ value: Value) throws -> [Value] {
        let maps = value.list ?? [value]
        return try maps.flatMap { item in
            guard let map = item.map else { throw wrong(item, "a map", hint: nil) }
            return map.map { Value.map(["key": .string($0.key), "value": $0.value]) }
        }
    }

    private func lists(_ value: Value) throws -> [[Value]] {
        guard let lists = value.list else { throw wrong(value, "a list of lists", hint: nil) }
        return lists.map { $0.list ?? [$0] }
    }

    private func product(_ lists: some Collection<[Value]>) -> [Value] {
        var rows: [[Value]] = [[]]
        for list in lists { rows = list.flatMap { item in rows.map { [item] + $0 } } }
        return rows.map { .list(Self.flattened(.list($0))) }
    }

    private func zipped(_ lists: [[Value]]) -> [Value] {
        let count = lists.map(\.count).max() ?? 0
        return (0..<count).map { index in
            .list(lists.map { index < $0.count ? $0[index] : .null })
        }
    }

    private func subelements(_ value: Value) throws -> [Value] {
        guard let parts = value.list, parts.count >= 2, let path = parts[1].string else {
            throw wrong(value, "a list and the name of a key", hint: nil)
        }
        let skipMissing = parts.count > 2 && parts[2]["skip_missing"].flatMap(Bool.init(keyword:)) == true
        let elements = parts[0].list ?? parts[0].map.map { Array($0.values) } ?? []
        let keys = path.split(separator: ".").map(String.init)
        return try elements.flatMap { element -> [Value] in
            guard let inner = element[keys]?.list else {
                if skipMissing { return [] }
                throw InputError("an item of 'with_subelements' has no list '\(path)'", span: source.span)
            }
            return inner.map { .list([element, $0]) }
        }
    }
}
