import LabCore
import OrderedCollections

/// The names that every template knows.
enum Globals {
    static let names = [
        "range", "dict", "namespace", "lookup", "query", "q", "omit", "undef", "now", "cycler", "joiner",
    ]

    static func object(named name: String) -> Object? {
        switch name {
        case "omit": .omit
        case "range": .instance(Function("range", range))
        case "dict": .instance(Function("dict", dict))
        case "namespace": .instance(Function("namespace") { .instance(Namespace(try attributes($0, $1))) })
        case "lookup": .instance(Function("lookup") { try lookup($0, $1, wantsList: false) })
        case "query", "q": .instance(Function("query") { try lookup($0, $1, wantsList: true) })
        case "undef": .instance(Function("undef", undef))
        case "now": .instance(Function("now", now))
        case "cycler": .instance(Function("cycler") { arguments, _ in .instance(try Cycler(arguments.positional)) })
        case "joiner": .instance(Function("joiner", joiner))
        default: nil
        }
    }

    /// Whether a function wants to see undefined arguments itself.
    static func takesUndefined(_ instance: any Instance) -> Bool {
        guard let function = instance as? Function else { return false }
        return ["lookup", "query", "namespace", "dict"].contains(function.name)
    }

    private static func range(_ arguments: Arguments, _ evaluator: Evaluator) throws -> Object {
        let call = try Call(
            "range()", arguments, parameters: ["start", "stop", "step"], required: 1, evaluator: evaluator)
        guard let first = try call.int(0) else { throw Failure("range() needs an integer") }
        let step = try call.int(2) ?? 1
        guard step != 0 else { throw Failure("the step of range() cannot be zero") }
        guard [first, try call.int(1) ?? 0, step].allSatisfy({ $0.magnitude < 1 << 62 }) else {
            throw Failure("the numbers of range() are too large")
        }
        if let stop = try call.int(1) { return .range(PythonRange(start: first, stop: stop, step: step)) }
        return .range(PythonRange(start: 0, stop: first, step: 1))
    }

    private static func attributes(_ arguments: Arguments, _ evaluator: Evaluator) throws -> [String: Object] {
        var result: [String: Object] = [:]
        if let first = arguments.positional.first {
            guard case .dict(let dict) = first else { throw Failure("namespace() needs a map or named arguments") }
            for (key, value) in dict.entries { result[try key.object.text()] = value }
        }
        for (name, value) in arguments.keywords { result[name] = value }
        return result
    }

    private static func dict(_ arguments: Arguments, _ evaluator: Evaluator) throws -> Object {
        guard arguments.positional.count <= 1 else { throw Failure("dict() takes at most one argument without a name") }
        let result = DictBox()
        if let first = arguments.positional.first { try update(result, with: first, "dict()") }
        for (name, value) in arguments.keywords { result.set(.string(name), value) }
        return .dict(result)
    }

    /// Adds the entries of a map or of a list of pairs.
    static func update(_ dict: DictBox, with source: Object, _ subject: String) throws {
        if case .dict(let other) = source {
            for (key, value) in other.entries { dict.set(key, value) }
            return
        }
        for element in try source.elements() {
            let pair = try element.elements()
            guard pair.count == 2, let key = DictKey(pair[0]) else {
                throw Failure("\(subject) needs a map or a list of pairs")
            }
            dict.set(key, pair[1])
        }
    }

    private static func undef(_ arguments: Arguments, _ evaluator: Evaluator) throws -> Object {
        let call = try Call("undef()", arguments, parameters: ["hint"], evaluator: evaluator)
        return .undefined(Undefined(message: try call.string(0) ?? "a mandatory variable has not been overridden"))
    }

    private static func now(_ arguments: Arguments, _ evaluator: Evaluator) throws -> Object {
        let call = try Call("now()", arguments, parameters: ["utc", "fmt"], evaluator: evaluator)
        let seconds = try call.service(.now).double ?? 0
        guard let format = try call.string(1) else {
            throw Failure("now() needs a format here", hint: "write now(fmt='%Y-%m-%d %H:%M:%S')")
        }
        return .string(try Time.formatted(format, seconds: seconds, isUTC: try call.flag(0)))
    }

    private static func joiner(_ arguments: Arguments, _ evaluator: Evaluator) throws -> Object {
        let call = try Call("joiner()", arguments, parameters: ["sep"], evaluator: evaluator)
        let separator = call[0] ?? .string(", ")
        var isUsed = false
        return .instance(
            Function("joiner") { _, _ in
                defer { isUsed = true }
                return isUsed ? separator : .string("")
            })
    }

    // MARK: Lookups

    private static func lookup(_ arguments: Arguments, _ evaluator: Evaluator, wantsList: Bool) throws -> Object {
        if let undefined = arguments.firstUndefined, arguments.positional.first?.isUndefined != false {
            return undefined
        }
        guard case .string(let plugin)? = arguments.positional.first else {
            throw Failure("lookup() needs the name of a plugin as its first argument")
        }
        var options = ValueMap()
        var wantsList = wantsList
        var errors = "strict"
        let name = Registry.plainName(plugin)
        if name != "vars", let undefined = arguments.firstUndefined { return undefined }
        for (key, value) in arguments.keywords {
            switch key {
            case "wantlist": wantsList = try value.isTrue()
            case "errors": errors = try value.text()
            default: if !value.isUndefined { options[key] = try value.value() }
            }
        }
        let terms = Array(arguments.positional.dropFirst())
        let found: [Object]
        do {
            if name == "vars" {
                found = try variables(terms, default: options["default"], evaluator)
            } else {
                let value = try evaluator.scope.lookup(
                    name, arguments: try terms.map { try $0.value() }, options: options)
                guard case .list(let values) = value else {
                    return wantsList ? .list([Object(value)]) : Object(value)
                }
                found = values.map { Object($0) }
            }
        } catch {
            guard errors == "ignore" || errors == "warn" else { throw error }
            return wantsList ? .list([Object]()) : .null
        }
        if wantsList || found.isEmpty { return .list(found) }
        if found.count == 1 { return found[0] }
        let texts = found.compactMap(\.string)
        return texts.count == found.count ? .string(texts.joined(separator: ",")) : .list(found)
    }

    private static func variables(_ terms: [Object], default fallback: Value?, _ evaluator: Evaluator) throws
        -> [Object]
    {
        try terms.map { term in
            guard case .string(let name) = term else { throw Failure("lookup('vars', …) needs names of variables") }
            if let value = try evaluator.outerVariable(name) { return value }
            if let fallback { return Object(fallback) }
            throw Failure(
                "'\(name)' is undefined", kind: .undefined(name),
                hint: suggestion(for: name, among: evaluator.scope.names))
        }
    }
}

/// What `cycler('odd', 'even')` gives.
final class Cycler: Instance {
    private let items: [Object]
    private var index = 0
    var typeName: String { "a cycler" }

    init(_ items: [Object]) throws {
        guard !items.isEmpty else { throw Failure("cycler() needs at least one value") }
        self.items = items
    }

    func attribute(_ name: String) -> Object? {
        switch name {
        case "current": items[index]
        case "next":
            .instance(
                Function("next") { _, _ in
                    defer { self.index = (self.index + 1) % self.items.count }
                    return self.items[self.index]
                })
        case "reset":
            .instance(
                Function("reset") { _, _ in
                    self.index = 0
                    return .null
                })
        default: nil
        }
    }
}
