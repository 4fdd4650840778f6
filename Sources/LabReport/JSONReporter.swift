import LabCore
import LabEngine
import LabModules
import LabTransport

/// Shows a run to programs: one JSON object a line, in the order in which things happened.
///
/// Every object has `event`: `run_started`, `play_started`, `host_connected`, `task_started`, `progress`, `output`,
/// `item_finished`, `task_finished`, `host_unreachable`, `diagnostic`, `proving_started`, `run_finished`. Keys are only
/// ever added, never renamed; durations are whole milliseconds.
package struct JSONReporter: Reporter {
    private let sink: any TextSink

    package init(sink: any TextSink) { self.sink = sink }

    package func handle(_ event: Event) {
        sink.write(Self.object(event).json() + "\n")
    }

    static func object(_ event: Event) -> Value {
        switch event {
        case .runStarted(let start):
            named(
                "run_started",
                [
                    "title": .string(start.title), "hosts": strings(start.hosts), "check": .bool(start.isCheck),
                    "prove": .bool(start.proves),
                ])
        case .playStarted(let name, let hosts):
            named("play_started", ["name": name.map(Value.string) ?? .null, "hosts": strings(hosts)])
        case .hostConnected(let host, let address, let duration):
            named(
                "host_connected",
                [
                    "host": .string(host), "address": .string(address), "duration_ms": milliseconds(duration),
                ])
        case .taskStarted(let task, let host): named("task_started", ["task": identity(task), "host": .string(host)])
        case .progress(let task, let host, let text):
            named("progress", ["task": identity(task), "host": .string(host), "text": .string(text)])
        case .output(let task, let host, let piece):
            named("output", output(piece).merging(["task": identity(task), "host": .string(host)]) { $1 })
        case .itemFinished(let task, let host, let item):
            named("item_finished", itemFields(item).merging(["task": identity(task), "host": .string(host)]) { $1 })
        case .taskFinished(let record): named("task_finished", fields(record))
        case .hostUnreachable(let host, let diagnostics):
            named("host_unreachable", ["host": .string(host), "errors": list(diagnostics)])
        case .told(let diagnostic): named("diagnostic", ["diagnostic": JSONDiagnostic.object(diagnostic)])
        case .provingStarted: named("proving_started", [:])
        case .runFinished(let report): named("run_finished", fields(report))
        }
    }

    private static func named(_ name: String, _ fields: ValueMap) -> Value {
        var object: ValueMap = ["event": .string(name)]
        object.merge(fields) { $1 }
        return .map(object)
    }

    private static func identity(_ task: TaskIdentity) -> Value {
        var fields: ValueMap = [
            "number": .int(task.number), "name": .string(task.name), "module": .string(task.module),
        ]
        if let role = task.role { fields["role"] = .string(role) }
        if let play = task.play { fields["play"] = .string(play) }
        if task.isHandler { fields["handler"] = true }
        if let span = task.span { fields["at"] = .string(span.description) }
        return .map(fields)
    }

    private static func output(_ piece: OutputPiece) -> ValueMap {
        switch piece {
        case .standardOutput(let bytes):
            ["stream": "stdout", "text": .string(String(decoding: bytes, as: UTF8.self))]
        case .standardError(let bytes):
            ["stream": "stderr", "text": .string(String(decoding: bytes, as: UTF8.self))]
        }
    }

    private static func fields(_ record: TaskRecord) -> ValueMap {
        var fields: ValueMap = ["task": identity(record.task), "host": .string(record.host)]
        fields.merge(stepFields(record.step)) { $1 }
        if let delegate = record.delegate { fields["delegate"] = .string(delegate) }
        if !record.items.isEmpty { fields["items"] = .list(record.items.map { .map(itemFields($0)) }) }
        if record.isIgnored { fields["ignored"] = true }
        if record.isRescued { fields["rescued"] = true }
        if record.isCensored { fields["censored"] = true }
        fields["check"] = .bool(record.isCheck)
        fields["pass"] = .int(record.pass)
        return fields
    }

    private static func itemFields(_ item: ItemRecord) -> ValueMap {
        var fields: ValueMap = ["item": .string(item.label)]
        fields.merge(stepFields(item.step)) { $1 }
        return fields
    }

    private static func stepFields(_ step: StepRecord) -> ValueMap {
        var fields: ValueMap = ["outcome": .string(step.outcome.rawValue), "proof": proof(step.proof)]
        fields["duration_ms"] = milliseconds(step.duration)
        if !step.changes.isEmpty { fields["changes"] = .list(step.changes.map(change)) }
        if !step.notes.isEmpty { fields["notes"] = strings(step.notes) }
        if !step.warnings.isEmpty { fields["warnings"] = strings(step.warnings) }
        if !step.failure.isEmpty { fields["errors"] = list(step.failure) }
        if step.attempts > 1 { fields["attempts"] = .int(step.attempts) }
        return fields
    }

    private static func proof(_ proof: Proof) -> Value {
        switch proof {
        case .none: ["state": "none"]
        case .proved(let reason): reason.map { ["state": "proved", "by": .string($0)] } ?? ["state": "proved"]
        case .unproved(let reason): ["state": "unproved", "reason": .string(reason)]
        case .refuted(let changes): ["state": "refuted", "changes": .list(changes.map(change))]
        }
    }

    private static func change(_ change: Change) -> Value {
        var fields: ValueMap = ["action": .string(change.action.rawValue), "subject": .string(change.subject)]
        if !change.fields.isEmpty {
            fields["fields"] = .list(
                change.fields.map { field in
                    var entry: ValueMap = ["path": .string(field.path)]
                    entry["before"] = field.before
                    entry["after"] = field.after
                    if let owner = field.owner { entry["owner"] = .string(owner) }
                    return .map(entry)
                })
        }
        if let diff = change.textDiff { fields["diff"] = .string(diff) }
        return .map(fields)
    }

    private static func fields(_ report: Report) -> ValueMap {
        var fields: ValueMap = ["title": .string(report.title)]
        fields["hosts"] = .list(
            report.summaries.map { summary in
                [
                    "host": .string(summary.host), "ok": .int(summary.ok), "changed": .int(summary.changed),
                    "skipped": .int(summary.skipped), "failed": .int(summary.failed),
                    "unstable": .int(summary.unstable), "unreachable": .bool(summary.isUnreachable),
                    "ignored": .int(summary.ignored), "rescued": .int(summary.rescued),
                    "proved": .int(summary.proved), "unproved": .int(summary.unproved),
                    "duration_ms": milliseconds(summary.duration),
                ]
            })
        if !report.failures.isEmpty { fields["errors"] = list(report.failures.flatMap(\.diagnostics)) }
        fields["interrupted"] = .bool(report.isInterrupted)
        fields["duration_ms"] = milliseconds(report.duration)
        fields["exit_code"] = .int(Int(report.exitCode))
        return fields
    }

    private static func strings(_ texts: [String]) -> Value { .list(texts.map(Value.string)) }
    private static func list(_ diagnostics: [Diagnostic]) -> Value { .list(diagnostics.map(JSONDiagnostic.object)) }
    private static func milliseconds(_ duration: Duration) -> Value {
        .int(Int((duration / .milliseconds(1)).rounded()))
    }
}
