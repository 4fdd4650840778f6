import LabCore
import LabModel

/// Finds variables of the command line that are most likely misspelt: no role knows the name, and one knows a near one.
///
/// Ansible takes such a variable without a word, and nothing changes. Only names near those of an `argument_specs.yml`,
/// which is meant to list all of a role's, are spoken of: elsewhere a name that nothing lists may well be used.
struct VariableCheck {
    private var described: Set<String> = []
    private var known: Set<String> = []

    init(plays: [LabModel.Play], inventory: Inventory) {
        for role in plays.flatMap(\.roles).flatMap(\.withDependencies) {
            for option in role.argumentSpecification?.options ?? [] {
                described.formUnion([option.name] + option.aliases)
            }
            for layer in role.context.defaults + role.context.variables { known.formUnion(layer.variables.keys) }
        }
        for host in inventory.hosts.keys {
            for layer in inventory.layers(forHost: host) { known.formUnion(layer.variables.keys) }
        }
        known.formUnion(described)
    }

    /// A warning for each of the layer's variables that is misspelt.
    func warnings(for layer: VariableLayer) -> [Diagnostic] {
        layer.variables.compactMap { name, variable in
            guard !known.contains(name), let near = nearestName(to: name, among: described.sorted()) else { return nil }
            return Diagnostic(
                "no role knows the variable '\(name)'", span: variable.origin.span, hint: "did you mean '\(near)'?",
                severity: .warning)
        }
    }
}
