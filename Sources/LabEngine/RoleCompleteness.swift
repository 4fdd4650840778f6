import LabCore
import LabModel
import LabModules

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
        if let missing = hostsLeftOut { return "-l left out \(missing)" }
        if role.entryPoint != "main" { return "only its tasks/\(role.entryPoint) are used" }
        if let doubt = run.roleUses.doubt(about: role.name) { return doubt }
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
