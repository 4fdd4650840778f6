import LabCore
import LabModel
import LabModules

extension ModuleRegistry: ModuleCatalog {
    /// The signature by which the loaders check tasks.
    package func specification(named name: String) -> ModuleSignature? {
        guard let specification = self[name]?.specification else { return nil }
        return ModuleSignature(
            specification.name,
            parameters: specification.parameters.map { parameter in
                ModuleSignature.Parameter(
                    parameter.name, aliases: parameter.aliases, required: parameter.isRequired,
                    choices: parameter.choices)
            }, takesFreeForm: specification.takesFreeForm, takesAnyParameter: specification.takesAnyParameter)
    }

    package func mistake(in argument: SourceValue.Entry, ofModule name: String) -> Diagnostic? {
        self[name]?.specification.mismatch(of: argument)
    }
}
