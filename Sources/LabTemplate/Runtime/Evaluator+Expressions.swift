import LabCore
import OrderedCollections

extension Evaluator {
    func evaluate(_ expression: Expression) throws -> Object {
        // Leaves first: they are the most, and cannot nest.
        switch expression.kind {
        case .constant(let value): return Object(value)
        case .name(let name):
            let value = try located(expression) { try variable(name) }
            guard let value else { return .undefined(undefined(name, at: expression.range)) }
            if case .undefined(var undefined) = value, undefined.range == nil {
                undefined.range = expression.range
                return .undefined(undefined)
            }
            return value
        default: break
        }
        do {
            try enter()
            defer { leave() }
            return try compound(expression)
        } catch {
            throw place(error, at: expression.range)
        }
    }

    private func compound(_ expression: Expression) throws -> Object {
        switch expression.kind {
        case .constant, .name: return try evaluate(expression)
        case .embedded(let text): return Object(try Template.parse(text).render(scope))
        case .list(let items): return .list(try evaluated(items))
        case .tuple(let items): return .tuple(try evaluated(items))
        case .dict(let entries): return try dict(entries)
        case .attribute(let base, let name): return try attribute(name, expression, base)
        case .item(let base, let key): return try item(key, expression, base)
        case .slice(let base, let start, let stop, let step): return try slice(base, start, stop, step)
        case .call(let callee, let arguments): return try call(callee, arguments)
        case .filter(let input, let use): return try filter(try evaluate(input), use)
        case .test(let subject, let use): return .bool(try test(try evaluate(subject), use))
        case .negate(let operand): return try Operators.negate(try evaluate(operand))
        case .plus(let operand): return try Operators.plus(try evaluate(operand))
        case .binary(let op, let left, let right): return try binary(op, left, right)
        case .concatenation(let parts): return try concatenation(parts)
        case .comparison(let first, let operands): return .bool(try compare(first, operands))
        case .not(let operand): return .bool(!(try truth(of: operand)))
        case .and(let left, let right): return try logical(left, right, isAnd: true)
        case .or(let left, let right): return try logical(left, right, isAnd: false)
        case .conditional(let test, let then, let otherwise):
            return try conditional(test, then, otherwise, expression.range)
        }
    }

    // Each kind has a function of its own, which keeps the stack of the recursion small.

    private func evaluated(_ items: [Expression]) throws -> [Object] {
        var result: [Object] = []
        result.reserveCapacity(items.count)
        for item in items { result.append(try evaluate(item)) }
        return result
    }

    private func binary(_ op: BinaryOperator, _ left: Expression, _ right: Expression) throws -> Object {
        let left = try evaluate(left)
        return try Operators.apply(op, left, try evaluate(right))
    }

    private func concatenation(_ parts: [Expression]) throws -> Object {
        var result = ""
        for part in parts { result += try text(of: part) }
        return .string(result)
    }

    private func logical(_ left: Expression, _ right: Expression, isAnd: Bool) throws -> Object {
        let value = try evaluate(left)
        return try located(left) { try value.isTrue() } == isAnd ? try evaluate(right) : value
    }

    private func conditional(
        _ test: Expression, _ then: Expression, _ otherwise: Expression?, _ range: Range<Int>
    ) throws -> Object {
        if try truth(of: test) { return try evaluate(then) }
        if let otherwise { return try evaluate(otherwise) }
        return .undefined(
            Undefined(
                message: "the condition is false and there is no 'else'", hint: "add an 'else' with the other value",
                range: range, isLenient: true))
    }

    private func text(of expression: Expression) throws -> String {
        let value = try evaluate(expression)
        return try located(expression) { try value.text() }
    }

    private func dict(_ entries: [(key: Expression, value: Expression)]) throws -> Object {
        var result = OrderedDictionary<DictKey, Object>(minimumCapacity: entries.count)
        for (key, value) in entries {
            let object = try evaluate(key)
            if case .undefined(let undefined) = object { throw undefined.failure }
            guard let key = DictKey(object) else {
                throw Failure("\(object.typeName) cannot be a key of a map", range: key.range)
            }
            result[key] = try evaluate(value)
        }
        return .dict(DictBox(result))
    }

    private func compare(_ first: Expression, _ operands: [(Comparison, Expression)]) throws -> Bool {
        var left = try evaluate(first)
        for (comparison, expression) in operands {
            let right = try evaluate(expression)
            guard try Operators.compare(comparison, left, right) else { return false }
            left = right
        }
        return true
    }

    // MARK: Attributes and items

    /// Methods first, then items, as in jinja2's getattr.
    private func attribute(_ name: String, _ expression: Expression, _ base: Expression) throws -> Object {
        let object = try evaluate(base)
        if case .undefined(let undefined) = object { return .undefined(undefined.strict) }
        if let method = try Methods.attribute(name, of: object) { return method }
        if case .dict(let dict) = object, let value = dict[name] { return value }
        return .undefined(missing(name, in: object, expression, base))
    }

    /// Items first, then methods, as in jinja2's getitem.
    private func item(_ key: Expression, _ expression: Expression, _ base: Expression) throws -> Object {
        let object = try evaluate(base)
        let key = try evaluate(key)
        if case .undefined(let undefined) = object { return .undefined(undefined.strict) }
        if case .undefined = key { return key }
        if let value = try item(key, of: object) { return value }
        if case .string(let name) = key, let method = try Methods.attribute(name, of: object) { return method }
        return .undefined(missing(try key.text(), in: object, expression, base))
    }

    /// The item of a list or a map, without any place; nil when there is none.
    func item(_ key: Object, of object: Object) throws -> Object? {
        switch object {
        case .dict(let dict): return DictKey(key).flatMap { dict[$0] }
        case .list(let list):
            guard let index = key.int else { return nil }
            let position = index < 0 ? index + list.count : index
            return (0..<list.count).contains(position) ? list.items[position] : nil
        case .tuple(let tuple):
            guard let index = key.int else { return nil }
            let position = index < 0 ? index + tuple.items.count : index
            return tuple.items.indices.contains(position) ? tuple.items[position] : nil
        case .range(let range):
            guard let index = key.int else { return nil }
            let position = index < 0 ? index + range.count : index
            return (0..<range.count).contains(position) ? .int(range[position]) : nil
        case .string(let text):
            guard let index = key.int else { return nil }
            let scalars = text.unicodeScalars
            let position = index < 0 ? index + scalars.count : index
            guard (0..<scalars.count).contains(position) else { return nil }
            return .string(String(scalars[scalars.index(scalars.startIndex, offsetBy: position)]))
        default: return nil
        }
    }

    private func missing(_ name: String, in object: Object, _ expression: Expression, _ base: Expression) -> Undefined {
        let owner = excerpt(base.range).map { "'\($0)'" } ?? object.typeName
        var message = "\(owner) has no '\(name)'"
        switch object {
        case .dict: break
        case .list, .tuple:
            if let count = try? object.length(), Int(name) != nil {
                message = "\(owner) has no item \(name): it has \(count) item\(count == 1 ? "" : "s")"
            } else {
                message += ": it is \(object.typeName)"
            }
        default: message += ": it is \(object.typeName)"
        }
        return Undefined(
            name: excerpt(expression.range) ?? name, message: message,
            hint: suggestion(for: name, among: object.keyTexts), range: expression.range)
    }

    /// Follows a dotted path (`attribute='spec.ports.0'`), as jinja2's make_attrgetter.
    func path(_ path: Object, in object: Object, default fallback: Object? = nil) throws -> Object {
        let parts: [Object] =
            switch path {
            case .null: []
            case .string(let text):
                text.split(separator: ".", omittingEmptySubsequences: false).map {
                    $0.utf8.allSatisfy(\.isDigit) && !$0.isEmpty ? .int(Int($0) ?? 0) : .string(String($0))
                }
            default: [path]
            }
        var current = object
        for part in parts {
            if case .undefined = current { return current }
            if let next = try item(part, of: current) {
                current = next
            } else if case .string(let name) = part, let method = try Methods.attribute(name, of: current) {
                current = method
            } else if let fallback {
                current = fallback
            } else {
                let name = try part.text()
                let owner = current
                return .undefined(
                    Undefined(
                        name: name, message: "\(owner.typeName) in the list has no '\(name)'",
                        hint: suggestion(for: name, among: owner.keyTexts)))
            }
        }
        return current
    }

    private func slice(_ base: Expression, _ start: Expression?, _ stop: Expression?, _ step: Expression?) throws
        -> Object
    {
        let object = try evaluate(base)
        return try slice(object, try start.map(evaluate), try stop.map(evaluate), try step.map(evaluate))
    }

    private func slice(_ object: Object, _ start: Object?, _ stop: Object?, _ step: Object?) throws -> Object {
        if case .undefined(let undefined) = object { return .undefined(undefined.strict) }
        func bound(_ value: Object?) throws -> Int? {
            guard let value, !value.isNull else { return nil }
            if case .undefined(let undefined) = value { throw undefined.failure }
            guard let int = value.int else { throw Failure("a slice needs integers, not \(value.typeName)") }
            return int
        }
        let (start, stop, step) = (try bound(start), try bound(stop), try bound(step))
        func indices(_ count: Int) throws -> [Int] {
            try Python.slice(count: count, start: start, stop: stop, step: step)
        }
        switch object {
        case .list(let list):
            let items = list.items
            return .list(try indices(items.count).map { items[$0] })
        case .tuple(let tuple): return .tuple(try indices(tuple.items.count).map { tuple.items[$0] })
        case .string(let text):
            let scalars = Array(text.unicodeScalars)
            var result = String.UnicodeScalarView()
            for index in try indices(scalars.count) { result.append(scalars[index]) }
            return .string(String(result))
        case .range:
            let items = try object.elements()
            return .list(try indices(items.count).map { items[$0] })
        default: throw Failure("\(object.typeName) cannot be sliced")
        }
    }

    // MARK: Calls

    func arguments(_ arguments: CallArguments) throws -> Arguments {
        var result = Arguments()
        result.positional = try arguments.positional.map(evaluate)
        if let spread = arguments.spread {
            result.positional += try located(spread) { try evaluate(spread).elements() }
        }
        result.keywords = try arguments.keywords.map { ($0.name, try evaluate($0.value)) }
        if let spread = arguments.spreadKeywords {
            guard case .dict(let dict) = try evaluate(spread) else {
                throw Failure("'**' needs a map", range: spread.range)
            }
            for (key, value) in dict.entries {
                guard case .string(let name) = key else {
                    throw Failure("'**' needs a map with strings as keys", range: spread.range)
                }
                result.keywords.append((name, value))
            }
        }
        return result
    }

    func call(_ callee: Expression, _ arguments: CallArguments, caller: Macro? = nil) throws -> Object {
        let function = try evaluate(callee)
        var evaluated = try self.arguments(arguments)
        switch function {
        case .instance(let instance):
            if !(instance is Macro), let undefined = evaluated.firstUndefined, !Globals.takesUndefined(instance) {
                return undefined
            }
            if let caller { evaluated.keywords.append(("caller", .instance(caller))) }
            return try instance.call(evaluated, in: self)
        case .undefined(var undefined):
            if case .name(let name) = callee.kind, Registry.filter(named: name) != nil {
                undefined.hint = { "'\(name)' is a filter: write '… | \(name)'" }
            }
            throw undefined.failure
        default:
            throw Failure(
                "\(excerpt(callee.range).map { "'\($0)'" } ?? "this") cannot be called: it is \(function.typeName)")
        }
    }

    func filter(_ input: Object, _ use: FilterUse) throws -> Object {
        guard let filter = Registry.filter(named: use.name) else {
            throw Registry.unknownFilter(use.name, at: use.nameRange)
        }
        let arguments = try self.arguments(use.arguments)
        return try located(use.nameRange) { try apply(filter, named: use.name, to: input, arguments) }
    }

    func test(_ subject: Object, _ use: FilterUse) throws -> Bool {
        guard let test = Registry.test(named: use.name) else { throw Registry.unknownTest(use.name, at: use.nameRange) }
        let arguments = try self.arguments(use.arguments)
        return try located(use.nameRange) { try apply(test, named: use.name, to: subject, arguments) }
    }

    func apply(_ filter: Filter, named name: String, to input: Object, _ arguments: Arguments) throws -> Object {
        if !filter.takesUndefined {
            if case .undefined = input { return input }
            if let undefined = arguments.firstUndefined { return undefined }
        }
        let result = try filter.body(
            try Call(
                "the filter '\(name)'", input: input, arguments, parameters: filter.parameters,
                required: filter.required, isVariadic: filter.isVariadic, evaluator: self))
        // What filters give is never lazy.
        if case .range = result { return .list(try result.elements()) }
        return result
    }

    func apply(_ test: Test, named name: String, to subject: Object, _ arguments: Arguments) throws -> Bool {
        if !test.takesUndefined {
            if case .undefined(let undefined) = subject { throw undefined.failure }
            if case .undefined(let undefined)? = arguments.firstUndefined { throw undefined.failure }
        }
        return try test.body(
            try Call(
                "the test '\(name)'", input: subject, arguments, parameters: test.parameters,
                required: test.required, isVariadic: test.isVariadic, evaluator: self))
    }

    /// Applies a filter by a name that is a value (`map('upper')`).
    func filter(named name: String, _ input: Object, _ arguments: Arguments) throws -> Object {
        guard let filter = Registry.filter(named: name) else { throw Registry.unknownFilter(name, at: nil) }
        return try apply(filter, named: name, to: input, arguments)
    }

    func test(named name: String, _ subject: Object, _ arguments: Arguments) throws -> Bool {
        guard let test = Registry.test(named: name) else { throw Registry.unknownTest(name, at: nil) }
        return try apply(test, named: name, to: subject, arguments)
    }
}
