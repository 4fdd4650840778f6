import LabCore
import OrderedCollections

/// Runs one template once.
final class Evaluator {
    let scope: any TemplateScope
    let source: [UInt8]
    var frame = Frame(parent: nil)
    private var variables: [String: Object?] = [:]
    private var depth = 0
    private var iterations = 0

    init(scope: any TemplateScope, source: [UInt8]) {
        self.scope = scope
        self.source = source
    }

    /// The text of a stretch of the template when it is short enough to be shown in a message.
    func excerpt(_ range: Range<Int>) -> String? {
        guard range.count <= 60, range.upperBound <= source.count else { return nil }
        let bytes = source[range]
        return bytes.contains(0x0A) ? nil : String(decoding: bytes, as: UTF8.self)
    }

    func countIteration() throws {
        iterations += 1
        guard iterations <= Limits.iterations else {
            throw Failure("the loops of this template made more than \(Limits.iterations) passes")
        }
    }

    /// Counts one level of recursion; `leave` ends it.
    func enter() throws {
        guard depth < Limits.depth else {
            throw Failure("the template is nested too deeply", hint: "does a macro call itself without an end?")
        }
        depth += 1
    }

    func leave() { depth -= 1 }

    func descend<Result>(_ body: () throws -> Result) throws -> Result {
        try enter()
        defer { leave() }
        return try body()
    }

    /// A local variable, else one of the scope, else one of the language's own names.
    func variable(_ name: String) throws -> Object? {
        if let local = frame[name] { return local }
        return try outerVariable(name) ?? Globals.object(named: name)
    }

    func outerVariable(_ name: String) throws -> Object? {
        if let known = variables[name] { return known }
        let value: Object?
        do {
            value = try scope.variable(name).map { Object($0) }
        } catch let error as TemplateError {
            // As in Ansible, a variable whose template misses another one is undefined itself.
            guard case .undefined(let missing) = error.kind else { throw error }
            value = .undefined(Undefined(name: missing, message: error.diagnostic.message, cause: error))
        }
        variables[name] = .some(value)
        return value
    }

    func undefined(_ name: String, at range: Range<Int>) -> Undefined {
        Undefined(
            name: name, message: "'\(name)' is undefined",
            hint: Self.isFact(name)
                ? "labctl gathers no facts: ask with a command and 'register', or set the variable"
                : suggestion(for: name, among: self.frame.names + self.scope.names + Globals.names), range: range)
    }

    /// Whether Ansible's `setup` is where the name would come from (ansible.module_utils.facts).
    private static func isFact(_ name: String) -> Bool {
        guard name.hasPrefix("ansible_") else { return false }
        let fact = name.dropFirst("ansible_".count)
        return ["distribution", "processor", "memory_", "memtotal", "date_time", "default_ipv", "all_ipv", "os_family"]
            .contains { fact.hasPrefix($0) }
            || [
                "facts", "architecture", "hostname", "fqdn", "domain", "nodename", "kernel", "machine", "system",
                "interfaces", "env", "pkg_mgr", "service_mgr", "user_id", "user_dir", "virtualization_type",
                "python_version", "lsb", "mounts", "devices",
            ].contains(fact)
    }

    /// Runs a body with variables of its own.
    func inNewFrame<Result>(_ parent: Frame? = nil, _ body: () throws -> Result) throws -> Result {
        let outer = frame
        frame = Frame(parent: parent ?? outer)
        defer { frame = outer }
        return try body()
    }

    /// What a body writes.
    func render(_ body: [Statement]) throws -> Object {
        var output = Output()
        try execute(body, into: &output)
        return output.result
    }

    func execute(_ body: [Statement], into output: inout Output) throws {
        for statement in body { try execute(statement, into: &output) }
    }

    private func execute(_ statement: Statement, into output: inout Output) throws {
        switch statement {
        case .text(let text): try output.append(text: text)
        case .output(let expression): try write(expression, into: &output)
        case .condition(let branches, let otherwise):
            for branch in branches where try truth(of: branch.test) {
                return try execute(branch.body, into: &output)
            }
            try execute(otherwise, into: &output)
        case .loop(let loop):
            try run(loop, over: try evaluate(loop.iterable), depth: 0, parent: frame, into: &output)
        case .set(let target, let expression): try assign(try evaluate(expression), to: target, at: expression.range)
        case .setBlock(let target, let filters, let body):
            let content = try inNewFrame { try render(body) }
            try assign(try apply(filters, to: content), to: target, at: nil)
        case .macro(let definition): frame[definition.name] = .instance(Macro(definition, frame: frame))
        case .call(let call, let caller): try write(call, caller: Macro(caller, frame: frame), into: &output)
        case .with(let assignments, let body):
            let values = try assignments.map { try evaluate($0.1) }
            try inNewFrame {
                for (assignment, value) in zip(assignments, values) {
                    try assign(value, to: assignment.0, at: assignment.1.range)
                }
                try execute(body, into: &output)
            }
        case .filter(let filters, let body):
            let content = try inNewFrame { try render(body) }
            try output.append(try apply(filters, to: content.isNull ? .string("") : content))
        case .scope(let body): try inNewFrame { try execute(body, into: &output) }
        }
    }

    private func write(_ expression: Expression, caller: Macro? = nil, into output: inout Output) throws {
        let value: Object
        if let caller, case .call(let callee, let arguments) = expression.kind {
            value = try located(expression) { try call(callee, arguments, caller: caller) }
        } else {
            value = try evaluate(expression)
        }
        try located(expression) { try output.append(value) }
    }

    private func apply(_ filters: [FilterUse], to content: Object) throws -> Object {
        try filters.reduce(content) { try filter($0, $1) }
    }

    func truth(of expression: Expression) throws -> Bool {
        let value = try evaluate(expression)
        return try located(expression) { try value.isTrue() }
    }

    /// Gives the expression's place to failures that have none yet.
    func located<Result>(_ expression: Expression, _ body: () throws -> Result) throws -> Result {
        try located(expression.range, body)
    }

    func located<Result>(_ range: Range<Int>, _ body: () throws -> Result) throws -> Result {
        do { return try body() } catch { throw place(error, at: range) }
    }

    /// An error with a place, if it has none yet.
    func place(_ error: any Error, at range: Range<Int>) -> Failure {
        var failure = error as? Failure ?? Failure(passingOn: error)
        if failure.range == nil { failure.range = range }
        return failure
    }

    // MARK: Assignments

    func assign(_ value: Object, to target: Target, at range: Range<Int>?) throws {
        switch target {
        case .name(let name): frame[name] = value
        case .attribute(let name, let attribute):
            guard case .instance(let instance)? = try variable(name) else {
                throw Failure(
                    "cannot assign '\(name).\(attribute)'",
                    hint: "only attributes of namespace() objects can be assigned", range: range)
            }
            try instance.setAttribute(attribute, value)
        case .tuple(let targets):
            let items: [Object]
            do { items = try value.elements() } catch var failure as Failure {
                failure.range = failure.range ?? range
                throw failure
            }
            guard items.count == targets.count else {
                throw Failure(
                    "cannot unpack \(items.count) values into \(targets.count) names", range: range)
            }
            for (target, item) in zip(targets, items) { try assign(item, to: target, at: range) }
        }
    }

    // MARK: Loops

    /// - Parameter parent: the frame that the loop stands in.
    func run(_ loop: ForLoop, over iterable: Object, depth: Int, parent: Frame, into output: inout Output) throws {
        try descend {
            let items = try located(loop.iterable) { try selected(loop, iterable, parent) }
            let state = LoopState(items: items, depth: depth)
            if loop.isRecursive {
                state.recursion = { [unowned self] inner in
                    var output = Output()
                    try self.run(loop, over: inner, depth: depth + 1, parent: parent, into: &output)
                    return output.result
                }
            }
            for index in items.indices {
                try countIteration()
                state.index = index
                try inNewFrame(parent) {
                    frame["loop"] = .instance(state)
                    try assign(items[index], to: loop.target, at: loop.iterable.range)
                    try execute(loop.body, into: &output)
                }
            }
            if items.isEmpty { try inNewFrame(parent) { try execute(loop.otherwise, into: &output) } }
        }
    }

    private func selected(_ loop: ForLoop, _ iterable: Object, _ parent: Frame) throws -> [Object] {
        let items = try iterable.elements()
        guard let condition = loop.condition else { return items }
        return try items.filter { item in
            try countIteration()
            return try inNewFrame(parent) {
                try assign(item, to: loop.target, at: loop.iterable.range)
                return try truth(of: condition)
            }
        }
    }
}
