import LabCore
import LabModel

/// Tells what the user's variables alone decide from what only a run can find out.
struct Foresight: Sendable {
    /// Includes that include themselves are a loop's way; deeper than this nothing is looked at.
    static let maximumDepth = 8
    static let applyingModule = "kubernetes.core.k8s"
    private static let includeVariables = "ansible.builtin.include_vars"
    private static let setFact = "ansible.builtin.set_fact"
    /// What differs between runs, or hosts, with the same variables.
    private static let runNames: Set<String> = [
        "hostvars", "vars", "ansible_run_tags", "ansible_skip_tags", "ansible_limit", "ansible_verbosity",
        "ansible_diff_mode", "ansible_failed_task", "ansible_failed_result",
    ]
    /// The arguments of an applying task that decide which objects it has, and where.
    private static let identifying = [
        "name", "namespace", "kind", "api_version", "state", "src", "template", "kubeconfig", "context",
    ]

    let play: PlayContext

    private var run: RunState { play.run }

    /// Adds the names of the variables that tasks register and define. Of includes nothing is known before they are read.
    static func gatherNames(_ nodes: [TaskNode], into names: inout Set<String>) {
        for node in nodes {
            switch node {
            case .task(let task):
                if let name = task.register { names.insert(name) }
                if task.module.canonical == setFact {
                    names.formUnion(task.arguments.entries?.map(\.key) ?? [])
                }
            case .block(let block): gatherNames(block.tasks + block.rescue + block.always, into: &names)
            case .include, .meta: continue
            }
        }
    }

    /// A scope in which everything is unknown that tasks find out, in a run that changes things.
    ///
    /// - Parameter more: further names that are not known.
    func view(_ scope: LabModel.VariableScope, host: String, more: [String] = []) -> LabModel.VariableScope {
        var unknown = VariableLayer(.loop)
        let found = run.host(host).namesFromTasks
        for name in run.audit.names.union(found).union(more).union(Self.runNames) {
            unknown.set(name, .unknown, origin: Origin(.setFact, span: nil))
        }
        var magic = scope.magic
        magic.isCheckMode = false
        return LabModel.VariableScope(layers: scope.layers, magic: magic).adding([unknown])
    }

    /// Whether a task, or an item of its loop, that was skipped is skipped in every run with the same variables.
    ///
    /// - Parameter scope: the task's, with the variables of the item.
    func rulesOut(_ task: LabModel.Task, _ scope: LabModel.VariableScope, host: String) -> Bool {
        var view = view(scope, host: host)
        if let loop = task.loop, (try? loop.items(view)) == nil {
            // Where the list is not known, neither are its items.
            view = self.view(
                scope, host: host, more: loop.variables(item: .null, index: 0, items: [.null]).keys.map(\.self))
        }
        // One is enough, also where another is not known.
        return task.directives.when.contains { (try? $0.holds(view)) == false }
    }

    /// Notes that a task did nothing: it was skipped by a condition, its loop was empty, or its tags were not selected.
    ///
    /// - Parameter isCertain: whether that is so in every run with the same variables.
    func noteLeftOut(_ task: LabModel.Task, _ scope: LabModel.VariableScope, _ isCertain: @autoclosure () -> Bool) {
        if Self.definesUnknownNames(task), !isCertain() {
            return run.audit.doubtAll("only the run can tell whether '\(task.title(scope))' defines variables")
        }
        guard let role = Self.appliedRole(of: task), (try? task.directives.checkMode?.resolve(scope)) != true,
            !isCertain()
        else { return }
        run.audit.doubt(role, Self.didNotRun(task, scope))
    }

    private static func didNotRun(_ task: LabModel.Task, _ scope: LabModel.VariableScope) -> String {
        "'\(task.title(scope))' did not run\(task.loop == nil ? "" : " for everything")"
    }

    /// Notes that a task runs for what only the run can tell: with another list, or other names, it has other objects.
    func noteRun(_ task: LabModel.Task, _ scope: LabModel.VariableScope, host: String) {
        if task.module.canonical == Self.includeVariables,
            (try? task.renderedArguments(view(scope, host: host))) == nil
        {
            return run.audit.doubtAll("only the run can tell which variables '\(task.title(scope))' reads")
        }
        guard let role = Self.appliedRole(of: task) else { return }
        let view = view(scope, host: host)
        var isForeseen = true
        if let loop = task.loop { isForeseen = (try? loop.items(view)) != nil }
        for name in Self.identifying {
            if let value = task.arguments[name], (try? value.rendered(view)) == nil { isForeseen = false }
        }
        for path in [["kind"], ["metadata", "name"], ["metadata", "namespace"]] {
            let value = path.reduce(task.arguments["definition"]) { $0?[$1] }
            if let value, (try? value.rendered(view)) == nil { isForeseen = false }
        }
        if !isForeseen { run.audit.doubt(role, "only the run can tell which objects '\(task.title(scope))' has") }
    }

    /// The same of an include that is carried out.
    ///
    /// - Parameter scope: with the variables of the item, for an include in a loop.
    func noteRun(_ include: Include, _ scope: LabModel.VariableScope, host: String) {
        let task = include.task
        if include.hasFixedTarget, task.loop == nil { return }
        let view = view(scope, host: host)
        if (try? include.targetName(view)) == nil {
            run.audit.doubtAll("only the run can tell what '\(task.title(scope))' includes")
        } else if let loop = task.loop, (try? loop.items(view)) == nil {
            noteLeftOut(include, scope, host: host)
        }
    }

    /// Notes that tasks are left out which run only when something fails.
    func noteLeftOut(rescue nodes: [TaskNode], host: String) {
        guard let roles = roles(in: nodes, host: host) else {
            return run.audit.doubtAll("only a failure can tell what is rescued")
        }
        for role in roles { run.audit.doubt(role, "a rescue that applies its objects did not run") }
    }

    /// Whether a task defines variables whose names are not written in it.
    private static func definesUnknownNames(_ task: LabModel.Task) -> Bool {
        switch task.module.canonical {
        case includeVariables: true
        case setFact:
            task.variableArguments != nil || task.arguments.entries?.contains { $0.key.contains("{{") } ?? true
        default: false
        }
    }

    /// Notes that an include was left out, by a condition or by its tags, which another run with the same variables may do.
    func noteLeftOut(_ include: Include, _ scope: LabModel.VariableScope, host: String) {
        guard let roles = roles(broughtBy: include, scope, host: host) else {
            return run.audit.doubtAll("only the run can tell what '\(include.task.title(scope))' includes")
        }
        for role in roles { run.audit.doubt(role, Self.didNotRun(include.task, scope)) }
    }

    /// The role with a set that a task applies objects for.
    static func appliedRole(of task: LabModel.Task) -> String? {
        guard task.module.canonical == applyingModule, let role = task.role, role.keepsSet,
            // Those make nothing.
            task.arguments["state"]?.value != "absent", task.arguments["state"]?.value != "patched"
        else { return nil }
        return role.name
    }

    /// The roles with sets whose tasks an include brings, itself or by further includes; nil when that is not known.
    func roles(
        broughtBy include: Include, _ scope: LabModel.VariableScope, host: String, depth: Int = 0
    ) -> Set<String>? {
        guard depth < Self.maximumDepth,
            let content = try? include.load(try include.targetName(view(scope, host: host)))
        else { return nil }
        run.audit.note(content)
        return roles(in: content.nodes + content.handlers, host: host, depth: depth + 1)
    }

    /// The same of a list of tasks.
    func roles(in nodes: [TaskNode], host: String, depth: Int = 0) -> Set<String>? {
        var found: Set<String> = []
        for node in nodes {
            switch node {
            case .meta: continue
            case .task(let task):
                if Self.definesUnknownNames(task) { return nil }
                if let role = Self.appliedRole(of: task) { found.insert(role) }
            case .block(let block):
                let inner = roles(in: block.tasks + block.rescue + block.always, host: host, depth: depth)
                guard let inner else { return nil }
                found.formUnion(inner)
            case .include(let include):
                let scope = play.scope(host, task: include.task)
                guard let inner = roles(broughtBy: include, scope, host: host, depth: depth) else { return nil }
                found.formUnion(inner)
            }
        }
        return found
    }
}
