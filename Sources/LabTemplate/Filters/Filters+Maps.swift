import LabCore
import OrderedCollections

extension Filters {
    static let maps: [String: Filter] = [
        "items": Filter { .list(try $0.inputDict().entries.map { .tuple([$0.key.object, $0.value]) }) },
        "dictsort": Filter("case_sensitive", "by", "reverse") { call in
            let ignoresCase = try !call.flag(0)
            let by = try call.string(1) ?? "key"
            guard by == "key" || by == "value" else {
                throw Failure("\(call.subject) sorts by 'key' or by 'value', not by '\(by)'")
            }
            let pairs: [Object] = try call.inputDict().entries.map { .tuple([$0.key.object, $0.value]) }
            return .list(
                try Sorting.sorted(pairs, reverse: call.flag(2)) { pair in
                    try foldedCase(pair.sequence?[by == "key" ? 0 : 1] ?? .null, ignoresCase)
                })
        },
        "dict2items": Filter("key_name", "value_name") { call in
            let (key, value) = (try call.string(0) ?? "key", try call.string(1) ?? "value")
            return .list(
                try call.inputDict().entries.map { entry in
                    let dict = DictBox()
                    dict.set(.string(key), entry.key.object)
                    dict.set(.string(value), entry.value)
                    return .dict(dict)
                })
        },
        "items2dict": Filter("key_name", "value_name") { call in
            let (keyName, valueName) = (try call.string(0) ?? "key", try call.string(1) ?? "value")
            var result = OrderedDictionary<DictKey, Object>()
            for item in try call.items() {
                guard case .dict(let dict) = item, let key = dict[keyName], let value = dict[valueName] else {
                    throw Failure("\(call.subject) needs maps with '\(keyName)' and '\(valueName)'")
                }
                guard let key = DictKey(key) else { throw Failure("\(key.typeName) cannot be a key of a map") }
                result[key] = value
            }
            return .dict(DictBox(result))
        },
        "combine": Filter(isVariadic: true, body: combine),
        "rekey_on_member": Filter("key", "duplicates", required: 1) { call in
            let name = try call.string(0) ?? ""
            let overwrites = try call.string(1) ?? "error" == "overwrite"
            let items: [Object]
            if case .dict(let dict) = call.input {
                items = Array(dict.entries.values)
            } else {
                items = try call.items()
            }
            let result = DictBox()
            for item in items {
                guard case .dict(let dict) = item else {
                    throw Failure("\(call.subject) needs maps, not \(item.typeName)")
                }
                guard let value = dict[name], let key = DictKey(value) else {
                    throw Failure("an item has no key '\(name)'")
                }
                guard overwrites || !result.contains(key) else {
                    throw Failure("the key \(try value.representation()) is not unique")
                }
                result.set(key, item)
            }
            return .dict(result)
        },
        "extract": Filter("container", "morekeys", required: 1) { call in
            var keys = [call.input]
            if let more = call.given(1) { keys += more.sequence ?? [more] }
            var current = call[0] ?? .null
            for key in keys {
                guard let next = try call.evaluator.item(key, of: current) else {
                    let name = try key.text()
                    let owner = current
                    return .undefined(
                        Undefined(
                            name: name, message: "\(owner.typeName) has no '\(name)'",
                            hint: suggestion(for: name, among: owner.keyTexts)))
                }
                current = next
            }
            return current
        },
        "attr": Filter("name", required: 1) { call in
            let name = try call.string(0) ?? ""
            return try Methods.attribute(name, of: call.input)
                ?? .undefined(Undefined(name: name, message: "\(call.input.typeName) has no attribute '\(name)'"))
        },
    ]

    private static func combine(_ call: Call) throws -> Object {
        var isRecursive = false
        var merge = ListMerge.replace
        for (name, value) in call.extraKeywords {
            switch name {
            case "recursive": isRecursive = try value.isTrue()
            case "list_merge":
                guard let choice = ListMerge(rawValue: try value.text()) else {
                    throw Failure(
                        "unknown list_merge '\(try value.text())'",
                        hint: "there are \(ListMerge.allCases.map(\.rawValue).joined(separator: ", "))")
                }
                merge = choice
            default:
                throw Failure("\(call.subject) has no argument '\(name)'", hint: "there are recursive and list_merge")
            }
        }
        let terms = try flattened([call.input] + call.rest, levels: 1, skipsNulls: true)
        let dicts = try terms.map { term in
            guard case .dict(let dict) = term else { throw Failure("\(call.subject) needs maps, not \(term.typeName)") }
            return dict.entries
        }
        guard var result = dicts.last else { return .dict(DictBox()) }
        // From the right, as Ansible does: it decides the order of the keys.
        for dict in dicts.dropLast().reversed() { result = try merged(dict, result, isRecursive, merge) }
        return .dict(DictBox(result))
    }

    private enum ListMerge: String, CaseIterable {
        case replace, keep, append, prepend
        case appendRestOfFirst = "append_rp"
        case prependRestOfFirst = "prepend_rp"
    }

    private static func merged(
        _ low: OrderedDictionary<DictKey, Object>, _ high: OrderedDictionary<DictKey, Object>, _ isRecursive: Bool,
        _ merge: ListMerge, depth: Int = 0
    ) throws -> OrderedDictionary<DictKey, Object> {
        guard depth < Limits.nesting else { throw Failure("the maps are nested too deeply") }
        var result = low
        for (key, new) in high {
            switch (result[key], new) {
            case (.dict(let old)?, .dict(let new)) where isRecursive:
                result[key] = .dict(DictBox(try merged(old.entries, new.entries, isRecursive, merge, depth: depth + 1)))
            case (.list(let old)?, .list(let new)): result[key] = .list(try merged(old.items, new.items, merge))
            default: result[key] = new
            }
        }
        return result
    }

    private static func merged(_ old: [Object], _ new: [Object], _ merge: ListMerge) throws -> [Object] {
        func rest() throws -> [Object] {
            try old.filter { item in try !new.contains { try $0.isEqual(to: item) } }
        }
        switch merge {
        case .replace: return new
        case .keep: return old
        case .append: return old + new
        case .prepend: return new + old
        case .appendRestOfFirst: return try rest() + new
        case .prependRestOfFirst: return try new + rest()
        }
    }
}
