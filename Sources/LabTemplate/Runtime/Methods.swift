import OrderedCollections

/// The methods that values have in Python, as far as templates may call them.
enum Methods {
    /// A method or attribute of a value; nil when it has none of that name.
    static func attribute(_ name: String, of object: Object) throws -> Object? {
        switch object {
        case .instance(let instance): return try instance.attribute(name)
        case .string(let text): return StringMethods.method(name, of: text)
        case .list(let list): return method(name, of: list)
        case .dict(let dict): return method(name, of: dict)
        case .tuple(let tuple):
            if let index = tuple.fields.firstIndex(of: name) { return tuple.items[index] }
            switch name {
            case "index": return bind("index") { try index(of: $0, in: tuple.items, $1) }
            case "count": return bind("count") { try count(of: $0, in: tuple.items, $1) }
            default: return nil
            }
        case .float(let value) where name == "is_integer":
            return bind("is_integer") { _, _ in .bool(value == value.rounded()) }
        case .int(let value) where name == "bit_length":
            return bind("bit_length") { _, _ in .int(Int.bitWidth - value.magnitude.leadingZeroBitCount) }
        default: return nil
        }
    }

    static func bind(_ name: String, _ body: @escaping (Arguments, Evaluator) throws -> Object) -> Object {
        .instance(Function(name, body))
    }

    private static func call(
        _ name: String, _ arguments: Arguments, _ parameters: [String], required: Int = 0, _ evaluator: Evaluator
    ) throws -> Call {
        try Call(
            "the method '\(name)'", arguments, parameters: parameters, required: required, evaluator: evaluator)
    }

    private static func index(of arguments: Arguments, in items: [Object], _ evaluator: Evaluator) throws -> Object {
        let call = try call("index", arguments, ["value", "start", "stop"], required: 1, evaluator)
        guard let wanted = call[0] else { return .null }
        for index in try Python.slice(count: items.count, start: call.int(1), stop: call.int(2), step: nil)
        where try items[index].isEqual(to: wanted) { return .int(index) }
        throw Failure("\(try wanted.representation()) is not in the list")
    }

    private static func count(of arguments: Arguments, in items: [Object], _ evaluator: Evaluator) throws -> Object {
        let call = try call("count", arguments, ["value"], required: 1, evaluator)
        guard let wanted = call[0] else { return .int(0) }
        return .int(try items.count { try $0.isEqual(to: wanted) })
    }

    private static func method(_ name: String, of list: ListBox) -> Object? {
        switch name {
        case "append":
            bind(name) { arguments, evaluator in
                guard let item = try call(name, arguments, ["object"], required: 1, evaluator)[0] else { return .null }
                list.append(item)
                return .null
            }
        case "extend":
            bind(name) { arguments, evaluator in
                guard let items = try call(name, arguments, ["iterable"], required: 1, evaluator)[0] else {
                    return .null
                }
                list.items += try items.elements()
                return .null
            }
        case "insert":
            bind(name) { arguments, evaluator in
                let call = try call(name, arguments, ["index", "object"], required: 2, evaluator)
                let index = try call.int(0) ?? 0
                let position = min(max(index < 0 ? index + list.count : index, 0), list.count)
                list.items.insert(call[1] ?? .null, at: position)
                return .null
            }
        case "pop":
            bind(name) { arguments, evaluator in
                let index = try call(name, arguments, ["index"], evaluator).int(0) ?? -1
                let position = index < 0 ? index + list.count : index
                guard (0..<list.count).contains(position) else { throw Failure("the list has no item \(index) to pop") }
                return list.items.remove(at: position)
            }
        case "remove":
            bind(name) { arguments, evaluator in
                guard let index = try index(of: arguments, in: list.items, evaluator).int else { return .null }
                list.items.remove(at: index)
                return .null
            }
        case "clear":
            bind(name) { _, _ in
                list.items = []
                return .null
            }
        case "copy": bind(name) { _, _ in .list(list.copy()) }
        case "reverse":
            bind(name) { _, _ in
                list.items.reverse()
                return .null
            }
        case "sort":
            bind(name) { arguments, evaluator in
                let call = try call(name, arguments, ["key", "reverse"], evaluator)
                list.items = try Sorting.sorted(list.items, reverse: call.flag(1)) { $0 }
                return .null
            }
        case "index": bind(name) { try index(of: $0, in: list.items, $1) }
        case "count": bind(name) { try count(of: $0, in: list.items, $1) }
        default: nil
        }
    }

    private static func key(_ call: Call) throws -> DictKey {
        guard let object = call[0], let key = DictKey(object) else {
            throw Failure("\(call[0]?.typeName ?? "this") cannot be a key of a map")
        }
        return key
    }

    private static func method(_ name: String, of dict: DictBox) -> Object? {
        switch name {
        case "items": bind(name) { _, _ in .list(dict.entries.map { .tuple([$0.key.object, $0.value]) }) }
        case "keys": bind(name) { _, _ in .list(dict.entries.keys.map(\.object)) }
        case "values": bind(name) { _, _ in .list(Array(dict.entries.values)) }
        case "get":
            bind(name) { arguments, evaluator in
                let call = try call(name, arguments, ["key", "default"], required: 1, evaluator)
                return dict[try key(call)] ?? call[1] ?? .null
            }
        case "pop":
            bind(name) { arguments, evaluator in
                let call = try call(name, arguments, ["key", "default"], required: 1, evaluator)
                if let value = dict.entries.removeValue(forKey: try key(call)) { return value }
                guard let fallback = call[1] else {
                    throw Failure("the map has no key \(try key(call).object.representation())")
                }
                return fallback
            }
        case "setdefault":
            bind(name) { arguments, evaluator in
                let call = try call(name, arguments, ["key", "default"], required: 1, evaluator)
                if let value = dict[try key(call)] { return value }
                dict.set(try key(call), call[1] ?? .null)
                return call[1] ?? .null
            }
        case "update":
            bind(name) { arguments, _ in
                for source in arguments.positional { try Globals.update(dict, with: source, "the method 'update'") }
                for (name, value) in arguments.keywords { dict.set(.string(name), value) }
                return .null
            }
        case "copy": bind(name) { _, _ in .dict(dict.copy()) }
        case "clear":
            bind(name) { _, _ in
                dict.entries = [:]
                return .null
            }
        case "popitem":
            bind(name) { _, _ in
                guard let last = dict.entries.elements.last else { throw Failure("the map is empty") }
                dict.entries.removeValue(forKey: last.key)
                return .tuple([last.key.object, last.value])
            }
        default: nil
        }
    }
}

/// Sorting with comparisons that can fail, stable as Python's.
enum Sorting {
    static func sorted(_ items: [Object], reverse: Bool = false, key: (Object) throws -> Object) throws -> [Object] {
        var keyed = try items.map { (key: try key($0), item: $0) }
        // Python keeps the order of equal items in reverse too.
        if reverse { keyed.reverse() }
        try keyed.sort { try $0.key.isLess(than: $1.key) }
        if reverse { keyed.reverse() }
        return keyed.map(\.item)
    }
}
