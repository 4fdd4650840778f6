import LabCore
import LabEngine
import LabModules
import LabReport
import Synchronization

/// Remembers what is written.
final class Memory: TextSink {
    private let written = Mutex("")
    var text: String { written.withLock { $0 } }
    func write(_ text: String) { written.withLock { $0 += text } }
}

/// A run with one of everything that a report can show.
enum Sample {
    static let file = SourceFile(
        path: "Roles/web/tasks/main.yml",
        text: "- name: Motd\n  copy:\n    src: motd\n    dset: /etc/motd\n- shell: true\n")

    static let failure = Diagnostic(
        "unknown parameter 'dset' of the module 'copy'", span: file.span(39..<43),
        notes: [Diagnostic.Note("the task begins here", span: file.span(2..<6)), Diagnostic.Note("copy takes dest, mode, owner")],
        hint: "did you mean 'dest'?")

    static func task(_ number: Int, _ name: String, _ module: String = "kubernetes.core.k8s") -> TaskIdentity {
        TaskIdentity(number: number, name: name, module: module, role: "metallb", span: file.span(2..<6))
    }

    static let update = Change(
        .update, "ConfigMap metallb-system/metallb-excludel2",
        fields: [
            .init(".data.k", before: "1", after: "2", owner: "kubectl-edit (Update)"),
            .init(".metadata.labels.team", before: nil, after: "lab"),
            .init(".metadata.labels.old", before: "x", after: nil),
        ])

    static let text = Change(.update, "/etc/motd", textDiff: "--- before\n+++ after\n@@ -1 +1 @@\n-hello\n+welcome\n")

    static let records: [TaskRecord] = [
        TaskRecord(
            task: task(1, "Manifest applied"), host: "cp1",
            step: StepRecord(
                .changed, proof: .proved(by: nil),
                changes: (1...3).map { Change(.create, "ConfigMap default/c\($0)") } + [update],
                notes: ["kept .spec.conversion.webhook.clientConfig.caBundle of CustomResourceDefinition bgppeers.metallb.io: MetalLB owns it"],
                duration: .milliseconds(1240))),
        TaskRecord(
            task: task(2, "Message of the day", "copy"), host: "w1",
            step: StepRecord(.changed, proof: .proved(by: nil), changes: [text], duration: .milliseconds(12))),
        TaskRecord(
            task: task(3, "Speaker on every node", "kubernetes.core.k8s_info"), host: "cp1",
            step: StepRecord(.ok, proof: .proved(by: nil), duration: .milliseconds(71_000), attempts: 3)),
        TaskRecord(
            task: task(4, "A script whose name is far longer than the column that is there for it", "command"),
            host: "cp1",
            step: StepRecord(
                .changed, proof: .unproved(reason: "a command has no plan; give it creates, removes or changed_when"),
                warnings: ["it printed to standard error"], duration: .milliseconds(3))),
        TaskRecord(
            task: task(5, "Not on this host"), host: "w1",
            step: StepRecord(.skipped, notes: ["since 'x is defined' does not hold"])),
        TaskRecord(
            task: task(6, "Stock manifest", "command"), host: "cp1",
            step: StepRecord(
                .unstable,
                proof: .refuted([
                    Change(
                        .update, "CustomResourceDefinition bgppeers.metallb.io",
                        fields: [
                            .init(
                                ".spec.conversion.webhook.clientConfig.caBundle", before: "AAA", after: "BBB",
                                owner: "MetalLB (Update)")
                        ])
                ]), duration: .milliseconds(800))),
        TaskRecord(
            task: task(7, "Motd", "copy"), host: "w1",
            step: StepRecord(.failed, failure: [failure], failureClass: .failed, duration: .milliseconds(5))),
        TaskRecord(
            task: task(8, "Loop", "file"), host: "cp1",
            step: StepRecord(.ok, proof: .proved(by: nil), duration: .milliseconds(20)),
            items: ["a", "b"].map { ItemRecord(label: $0, step: StepRecord(.ok, proof: .proved(by: nil))) }),
    ]

    static var report: Report {
        var report = Report(title: "metallb", hosts: ["cp1", "w1"])
        report.records = records
        report.duration = .milliseconds(2140)
        return report
    }

    static var events: [Event] {
        [.runStarted(RunStart(title: "metallb", hosts: ["cp1", "w1"], isCheck: false, proves: false))]
            + records.flatMap { [.taskStarted($0.task, host: $0.host), .taskFinished($0)] }
            + [.runFinished(report)]
    }
}
