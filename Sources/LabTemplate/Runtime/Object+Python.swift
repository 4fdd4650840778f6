import LabCore
import OrderedCollections

extension Object {
    /// The type as people read it in errors.
    var typeName: String {
        switch self {
        case .undefined: "something undefined"
        case .omit: "omit"
        case .null: "null"
        case .bool: "a boolean"
        case .int: "an integer"
        case .float: "a number"
        case .string: "a string"
        case .list: "a list"
        case .tuple: "a tuple"
        case .dict: "a map"
        case .range: "a range"
        case .instance(let instance): instance.typeName
        }
    }

    /// The type as Python names it (`type_debug`).
    var pythonTypeName: String {
        switch self {
        case .undefined: "UndefinedMarker"
        case .omit: "OmitType"
        case .null: "NoneType"
        case .bool: "bool"
        case .int: "int"
        case .float: "float"
        case .string: "str"
        case .list: "list"
        case .tuple: "tuple"
        case .dict: "dict"
        case .range: "range"
        case .instance: "object"
        }
    }

    /// Python's truth: false are none, zero and everything empty.
    ///
    /// - Throws: for an undefined value.
    func isTrue() throws -> Bool {
        switch self {
        case .undefined(let undefined) where undefined.isLenient: false
        case .undefined(let undefined): throw undefined.failure
        case .omit, .instance: true
        case .null: false
        case .bool(let value): value
        case .int(let value): value != 0
        case .float(let value): value != 0
        case .string(let text): !text.isEmpty
        case .list(let list): list.count > 0
        case .tuple(let tuple): !tuple.items.isEmpty
        case .dict(let dict): dict.count > 0
        case .range(let range): range.count > 0
        }
    }

    var isUndefined: Bool { if case .undefined = self { true } else { false } }
    var isNull: Bool { if case .null = self { true } else { false } }
    var string: String? { if case .string(let text) = self { text } else { nil } }

    /// The integer that an int or a boolean is.
    var int: Int? {
        switch self {
        case .int(let value): value
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    /// The number that an int, a boolean or a float is.
    var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .bool(let value): value ? 1 : 0
        case .float(let value): value
        default: nil
        }
    }

    /// The items of a list, a tuple or a range, without asking for anything iterable.
    var sequence: [Object]? {
        switch self {
        case .list(let list): list.items
        case .tuple(let tuple): tuple.items
        default: nil
        }
    }

    /// The keys of a dict as texts, for "did you mean".
    var keyTexts: [String] {
        guard case .dict(let dict) = self else { return [] }
        return dict.untouched.map { Array($0.keys) } ?? dict.entries.keys.compactMap(\.canonicalText)
    }

    /// What Python's `str()` gives.
    func text() throws -> String {
        switch self {
        case .string(let text): text
        case .undefined(let undefined) where undefined.isLenient: ""
        case .undefined(let undefined): throw undefined.failure
        case .omit:
            throw Failure("'omit' cannot be a part of a text", hint: "use it alone, as '{{ x | default(omit) }}'")
        default: try representation()
        }
    }

    /// What Python's `repr()` gives.
    func representation(depth: Int = 0) throws -> String {
        guard depth < Limits.nesting else { throw Self.tooDeep }
        switch self {
        case .undefined(let undefined): throw undefined.failure
        case .omit: throw Failure("'omit' cannot be a part of a text")
        case .null: return "None"
        case .bool(let value): return value ? "True" : "False"
        case .int(let value): return String(value)
        case .float(let value): return Python.text(of: value)
        case .string(let text): return Python.quoted(text)
        case .list(let list):
            return "[" + (try list.items.map { try $0.representation(depth: depth + 1) }).joined(separator: ", ") + "]"
        case .tuple(let tuple):
            let items = try tuple.items.map { try $0.representation(depth: depth + 1) }
            return "(" + items.joined(separator: ", ") + (items.count == 1 ? ",)" : ")")
        case .dict(let dict):
            let entries = try dict.entries.map {
                try $0.key.object.representation() + ": " + $0.value.representation(depth: depth + 1)
            }
            return "{" + entries.joined(separator: ", ") + "}"
        case .range(let range):
            return range.step == 1
                ? "range(\(range.start), \(range.stop))" : "range(\(range.start), \(range.stop), \(range.step))"
        case .instance(let instance):
            throw Failure("\(instance.typeName) has no text", hint: "did you forget to call it with '()'?")
        }
    }

    /// Python's `==`: never fails, unlike types are unequal, numbers and booleans compare by value.
    func isEqual(to other: Object, depth: Int = 0) throws -> Bool {
        guard depth < Limits.nesting else { throw Self.tooDeep }
        switch (self, other) {
        case (.undefined(let undefined), _), (_, .undefined(let undefined)): throw undefined.failure
        case (.null, .null), (.omit, .omit): return true
        case (.int(let a), .int(let b)): return a == b
        case (.string(let a), .string(let b)): return a == b
        case (.list(let a), .list(let b)):
            if a === b { return true }
            return try Self.areEqual(a.items, b.items, depth: depth + 1)
        case (.tuple(let a), .tuple(let b)): return try Self.areEqual(a.items, b.items, depth: depth + 1)
        case (.dict(let a), .dict(let b)):
            guard a.count == b.count else { return false }
            if a === b { return true }
            let others = b.entries
            for (key, value) in a.entries {
                guard let match = others[key], try value.isEqual(to: match, depth: depth + 1) else { return false }
            }
            return true
        case (.range(let a), .range(let b)):
            return a.count == b.count && (a.count == 0 || (a.start == b.start && (a.count == 1 || a.step == b.step)))
        case (.instance(let a), .instance(let b)): return a === b
        default:
            if let a = number, let b = other.number { return a == b }
            return false
        }
    }

    private static let tooDeep = Failure("the value is nested too deeply", hint: "does a list contain itself?")

    static func areEqual(_ a: [Object], _ b: [Object], depth: Int = 0) throws -> Bool {
        guard a.count == b.count else { return false }
        for (first, second) in zip(a, b) where try !first.isEqual(to: second, depth: depth) { return false }
        return true
    }

    /// Python's `<`: numbers, strings by code point, lists and tuples item by item.
    ///
    /// - Throws: for unlike types.
    func isLess(than other: Object, sign: String = "<", depth: Int = 0) throws -> Bool {
        guard depth < Limits.nesting else { throw Self.tooDeep }
        switch (self, other) {
        case (.undefined(let undefined), _), (_, .undefined(let undefined)): throw undefined.failure
        case (.int(let a), .int(let b)): return a < b
        case (.string(let a), .string(let b)): return a.unicodeScalars.lexicographicallyPrecedes(b.unicodeScalars)
        case (.list, .list), (.tuple, .tuple):
            let (a, b) = (sequence ?? [], other.sequence ?? [])
            for (first, second) in zip(a, b) where try !first.isEqual(to: second) {
                return try first.isLess(than: second, sign: sign, depth: depth + 1)
            }
            return a.count < b.count
        default:
            if let a = number, let b = other.number { return a < b }
            let isMixed = (string != nil && other.number != nil) || (number != nil && other.string != nil)
            throw Failure(
                "cannot compare \(typeName) with \(other.typeName) by '\(sign)'",
                hint: isMixed ? "convert one of them with '| int' or '| string'" : nil)
        }
    }

    /// The items that a loop goes over.
    ///
    /// - Throws: for what Python cannot iterate, and for ranges above the limit.
    func elements(limit: Int = Limits.iterations) throws -> [Object] {
        switch self {
        case .list(let list): return list.items
        case .tuple(let tuple): return tuple.items
        case .dict(let dict):
            return dict.untouched.map { $0.keys.map { .string($0) } } ?? dict.entries.keys.map(\.object)
        case .string(let text): return text.unicodeScalars.map { .string(String($0)) }
        case .range(let range):
            guard range.count <= limit else {
                throw Failure("the range has \(range.count) items, more than the \(limit) that a template may use")
            }
            return (0..<range.count).map { .int(range[$0]) }
        case .undefined(let undefined) where undefined.isLenient: return []
        case .undefined(let undefined): throw undefined.failure
        default: throw Failure("cannot loop over \(typeName)")
        }
    }

    /// Python's `len()`.
    func length() throws -> Int {
        switch self {
        case .string(let text): return text.unicodeScalars.count
        case .list(let list): return list.count
        case .tuple(let tuple): return tuple.items.count
        case .dict(let dict): return dict.count
        case .range(let range): return range.count
        case .undefined(let undefined): throw undefined.failure
        default: throw Failure("\(typeName) has no length")
        }
    }

    /// Python's `item in self`.
    func contains(_ item: Object) throws -> Bool {
        switch self {
        case .undefined(let undefined): throw undefined.failure
        case .string(let text):
            guard case .string(let part) = item else {
                if case .undefined(let undefined) = item { throw undefined.failure }
                throw Failure("only a string can be in a string, not \(item.typeName)")
            }
            return Python.contains(text, part)
        case .list, .tuple:
            if case .undefined(let undefined) = item { throw undefined.failure }
            for element in sequence ?? [] where try element.isEqual(to: item) { return true }
            return false
        case .dict(let dict):
            if case .undefined(let undefined) = item { throw undefined.failure }
            guard let key = DictKey(item) else { throw Failure("\(item.typeName) cannot be a key of a map") }
            return dict.contains(key)
        case .range(let range):
            guard let value = item.int, range.count > 0 else { return false }
            let (offset, isOverflow) = value.subtractingReportingOverflow(range.start)
            return !isOverflow && offset % range.step == 0 && (0..<range.count).contains(offset / range.step)
        default: throw Failure("'in' needs a string, a list or a map on its right, not \(typeName)")
        }
    }

    /// The value as it leaves the template: tuples become lists, omitted items are left out.
    ///
    /// - Throws: when something undefined, or something that only exists inside templates, is in it.
    func value(depth: Int = 0) throws -> Value {
        guard depth < Limits.nesting else { throw Self.tooDeep }
        switch self {
        case .undefined(let undefined): throw undefined.failure
        case .omit: return .string(OmitMarker.text)
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .int(let value): return .int(value)
        case .float(let value): return .float(value)
        case .string(let text): return .string(text)
        case .list(let list):
            if let values = list.untouched { return .list(values) }
            return .list(try Self.values(list.items, depth + 1))
        case .tuple(let tuple): return .list(try Self.values(tuple.items, depth + 1))
        case .dict(let dict):
            if let entries = dict.untouched { return .map(entries) }
            var result = ValueMap(minimumCapacity: dict.count)
            for (key, value) in dict.entries {
                if case .omit = value { continue }
                guard let text = key.canonicalText else { throw Failure("a tuple cannot be a key of the result") }
                result[text] = try value.value(depth: depth + 1)
            }
            return .map(result)
        case .range: throw Failure("a range cannot be the result of a template", hint: "add '| list'")
        case .instance(let instance):
            throw Failure(
                "\(instance.typeName) cannot be the result of a template", hint: "did you forget to call it with '()'?")
        }
    }

    private static func values(_ items: [Object], _ depth: Int) throws -> [Value] {
        var result: [Value] = []
        result.reserveCapacity(items.count)
        for item in items {
            if case .omit = item { continue }
            result.append(try item.value(depth: depth))
        }
        return result
    }

    /// The value as it stands in a text next to other pieces: as Ansible does, tuples inside of it become lists first.
    func outputText() throws -> String {
        switch self {
        case .string(let text): text
        case .list, .tuple, .dict: try Object(value()).text()
        default: try text()
        }
    }
}
