import LabCore
import LabModel
import LabModules

/// The calls by which a role applies objects to a cluster, as far as they are known without running it.
struct RoleCalls: Sendable {
    /// Includes that include themselves are a loop's way; deeper than this nothing is looked at.
    static let maximumDepth = 8
    private static let module = "kubernetes.core.k8s"

    let play: PlayContext

    /// A task that applies objects; those that the variables rule out are not found.
    struct Found: Sendable {
        let task: LabModel.Task?
        var isOnce = false
        var calls: [ApplyCall] = []
        /// Why its calls are not known: they depend on what only the run can tell.
        var unknown: Diagnostic?
    }

    private var run: RunState { play.run }

    /// The set that a role keeps, for one of its tasks; nil forecasts where the run leaves out part of the role.
    func set(of role: RoleContext) -> RoleSet {
        RoleSet(inventory: run.inventory(of: role.name)) { [self] in
            guard let (whole, hosts) = whole(role),
                RoleCompleteness(play: play, role: whole, hosts: hosts).narrowing == nil
            else { return nil }
            // Each host may bring objects of its own.
            let found = hosts.flatMap { find(whole, $0) }
            return found.contains { $0.unknown != nil } ? nil : found.flatMap(\.calls)
        }
    }

    /// All of the role that a task is of, and the hosts that it is for; nil when that is not written anywhere.
    private func whole(_ context: RoleContext) -> (Role, [String])? {
        let written = play.play.roles + play.play.importedRoles
        if let role = written.first(where: { $0.context === context }) { return (role, play.allHosts) }
        guard let use = run.roleUses.included(inPlay: play.number).first(where: { $0.role.name == context.name })
        else { return nil }
        return (use.role, play.allHosts.filter(use.hosts.contains))
    }

    /// The applying tasks of a role for a host, in their order.
    func find(_ role: Role, _ host: String) -> [Found] {
        var unknown = VariableLayer(.loop)
        Self.note(role.tasks, &unknown)
        return find(role.tasks, host, unknown, depth: 0).filter { $0.task.map { $0.role?.name == role.name } ?? true }
    }

    /// Gathers what the tasks register and define.
    static func note(_ nodes: [TaskNode], _ unknown: inout VariableLayer) {
        for node in nodes {
            switch node {
            case .task(let task):
                var names = [task.register].compactMap(\.self)
                if task.module.canonical == "ansible.builtin.set_fact" {
                    names += task.arguments.entries?.map(\.key) ?? []
                }
                for name in names { unknown.set(name, .unknown, origin: Origin(.setFact, span: task.span)) }
            case .block(let block): note(block.tasks + block.rescue + block.always, &unknown)
            case .include, .meta: break
            }
        }
    }

    private func find(_ nodes: [TaskNode], _ host: String, _ unknown: VariableLayer, depth: Int) -> [Found] {
        nodes.flatMap { node -> [Found] in
            switch node {
            case .task(let task):
                return task.module.canonical == Self.module ? find(task, host, unknown) : []
            // What rescues runs only when something failed.
            case .block(let block): return find(block.tasks + block.always, host, unknown, depth: depth)
            case .include(let include): return find(include, host, unknown, depth: depth)
            case .meta: return []
            }
        }
    }

    private func find(_ include: Include, _ host: String, _ unknown: VariableLayer, depth: Int) -> [Found] {
        let scope = scope(host, include.task, unknown)
        do {
            if try include.task.directives.when.firstFalse(scope) != nil { return [] }
            guard include.task.loop == nil, depth < Self.maximumDepth else {
                throw InputError("what the include brings depends on its loop", span: include.task.span)
            }
            let content = try include.load(try include.targetName(scope))
            var unknown = unknown
            Self.note(content.nodes, &unknown)
            return find(content.nodes, host, unknown, depth: depth + 1)
        } catch {
            return [Found(task: nil, unknown: Self.reason(error, include.task))]
        }
    }

    private func find(_ task: LabModel.Task, _ host: String, _ unknown: VariableLayer) -> [Found] {
        var found = Found(task: task)
        do {
            let base = scope(host, task, unknown)
            // It asks, and applies nothing.
            if try task.directives.checkMode?.resolve(base) == true { return [] }
            found.isOnce = try task.directives.runOnce?.resolve(base) ?? false
            guard let loop = task.loop else {
                if let call = try call(task, host, base) { found.calls = [call] } else { return [] }
                return [found]
            }
            let items = try loop.items(base)
            for (index, item) in items.enumerated() {
                let variables = VariableLayer(.loop, values: loop.variables(item: item, index: index, items: items))
                if let call = try call(task, host, base.adding([variables])) { found.calls.append(call) }
            }
            return found.calls.isEmpty ? [] : [found]
        } catch {
            found.unknown = Self.reason(error, task)
            return [found]
        }
    }

    /// nil when the task's conditions rule the call out, or it brings nothing.
    private func call(_ task: LabModel.Task, _ host: String, _ scope: LabModel.VariableScope) throws -> ApplyCall? {
        if try task.directives.when.firstFalse(scope) != nil { return nil }
        let module = try run.registry.module(named: task.module.canonical, span: task.module.span)
        let call = try run.registry.call(
            module, arguments: try task.renderedArguments(scope), freeForm: nil, source: task.arguments,
            span: task.span)
        guard ApplyCall.brings(call) else { return nil }
        let identity = TaskIdentity(number: 0, name: task.title(scope), module: task.module.written, span: task.span)
        let named = try task.directives.delegateTo?.resolve(scope)
        let delegate = named == host ? nil : named
        var context = try StepExecution(
            play: play, task: task, identity: identity, hostName: host, scope: scope, isCensored: true
        ).moduleContext(module, delegate: delegate, isCheck: run.options.isCheck)
        context.roleSet = nil
        return ApplyCall(call, in: context)
    }

    /// The variables as a run that changes things has them, without what only the run can tell.
    func scope(_ host: String, _ task: LabModel.Task, _ unknown: VariableLayer) -> LabModel.VariableScope {
        let scope = play.scope(host, task: task)
        var magic = scope.magic
        magic.isCheckMode = false
        return LabModel.VariableScope(layers: scope.layers, magic: magic).adding([unknown])
    }

    private static func reason(_ error: any Error, _ task: LabModel.Task) -> Diagnostic {
        FailureDescription(error, span: task.span).diagnostics.first ?? Diagnostic("it is not known", span: task.span)
    }
}
