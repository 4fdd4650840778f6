import LabCore
import LabModel
import LabModules

/// When the left-overs of roles are pruned: at the end of a role that nothing else in the run can bring again, otherwise at
/// the end of the run, when everything that roles want has been applied.
extension PlayRunner {
    /// Prunes at the end of a role, where that is early enough to be the last word.
    func pruneAtEnd(of role: Role, _ hosts: [String]) async {
        guard role.metadata.prunes, Self.isOnlyUse(of: role.context, in: play, run), !run.mustStop, !context.hasEnded,
            let host = context.active(hosts).first
        else { return }
        await prune(role.name, host: host, span: role.metadata.prunesSpan)
    }

    /// Prunes for the roles that are left at the end of the run.
    static func pruneAtEnd(of run: RunState) async {
        for use in run.audit.unhandled where !run.mustStop {
            let hosts = [use.host] + use.play.allHosts
            guard await run.inventory(of: use.role).hasBroughtAnything,
                let host = hosts.first(where: { !run.host($0).isFailed && !run.host($0).isUnreachable })
            else { continue }
            await PlayRunner(context: use.play).prune(use.role, host: host, span: nil)
        }
    }

    /// Whether a role is listed once in the run, for hosts that go through it together, and nothing else can bring it, or
    /// an object of it, again.
    static func isOnlyUse(of role: RoleContext, in play: Play, _ run: RunState) -> Bool {
        guard play.strategy == .linear, play.serial.isEmpty, play.roles.contains(where: { $0.context === role }) else {
            return false
        }
        let plays = run.plan.plays
        let uses = plays.flatMap { $0.roles.map(\.name) + $0.importedRoles.map(\.name) }
        guard uses.count(where: { $0 == role.name }) == 1 else { return false }
        return !plays.contains { play in
            let others = play.roles.filter { $0.context !== role }.flatMap { $0.tasks + $0.preflight }
            return mayApply(play.preTasks + others + play.tasks + play.postTasks + play.handlers)
        }
    }

    private static func mayApply(_ nodes: [TaskNode]) -> Bool {
        nodes.contains { node in
            switch node {
            case .include: true
            case .block(let block): mayApply(block.tasks + block.rescue + block.always)
            case .task(let task): task.module.canonical == Foresight.applyingModule
            case .meta: false
            }
        }
    }

    /// Removes what the role's set has and the run did not apply, as the last step of the role.
    private func prune(_ role: String, host: String, span: SourceSpan?) async {
        run.audit.noteHandled(role)
        let identity = identity(LeftoversModule.title, LeftoversModule.name, role, span: span)
        if let reason = await doubt(about: role, host: host) {
            run.emit(.taskStarted(identity, host: host))
            let note = "nothing was looked for, since \(reason)"
            run.finish(
                TaskRecord(task: identity, host: host, step: StepRecord(.skipped, notes: [note]), pass: run.pass))
            return
        }
        await step(LeftoversModule(run.inventory(of: role)), identity, host: host)
    }

    /// Why it is not certain that the run applied everything that a role wants, a clause.
    private func doubt(about role: String, host: String) async -> String? {
        if let narrowing = Self.narrowing(of: run) { return narrowing }
        let failed = run.allRecords.first { $0.isFatal || $0.isRescued }
        if let failed { return "'\(failed.task.name)' failed" }
        if let doubt = run.audit.doubt(about: role) { return doubt }
        if let task = await run.inventory(of: role).unsettledTask { return "'\(task)' failed" }
        // What handlers apply is applied only when they are notified.
        var handlers = [(context, run.audit.includedHandlers, host)]
        for (play, hosts) in zip(run.plan.plays, run.playHosts) where !hosts.isEmpty {
            let context = PlayContext(run: run, play: play, allHosts: hosts, batch: hosts, handlers: [])
            handlers.append((context, play.handlers, hosts[0]))
        }
        for (context, nodes, host) in handlers {
            guard let brought = Foresight(play: context).roles(in: nodes, host: host) else {
                return "only the run can tell what its handlers include"
            }
            if brought.contains(role) { return "handlers apply its objects as well" }
        }
        return nil
    }

    /// What the options of the run leave out, a clause.
    static func narrowing(of run: RunState) -> String? {
        let tags = run.options.tags
        if !tags.skip.isEmpty || !tags.only.allSatisfy({ $0 == "all" }) {
            return "only some tasks were selected by their tags"
        }
        guard run.options.limit != nil else { return nil }
        for (play, hosts) in zip(run.plan.plays, run.playHosts) {
            let scope = LabModel.VariableScope(
                layers: VariableLayers(play.variables + run.options.extraVariables),
                magic: MagicVariables(inventory: run.inventory, hostName: nil))
            guard let value = try? play.hosts.rendered(scope) else { return "-l left out hosts" }
            let patterns = (value.list ?? [value]).compactMap { String(keyword: $0) }
            guard let all = try? run.inventory.hosts(matching: patterns, limit: nil, span: nil).map(\.name) else {
                return "-l left out hosts"
            }
            if let missing = all.first(where: { !hosts.contains($0) }) { return "-l left out \(missing)" }
        }
        return nil
    }
}
