import LabCore
import LabModel
import LabTemplate

/// Runs a play on a batch of hosts: its sections in order, each task on all hosts before the next (strategy `linear`),
/// or each host for itself (`free`).
struct PlayRunner: Sendable {
    let context: PlayContext

    var run: RunState { context.run }
    var play: Play { context.play }

    func runSections() async {
        switch play.strategy {
        case .linear: await sections(context.batch)
        case .free, .hostPinned:
            await concurrently(context.batch, limit: run.options.forks) { host in await sections([host]) }
        }
    }

    private func sections(_ hosts: [String]) async {
        loadFileVariables(hosts)
        if run.options.removes { return await removeRoles(hosts) }
        await list(play.preTasks, hosts)
        await flushHandlers(hosts)
        for role in play.roles {
            await check(role, hosts)
            await withPreflight(of: role, hosts) { await list(role.tasks, hosts) }
            await pruneAtEnd(of: role, hosts)
        }
        await list(play.tasks, hosts)
        await flushHandlers(hosts)
        await list(play.postTasks, hosts)
        await flushHandlers(hosts)
    }

    /// Runs a role's tasks while its pre-flight is under way. Reading goes on meanwhile; changes wait (`PreflightGate`).
    private func withPreflight(of role: Role, _ hosts: [String], _ tasks: () async -> Void) async {
        guard run.options.runsPreflight, run.pass == 1, !role.preflight.isEmpty, !context.active(hosts).isEmpty,
            !run.mustStop
        else { return await tasks() }
        let gate = context.preflight
        let preflight = _Concurrency.Task {
            await PreflightGate.$isInside.withValue(true) { await list(role.preflight, hosts) }
            if hosts.contains(where: { run.host($0).isFailed }) { gate.refuse() }
        }
        gate.wait(for: preflight)
        await withTaskCancellationHandler {
            await tasks()
            await preflight.value
        } onCancel: {
            preflight.cancel()
        }
    }

    // MARK: lists of tasks

    func list(_ nodes: [TaskNode], _ hosts: [String], isHandler: Bool = false) async {
        for node in nodes {
            if run.mustStop || context.hasEnded || context.preflight.isRefused { return }
            var active = context.active(hosts)
            if active.isEmpty { return }
            if let role = node.task?.role { active.removeAll { context.hasEnded(role, on: $0) } }
            if active.isEmpty { continue }
            switch node {
            case .task(let task): await self.task(task, active, isHandler: isHandler)
            case .block(let block): await self.block(block, active)
            case .include(let include): await self.include(include, active)
            case .meta(let task, let action): await meta(task, action, active)
            }
        }
    }

    private func task(_ task: LabModel.Task, _ hosts: [String], isHandler: Bool) async {
        guard let first = hosts.first else { return }
        let scope = context.scope(first, task: task)
        do {
            guard run.options.tags.selects(try task.directives.tagNames(scope)) || isHandler else {
                return Foresight(play: context).noteLeftOut(task, scope, false)
            }
            let isOnce = try task.directives.runOnce?.resolve(scope) ?? false
            let throttle = try task.directives.throttle?.resolve(scope) ?? 0
            let limit = throttle > 0 ? min(throttle, run.options.forks) : run.options.forks
            let number = run.nextTaskNumber()
            await concurrently(isOnce ? [first] : hosts, limit: limit) { host in
                await TaskExecution(
                    play: context, task: task, hostName: host, beneficiaries: isOnce ? hosts : [host], number: number,
                    isHandler: isHandler
                ).run()
            }
            let failed = hosts.filter { !run.host($0).isActive }
            guard !failed.isEmpty else { return }
            if isOnce { for host in hosts { run.host(host).isFailed = true } }
            stopIfTooMany(failed, isFatalForAll: try task.directives.anyErrorsFatal?.resolve(scope) ?? false, hosts)
        } catch {
            fail(task, hosts, error, isHandler: isHandler)
        }
    }

    /// `any_errors_fatal` and `max_fail_percentage`.
    private func stopIfTooMany(_ failed: [String], isFatalForAll: Bool, _ hosts: [String]) {
        let lost = context.batch.count { run.host($0).isFailed || run.host($0).isUnreachable }
        let isOverLimit = play.maximumFailPercentage.map {
            Double(lost) * 100 / Double(max(context.batch.count, 1)) > $0
        }
        if isFatalForAll || isOverLimit == true {
            for host in hosts { run.host(host).isFailed = true }
        }
    }

    /// Records a failure that kept a task from being started at all.
    private func fail(_ task: LabModel.Task, _ hosts: [String], _ error: any Error, isHandler: Bool = false) {
        let failure = FailureDescription(error, span: task.span)
        let number = run.nextTaskNumber()
        for host in hosts {
            let identity = TaskIdentity(
                number: number, name: task.title(context.scope(host, task: task)), module: task.module.written,
                role: task.role?.name, play: play.name, isHandler: isHandler, span: task.span)
            run.emit(.taskStarted(identity, host: host))
            run.host(host).isFailed = true
            run.finish(
                TaskRecord(
                    task: identity, host: host,
                    step: StepRecord(
                        .failed, failure: failure.diagnostics, failureClass: failure.failureClass,
                        result: ["failed": true, "msg": .string(failure.message)]),
                    pass: run.pass))
        }
    }

    // MARK: blocks

    private func block(_ block: Block, _ hosts: [String]) async {
        let start = run.recordCount
        await list(block.tasks, hosts)
        let failed = hosts.filter { run.host($0).isFailed }
        if !block.rescue.isEmpty, !failed.isEmpty, !run.mustStop, !context.preflight.isRefused {
            for host in failed {
                run.host(host).isFailed = false
                run.markRescued(host: host, since: start)
            }
            await list(block.rescue, failed)
        }
        if !block.rescue.isEmpty, let host = hosts.first(where: { !failed.contains($0) }) {
            Foresight(play: context).noteLeftOut(rescue: block.rescue, host: host)
        }
        guard !block.always.isEmpty else { return }
        // Failed hosts clean up as well; the failure counts again afterwards.
        let reachable = hosts.filter { !run.host($0).isUnreachable && !run.host($0).hasEnded }
        let stillFailed = reachable.filter { run.host($0).isFailed }
        for host in stillFailed { run.host(host).isFailed = false }
        // Remembers a Ctrl-C that the protected tasks do not see.
        _ = run.mustStop
        await protected { await list(block.always, reachable) }
        for host in stillFailed { run.host(host).isFailed = true }
    }

    /// Runs the body although the run was, or is being, cancelled: it then has the options' `cleanupLimit` to end.
    private func protected(_ body: @escaping @Sendable () async -> Void) async {
        let limit = run.options.cleanupLimit
        let task = _Concurrency.Task.detached { await body() }
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            _Concurrency.Task.detached {
                try? await _Concurrency.Task.sleep(for: limit)
                task.cancel()
            }
        }
    }

    // MARK: includes

    private struct IncludeKey: Hashable {
        var target: String
        var variables: Value
    }

    private func include(_ include: Include, _ hosts: [String]) async {
        let task = include.task
        var groups: [(key: IncludeKey, variables: ValueMap, hosts: [String])] = []
        let number = run.nextTaskNumber()
        for host in hosts {
            let scope = context.scope(host, task: task)
            do {
                guard run.options.tags.selects(try task.directives.tagNames(scope)) else {
                    return Foresight(play: context).noteLeftOut(include, scope, host: host)
                }
                for variables in try loopVariables(of: include, scope, host: host, number: number) {
                    let inner = variables.isEmpty ? scope : context.scope(host, task: task, loop: variables)
                    if let condition = try task.directives.when.firstFalse(inner) {
                        skip(include, host, number, "since '\(condition.text)' does not hold", inner)
                        continue
                    }
                    Foresight(play: context).noteRun(include, inner, host: host)
                    let key = IncludeKey(target: try include.targetName(inner), variables: .map(variables))
                    if let index = groups.firstIndex(where: { $0.key == key }) {
                        groups[index].hosts.append(host)
                    } else {
                        groups.append((key, variables, [host]))
                    }
                }
            } catch {
                fail(task, [host], error)
            }
        }
        for group in groups {
            let active = context.active(group.hosts)
            guard !active.isEmpty, !run.mustStop else { continue }
            do {
                let content = try include.load(group.key.target, loopVariables: group.variables)
                run.audit.note(content)
                context.add(handlers: content.handlers)
                if let role = content.role { await check(role, active) }
                await list(content.nodes, active)
            } catch {
                fail(task, active, error)
            }
        }
    }

    /// The variables of each item of an include's loop; one empty map with no loop.
    private func loopVariables(
        of include: Include, _ scope: LabModel.VariableScope, host: String, number: Int
    ) throws -> [ValueMap] {
        let task = include.task
        guard let loop = task.loop else { return [[:]] }
        let items: [Value]
        do {
            items = try loop.items(scope)
        } catch {
            if let condition = try? task.directives.when.firstFalse(scope) {
                skip(include, host, number, "since '\(condition.text)' does not hold", scope)
                return []
            }
            throw error
        }
        if items.isEmpty {
            let foresight = Foresight(play: context)
            let isCertain =
                (try? loop.items(foresight.view(scope, host: host))) != nil
                || foresight.rulesOut(task, scope, host: host)
            skip(include, host, number, "there is nothing to loop over", scope, isCertain: isCertain)
        }
        return items.enumerated().map { loop.variables(item: $1, index: $0, items: items) }
    }

    /// - Parameter isCertain: whether it is skipped in every run with the same variables; nil to ask its condition.
    private func skip(
        _ include: Include, _ host: String, _ number: Int, _ note: String, _ scope: LabModel.VariableScope,
        isCertain: Bool? = nil
    ) {
        let task = include.task
        let foresight = Foresight(play: context)
        if !(isCertain ?? foresight.rulesOut(task, scope, host: host)) {
            foresight.noteLeftOut(include, scope, host: host)
        }
        let identity = TaskIdentity(
            number: number, name: task.title(scope), module: task.module.written, role: task.role?.name,
            play: play.name, span: task.span)
        run.emit(.taskStarted(identity, host: host))
        run.finish(
            TaskRecord(task: identity, host: host, step: StepRecord(.skipped, notes: [note]), pass: run.pass))
    }

    // MARK: meta

    private func meta(_ task: LabModel.Task, _ action: MetaAction, _ hosts: [String]) async {
        var chosen: [String] = []
        for host in hosts {
            let scope = context.scope(host, task: task)
            do {
                guard run.options.tags.selects(try task.directives.tagNames(scope)) else { return }
                if try task.directives.when.firstFalse(scope) == nil { chosen.append(host) }
            } catch {
                fail(task, [host], error)
            }
        }
        guard !chosen.isEmpty else { return }
        if [.endPlay, .endBatch, .endHost, .endRole].contains(action) {
            run.audit.doubtAll("'meta: \(action.rawValue)' cut the run short")
        }
        switch action {
        case .noop, .refreshInventory: break
        case .flushHandlers: await flushHandlers(chosen)
        case .endPlay: context.end()
        case .endBatch: for host in context.batch { run.host(host).hasEnded = true }
        case .endHost: for host in chosen { run.host(host).hasEnded = true }
        case .endRole: for host in chosen { context.endRole(task.role, on: host) }
        case .clearHostErrors:
            for host in context.batch {
                run.host(host).isFailed = false
                run.host(host).isUnreachable = false
            }
        case .clearFacts: for host in chosen { run.host(host).clearFacts() }
        case .resetConnection: for host in chosen { await run.pool.discard(host) }
        }
    }

    // MARK: handlers

    /// Runs the handlers that were notified, in the order in which they are defined, until none is left.
    func flushHandlers(_ hosts: [String]) async {
        let index = HandlerIndex(play: context)
        // Handlers may notify handlers; a circle of them ends when each has had its turn.
        for _ in 0..<max(1, context.handlers.count) {
            let participants = hosts.filter {
                play.forceHandlers ? !run.host($0).isUnreachable : run.host($0).isActive
            }
            let pending = participants.filter { !run.host($0).notified.isEmpty }
            guard !pending.isEmpty, !run.mustStop, !context.hasEnded else { return }
            var names: [String: [String]] = [:]
            for host in pending {
                names[host] = run.host(host).notified
                run.host(host).clearNotified(run.host(host).notified)
            }
            for (position, node) in index.tasks.enumerated() {
                let notified = pending.filter { host in
                    let scope = context.scope(host, task: node.task)
                    return (names[host] ?? []).contains { name in
                        index.matches(node, name, scope) && !isShadowed(position, name, index, scope)
                    }
                }
                guard !notified.isEmpty else { continue }
                // With `force_handlers` failed hosts have their turn as well; the failure counts again afterwards.
                let failed = notified.filter { run.host($0).isFailed }
                for host in failed { run.host(host).isFailed = false }
                await list([node], notified, isHandler: true)
                for host in failed { run.host(host).isFailed = true }
            }
        }
    }

    /// Of several handlers with the same name the last counts; topics reach all that listen.
    private func isShadowed(_ position: Int, _ name: String, _ index: HandlerIndex, _ scope: LabModel.VariableScope)
        -> Bool
    {
        let tasks = index.tasks
        if tasks[position].task?.listen.contains(name) == true { return false }
        return tasks.indices.dropFirst(position + 1).contains { later in
            tasks[later].task?.listen.contains(name) == false && index.matches(tasks[later], name, scope)
        }
    }

    // MARK: variables

    private func loadFileVariables(_ hosts: [String]) {
        guard !play.variableFiles.isEmpty else { return }
        for host in hosts {
            do {
                let scope = context.scope(host)
                run.host(host).fileLayers = try play.variableFiles.map { try $0.load(scope) }
                let view = Foresight(play: context).view(scope, host: host)
                if play.variableFiles.contains(where: { $0.names.contains { (try? $0.resolve(view)) == nil } }) {
                    run.audit.doubtAll("only the run can tell which vars_files it reads")
                }
            } catch {
                failBeforeTasks("Read vars_files", [host], error, role: nil, span: play.span)
            }
        }
    }

    /// Compares the hosts' variables with what the role says it takes (`argument_specs`).
    private func check(_ role: Role, _ hosts: [String]) async {
        guard let specification = role.argumentSpecification, !run.mustStop, !context.hasEnded else { return }
        for host in context.active(hosts) {
            let scope = context.scope(host, task: probe(of: role))
            do {
                if try role.directives.when.firstFalse(scope) != nil { continue }
                let mistakes = try specification.check(scope)
                if !mistakes.isEmpty { throw InputError(mistakes) }
            } catch {
                failBeforeTasks("Check the variables of \(role.name)", [host], error, role: role.name, span: nil)
            }
        }
    }

    /// A task that sees the variables of a role.
    private func probe(of role: Role) -> LabModel.Task {
        let name = LabModel.Task.ModuleName(
            written: "validate_argument_spec", canonical: "ansible.builtin.validate_argument_spec", span: nil)
        return LabModel.Task(
            name: nil, module: name, arguments: SourceValue(.map([]), span: nil), role: role.context)
    }

    private func failBeforeTasks(
        _ name: String, _ hosts: [String], _ error: any Error, role: String?, span: SourceSpan?
    ) {
        let failure = FailureDescription(error, span: span)
        let number = run.nextTaskNumber()
        for host in hosts {
            let identity = TaskIdentity(
                number: number, name: name, module: "validate_argument_spec", role: role, play: play.name, span: span)
            run.emit(.taskStarted(identity, host: host))
            run.host(host).isFailed = true
            run.finish(
                TaskRecord(
                    task: identity, host: host,
                    step: StepRecord(.failed, failure: failure.diagnostics, failureClass: failure.failureClass),
                    pass: run.pass))
        }
    }

    /// Does something for each host, for at most `limit` at the same time.
    private func concurrently(
        _ hosts: [String], limit: Int, _ body: @escaping @Sendable (String) async -> Void
    ) async {
        if hosts.count == 1, let host = hosts.first { return await body(host) }
        await withTaskGroup(of: Void.self) { group in
            var waiting = hosts[...]
            for host in waiting.prefix(max(1, limit)) { group.addTask { await body(host) } }
            waiting = waiting.dropFirst(max(1, limit))
            while await group.next() != nil {
                guard let host = waiting.popFirst() else { continue }
                if run.mustStop { continue }
                group.addTask { await body(host) }
            }
        }
    }
}
