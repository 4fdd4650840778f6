import LabCore
import LabModel
import LabModules
import LabTemplate
import LabTransport

/// A task on one host, or one item of its loop: conditions, arguments, tries, and what the task says of the result.
struct StepExecution: Sendable {
    let play: PlayContext
    let task: LabModel.Task
    let identity: TaskIdentity
    let hostName: String
    let scope: LabModel.VariableScope
    let isCensored: Bool

    struct Result: Sendable {
        var record: StepRecord
        var variables: ModuleResult.VariableEffect?
        var delegate: String?
        var isCheck = false
    }

    private var run: RunState { play.run }

    /// Carries the step out. Failures are part of the record.
    ///
    /// - Throws: `CancellationError` alone.
    func run() async throws -> Result {
        let start = ContinuousClock.now
        var result = Result(record: StepRecord(.failed))
        do {
            if let condition = try task.directives.when.firstFalse(scope) {
                result.record = Self.skipped(condition)
                let foresight = Foresight(play: play)
                foresight.noteLeftOut(task, scope, foresight.rulesOut(task, scope, host: hostName))
            } else {
                Foresight(play: play).noteRun(task, scope, host: hostName)
                try await execute(into: &result)
            }
        } catch {
            if _Concurrency.Task.isCancelled { throw CancellationError() }
            result.record = failed(FailureDescription(error, span: task.span))
        }
        result.record.duration = ContinuousClock.now - start
        return result
    }

    private static func skipped(_ condition: Condition) -> StepRecord {
        StepRecord(
            .skipped, notes: ["since '\(condition.text)' does not hold"],
            result: [
                "changed": false, "skipped": true, "skip_reason": "Conditional result was False",
                "false_condition": condition.text == "false" ? false : .string(condition.text),
            ])
    }

    private func failed(_ failure: FailureDescription) -> StepRecord {
        var values = failure.values
        values["changed"] = values["changed"] ?? false
        values["failed"] = true
        values["msg"] = values["msg"] ?? .string(failure.message)
        if failure.outcome == .unreachable {
            values["unreachable"] = true
            values["failed"] = nil
        }
        return StepRecord(
            failure.outcome, failure: failure.diagnostics, failureClass: failure.failureClass, result: values)
    }

    private func execute(into result: inout Result) async throws {
        let module = try run.registry.module(named: task.module.canonical, span: task.module.span)
        let delegate = try task.directives.delegateTo?.resolve(scope)
        result.delegate = delegate.flatMap { $0 == hostName ? nil : $0 }
        let isCheck = try task.directives.checkMode?.resolve(scope) ?? run.options.isCheck
        result.isCheck = isCheck
        let arguments = try task.renderedArguments(scope)
        let freeForm = try task.freeForm.map { source in
            let value = try source.rendered(scope)
            return value.string ?? (value.isNull ? "" : value.json())
        }
        let call = try run.registry.call(
            module, arguments: arguments, freeForm: freeForm, source: task.arguments, span: task.span)
        let context = try moduleContext(module, delegate: result.delegate, isCheck: isCheck)
        let gate = play.preflight
        let step = ModuleStep(module: module, call: call, context: context) { await gate.mayChange() }
        (result.record, result.variables) = try await tried(step)
    }

    /// Runs the module as often as `until` and `retries` say (TaskExecutor of ansible-core: three retries by default).
    private func tried(_ step: ModuleStep) async throws -> (StepRecord, ModuleResult.VariableEffect?) {
        let retries = try task.retries?.resolve(scope).magnitude
        let attempts = retries.map { Int($0) + 1 } ?? (task.until == nil ? 1 : 4)
        let delay = try task.delay?.resolve(scope) ?? 5
        for attempt in 1... {
            var (record, variables) = try await attempted(step)
            record.attempts = attempt
            // What was not done (check mode) will not come true by waiting.
            if attempts == 1 || record.outcome == .unreachable || record.outcome == .skipped {
                return (record, variables)
            }
            record.result["attempts"] = .int(attempt)
            let isDone = try task.until.map { try holds($0, record.result) } ?? (record.outcome != .failed)
            if isDone { return (record, variables) }
            guard attempt < attempts else {
                return (givenUp(record, after: attempt), variables)
            }
            report("try \(attempt) of \(attempts) was not enough; the next is in \(Self.seconds(delay))")
            try await _Concurrency.Task.sleep(for: .seconds(max(0, delay)))
        }
        return (StepRecord(.failed), nil)
    }

    private func givenUp(_ record: StepRecord, after attempts: Int) -> StepRecord {
        var record = record
        record.result["failed"] = true
        // Ansible counts the retries here, not the tries (task_executor.py).
        record.result["attempts"] = .int(attempts - 1)
        if record.outcome != .failed {
            let condition = task.until?.map(\.text).joined(separator: " and ") ?? ""
            record.failure = [
                Diagnostic(
                    "'\(condition)' did not come true in \(attempts) tries",
                    span: task.until?.first?.span ?? task.span)
            ]
            record.failureClass = .failed
        }
        record.outcome = .failed
        record.proof = .none
        return record
    }

    private static func seconds(_ delay: Double) -> String {
        delay == delay.rounded() ? "\(Int(delay)) s" : "\(delay) s"
    }

    private func attempted(_ step: ModuleStep) async throws -> (StepRecord, ModuleResult.VariableEffect?) {
        var record: StepRecord
        var variables: ModuleResult.VariableEffect?
        do {
            let result = try await limited(step)
            record = result.record
            variables = result.variables
        } catch {
            if _Concurrency.Task.isCancelled { throw CancellationError() }
            let failure = FailureDescription(error, span: task.span)
            record = failed(failure)
            // The next who needs the host gets a new link (ignore_unreachable, clear_host_errors).
            if failure.isLinkLost { await run.pool.discard(step.context.hostName) }
        }
        if record.outcome != .failed { record.result["changed"] = .bool(record.isChange) }
        if record.outcome == .unreachable { return (record, nil) }
        if record.outcome == .skipped {
            record.result["skipped"] = true
            record.result["failed"] = false
            return (record, variables)
        }
        try judge(&record)
        // A task of a run that does change things, but that itself only plans (`check_mode: true`), leaves nothing behind.
        if step.context.checkMode, !run.options.isCheck, record.outcome != .failed, record.proof == .none {
            record.proof = .proved(by: "check_mode")
        }
        record.result["failed"] = .bool(record.outcome == .failed)
        return (record, variables)
    }

    /// The module within the task's `timeout`.
    private func limited(_ module: ModuleStep) async throws -> ModuleStep.Result {
        let step = LastingStep(step: module, pool: run.pool, report: module.context.progress)
        guard let limit = try task.directives.timeout?.resolve(scope), limit > 0 else { return try await step.run() }
        let result = try await withThrowingTaskGroup(of: ModuleStep.Result?.self) { group in
            group.addTask { try await step.run() }
            group.addTask {
                try await _Concurrency.Task.sleep(for: .seconds(limit))
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        guard let result else {
            throw ModuleError(
                "the task took longer than its timeout of \(limit) s", span: task.directives.timeout?.source.span)
        }
        return result
    }

    /// Lets `changed_when` and `failed_when` decide.
    private func judge(_ record: inout StepRecord) throws {
        if let conditions = task.changedWhen {
            let isChanged = try holds(conditions, record.result)
            record.result["changed"] = .bool(isChanged)
            switch record.outcome {
            case .ok, .changed:
                let wasChanged = record.outcome == .changed
                record.outcome = isChanged ? .changed : .ok
                if !isChanged { record.changes = [] }
                prove(&record, isNewlyChanged: isChanged && !wasChanged)
            default: break
            }
        }
        if let conditions = task.failedWhen {
            let hasFailed = try holds(conditions, record.result)
            record.result["failed_when_result"] = .bool(hasFailed)
            if hasFailed {
                if record.outcome != .failed {
                    let text = conditions.map(\.text).joined(separator: " and ")
                    record.failure = [
                        Diagnostic("failed_when: '\(text)' holds", span: conditions.first?.span ?? task.span)
                    ]
                    record.failureClass = .failed
                }
                record.outcome = .failed
            } else if record.outcome == .failed {
                record.outcome = record.result["changed"]?.bool == true ? .changed : .ok
                record.failure = []
                record.failureClass = nil
                if task.changedWhen != nil {
                    record.proof = .unproved(reason: "")
                    prove(&record, isNewlyChanged: false)
                } else if !record.proof.isProved {
                    record.proof = .unproved(reason: "the step failed, and failed_when excuses it")
                }
            }
        }
        if record.outcome == .failed { record.proof = .none }
    }

    /// What `changed_when` proves: that nothing changed, where it says so. Where it says that something did, nobody knows
    /// whether the next run would do it again.
    private func prove(_ record: inout StepRecord, isNewlyChanged: Bool) {
        if record.outcome == .ok {
            if case .unproved = record.proof { record.proof = .proved(by: "changed_when") }
            return
        }
        var isOpen = isNewlyChanged
        if case .unproved = record.proof { isOpen = true }
        if isOpen {
            record.proof = .unproved(
                reason: "changed_when says that it changed; --prove would say whether it does again")
        }
    }

    private func holds(_ conditions: [Condition], _ result: ValueMap) throws -> Bool {
        var overlay: ValueMap = [:]
        if let name = task.register { overlay[name] = .map(result) }
        let scope = overlay.isEmpty ? scope : scope.adding([VariableLayer(.loop, values: overlay)])
        return try conditions.firstFalse(scope) == nil
    }

    private func report(_ text: String) {
        if !isCensored { run.emit(.progress(identity, host: hostName, text: text)) }
    }
}
