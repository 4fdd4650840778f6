/// The variable `loop` of a for loop.
final class LoopState: Instance {
    private let items: [Object]
    private let depth: Int
    var index = 0
    /// Runs the loop again over inner items; only loops that are declared recursive have it.
    var recursion: ((Object) throws -> Object)?
    private var lastChecked: [Object]?

    init(items: [Object], depth: Int) {
        self.items = items
        self.depth = depth
    }

    var typeName: String { "the variable 'loop'" }

    func attribute(_ name: String) -> Object? {
        switch name {
        case "index": .int(index + 1)
        case "index0": .int(index)
        case "revindex": .int(items.count - index)
        case "revindex0": .int(items.count - index - 1)
        case "first": .bool(index == 0)
        case "last": .bool(index == items.count - 1)
        case "length": .int(items.count)
        case "depth": .int(depth + 1)
        case "depth0": .int(depth)
        case "previtem":
            index > 0
                ? items[index - 1] : .undefined(Undefined(name: "loop.previtem", message: "there is no previous item"))
        case "nextitem":
            index + 1 < items.count
                ? items[index + 1] : .undefined(Undefined(name: "loop.nextitem", message: "there is no next item"))
        case "cycle": .instance(Function("loop.cycle") { [unowned self] arguments, _ in try self.cycle(arguments) })
        case "changed":
            .instance(Function("loop.changed") { [unowned self] arguments, _ in try self.changed(arguments) })
        default: nil
        }
    }

    private func cycle(_ arguments: Arguments) throws -> Object {
        guard !arguments.positional.isEmpty else { throw Failure("loop.cycle() needs at least one value") }
        return arguments.positional[index % arguments.positional.count]
    }

    private func changed(_ arguments: Arguments) throws -> Object {
        if let last = lastChecked, try Object.areEqual(last, arguments.positional) { return .bool(false) }
        lastChecked = arguments.positional
        return .bool(true)
    }

    func call(_ arguments: Arguments, in evaluator: Evaluator) throws -> Object {
        guard let recursion else {
            throw Failure("this loop is not recursive", hint: "write '{% for … in … recursive %}'")
        }
        guard let items = arguments.positional.first else { throw Failure("loop() needs the items to go over") }
        return try recursion(items)
    }
}

/// A macro together with the variables that it sees.
final class Macro: Instance {
    private let definition: MacroDefinition
    private let frame: Frame

    init(_ definition: MacroDefinition, frame: Frame) {
        self.definition = definition
        self.frame = frame
    }

    var typeName: String { "the macro '\(definition.name)'" }

    func attribute(_ name: String) -> Object? {
        switch name {
        case "name": .string(definition.name)
        case "arguments": .tuple(definition.signature.names.map { .string($0) })
        case "catch_kwargs": .bool(definition.usesKeywordArguments)
        case "catch_varargs": .bool(definition.usesVariableArguments)
        case "caller": .bool(definition.usesCaller)
        default: nil
        }
    }

    func call(_ arguments: Arguments, in evaluator: Evaluator) throws -> Object {
        try evaluator.descend {
            try evaluator.inNewFrame(frame) {
                try bind(arguments, evaluator)
                return try evaluator.render(definition.body)
            }
        }
    }

    private func bind(_ arguments: Arguments, _ evaluator: Evaluator) throws {
        let names = definition.signature.names
        let defaults = definition.signature.defaults
        var keywords = arguments.keywords
        for (index, name) in names.enumerated() {
            let keyword = keywords.firstIndex { $0.name == name }
            if index < arguments.positional.count {
                guard keyword == nil else { throw Failure("\(typeName) got '\(name)' twice") }
                evaluator.frame[name] = arguments.positional[index]
            } else if let keyword {
                evaluator.frame[name] = keywords.remove(at: keyword).value
            } else if index >= names.count - defaults.count {
                evaluator.frame[name] = try evaluator.evaluate(defaults[index - (names.count - defaults.count)])
            } else {
                evaluator.frame[name] = .undefined(
                    Undefined(name: name, message: "\(typeName) was called without its parameter '\(name)'"))
            }
        }
        let rest = Array(arguments.positional.dropFirst(names.count))
        if definition.usesVariableArguments {
            evaluator.frame["varargs"] = .tuple(rest)
        } else if !rest.isEmpty {
            throw Failure("\(typeName) takes no more than \(names.count) arguments")
        }
        if definition.usesCaller {
            let index = keywords.firstIndex { $0.name == "caller" }
            evaluator.frame["caller"] =
                index.map { keywords.remove(at: $0).value }
                ?? .undefined(Undefined(name: "caller", message: "no caller is defined", hint: "use '{% call %}'"))
        }
        if definition.usesKeywordArguments {
            evaluator.frame["kwargs"] = .dict(DictBox(keywords.dictionary))
        } else if let extra = keywords.first {
            throw Failure(
                extra.name == "caller"
                    ? "\(typeName) does not use a caller" : "\(typeName) has no parameter '\(extra.name)'")
        }
    }
}
