import LabCore

/// The outcome of a run.
package struct Report: Sendable {
    /// What became of one host.
    package struct HostSummary: Sendable, Hashable {
        package var host: String
        package var ok = 0
        package var changed = 0
        package var skipped = 0
        package var failed = 0
        package var unstable = 0
        package var isUnreachable = false
        package var ignored = 0
        package var rescued = 0
        /// Steps that were carried out and are known to change nothing when run again.
        package var proved = 0
        /// Steps that were carried out and of which nobody knows.
        package var unproved = 0
        /// The time that the host's tasks took.
        package var duration: Duration = .zero

        package init(host: String) { self.host = host }

        /// How many steps were carried out.
        package var steps: Int { ok + changed + failed + unstable }
    }

    package var title: String
    /// The hosts of the run, in the order of the inventory.
    package var hosts: [String]
    package var isCheck: Bool
    /// Whether a run that only plans exits with 1 when it finds changes (`labctl plan`).
    package var changesAreFindings: Bool
    package var records: [TaskRecord] = []
    /// What ended the run or a play outside of any task: a pattern without hosts, a file that is wrong.
    package var failures: [Failure] = []
    package var isInterrupted = false
    package var duration: Duration = .zero
    /// Whether the second run of `--prove` took place.
    package var hasProvingPass = false

    /// An error that belongs to no task.
    package struct Failure: Sendable {
        package var diagnostics: [Diagnostic]
        package var failureClass: FailureClass
    }

    package init(title: String, hosts: [String] = [], isCheck: Bool = false, changesAreFindings: Bool = false) {
        self.title = title
        self.hosts = hosts
        self.isCheck = isCheck
        self.changesAreFindings = changesAreFindings
    }

    /// What became of each host, in the order of `hosts`; those that took no part are left out.
    ///
    /// Counts are of the first pass; what a second pass found is in `unstable`.
    package var summaries: [HostSummary] {
        var summaries: [String: HostSummary] = [:]
        for record in records {
            summaries[record.host, default: HostSummary(host: record.host)].count(record)
        }
        let known = hosts.compactMap { summaries[$0] }
        let others = summaries.values.filter { !hosts.contains($0.host) }.sorted { $0.host < $1.host }
        return known + others
    }

    /// The exit code (design.md, "exit codes"), decided here and nowhere else.
    ///
    /// Interrupted first; then failed tasks, hosts out of reach, wrong files, steps that are not idempotent, and changes
    /// that `plan` found.
    package var exitCode: Int32 {
        if isInterrupted { return FailureClass.interrupted.rawValue }
        let classes =
            records.filter(\.isFatal).map { $0.step.failureClass ?? .failed } + failures.map(\.failureClass)
        for code in [FailureClass.failed, .unreachable, .input, .usage] where classes.contains(code) {
            return code.rawValue
        }
        if records.contains(where: { $0.outcome == .unstable }) { return 3 }
        if changesAreFindings, isCheck, records.contains(where: { $0.step.isChange }) { return 1 }
        return 0
    }
}

extension Report.HostSummary {
    fileprivate mutating func count(_ record: TaskRecord) {
        duration += record.step.duration
        if record.pass > 1 {
            if record.outcome == .unstable { unstable += 1 }
            if record.isFatal { failed += 1 }
            return
        }
        if record.isIgnored { ignored += 1 }
        if record.isRescued { rescued += 1 }
        switch record.outcome {
        case .ok: ok += 1
        case .changed: changed += 1
        case .skipped: skipped += 1
        case .failed: if record.isFatal { failed += 1 }
        case .unreachable: isUnreachable = true
        case .unstable: unstable += 1
        }
        switch record.step.proof {
        case .proved: proved += 1
        case .unproved: unproved += 1
        case .none, .refuted: break
        }
    }
}
