import LabCore
import LabModel
import LabModules

/// One call of a module: plan, apply, and plan again (design.md, "The one idea").
struct ModuleStep: Sendable {
    let module: any Module
    let call: ModuleCall
    let context: ModuleContext
    /// Waits until changes are allowed; false keeps the step from changing anything.
    var mayChange: @Sendable () async -> Bool = { true }

    struct Result: Sendable {
        var record: StepRecord
        var variables: ModuleResult.VariableEffect?
    }

    /// How far the step has come, for going on after its connection was lost.
    struct Progress: Sendable {
        fileprivate enum Stage { case reading, applying, proving }
        fileprivate var stage = Stage.reading
        /// What an apply, whose end nobody has seen, was to change.
        fileprivate var begun: [Change] = []
        /// What an apply has done that still has to be proved.
        fileprivate var applied: (result: ModuleResult, record: StepRecord)?
    }

    /// Whether the step may go on where it was when the connection was lost: it was reading, or may be done again.
    func mayGoOn(_ progress: Progress) -> Bool { progress.stage != .applying || module.mayRepeat(call) }

    /// Carries the step out, or what is left of it.
    func run(_ progress: inout Progress) async throws -> Result {
        if let (result, record) = progress.applied { return try await prove(result, record) }
        progress.stage = .reading
        let plan = try await module.plan(call, in: context)
        switch plan.verdict {
        case .nothing where !progress.begun.isEmpty:
            // The apply had come to its end, only the answer was lost; this plan is the second one.
            return Result(
                record: StepRecord(
                    .changed, proof: .proved(by: nil), changes: progress.begun, notes: plan.notes,
                    warnings: plan.warnings, result: plan.values))
        case .nothing:
            return Result(
                record: StepRecord(
                    .ok, proof: .proved(by: nil), notes: plan.notes, warnings: plan.warnings, result: plan.values))
        case .readOnly:
            return read(try await module.apply(plan, for: call, in: context), plan)
        case .changes(let changes):
            guard !context.checkMode else {
                return Result(
                    record: StepRecord(
                        .changed, changes: changes, notes: plan.notes, warnings: plan.warnings, result: plan.values))
            }
            guard await mayChange() else { return heldBack(plan) }
            return try await change(plan, changes, &progress)
        case .unpredictable(let reason):
            guard !context.checkMode else {
                var values = plan.values
                values["skipped"] = true
                return Result(
                    record: StepRecord(
                        .skipped, notes: plan.notes + ["not run: \(reason)"], warnings: plan.warnings, result: values))
            }
            guard await mayChange() else { return heldBack(plan) }
            progress.stage = .applying
            return try await runBlindly(plan, reason: reason)
        }
    }

    private func heldBack(_ plan: Plan) -> Result {
        var values = plan.values
        values["skipped"] = true
        return Result(
            record: StepRecord(
                .skipped, notes: ["nothing was changed, because of what the pre-flight found"], warnings: plan.warnings,
                result: values))
    }

    private func read(_ result: ModuleResult, _ plan: Plan) -> Result {
        var record = StepRecord(
            result.isSkipped ? .skipped : result.changed == true ? .changed : .ok,
            proof: result.isSkipped ? .none : .proved(by: nil), changes: result.changes, notes: result.notes,
            warnings: plan.warnings + result.warnings, result: result.values)
        fail(&record, result)
        return Result(record: record, variables: result.variables)
    }

    private func change(_ plan: Plan, _ changes: [Change], _ progress: inout Progress) async throws -> Result {
        progress.stage = .applying
        let earlier = progress.begun
        progress.begun = joined(earlier, changes)
        let result = try await module.apply(plan, for: call, in: context)
        var record = StepRecord(
            result.changed == false ? .ok : .changed,
            changes: joined(earlier, result.changes.isEmpty ? changes : result.changes),
            // What the plan had to say of what was to come is past; the module says what came of it.
            notes: result.notes, warnings: union(plan.warnings, result.warnings), result: result.values)
        if result.failure != nil {
            fail(&record, result)
            return Result(record: record, variables: result.variables)
        }
        if let claim = result.proof {
            take(claim, into: &record)
            return Result(record: record, variables: result.variables)
        }
        progress.stage = .proving
        progress.applied = (result, record)
        return try await prove(result, record)
    }

    private func joined(_ earlier: [Change], _ changes: [Change]) -> [Change] {
        let subjects = Set(earlier.map(\.subject))
        return earlier + changes.filter { !subjects.contains($0.subject) }
    }

    private func prove(_ result: ModuleResult, _ record: StepRecord) async throws -> Result {
        var record = record
        let again = try await module.plan(call, in: context)
        record.result = again.values.merging(result.values) { _, applied in applied }
        record.notes = union(record.notes, again.notes)
        record.warnings = union(record.warnings, again.warnings)
        switch again.verdict {
        case .nothing, .readOnly: record.proof = .proved(by: nil)
        case .unpredictable(let reason): record.proof = .unproved(reason: reason)
        case .changes(let remaining):
            record.outcome = .unstable
            record.proof = .refuted(remaining)
        }
        return Result(record: record, variables: result.variables)
    }

    /// A module that cannot plan: what it does is known, if at all, afterwards.
    private func runBlindly(_ plan: Plan, reason: String) async throws -> Result {
        let result = try await module.apply(plan, for: call, in: context)
        var record = StepRecord(
            result.isSkipped ? .skipped : result.changed == false ? .ok : .changed, proof: .unproved(reason: reason),
            changes: result.changes, notes: union(plan.notes, result.notes),
            warnings: union(plan.warnings, result.warnings), result: result.values)
        if let claim = result.proof { take(claim, into: &record) }
        fail(&record, result)
        return Result(record: record, variables: result.variables)
    }

    private func take(_ claim: ModuleResult.ProofClaim, into record: inout StepRecord) {
        switch claim {
        case .proved(let by): record.proof = .proved(by: by)
        case .unproved(let reason): record.proof = .unproved(reason: reason)
        case .unstable(let changes):
            record.outcome = .unstable
            record.proof = .refuted(changes)
        }
    }

    private func fail(_ record: inout StepRecord, _ result: ModuleResult) {
        guard let failure = result.failure else { return }
        record.outcome = .failed
        record.failureClass = .failed
        record.result["changed"] = .bool(result.changed ?? true)
        record.failure = [Diagnostic(failure, span: call.span, notes: words(result.values))]
    }

    /// The end of what a command said, for the reader of its failure.
    private func words(_ values: ValueMap) -> [Diagnostic.Note] {
        for key in ["stderr", "stdout"] {
            let lines = values[key]?.string?.split(whereSeparator: \.isNewline) ?? []
            guard !lines.isEmpty else { continue }
            let shown = lines.suffix(12).map { Diagnostic.Note(String($0)) }
            return lines.count > 12 ? [Diagnostic.Note("… \(lines.count - 12) lines before")] + shown : shown
        }
        return []
    }

    private func union(_ first: [String], _ second: [String]) -> [String] {
        first + second.filter { !first.contains($0) }
    }
}
