import LabCore
import LabTemplate

/// Loads playbooks.
package struct PlaybookLoader: Sendable {
    private let environment: LoadEnvironment

    package init(environment: LoadEnvironment) { self.environment = environment }

    package init(catalog: any ModuleCatalog, finder: RoleFinder, extraVariables: [VariableLayer] = []) {
        self.init(
            environment: LoadEnvironment(catalog: catalog, roles: finder, extraVariables: extraVariables))
    }

    /// The plays of several playbooks, in order.
    ///
    /// - Throws: `InputError` with every mistake of all files.
    package func load(_ paths: [String]) throws(InputError) -> [Play] {
        var reader = PlaybookReader(environment: environment)
        let plays = paths.flatMap { reader.file($0, chain: [], outer: Directives()) }
        try reader.collector.throwIfAny()
        return plays
    }
}

/// Reads playbooks, gathering mistakes.
struct PlaybookReader {
    let environment: LoadEnvironment
    var collector = DiagnosticCollector()
    /// Tasks of files that are included with a constant name.
    var includedNodes: [TaskNode] = []

    init(environment: LoadEnvironment) { self.environment = environment }

    mutating func file(
        _ path: String, chain: [String], outer: Directives, variables: [VariableLayer] = []
    ) -> [Play] {
        guard let document = collector.attempt({ try environment.document(path) }) else { return [] }
        guard let items = document.list else {
            let what =
                document.isNull ? "the playbook is empty" : "a playbook is a list of plays, not \(document.typeName)"
            collector.report(what, span: document.span, hint: "begin a play with '- hosts: …'")
            return []
        }
        var plays: [Play] = []
        for item in items {
            guard let entries = item.entries else {
                collector.report("a play is a map, not \(item.typeName)", span: item.span)
                continue
            }
            let key = entries.first { $0.key == "import_playbook" || $0.key == CoreModule.importPlaybook }
            if let key {
                plays += imported(item, key, from: path, chain: chain + [path], outer: outer, variables: variables)
            } else if var play = play(item, entries, path: path, outer: outer) {
                play.variables = play.variables + variables
                plays.append(play)
            }
        }
        return plays
    }

    private mutating func imported(
        _ item: SourceValue, _ key: SourceValue.Entry, from path: String, chain: [String], outer: Directives,
        variables: [VariableLayer]
    ) -> [Play] {
        guard let name = key.value.string, !key.value.containsTemplate else {
            collector.report("'import_playbook' needs the path of a playbook", span: key.value.span)
            return []
        }
        let target = Path.join(Path.directory(path), name)
        if chain.contains(target) {
            collector.report("\(target) imports itself", span: key.value.span)
            return []
        }
        var reader = DirectivesReader(level: .playVars)
        for entry in item.entries ?? [] where entry.key != key.key {
            let isAllowed = ["name", "tags", "when", "vars"].contains(entry.key)
            if !isAllowed || !reader.read(entry) {
                collector.report("'import_playbook' takes no '\(entry.key)'", span: entry.keySpan)
            }
        }
        collector.add(reader.collector.diagnostics)
        guard FileTree.isFile(target) else {
            collector.report(
                "no playbook '\(target)'", span: key.value.span,
                hint: nearestName(to: Path.name(name), among: FileTree.entries(Path.directory(target)))
                    .map { "did you mean '\($0)'?" })
            return []
        }
        return file(
            target, chain: chain, outer: reader.directives.withoutVariables.inside(outer),
            variables: variables + reader.directives.variables)
    }

    private mutating func play(
        _ item: SourceValue, _ entries: [SourceValue.Entry], path: String, outer: Directives
    ) -> Play? {
        guard let hosts = item["hosts"] else {
            let looksLikeTask = entries.contains { environment.signature($0.key) != nil || $0.key == "block" }
            collector.report(
                "the play says nothing of its hosts", span: item.span,
                hint: looksLikeTask
                    ? "this looks like a task: put it below 'tasks:' of a play" : "add 'hosts: all'")
            return nil
        }
        let directory = Path.directory(path)
        var play = Play(name: item["name"].flatMap { String(keyword: $0.value) }, hosts: hosts, directory: directory)
        play.span = item.span
        checkHosts(hosts)
        var reader = DirectivesReader(level: .playVars)
        var own: [SourceValue.Entry] = []
        for entry in entries where entry.key != "hosts" {
            if ["when", "notify", "delegate_to", "delegate_facts"].contains(entry.key) {
                collector.report(
                    "a play has no '\(entry.key)'", span: entry.keySpan,
                    hint: "put it into a block around the play's tasks")
            } else if Keywords.play.contains(entry.key), !Keywords.common.contains(entry.key), entry.key != "user" {
                own.append(entry)
            } else if !reader.read(entry) {
                reportUnknown(entry)
            }
        }
        collector.add(reader.collector.diagnostics)
        let sections: Set<String> = ["tasks", "pre_tasks", "post_tasks", "handlers", "roles"]
        for entry in entries where !sections.contains(entry.key) { collector.add(Template.check(entry.value)) }
        play.variables = reader.directives.variables
        play.directives = reader.directives.withoutVariables.inside(outer)
        readSettings(own, into: &play)
        readSections(item, path: path, into: &play)
        return play
    }

    private mutating func checkHosts(_ hosts: SourceValue) {
        let items = hosts.list ?? [hosts]
        if items.isEmpty || hosts.isNull { collector.report("'hosts' is empty", span: hosts.span) }
        for item in items where item.string == nil && !item.isNull {
            collector.report("'hosts' needs the names of hosts or groups, not \(item.typeName)", span: item.span)
        }
    }

    private mutating func reportUnknown(_ entry: SourceValue.Entry) {
        let near = nearestName(to: entry.key, among: Keywords.play.sorted())
        let isModule = environment.signature(entry.key) != nil
        collector.report(
            "unknown keyword '\(entry.key)' of a play", span: entry.keySpan,
            hint: near.map { "did you mean '\($0)'?" }
                ?? (isModule ? "'\(entry.key)' is a module: put it below 'tasks:'" : nil))
    }

    private mutating func readSettings(_ entries: [SourceValue.Entry], into play: inout Play) {
        for entry in entries {
            let value = entry.value
            switch entry.key {
            case "gather_facts", "gather_subset", "gather_timeout", "fact_path":
                let isWanted = collector.attempt { try Templated<Bool>("gather_facts", value) }?.staticValue
                if entry.key == "gather_facts", isWanted == true {
                    play.notes.append(
                        Diagnostic(
                            "labctl gathers no facts", span: entry.keySpan,
                            hint: "use 'gather_facts: false', and commands for what the tasks need", severity: .note))
                }
            case "serial": play.serial = value.list ?? (value.isNull ? [] : [value])
            case "strategy": readStrategy(value, into: &play)
            case "order":
                if value.string != "inventory" {
                    collector.report(
                        "the order '\(value.value.plain)' is not offered", span: value.span, hint: "use 'inventory'")
                }
            case "max_fail_percentage":
                play.maximumFailPercentage = Double(keyword: value.value)
                if play.maximumFailPercentage == nil {
                    collector.report("'max_fail_percentage' needs a number, not \(value.value.brief)", span: value.span)
                }
            case "force_handlers":
                play.forceHandlers =
                    collector.attempt { try Templated<Bool>("force_handlers", value) }?.staticValue ?? false
            case "vars_files": readVariableFiles(value, into: &play)
            case "vars_prompt":
                let refused = Keywords.refused["vars_prompt"]
                collector.report(
                    "'vars_prompt' is not offered: \(refused?.reason ?? "")", span: entry.keySpan, hint: refused?.hint)
            default: break
            }
        }
    }

    private mutating func readStrategy(_ value: SourceValue, into play: inout Play) {
        let name = (value.string ?? "").split(separator: ".").last.map(String.init) ?? ""
        guard let strategy = Play.Strategy(rawValue: name) else {
            let names = Play.Strategy.allCases.map(\.rawValue)
            collector.report(
                "the strategy '\(value.value.plain)' is not offered", span: value.span,
                notes: [Diagnostic.Note("the strategies: \(names.joined(separator: ", "))")],
                hint: nearestName(to: name, among: names).map { "did you mean '\($0)'?" })
            return
        }
        play.strategy = strategy
    }

    private mutating func readVariableFiles(_ value: SourceValue, into play: inout Play) {
        let directory = play.directory
        let load: @Sendable (String) throws -> VariableLayer? = { name in
            for path in [Path.join(Path.join(directory, "vars"), name), Path.join(directory, name)]
            where FileTree.isFile(path) {
                return try VariableFiles.load(path, level: .playVarsFiles, owner: nil)
            }
            return nil
        }
        for item in value.list ?? (value.isNull ? [] : [value]) {
            let choices = item.list ?? [item]
            let names = choices.compactMap { choice in
                collector.attempt { try Templated<String>("vars_files", choice) }
            }
            guard names.count == choices.count else { continue }
            let file = VariableFile(names: names, span: item.span, loader: load)
            // Later layers win, so that a file with a constant name may be read now only while none is left for later.
            if play.variableFiles.isEmpty, names.allSatisfy({ $0.staticValue != nil }) {
                let scope = VariableScope(
                    layers: VariableLayers(), magic: MagicVariables(inventory: Inventory(), hostName: nil))
                if let layer = collector.attempt({ try file.load(scope) }) { play.variables.append(layer) }
            } else {
                play.variableFiles.append(file)
            }
        }
    }

    private mutating func readSections(_ item: SourceValue, path: String, into play: inout Play) {
        var context = TaskContext(path: path, directory: play.directory)
        context.directives = play.directives
        context.chain = [path]
        var reader = TaskReader(environment: environment)
        func section(_ name: String) -> SourceValue { item[name] ?? SourceValue(.null, span: nil) }
        play.preTasks = reader.list(section("pre_tasks"), context)
        readRoles(section("roles"), into: &play)
        play.tasks = reader.list(section("tasks"), context)
        play.postTasks = reader.list(section("post_tasks"), context)
        context.isHandlers = true
        let handlers = reader.list(section("handlers"), context)
        play.handlers = handlers + play.roles.flatMap(\.handlers) + reader.handlers
        play.importedByTasks += reader.importedRoles
        includedNodes += reader.includedNodes
        collector.add(reader.collector.diagnostics)
    }

    private mutating func readRoles(_ source: SourceValue, into play: inout Play) {
        if source.isNull { return }
        guard let items = source.list else {
            collector.report("'roles' needs a list, not \(source.typeName)", span: source.span)
            return
        }
        var reader = RoleReader(environment: environment)
        var roles: [Role] = []
        for item in items {
            guard
                let request = reader.entry(
                    item, directory: play.directory, level: .roleVars, outer: play.directives),
                let role = reader.role(request)
            else { continue }
            roles.append(role)
        }
        collector.add(reader.collector.diagnostics)
        includedNodes += reader.includedNodes
        play.roles = roles.inRunningOrder()
    }
}
