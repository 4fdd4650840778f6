import LabCore
import LabModules

/// A task of a run, as events and reports name it.
package struct TaskIdentity: Sendable, Hashable {
    /// In the order in which tasks were started, from 1.
    package var number: Int
    /// Rendered for the host.
    package var name: String
    /// The module as the task has it: `copy`.
    package var module: String
    package var role: String?
    package var play: String?
    package var isHandler: Bool
    /// Where the task stands.
    package var span: SourceSpan?

    package init(
        number: Int, name: String, module: String, role: String? = nil, play: String? = nil, isHandler: Bool = false,
        span: SourceSpan? = nil
    ) {
        self.number = number
        self.name = name
        self.module = module
        self.role = role
        self.play = play
        self.isHandler = isHandler
        self.span = span
    }
}

/// What a task did on one host, or one item of its loop.
package struct StepRecord: Sendable {
    package var outcome: Outcome
    package var proof: Proof
    package var changes: [Change]
    package var notes: [String]
    package var warnings: [String]
    /// Why it failed, or why the host counts as unreachable.
    package var failure: [Diagnostic]
    package var failureClass: FailureClass?
    /// What `register` gets.
    package var result: ValueMap
    package var duration: Duration
    /// How often it was tried (`until`).
    package var attempts: Int

    package init(
        _ outcome: Outcome, proof: Proof = .none, changes: [Change] = [], notes: [String] = [], warnings: [String] = [],
        failure: [Diagnostic] = [], failureClass: FailureClass? = nil, result: ValueMap = [:],
        duration: Duration = .zero, attempts: Int = 1
    ) {
        self.outcome = outcome
        self.proof = proof
        self.changes = changes
        self.notes = notes
        self.warnings = warnings
        self.failure = failure
        self.failureClass = failureClass
        self.result = result
        self.duration = duration
        self.attempts = attempts
    }

    package var hasFailed: Bool { outcome == .failed || outcome == .unreachable }
    /// Whether something was changed, stable or not.
    package var isChange: Bool { outcome == .changed || outcome == .unstable }
}

/// One item of a task's loop.
package struct ItemRecord: Sendable {
    /// As `loop_control.label` says, else the item itself.
    package var label: String
    package var step: StepRecord

    package init(label: String, step: StepRecord) {
        self.label = label
        self.step = step
    }
}

/// What a task did on one host.
package struct TaskRecord: Sendable {
    package var task: TaskIdentity
    package var host: String
    /// The host that the task ran on instead.
    package var delegate: String?
    /// The whole task; of a loop, its items together.
    package var step: StepRecord
    /// The items of a loop; empty for a task with none.
    package var items: [ItemRecord]
    /// Whether the failure does not count (`ignore_errors`).
    package var isIgnored: Bool
    /// Whether a `rescue` took care of the failure.
    package var isRescued: Bool
    /// Whether `no_log` hides everything but the outcome.
    package var isCensored: Bool
    /// Whether the task only planned.
    package var isCheck: Bool
    /// 2 in the second run of `--prove`.
    package var pass: Int

    package init(
        task: TaskIdentity, host: String, delegate: String? = nil, step: StepRecord, items: [ItemRecord] = [],
        isIgnored: Bool = false, isRescued: Bool = false, isCensored: Bool = false, isCheck: Bool = false, pass: Int = 1
    ) {
        self.task = task
        self.host = host
        self.delegate = delegate
        self.step = step
        self.items = items
        self.isIgnored = isIgnored
        self.isRescued = isRescued
        self.isCensored = isCensored
        self.isCheck = isCheck
        self.pass = pass
    }

    package var outcome: Outcome { step.outcome }
    /// Whether the failure decides the run.
    package var isFatal: Bool { step.hasFailed && !isIgnored && !isRescued }

    /// The record without anything that the task works with (`no_log`).
    func censored() -> TaskRecord {
        var record = self
        record.isCensored = true
        record.step = step.censored()
        record.items = items.enumerated().map { index, item in
            ItemRecord(label: "item \(index + 1)", step: item.step.censored())
        }
        return record
    }
}

extension StepRecord {
    func censored() -> StepRecord {
        var step = self
        step.changes = changes.map { Change($0.action, "something hidden by no_log") }
        step.notes = []
        step.warnings = []
        if !failure.isEmpty {
            step.failure = [
                Diagnostic(
                    "the task failed; no_log hides why", span: failure.first?.span,
                    hint: "set no_log: false to see it, where that is safe")
            ]
        }
        if case .refuted(let changes) = proof {
            step.proof = .refuted(changes.map { Change($0.action, "something hidden by no_log") })
        }
        step.result = ["censored": "the output is hidden because of no_log"]
        return step
    }
}
