import LabCore
import LabModel
import LabModules

/// The calls by which a role applies objects to a cluster, as far as they are known without running it.
struct RoleCalls: Sendable {
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

    /// The set that a role keeps, for one of its tasks; nil forecasts where the run leaves out part of the role, or may
    /// bring it more than once.
    func set(of role: RoleContext) -> RoleSet {
        RoleSet(inventory: run.inventory(of: role.name)) { [self] in
            guard let whole = play.play.roles.first(where: { $0.context === role }),
                PlayRunner.isOnlyUse(of: role, in: play.play, run), PlayRunner.narrowing(of: run) == nil
            else { return nil }
            // Each host may bring objects of its own.
            let found = play.batch.flatMap { find(whole, $0) }
            return found.contains { $0.unknown != nil } ? nil : found.flatMap(\.calls)
        }
    }

    /// The applying tasks of a role for a host, in their order.
    func find(_ role: Role, _ host: String) -> [Found] {
        find(role.tasks, host, depth: 0).filter { $0.task.map { $0.role?.name == role.name } ?? true }
    }

    private func find(_ nodes: [TaskNode], _ host: String, depth: Int) -> [Found] {
        nodes.flatMap { node -> [Found] in
            switch node {
            case .task(let task):
                return task.module.canonical == Foresight.applyingModule ? find(task, host) : []
            // What rescues runs only when something failed.
            case .block(let block): return find(block.tasks + block.always, host, depth: depth)
            case .include(let include): return find(include, host, depth: depth)
            case .meta: return []
            }
        }
    }

    private func find(_ include: Include, _ host: String, depth: Int) -> [Found] {
        let scope = scope(host, include.task)
        do {
            if try include.task.directives.when.firstFalse(scope) != nil { return [] }
            guard include.task.loop == nil, depth < Foresight.maximumDepth else {
                throw InputError("what the include brings depends on its loop", span: include.task.span)
            }
            let content = try include.load(try include.targetName(scope))
            run.audit.note(content)
            return find(content.nodes, host, depth: depth + 1)
        } catch {
            return [Found(task: nil, unknown: Self.reason(error, include.task))]
        }
    }

    private func find(_ task: LabModel.Task, _ host: String) -> [Found] {
        var found = Found(task: task)
        do {
            let base = scope(host, task)
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

    /// The variables without what only the run can tell.
    private func scope(_ host: String, _ task: LabModel.Task) -> LabModel.VariableScope {
        Foresight(play: play).view(play.scope(host, task: task), host: host)
    }

    private static func reason(_ error: any Error, _ task: LabModel.Task) -> Diagnostic {
        FailureDescription(error, span: task.span).diagnostics.first ?? Diagnostic("it is not known", span: task.span)
    }
}
