import LabCore

extension Value {
    /// RFC 7386.
    func mergePatched(_ patch: Value) -> Value {
        guard case .map(let changes) = patch else { return patch }
        var result = map ?? [:]
        for (key, change) in changes {
            if change.isNull {
                result[key] = nil
            } else {
                result[key] = (result[key] ?? .null).mergePatched(change)
            }
        }
        return .map(result)
    }

    /// RFC 6902.
    func jsonPatched(_ patch: Value) throws(APIStatus) -> Value {
        guard case .list(let operations) = patch else { throw .badRequest("a JSON patch is a list") }
        var result = self
        for operation in operations {
            guard let name = operation["op"]?.string, let path = operation["path"]?.string else {
                throw .badRequest("a JSON patch operation needs op and path")
            }
            let steps = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map {
                String($0).replacing("~1", with: "/").replacing("~0", with: "~")
            }
            switch name {
            case "add", "replace":
                try result.edit(steps, path) {
                    $0 = operation["value"] ?? .null
                } insert: {
                    name == "add"
                }
            case "remove":
                try result.edit(steps, path) {
                    $0 = nil
                } insert: {
                    false
                }
            case "test":
                guard result.item(steps) == operation["value"] ?? .null else {
                    throw APIStatus(
                        422, "Invalid", "the server rejected our request due to an error in our request",
                        details: ["causes": .list([.map(["message": .string("testing value \(path) failed")])])])
                }
            default: throw .notModelled("the JSON patch operation \(name)")
            }
        }
        return result
    }

    private func item(_ steps: [String]) -> Value? {
        var current = self
        for step in steps {
            switch current {
            case .map(let entries):
                guard let next = entries[step] else { return nil }
                current = next
            case .list(let items):
                guard let index = Int(step), items.indices.contains(index) else { return nil }
                current = items[index]
            default: return nil
            }
        }
        return current
    }

    private mutating func edit(
        _ steps: [String], _ path: String, _ change: (inout Value?) -> Void, insert: () -> Bool
    ) throws(APIStatus) {
        guard let first = steps.first else {
            var whole: Value? = self
            change(&whole)
            self = whole ?? .null
            return
        }
        let missing = APIStatus(
            422, "Invalid", "the server rejected our request due to an error in our request",
            details: ["causes": .list([.map(["message": .string("the path \(path) leads nowhere")])])])
        switch self {
        case .map(var entries):
            if steps.count == 1 {
                guard insert() || entries[first] != nil else { throw missing }
                var value = entries[first]
                change(&value)
                entries[first] = value
            } else {
                guard var child = entries[first] else { throw missing }
                try child.edit(Array(steps.dropFirst()), path, change, insert: insert)
                entries[first] = child
            }
            self = .map(entries)
        case .list(var items):
            let index = first == "-" ? items.count : Int(first) ?? -1
            if steps.count == 1, insert() {
                guard (0...items.count).contains(index) else { throw missing }
                var value: Value?
                change(&value)
                if let value { items.insert(value, at: index) }
            } else {
                guard items.indices.contains(index) else { throw missing }
                if steps.count == 1 {
                    var value: Value? = items[index]
                    change(&value)
                    if let value { items[index] = value } else { items.remove(at: index) }
                } else {
                    try items[index].edit(Array(steps.dropFirst()), path, change, insert: insert)
                }
            }
            self = .list(items)
        default: throw missing
        }
    }

    /// The strategic merge patch of built-in kinds: associative lists by their keys, null removes. Directives other
    /// than the order of lists are not modelled.
    func strategicallyPatched(_ patch: Value, _ type: SchemaType) throws(APIStatus) -> Value {
        switch (type.resolved(for: patch), patch) {
        case (.map(let map), .map(let changes)):
            var result = self.map ?? [:]
            for (key, change) in changes {
                if key.hasPrefix("$setElementOrder/") || key == "$retainKeys" { continue }
                if key.hasPrefix("$") { throw .notModelled("the strategic merge patch directive \(key)") }
                if change.isNull {
                    result[key] = nil
                } else {
                    result[key] = try (result[key] ?? .null).strategicallyPatched(
                        change, map.fields[key] ?? map.element ?? .any)
                }
            }
            return .map(result)
        case (.list(let list), .list(let changes)):
            guard case .keyed = list.relation else { return patch }
            var result = self.list ?? []
            for (index, change) in changes.enumerated() {
                if change["$patch"] != nil { throw .notModelled("the strategic merge patch directive $patch") }
                guard case .success(let name) = list.element(of: change, at: index),
                    let place = result.indices.first(where: {
                        if case .success(name) = list.element(of: result[$0], at: $0) { true } else { false }
                    })
                else {
                    result.append(change)
                    continue
                }
                result[place] = try result[place].strategicallyPatched(change, list.element)
            }
            return .list(result)
        default: return patch
        }
    }
}
