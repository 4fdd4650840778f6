import LabCore
import LabModel
import LabModules
import LabTemplate

/// Asks modules, before anything runs, about the calls that can be rendered already (`Module.validate`). A wrong range
/// of addresses then keeps the run from starting, where it would else be told after half of it.
struct RunValidation: Sendable {
    let run: RunState
    /// Each play with its hosts.
    let plays: [(play: Play, hosts: [String])]

    /// Tells warnings, and gives what keeps the run from starting; nil when nothing does.
    func check() -> Report.Failure? {
        guard plays.contains(where: { $0.play.sections.contains(where: asksAnything) }) else { return nil }
        var round = Round(run: run, hostAddresses: hostAddresses)
        for (play, _) in plays { round.note(play.sections + play.handlers) }
        for (play, hosts) in plays where !hosts.isEmpty { round.look(at: play, hosts) }
        // Two tasks that render the same file tell the same of two texts.
        var told: Set<String> = []
        let found = (round.found + round.record.finish()).filter { diagnostic in
            let place = diagnostic.span.map { "\($0)" } ?? ""
            return told.insert("\(diagnostic.severity) \(place) \(diagnostic.message)").inserted
        }
        for diagnostic in found where diagnostic.severity != .error { run.emit(.told(diagnostic)) }
        let errors = found.filter { $0.severity == .error }
        return errors.isEmpty ? nil : Report.Failure(diagnostics: errors, failureClass: .input)
    }

    /// Whether any module has something to say of the node, or might have: includes are opened only then.
    private func asksAnything(_ node: TaskNode) -> Bool {
        switch node {
        case .task(let task): run.registry[task.module.canonical]?.validatesBeforeRun ?? false
        case .block(let block): (block.tasks + block.rescue + block.always).contains(where: asksAnything)
        case .include: true
        case .meta: false
        }
    }

    /// The addresses that the inventory gives its hosts: where they are logged in to, and `node_address`, by which the
    /// cluster knows a host. A loopback address is no machine's in the lab where the inventory knows a better one.
    private var hostAddresses: [(host: String, address: String)] {
        run.inventory.hosts.keys.flatMap { name -> [(host: String, address: String)] in
            let scope = VariableScope(
                layers: VariableLayers(run.inventory.layers(forHost: name)),
                magic: MagicVariables(inventory: run.inventory, hostName: name))
            let login = (try? scope.variable("ansible_host"))?.string ?? name
            guard let own = (try? scope.variable("node_address"))?.string, own != login else { return [(name, login)] }
            let isLoopback = login.hasPrefix("127.") || login == "::1" || login == "localhost"
            return (isLoopback ? [own] : [login, own]).map { (name, $0) }
        }
    }
}

extension Play {
    /// All steps in their order, handlers aside.
    fileprivate var sections: [TaskNode] { preTasks + roles.flatMap(\.tasks) + tasks + postTasks }
}

/// One look at all calls.
private struct Round {
    /// Includes that include themselves are a loop's way; deeper than this nothing is looked at.
    private static let maximumDepth = 8

    let run: RunState
    let hostAddresses: [(host: String, address: String)]
    let record = ValidationRecord()
    private(set) var found: [Diagnostic] = []
    /// What tasks register and define is unknown to all tasks, also to those before them: a mistake that is told wrongly
    /// is worse than one that is told late.
    private var unknown = VariableLayer(.loop)

    init(run: RunState, hostAddresses: [(host: String, address: String)]) {
        self.run = run
        self.hostAddresses = hostAddresses
    }

    /// Gathers what the tasks define.
    mutating func note(_ nodes: [TaskNode]) {
        for node in nodes {
            switch node {
            case .task(let task):
                var names = [task.register].compactMap { $0 }
                if task.module.canonical == "ansible.builtin.set_fact" {
                    names += task.arguments.entries?.map(\.key) ?? []
                }
                for name in names { unknown.set(name, .unknown, origin: Origin(.setFact, span: task.span)) }
            case .block(let block): note(block.tasks + block.rescue + block.always)
            case .include, .meta: break
            }
        }
    }

    mutating func look(at play: Play, _ hosts: [String]) {
        let context = PlayContext(run: run, play: play, allHosts: hosts, batch: hosts, handlers: [])
        for host in hosts where !play.variableFiles.isEmpty {
            let scope = context.scope(host)
            run.host(host).fileLayers = play.variableFiles.compactMap { try? $0.load(scope) }
        }
        look(at: play.sections, context, hosts, depth: 0)
        for host in hosts { run.host(host).fileLayers = nil }
    }

    private mutating func look(at nodes: [TaskNode], _ context: PlayContext, _ hosts: [String], depth: Int) {
        for node in nodes {
            switch node {
            case .task(let task): look(at: task, context, hosts)
            case .block(let block): look(at: block.tasks + block.rescue + block.always, context, hosts, depth: depth)
            case .include(let include): look(at: include, context, hosts, depth: depth)
            case .meta: break
            }
        }
    }

    private mutating func look(at include: Include, _ context: PlayContext, _ hosts: [String], depth: Int) {
        guard let host = hosts.first, depth < Self.maximumDepth, include.task.loop == nil else {
            return record.markIncomplete()
        }
        let scope = context.scope(host, task: include.task).adding([unknown])
        do {
            guard run.options.tags.selects(try include.task.directives.tagNames(scope)) else {
                return record.markIncomplete()
            }
            if try include.task.directives.when.firstFalse(scope) != nil { return }
            let content = try include.load(try include.targetName(scope))
            note(content.nodes + content.handlers)
            look(at: content.nodes, context, hosts, depth: depth + 1)
        } catch {
            record.markIncomplete()
        }
    }

    private mutating func look(at task: LabModel.Task, _ context: PlayContext, _ hosts: [String]) {
        guard let module = run.registry[task.module.canonical], module.validatesBeforeRun, let first = hosts.first
        else { return }
        let isOnce = (try? task.directives.runOnce?.resolve(context.scope(first, task: task))) ?? false
        for host in isOnce ? [first] : hosts {
            do {
                try look(at: task, module, context, host)
            } catch {
                // It depends on what only the run can tell.
                record.markIncomplete()
            }
        }
    }

    private mutating func look(
        at task: LabModel.Task, _ module: any Module, _ context: PlayContext, _ host: String
    ) throws {
        let scope = context.scope(host, task: task).adding([unknown])
        let names = try task.directives.tagNames(scope)
        let isSelected = run.options.tags.selects(names)
        if !isSelected, names.contains("never") { return }
        // What the command line's tags leave out is not judged, but what the rest relies on may be from it: an earlier
        // run brought it.
        let before = found
        defer { if !isSelected { found = before } }
        guard let loop = task.loop else { return try look(at: task, module, context, host, scope) }
        let items = try loop.items(scope)
        for (index, item) in items.enumerated() {
            let variables = VariableLayer(.loop, values: loop.variables(item: item, index: index, items: items))
            try look(at: task, module, context, host, scope.adding([variables]))
        }
    }

    private mutating func look(
        at task: LabModel.Task, _ module: any Module, _ context: PlayContext, _ host: String,
        _ scope: LabModel.VariableScope
    ) throws {
        if try task.directives.when.firstFalse(scope) != nil { return }
        let freeForm = try task.freeForm?.rendered(scope).string
        let call = try run.registry.call(
            module, arguments: try task.renderedArguments(scope), freeForm: freeForm, source: task.arguments,
            span: task.span)
        let validation = ValidationScope(
            hostAddresses: hostAddresses,
            searchPaths: StepExecution.searchPaths(of: task, module: module, in: context.play),
            render: { text, path in
                .string(try StepExecution.render(text, path: path, TemplateFormat(), scope))
            },
            spanOfText: { scope.layers.span(ofText: $0) },
            spanOfEmptyList: { scope.layers.span(ofEmptyList: $0) },
            spanOfEntry: { scope.layers.span(ofEntry: $0, in: $1) },
            hostName: try task.directives.delegateTo?.resolve(scope) ?? host, record: record)
        found += module.validate(call, in: validation)
    }
}

extension VariableLayers {
    /// Where a file has this very text as a variable's value or as a part of one, in the layer of the highest precedence.
    fileprivate func span(ofText text: String) -> SourceSpan? {
        for layer in layers.reversed() {
            for case .template(let source) in layer.variables.values.map(\.content) {
                if let span = source.span(ofText: text) { return span }
            }
        }
        return nil
    }

    /// Where a file has the entry of the map whose `name` is `owner`, in the layer of the highest precedence. Keys are
    /// the same that differ in case and underscores only, as a role's variables differ from an object's fields.
    fileprivate func span(ofEntry key: String, in owner: String) -> SourceSpan? {
        let plain = key.withoutCase
        for layer in layers.reversed() {
            for case .template(let source) in layer.variables.values.map(\.content) {
                if let span = source.span(ofEntry: plain, in: owner) { return span }
            }
        }
        return nil
    }

    /// Where the only empty list stands that is called so, as the end of its name, in the definitions that count.
    fileprivate func span(ofEmptyList key: String) -> SourceSpan? {
        var spans: [SourceSpan] = []
        for name in names {
            guard case .template(let source)? = self[name]?.content else { continue }
            source.appendSpans(ofEmptyLists: key, named: name, to: &spans)
        }
        return spans.count == 1 ? spans[0] : nil
    }
}

extension SourceValue {
    fileprivate func appendSpans(ofEmptyLists key: String, named name: String, to spans: inout [SourceSpan]) {
        switch content {
        case .string("[]"):
            if name.hasSuffix(key), let span { spans.append(span) }
        case .list(let items) where items.isEmpty:
            if name.hasSuffix(key), let span { spans.append(span) }
        case .list(let items):
            for item in items { item.appendSpans(ofEmptyLists: key, named: "", to: &spans) }
        case .map(let entries):
            for entry in entries { entry.value.appendSpans(ofEmptyLists: key, named: entry.key, to: &spans) }
        default: break
        }
    }

    /// - Parameter key: without case and underscores.
    fileprivate func span(ofEntry key: String, in owner: String) -> SourceSpan? {
        switch content {
        case .list(let items):
            for item in items { if let span = item.span(ofEntry: key, in: owner) { return span } }
        case .map(let entries):
            if self["name"]?.string == owner, let entry = entries.first(where: { $0.key.withoutCase == key }) {
                return entry.value.span ?? entry.keySpan
            }
            for entry in entries { if let span = entry.value.span(ofEntry: key, in: owner) { return span } }
        default: break
        }
        return nil
    }

    fileprivate func span(ofText text: String) -> SourceSpan? {
        switch content {
        case .string(text): return span
        case .list(let items):
            for item in items { if let span = item.span(ofText: text) { return span } }
        case .map(let entries):
            for entry in entries { if let span = entry.value.span(ofText: text) { return span } }
        default: break
        }
        return nil
    }
}

extension String {
    /// `holdTime` and `hold_time` as the same text.
    fileprivate var withoutCase: String { lowercased().replacing("_", with: "") }
}
