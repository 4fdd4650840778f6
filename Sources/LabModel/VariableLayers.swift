import LabCore
import OrderedCollections

/// A variable's definition at one level.
package struct Variable: Sendable {
    /// What a variable holds: a value as a file has it, a finished one, or one that is not known yet.
    package enum Content: Sendable {
        /// As a file has it: templates in it are rendered when the variable is used.
        case template(SourceValue)
        /// A finished value (a registered result, a fact): braces in it are text.
        case value(Value)
        /// What a task gives it is known when the run gets there, not before: using it throws `UnknownVariable`.
        case unknown
    }

    package let content: Content
    package let origin: Origin

    package init(_ content: Content, origin: Origin) {
        self.content = content
        self.origin = origin
    }

    /// The value as it is written, before any template in it is rendered.
    package var raw: Value {
        switch content {
        case .template(let source): source.value
        case .value(let value): value
        case .unknown: .null
        }
    }
}

/// A variable was used before the run, and only the run can say what it is.
package struct UnknownVariable: DiagnosticError {
    package let name: String

    package var diagnostics: [Diagnostic] { [Diagnostic("the variable '\(name)' is not known before the run")] }
    package var failureClass: FailureClass { .failed }
}

/// The variables that one place defines: a file, a `vars` keyword, the registered results of a host.
package struct VariableLayer: Sendable {
    package let level: Origin.Level
    package private(set) var variables: OrderedDictionary<String, Variable>

    package init(_ level: Origin.Level) {
        self.level = level
        self.variables = [:]
    }

    /// The entries of a map in a file; anything that is no map gives an empty layer.
    package init(_ level: Origin.Level, owner: String? = nil, map: SourceValue) {
        self.init(level)
        for entry in map.entries ?? [] {
            set(
                entry.key, .template(entry.value),
                origin: Origin(level, owner: owner, span: entry.keySpan ?? entry.value.span))
        }
    }

    /// Finished values.
    package init(_ level: Origin.Level, owner: String? = nil, values: ValueMap, span: SourceSpan? = nil) {
        self.init(level)
        for (name, value) in values { set(name, .value(value), origin: Origin(level, owner: owner, span: span)) }
    }

    package var isEmpty: Bool { variables.isEmpty }

    /// Defines or replaces a variable; it keeps its place in the order.
    package mutating func set(_ name: String, _ content: Variable.Content, origin: Origin) {
        variables[name] = Variable(content, origin: origin)
    }

    /// Defines or replaces a variable with a finished value: `register`, `set_fact`.
    package mutating func set(_ name: String, value: Value, span: SourceSpan? = nil) {
        set(name, .value(value), origin: Origin(level, span: span))
    }

    /// Takes a variable out; does nothing when there is none.
    package mutating func remove(_ name: String) { variables[name] = nil }

    /// Puts another layer's variables over this one's.
    package mutating func merge(_ other: VariableLayer) {
        variables.merge(other.variables) { _, new in new }
    }
}

/// All variables of a host at a task: layers in Ansible's order of precedence.
package struct VariableLayers: Sendable {
    /// Lowest precedence first.
    package private(set) var layers: [VariableLayer] = []

    package init() {}

    package init(_ layers: some Sequence<VariableLayer>) { add(layers) }

    /// Puts a layer above those of its level and of lower levels, and below those of higher levels.
    package mutating func add(_ layer: VariableLayer) {
        guard !layer.isEmpty else { return }
        var index = layers.count
        while index > 0, layers[index - 1].level > layer.level { index -= 1 }
        layers.insert(layer, at: index)
    }

    /// Adds several layers, in this order.
    package mutating func add(_ layers: some Sequence<VariableLayer>) {
        for layer in layers { add(layer) }
    }

    /// These layers with others added.
    package func adding(_ layers: some Sequence<VariableLayer>) -> VariableLayers {
        var result = self
        result.add(layers)
        return result
    }

    /// The definition that counts.
    package subscript(name: String) -> Variable? {
        for layer in layers.reversed() {
            if let variable = layer.variables[name] { return variable }
        }
        return nil
    }

    /// All definitions of a name: the one that counts first, then those that it shadows.
    package func definitions(of name: String) -> [Variable] {
        layers.reversed().compactMap { $0.variables[name] }
    }

    /// Every defined name once, in no particular order of precedence.
    package var names: OrderedSet<String> {
        var names: OrderedSet<String> = []
        for layer in layers { names.append(contentsOf: layer.variables.keys) }
        return names
    }
}
