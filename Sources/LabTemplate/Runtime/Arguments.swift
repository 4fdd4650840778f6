import LabCore
import OrderedCollections

/// The evaluated arguments of a call.
struct Arguments {
    var positional: [Object] = []
    var keywords: [(name: String, value: Object)] = []

    /// The first undefined one, which makes the result of most calls undefined too.
    var firstUndefined: Object? {
        positional.first(where: \.isUndefined) ?? keywords.first { $0.value.isUndefined }?.value
    }
}

extension [(name: String, value: Object)] {
    var dictionary: OrderedDictionary<DictKey, Object> {
        OrderedDictionary(map { (DictKey.string($0.name), $0.value) }, uniquingKeysWith: { $1 })
    }
}

/// A call of a filter, test, method or function with its arguments put to its parameters.
struct Call {
    /// As errors name it: `the filter 'join'`.
    let subject: String
    let input: Object
    let evaluator: Evaluator
    private let bound: [Object?]
    let rest: [Object]
    let extraKeywords: [(name: String, value: Object)]
    private let parameters: [String]

    /// - Throws: when there are too few or too many arguments, or one with an unknown name.
    init(
        _ subject: String, input: Object = .null, _ arguments: Arguments, parameters: [String], required: Int = 0,
        isVariadic: Bool = false, evaluator: Evaluator
    ) throws {
        self.subject = subject
        self.input = input
        self.evaluator = evaluator
        self.parameters = parameters
        guard isVariadic || arguments.positional.count <= parameters.count else {
            throw Failure(
                parameters.isEmpty
                    ? "\(subject) takes no arguments"
                    : "\(subject) takes at most \(parameters.count) argument\(parameters.count == 1 ? "" : "s")",
                hint: parameters.isEmpty ? nil : "its parameters are \(parameters.joined(separator: ", "))")
        }
        var bound = parameters.indices.map {
            arguments.positional.indices.contains($0) ? arguments.positional[$0] : nil
        }
        var extra: [(name: String, value: Object)] = []
        for (name, value) in arguments.keywords {
            if let index = parameters.firstIndex(of: name) {
                guard bound[index] == nil else { throw Failure("\(subject) got its argument '\(name)' twice") }
                bound[index] = value
            } else if isVariadic {
                extra.append((name, value))
            } else {
                throw Failure(
                    "\(subject) has no argument '\(name)'",
                    hint: parameters.isEmpty
                        ? nil
                        : suggestion(for: name, among: parameters)
                            ?? "its parameters are \(parameters.joined(separator: ", "))")
            }
        }
        for index in 0..<required where bound[index] == nil {
            throw Failure("\(subject) needs its argument '\(parameters[index])'")
        }
        self.bound = bound
        self.rest = Array(arguments.positional.dropFirst(parameters.count))
        self.extraKeywords = extra
    }

    var parameterCount: Int { parameters.count }

    /// The argument for a parameter, or nil when it was not given.
    subscript(index: Int) -> Object? { bound[index] }

    /// As the subscript, but none counts as not given.
    func given(_ index: Int) -> Object? {
        guard let value = bound[index], !value.isNull else { return nil }
        return value
    }

    private func wrong(_ index: Int, _ wanted: String, _ value: Object) -> Failure {
        Failure("the argument '\(parameters[index])' of \(subject) must be \(wanted), not \(value.typeName)")
    }

    func int(_ index: Int) throws -> Int? {
        guard let value = given(index) else { return nil }
        guard let int = value.int else { throw wrong(index, "an integer", value) }
        return int
    }

    func string(_ index: Int) throws -> String? {
        guard let value = given(index) else { return nil }
        guard let text = value.string else { throw wrong(index, "a string", value) }
        return text
    }

    func flag(_ index: Int) throws -> Bool { try given(index)?.isTrue() ?? false }

    /// The text of the input, of whatever type it is.
    func inputText() throws -> String { try input.text() }

    /// The input, which has to be a string.
    func inputString() throws -> String {
        guard let text = input.string else { throw Failure("\(subject) needs a string, not \(input.typeName)") }
        return text
    }

    func inputNumber() throws -> Double {
        guard let number = input.number else { throw Failure("\(subject) needs a number, not \(input.typeName)") }
        return number
    }

    func inputDict() throws -> DictBox {
        guard case .dict(let dict) = input else { throw Failure("\(subject) needs a map, not \(input.typeName)") }
        return dict
    }

    /// The items of the input, of anything that can be looped over.
    func items() throws -> [Object] {
        do {
            return try input.elements()
        } catch let failure as Failure {
            guard case .evaluation = failure.kind else { throw failure }
            if case .range = input { throw failure }
            throw Failure("\(subject) needs a list, not \(input.typeName)")
        }
    }

    /// Asks the program around the template for something.
    func service(_ request: TemplateService) throws -> Value {
        guard let value = try evaluator.scope.service(request) else {
            throw Failure("\(subject) is not available here")
        }
        return value
    }
}
