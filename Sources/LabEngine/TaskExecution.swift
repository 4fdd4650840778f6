import LabCore
import LabModel
import LabModules
import LabTemplate

/// A task on one host, with all items of its loop.
struct TaskExecution: Sendable {
    let play: PlayContext
    let task: LabModel.Task
    let hostName: String
    /// The hosts that get what the task registers and defines: more than one for `run_once`.
    let beneficiaries: [String]
    let number: Int
    let isHandler: Bool

    private var run: RunState { play.run }
    private var foresight: Foresight { Foresight(play: play) }

    /// Runs the task, keeps its record and lets the host's state follow from it.
    func run() async {
        let start = ContinuousClock.now
        let scope = play.scope(hostName, task: task)
        let identity = identity(scope)
        run.emit(.taskStarted(identity, host: hostName))
        // When nobody can say whether the task is secret, it is.
        let isCensored = task.directives.noLog.map { (try? $0.resolve(scope)) ?? true } ?? false
        var record: TaskRecord
        do {
            record = try await execute(identity, scope, isCensored: isCensored)
        } catch {
            if _Concurrency.Task.isCancelled { return interrupted(identity, since: start) }
            let failure = FailureDescription(error, span: task.span)
            record = TaskRecord(
                task: identity, host: hostName,
                step: StepRecord(
                    .failed, failure: failure.diagnostics, failureClass: failure.failureClass,
                    result: ["changed": false, "failed": true, "msg": .string(failure.message)]))
        }
        record.pass = run.pass
        settle(&record, scope)
        // Also when that is ignored.
        if record.step.hasFailed, let role = Foresight.appliedRole(of: task) {
            run.audit.doubt(role, "'\(identity.name)' failed")
        }
        let result = record.step.result
        let told = isCensored ? record.censored() : refuted(record)
        run.finish(told)
        if let name = task.register {
            for host in beneficiaries { run.host(host).set(name, .map(result), span: task.span) }
        }
        follow(told, result)
    }

    private func interrupted(_ identity: TaskIdentity, since start: ContinuousClock.Instant) {
        run.noteInterruption()
        var step = StepRecord(
            .failed, failure: [Diagnostic("interrupted")], failureClass: .interrupted, result: ["failed": true])
        step.duration = ContinuousClock.now - start
        run.finish(TaskRecord(task: identity, host: hostName, step: step, pass: run.pass))
        run.host(hostName).isFailed = true
    }

    private func identity(_ scope: LabModel.VariableScope) -> TaskIdentity {
        TaskIdentity(
            number: number, name: task.title(scope), module: task.module.written, role: task.role?.name,
            play: play.play.name, isHandler: isHandler, span: task.span)
    }

    /// In the second run of `--prove` a change is the proof that something is not idempotent.
    private func refuted(_ record: TaskRecord) -> TaskRecord {
        guard run.pass > 1, record.outcome == .changed else { return record }
        var record = record
        record.step.notes.append("changed again in the second run")
        // What is known of why.
        if case .unproved(let reason) = record.step.proof { record.step.notes.append(reason) }
        record.step.outcome = .unstable
        record.step.proof = .refuted(record.step.changes)
        return record
    }

    // MARK: carrying out

    private func execute(_ identity: TaskIdentity, _ scope: LabModel.VariableScope, isCensored: Bool) async throws
        -> TaskRecord
    {
        guard let loop = task.loop else {
            let result = try await step(identity, scope, isCensored: isCensored)
            apply(result)
            return TaskRecord(
                task: identity, host: hostName, delegate: result.delegate, step: result.record, isCheck: result.isCheck)
        }
        let start = ContinuousClock.now
        let items: [Value]
        do {
            items = try loop.items(scope)
        } catch {
            // A condition that does not hold excuses a loop that cannot be read (`when: list is defined`).
            if let condition = try? task.directives.when.firstFalse(scope) {
                foresight.noteLeftOut(task, scope, foresight.rulesOut(task, scope, host: hostName))
                return TaskRecord(
                    task: identity, host: hostName, step: skipped("since '\(condition.text)' does not hold"))
            }
            let failure = FailureDescription(error, span: loop.source.span ?? task.span)
            return TaskRecord(
                task: identity, host: hostName,
                step: StepRecord(
                    .failed, failure: failure.diagnostics, failureClass: failure.failureClass,
                    result: ["changed": false, "failed": true, "msg": .string(failure.message)]))
        }
        guard !items.isEmpty else {
            foresight.noteLeftOut(
                task, scope,
                (try? loop.items(foresight.view(scope, host: hostName))) != nil
                    || foresight.rulesOut(task, scope, host: hostName))
            var step = skipped("there is nothing to loop over")
            step.result["skipped_reason"] = "No items in the list"
            step.result["results"] = []
            return TaskRecord(task: identity, host: hostName, step: step)
        }
        return try await runItems(of: loop, items, identity, isCensored: isCensored, start: start)
    }

    private func skipped(_ note: String) -> StepRecord {
        StepRecord(.skipped, notes: [note], result: ["changed": false, "skipped": true])
    }

    private func runItems(
        of loop: Loop, _ items: [Value], _ identity: TaskIdentity, isCensored: Bool, start: ContinuousClock.Instant
    ) async throws -> TaskRecord {
        var records: [ItemRecord] = []
        var delegates: Set<String> = []
        var isCheck = false
        for (index, item) in items.enumerated() {
            let variables = loop.variables(item: item, index: index, items: items)
            // Made anew for each item, because items may define facts for those after them.
            let scope = play.scope(hostName, task: task, loop: variables)
            var result = try await step(identity, scope, isCensored: isCensored)
            apply(result)
            if let delegate = result.delegate { delegates.insert(delegate) }
            isCheck = isCheck || result.isCheck
            for (name, value) in variables where name != "ansible_loop" || loop.isExtended {
                result.record.result[name] = value
            }
            let record = ItemRecord(label: label(loop, item, scope), step: result.record)
            records.append(record)
            let told = isCensored ? ItemRecord(label: "item \(index + 1)", step: record.step.censored()) : record
            run.emit(.itemFinished(identity, host: hostName, told))
            if result.record.outcome == .unreachable { break }
            if try !loop.breakWhen.isEmpty && loop.breakWhen.firstFalse(scope) == nil {
                if index + 1 < items.count { foresight.noteLeftOut(task, scope, false) }
                break
            }
            if let pause = try loop.pause?.resolve(scope), pause > 0, index + 1 < items.count {
                try await _Concurrency.Task.sleep(for: .seconds(pause))
            }
        }
        var step = StepRecord(joining: records)
        step.duration = ContinuousClock.now - start
        return TaskRecord(
            task: identity, host: hostName, delegate: delegates.count == 1 ? delegates.first : nil, step: step,
            items: records, isCheck: isCheck)
    }

    private func step(_ identity: TaskIdentity, _ scope: LabModel.VariableScope, isCensored: Bool) async throws
        -> StepExecution.Result
    {
        try await StepExecution(
            play: play, task: task, identity: identity, hostName: hostName, scope: scope, isCensored: isCensored
        ).run()
    }

    private func label(_ loop: Loop, _ item: Value, _ scope: LabModel.VariableScope) -> String {
        if let label = loop.label, let value = try? label.rendered(scope) {
            return String(keyword: value) ?? value.json()
        }
        return String(keyword: item) ?? item["name"]?.string ?? item.json()
    }

    // MARK: consequences

    private func apply(_ result: StepExecution.Result) {
        guard let effect = result.variables else { return }
        let toDelegate = (try? task.directives.delegateFacts?.resolve(play.scope(hostName, task: task))) ?? false
        let hosts = toDelegate ? [result.delegate ?? hostName] : beneficiaries
        for host in hosts { run.host(host).define(effect, span: task.span) }
    }

    /// Lets `ignore_errors` have its say.
    private func settle(_ record: inout TaskRecord, _ scope: LabModel.VariableScope) {
        let directive =
            record.outcome == .unreachable ? task.directives.ignoreUnreachable : task.directives.ignoreErrors
        guard record.step.hasFailed, let directive else { return }
        do {
            record.isIgnored = try directive.resolve(scope)
        } catch {
            record.step.failure += FailureDescription(error, span: directive.source.span).diagnostics
        }
    }

    /// What the record means for the host: left out, failed, or handlers to run.
    private func follow(_ record: TaskRecord, _ result: ValueMap) {
        let state = run.host(hostName)
        if record.isFatal {
            if record.outcome == .unreachable {
                state.isUnreachable = true
                run.emit(.hostUnreachable(host: hostName, record.step.failure))
            } else {
                state.isFailed = true
                state.set("ansible_failed_result", .map(result), span: nil)
                state.set(
                    "ansible_failed_task",
                    ["name": .string(record.task.name), "action": .string(task.module.written)], span: nil)
            }
            return
        }
        guard record.step.isChange, let notify = task.directives.notify else { return }
        let scope = play.scope(hostName, task: task)
        do {
            let names = try notify.map { try $0.resolve(scope) }
            for name in names { try HandlerIndex(play: play).check(name, span: notify.first?.source.span, scope) }
            for host in beneficiaries { run.host(host).notify(names) }
        } catch {
            let failure = FailureDescription(error, span: task.span)
            state.isFailed = true
            run.finish(
                TaskRecord(
                    task: record.task, host: hostName,
                    step: StepRecord(.failed, failure: failure.diagnostics, failureClass: failure.failureClass),
                    pass: run.pass))
        }
    }
}

extension StepRecord {
    /// The items of a loop together, with Ansible's registered shape (`results`).
    fileprivate init(joining items: [ItemRecord]) {
        let steps = items.map(\.step)
        func has(_ outcome: Outcome) -> Bool { steps.contains { $0.outcome == outcome } }
        let outcome: Outcome =
            has(.unreachable)
            ? .unreachable
            : has(.failed)
                ? .failed : has(.unstable) ? .unstable : has(.changed) ? .changed : has(.ok) ? .ok : .skipped
        self.init(outcome)
        changes = steps.flatMap(\.changes)
        // The same sentence of several items is told once.
        for note in steps.filter({ $0.outcome != .skipped }).flatMap(\.notes) where !notes.contains(note) {
            notes.append(note)
        }
        if outcome == .skipped, let note = steps.first?.notes.first { notes = [note] }
        for warning in steps.flatMap(\.warnings) where !warnings.contains(warning) { warnings.append(warning) }
        failure = items.filter(\.step.hasFailed).flatMap { item in
            item.step.failure.map { diagnostic in
                var diagnostic = diagnostic
                diagnostic.notes.append(Diagnostic.Note("item: \(item.label)"))
                return diagnostic
            }
        }
        failureClass = steps.compactMap(\.failureClass).first
        let refuted = steps.flatMap { step -> [Change] in
            if case .refuted(let changes) = step.proof { changes } else { [] }
        }
        if outcome == .unstable {
            proof = .refuted(refuted)
        } else if outcome == .ok || outcome == .changed {
            let open = steps.first { if case .unproved = $0.proof { true } else { false } }
            proof = open?.proof ?? steps.first { $0.proof.isProved }?.proof ?? .none
        }
        result = [
            "results": .list(steps.map { .map($0.result) }), "changed": .bool(steps.contains(where: \.isChange)),
            "failed": .bool(outcome == .failed),
            "msg": .string(outcome == .failed ? "One or more items failed" : "All items completed"), "skipped": false,
        ]
        if outcome == .skipped {
            result["skipped"] = true
            result["msg"] = "All items skipped"
        }
        attempts = steps.map(\.attempts).max() ?? 1
    }
}
