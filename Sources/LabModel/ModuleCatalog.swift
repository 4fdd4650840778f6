import LabCore

/// What the loaders have to know of the modules so that a mistake in a task is found before anything runs. The caller
/// gives it: the model does not know the modules themselves.
package protocol ModuleCatalog: Sendable {
    /// The signature of the module with this short or fully qualified name, or nil.
    func specification(named name: String) -> ModuleSignature?
    /// All names that `specification(named:)` knows, for "did you mean".
    var names: [String] { get }
    /// What is wrong with a constant argument, told at its place: a text where a boolean must be; nil when nothing is, and
    /// for names that the module does not have.
    func mistake(in argument: SourceValue.Entry, ofModule name: String) -> Diagnostic?
}

extension ModuleCatalog {
    package func mistake(in argument: SourceValue.Entry, ofModule name: String) -> Diagnostic? { nil }
}

/// A module's name and parameters.
package struct ModuleSignature: Sendable {
    /// One parameter as tasks write it: its names, and which values it may have.
    package struct Parameter: Sendable {
        package var name: String
        package var aliases: [String]
        package var isRequired: Bool
        /// The values that the parameter may have; empty when any.
        package var choices: [String]

        package init(_ name: String, aliases: [String] = [], required: Bool = false, choices: [String] = []) {
            self.name = name
            self.aliases = aliases
            self.isRequired = required
            self.choices = choices
        }
    }

    /// The fully qualified name: `ansible.builtin.copy`.
    package var canonicalName: String
    package var parameters: [Parameter]
    /// Whether the module takes a text (`command: ls -l`).
    package var takesFreeForm: Bool
    /// Whether the module takes any parameter (`set_fact`).
    package var takesAnyParameter: Bool

    package init(
        _ canonicalName: String, parameters: [Parameter] = [], takesFreeForm: Bool = false,
        takesAnyParameter: Bool = false
    ) {
        self.canonicalName = canonicalName
        self.parameters = parameters
        self.takesFreeForm = takesFreeForm
        self.takesAnyParameter = takesAnyParameter
    }
}
