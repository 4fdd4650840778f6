import LabCore
import LabModel
import LabModules

/// The calls by which a role applies objects to a cluster, as far as they are known without running it.
struct RoleCalls: Sendable {
    /// Includes that include themselves are a loop's way; deeper than this nothing is looked at.
    private static let maximumDepth = 8
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
            guard let whole = play.play.roles.first(where: { $0.context === role }),
                RoleCompleteness(play: play, role: whole, hosts: play.batch).narrowing == nil
            else { return nil }
            // Each host may bring objects of its own.
            let found = play.batch.flatMap { find(whole, $0) }
            return found.contains { $0.unknown != nil } ? nil : found.flatMap(\.calls)
        }
    }

    /// The applying tasks of a role for a host, in their order.
    func find(_ role: Role, _ host: String) -> [Found] {
        var unknown = VariableLayer(.loop)
        note(role.tasks, &unknown)
        return find(role.tasks, host, unknown, depth: 0).filter { $0.task.map { $0.role?.name == role.name } ?? true }
    }

    /// Gathers what the tasks register and define.
    private func note(_ nodes: [TaskNode], _ unknown: inout VariableLayer) {
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
            note(content.nodes, &unknown)
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
    private func scope(_ host: String, _ task: LabModel.Task, _ unknown: VariableLayer) -> LabModel.VariableScope {
        let scope = play.scope(host, task: task)
        var magic = scope.magic
        magic.isCheckMode = false
        return LabModel.VariableScope(layers: scope.layers, magic: magic).adding([unknown])
    }

    private static func reason(_ error: any Error, _ task: LabModel.Task) -> Diagnostic {
        FailureDescription(error, span: task.span).diagnostics.first ?? Diagnostic("it is not known", span: task.span)
    }
}

/// Whether a run takes in the whole of a role: only then is it known what the role no longer has.
struct RoleCompleteness: Sendable {
    let play: PlayContext
    let role: Role
    /// The hosts that run the role together.
    let hosts: [String]

    private var run: RunState { play.run }

    /// What was left out before anything ran, as a clause for a note; nil when nothing was.
    var narrowing: String? {
        let tags = run.options.tags
        if !tags.skip.isEmpty || !tags.only.allSatisfy({ $0 == "all" }) {
            return "only some tasks were selected by their tags"
        }
        if play.play.strategy != .linear { return "the play's strategy lets each host go its own way" }
        if Set(play.batch) != Set(play.allHosts) { return "the play runs its hosts in batches (serial)" }
        if let missing = hostsLeftOut { return "-l left out \(missing)" }
        let uses = run.plan.plays.flatMap(\.roles).filter { $0.name == role.name }
        if uses.count > 1 { return "the role is used \(uses.count) times in this run" }
        if appliesInHandlers { return "its handlers apply objects as well" }
        return nil
    }

    private var hostsLeftOut: String? {
        guard run.options.limit != nil else { return nil }
        let scope = LabModel.VariableScope(
            layers: VariableLayers(play.play.variables + run.options.extraVariables),
            magic: MagicVariables(inventory: run.inventory, hostName: nil))
        guard let value = try? play.play.hosts.rendered(scope) else { return "hosts" }
        let patterns = (value.list ?? [value]).compactMap { String(keyword: $0) }
        guard let all = try? run.inventory.hosts(matching: patterns, limit: nil, span: nil).map(\.name) else {
            return "hosts"
        }
        return all.first { !play.allHosts.contains($0) }
    }

    private var appliesInHandlers: Bool {
        role.handlers.contains { $0.task?.module.canonical == "kubernetes.core.k8s" }
    }

    /// What the run left out in the end, from the records since the role began; nil when everything ran.
    func omission(since start: Int) -> String? {
        if let narrowing { return narrowing }
        let records = run.allRecords.dropFirst(start)
        if let failed = records.first(where: { $0.isFatal || $0.isRescued }) { return "'\(failed.task.name)' failed" }
        for host in hosts {
            guard run.host(host).isActive else { return "\(host) did not get to its end" }
            for found in RoleCalls(play: play).find(role, host) {
                guard let task = found.task else { return found.unknown?.message ?? "an include is not known" }
                let own = records.filter { $0.task.span == task.span && (found.isOnce || $0.host == host) }
                // A task of a loop must have had all of its items.
                let isWhole = own.contains { record in
                    record.outcome != .skipped && !record.step.hasFailed
                        && (record.items.isEmpty
                            || record.items.count { $0.step.outcome != .skipped } >= max(found.calls.count, 1))
                        && (found.unknown == nil || !record.items.contains { $0.step.outcome == .skipped })
                }
                if !isWhole { return "'\(task.title)' did not run" }
            }
        }
        return nil
    }
}
