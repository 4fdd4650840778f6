import LabCore
import LabModel
import LabModules

/// What takes roles away again, and steps that no file has: these are made here and are told like tasks.
extension PlayRunner {
    /// Takes away what the play's roles brought, on each host that reaches a cluster.
    func removeRoles(_ hosts: [String]) async {
        for role in play.roles {
            var seen: Set<String> = []
            for host in hosts where !run.mustStop {
                var found = RoleCalls(play: context).find(role, host)
                // What runs once runs on the first host.
                if host != hosts.first { found.removeAll(where: \.isOnce) }
                if found.isEmpty { continue }
                seen.insert(host)
                await remove(role, found, host)
            }
            guard seen.isEmpty, let host = hosts.first, !run.mustStop else { continue }
            let identity = identity(RemovalStep.Kind.look.title, RemovalStep.name, role.name, span: nil)
            run.emit(.taskStarted(identity, host: host))
            run.finish(
                TaskRecord(
                    task: identity, host: host,
                    step: StepRecord(
                        .failed,
                        failure: [
                            Diagnostic(
                                "the role '\(role.name)' applies nothing to a cluster, so there is nothing that "
                                    + "labctl knows to take away",
                                hint: "remove is for roles with tasks of kubernetes.core.k8s")
                        ], failureClass: .input), pass: run.pass))
        }
    }

    private func remove(_ role: Role, _ found: [RoleCalls.Found], _ host: String) async {
        let removal = RoleRemoval(
            role: role.name, calls: found.flatMap(\.calls), unknown: found.compactMap(\.unknown),
            timeout: run.options.removalTimeout, showsFields: run.options.isDiff)
        var wanted: Set<String> = []
        for kind in RemovalStep.Kind.all where !run.mustStop {
            if kind != .look, !wanted.contains(kind.title) { continue }
            let identity = identity(kind.title, RemovalStep.name, role.name, span: nil)
            guard let record = await step(RemovalStep(kind, of: removal), identity, host: host) else { return }
            if record.hasFailed { return }
            if kind == .look {
                wanted = Set((record.result["stages"]?.list ?? []).compactMap(\.string))
            }
        }
    }

    func identity(_ title: String, _ module: String, _ role: String, span: SourceSpan?) -> TaskIdentity {
        TaskIdentity(
            number: run.nextTaskNumber(), name: title, module: module, role: role, play: play.name, span: span)
    }

    /// Plans, applies and proves a step that no file has.
    ///
    /// - Returns: what became of it; nil when the run was interrupted.
    @discardableResult
    func step(_ module: any Module, _ identity: TaskIdentity, host: String) async -> StepRecord? {
        run.emit(.taskStarted(identity, host: host))
        let run = run
        var context = ModuleContext(
            hostName: host,
            connection: { throw ModuleError("\(module.specification.shortName) has no business on \(host)") },
            controller: run.controller, shared: run.storage)
        context.progress = { run.emit(.progress(identity, host: host, text: $0)) }
        context.checkMode = run.options.isCheck
        context.wantsDiff = run.options.isDiff
        let call = ModuleCall(arguments: [:], source: SourceValue([:]), span: identity.span)
        let start = ContinuousClock.now
        var record: StepRecord
        do {
            var progress = ModuleStep.Progress()
            record = try await ModuleStep(module: module, call: call, context: context).run(&progress).record
        } catch {
            if _Concurrency.Task.isCancelled {
                run.noteInterruption()
                record = StepRecord(.failed, failure: [Diagnostic("interrupted")], failureClass: .interrupted)
            } else {
                let failure = FailureDescription(error, span: nil)
                record = StepRecord(failure.outcome, failure: failure.diagnostics, failureClass: failure.failureClass)
            }
            run.host(host).isFailed = true
        }
        record.duration = ContinuousClock.now - start
        // In the second run of `--prove` a change is the proof that something is not idempotent.
        if run.pass > 1, record.outcome == .changed {
            record.outcome = .unstable
            record.proof = .refuted(record.changes)
            record.notes.append("changed again in the second run")
        }
        run.finish(
            TaskRecord(task: identity, host: host, step: record, isCheck: run.options.isCheck, pass: run.pass))
        return record.failureClass == .interrupted ? nil : record
    }
}
