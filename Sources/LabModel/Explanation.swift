import LabCore

/// Where a variable of a host comes from: what `labctl explain` shows.
package struct Explanation: Sendable {
    /// One definition of the variable.
    package struct Definition: Sendable {
        package let origin: Origin
        /// As it is written, with its templates.
        package let raw: Value
    }

    package let name: String
    package let host: String
    /// The definition that counts.
    package let winner: Definition
    /// The value, rendered; nil when it cannot be.
    package let value: Value?
    /// Why the value cannot be rendered.
    package let failure: [Diagnostic]
    /// Definitions that do not count, the nearest first.
    package let shadowed: [Definition]

    /// Explains a variable.
    ///
    /// - Throws: `InputError` when the host has no such variable, with the nearest name.
    package init(_ name: String, host: String, scope: VariableScope) throws(InputError) {
        self.name = name
        self.host = host
        let definitions = scope.layers.definitions(of: name).map { Definition(origin: $0.origin, raw: $0.raw) }
        do {
            value = try scope.variable(name)
            failure = []
        } catch {
            value = nil
            failure = (error as? any DiagnosticError)?.diagnostics ?? [Diagnostic("\(error)")]
        }
        if MagicVariables.names.contains(name), let value {
            winner = Definition(origin: Origin(.magic), raw: value)
            shadowed = definitions
            return
        }
        guard let first = definitions.first else {
            throw InputError(
                "\(host) has no variable '\(name)'",
                hint: nearestName(to: name, among: scope.names).map { "did you mean '\($0)'?" })
        }
        winner = first
        shadowed = Array(definitions.dropFirst())
    }
}
