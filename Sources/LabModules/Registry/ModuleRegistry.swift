import LabCore

/// All modules that a run knows, by short name and by fully qualified name.
package struct ModuleRegistry: Sendable {
    private var modules: [String: any Module] = [:]
    /// Every accepted name, short ones first.
    package private(set) var names: [String] = []

    package init(_ modules: [any Module]) {
        for module in modules { register(module) }
    }

    /// The modules of `ansible.builtin` that labctl has.
    ///
    /// - Parameter environment: of this process, for proxies.
    package static func builtIn(environment: [String: String]) -> ModuleRegistry {
        ModuleRegistry([
            CommandModule(.command), CommandModule(.shell), CommandModule(.raw), CopyModule(), FileModule(),
            TemplateModule(), StatModule(), LineInFileModule(), BlockInFileModule(), ReplaceModule(),
            SlurpModule(), FetchModule(), TempfileModule(), WaitForModule(), GetURLModule(environment: environment),
            DebugModule(), AssertModule(), FailModule(), SetFactModule(), PingModule(), PauseModule(), MetaModule(),
            IncludeVarsModule(),
        ])
    }

    /// Adds a module under its fully qualified name and, unless another has it, its short name.
    package mutating func register(_ module: some Module) {
        let specification = module.specification
        let short = specification.shortName
        var keys = [specification.name]
        if specification.name.hasPrefix("ansible.builtin.") { keys.append("ansible.legacy." + short) }
        if modules[short] == nil {
            keys.append(short)
            names.insert(short, at: names.firstIndex { $0.contains(".") } ?? names.endIndex)
        }
        for key in keys { modules[key] = module }
        names.append(specification.name)
    }

    package subscript(name: String) -> (any Module)? { modules[name] }

    /// All specifications, one per module.
    package var specifications: [ModuleSpecification] {
        names.filter { $0.contains(".") }.compactMap { modules[$0]?.specification }
    }

    /// The module with that name.
    ///
    /// - Throws: `ModuleError` with the nearest name when there is none.
    package func module(named name: String, span: SourceSpan? = nil) throws(ModuleError) -> any Module {
        if let module = modules[name] { return module }
        throw ModuleError([unknownModule(name, span: span)], failureClass: .input)
    }

    /// What is told about a module that labctl does not have.
    package func unknownModule(_ name: String, span: SourceSpan?) -> Diagnostic {
        let short = name.split(separator: ".").last.map(String.init) ?? name
        let near = nearestName(to: name, among: names) ?? nearestName(to: short, among: names)
        return Diagnostic(
            "there is no module '\(name)'", span: span,
            hint: near.map { "did you mean '\($0)'?" }
                ?? "labctl has: \(names.filter { !$0.contains(".") }.sorted().joined(separator: ", "))")
    }

    /// The use of a module with rendered arguments.
    ///
    /// - Throws: `ModuleError` when the arguments do not fit the module.
    package func call(
        _ module: any Module, arguments: ValueMap, freeForm: String? = nil, source: SourceValue, span: SourceSpan?
    ) throws(ModuleError) -> ModuleCall {
        let converted = try module.specification.convert(arguments, source: source, span: span)
        return ModuleCall(arguments: converted, freeForm: freeForm, source: source, span: span)
    }
}
