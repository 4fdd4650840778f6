import LabCore
import LabTemplate

/// Reads lists of tasks.
struct TaskReader {
    let environment: LoadEnvironment
    var collector = DiagnosticCollector()
    /// Roles that tasks import: the whole play sees their variables.
    var importedRoles: [Role] = []
    /// Handlers of imported roles.
    var handlers: [TaskNode] = []
    /// Tasks of files that are included with a constant name, read for their mistakes.
    var includedNodes: [TaskNode] = []

    init(environment: LoadEnvironment) { self.environment = environment }

    /// The tasks of a file.
    mutating func file(_ context: TaskContext) -> [TaskNode] {
        guard let document = collector.attempt({ try environment.document(context.path) }) else { return [] }
        if document.isNull { return [] }
        guard document.list != nil else {
            let isPlay = document["hosts"] != nil
            collector.report(
                "a file of tasks is a list, not \(document.typeName)", span: document.span,
                hint: isPlay ? "this looks like a play" : "begin each task with '- '")
            return []
        }
        return list(document, context)
    }

    /// The tasks of a list.
    mutating func list(_ source: SourceValue, _ context: TaskContext) -> [TaskNode] {
        if source.isNull { return [] }
        guard let items = source.list else {
            collector.report("expected a list of tasks, not \(source.typeName)", span: source.span)
            return []
        }
        return items.flatMap { node($0, context) }
    }

    private mutating func node(_ source: SourceValue, _ context: TaskContext) -> [TaskNode] {
        if source.isNull { return [] }
        guard let entries = source.entries else {
            let hint = source.string.map { "write '- \($0):' and the arguments below" }
            collector.report("a task is a map, not \(source.typeName)", span: source.span, hint: hint)
            return []
        }
        if entries.contains(where: { $0.key == "block" }) { return block(source, entries, context) }
        if let stray = entries.first(where: { $0.key == "rescue" || $0.key == "always" }) {
            collector.report("'\(stray.key)' without 'block'", span: stray.keySpan)
            return []
        }
        if entries.contains(where: { $0.key == "hosts" }),
            entries.contains(where: { $0.key == "tasks" || $0.key == "roles" })
        {
            collector.report(
                "this is a play, and a list of tasks has no plays", span: source.span,
                hint: "run the file with 'labctl play'")
            return []
        }
        return task(source, entries, context)
    }

    private mutating func block(
        _ source: SourceValue, _ entries: [SourceValue.Entry], _ context: TaskContext
    ) -> [TaskNode] {
        var reader = DirectivesReader(level: .blockVars)
        for entry in entries where !reader.read(entry) {
            if !Keywords.block.contains(entry.key) {
                let what =
                    Keywords.task.contains(entry.key) || environment.signature(entry.key) != nil
                    ? "a block has no '\(entry.key)'" : "unknown keyword '\(entry.key)' of a block"
                collector.report(
                    what, span: entry.keySpan,
                    hint: nearestName(to: entry.key, among: Keywords.block.sorted()).map { "did you mean '\($0)'?" }
                        ?? "put it into the tasks of the block")
            }
        }
        collector.add(reader.collector.diagnostics)
        for entry in entries where !["block", "rescue", "always"].contains(entry.key) {
            collector.add(Template.check(entry.value))
        }
        var inner = context
        inner.directives = reader.directives.inside(context.directives)
        if context.isHandlers {
            collector.report("handlers have no blocks", span: source.span)
            return []
        }
        return [
            .block(
                Block(
                    name: source["name"], tasks: list(source["block"] ?? SourceValue(.null, span: nil), inner),
                    rescue: list(source["rescue"] ?? SourceValue(.null, span: nil), inner),
                    always: list(source["always"] ?? SourceValue(.null, span: nil), inner), span: source.span))
        ]
    }
}

extension LoadEnvironment {
    /// The signature of a module; those that the model knows itself are among them.
    func signature(_ name: String) -> ModuleSignature? {
        CoreModule.signature(name) ?? catalog.specification(named: name)
    }

    /// All names that a task may call.
    var moduleNames: [String] { catalog.names + CoreModule.shortNames }
}

extension CoreModule {
    static let shortNames = ["include_tasks", "import_tasks", "include_role", "import_role", "meta"]

    private static let roleParameters = [
        ModuleSignature.Parameter("name", aliases: ["role"], required: true), ModuleSignature.Parameter("tasks_from"),
        ModuleSignature.Parameter("vars_from"), ModuleSignature.Parameter("defaults_from"),
        ModuleSignature.Parameter("handlers_from"), ModuleSignature.Parameter("allow_duplicates"),
        ModuleSignature.Parameter("public"), ModuleSignature.Parameter("rolespec_validate"),
    ]

    static func signature(_ name: String) -> ModuleSignature? {
        var short = name
        for prefix in ["ansible.builtin.", "ansible.legacy."] where name.hasPrefix(prefix) {
            short = String(name.dropFirst(prefix.count))
        }
        let canonical = "ansible.builtin.\(short)"
        let apply = ModuleSignature.Parameter("apply")
        switch short {
        case "include_tasks":
            return ModuleSignature(
                canonical, parameters: [ModuleSignature.Parameter("file"), apply], takesFreeForm: true)
        case "import_tasks":
            return ModuleSignature(canonical, parameters: [ModuleSignature.Parameter("file")], takesFreeForm: true)
        case "include_role": return ModuleSignature(canonical, parameters: roleParameters + [apply])
        case "import_role": return ModuleSignature(canonical, parameters: roleParameters)
        case "meta": return ModuleSignature(canonical, takesFreeForm: true)
        default: return nil
        }
    }
}
