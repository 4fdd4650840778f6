import LabCore
import LabEngine
import LabModules

/// The lines of one task on one host.
struct StepText {
    let style: Style
    let width: Int
    /// The column of host names; 0 when the run has only one host.
    let hostColumn: Int
    let showsDiff: Bool
    let isVerbose: Bool

    private static let outcomeColumn = 12
    private static let timeColumn = 10
    private static let proofColumn = 8
    private static let margin = "  "

    /// The columns that are left for a task's name.
    private var nameColumn: Int {
        let others =
            2 + Self.outcomeColumn + (hostColumn > 0 ? hostColumn + 2 : 0) + Self.timeColumn + 2 + Self.proofColumn
        return max(12, min(40, width - others - 2))
    }

    private var indent: String { String(repeating: " ", count: 2 + Self.outcomeColumn) }

    func lines(_ record: TaskRecord) -> [String] {
        var lines = head(record)
        let detail = ChangeText(
            style: style, width: max(width - indent.count, 20), isPlan: record.isCheck, isVerbose: isVerbose)
        if isVerbose || record.items.contains(where: \.step.hasFailed) {
            lines += record.items.map { item(item: $0, detail: detail) }
        }
        if showsDiff, !record.step.changes.isEmpty {
            lines += detail.details(record.step.changes).map { indent + $0 }
        }
        if record.step.attempts > 1 {
            let attempts = record.step.attempts
            lines += faint(record.step.hasFailed ? "gave up after \(attempts) tries" : "answered at try \(attempts)")
        }
        // Why a task was left out is seldom what people look for.
        if record.outcome != .skipped || isVerbose || record.task.module == LeftoversModule.name {
            lines += record.step.notes.flatMap(faint)
        }
        switch record.step.proof {
        case .proved(let reason?) where isVerbose: lines += faint("proved: \(reason)")
        case .unproved(let reason): lines += faint("not proved: \(reason)")
        case .refuted(let changes): lines += refutation(changes, detail)
        default: break
        }
        lines += record.step.warnings.flatMap { sentence("warning: ", $0, .warning) }
        lines += failure(record)
        return lines
    }

    private func head(_ record: TaskRecord) -> [String] {
        let (word, role) = outcome(record)
        var line = Self.margin + style.text(TextLayout.pad(word, to: Self.outcomeColumn), role)
        if hostColumn > 0 {
            line += TextLayout.pad(TextLayout.cut(record.host, to: hostColumn), to: hostColumn) + "  "
        }
        let title = TextLayout.harmless(record.task.name) + (record.task.isHandler ? " (handler)" : "")
        line += TextLayout.pad(TextLayout.cut(title, to: nameColumn), to: nameColumn)
        let time = record.outcome == .skipped ? "" : TextLayout.duration(record.step.duration)
        line += style.text(TextLayout.padLeft(time, to: Self.timeColumn), .faint)
        let (proof, proofRole): (String, Style.Role) =
            switch record.step.proof {
            case .proved: ("proved", .ok)
            case .unproved: ("unproved", .warning)
            case .refuted: ("refuted", .failed)
            case .none: ("", .faint)
            }
        let summary = summary(record)
        let used =
            2 + Self.outcomeColumn + (hostColumn > 0 ? hostColumn + 2 : 0) + nameColumn + Self.timeColumn + 2
            + Self.proofColumn
        guard !summary.isEmpty else { return [(line + "  " + style.text(proof, proofRole)).trimmedRight] }
        if used + 2 + TextLayout.width(summary) <= width {
            let padded = TextLayout.pad(proof, to: Self.proofColumn)
            return [line + "  " + style.text(padded, proofRole) + "  " + summary]
        }
        let first = (line + "  " + style.text(proof, proofRole)).trimmedRight
        return [first] + TextLayout.wrap(summary, to: max(width - indent.count, 16)).map { indent + $0 }
    }

    private func outcome(_ record: TaskRecord) -> (String, Style.Role) {
        if record.isIgnored { return ("ignored", .warning) }
        if record.isRescued { return ("rescued", .warning) }
        return switch record.outcome {
        case .ok: ("ok", .ok)
        case .changed: (record.isCheck ? "to change" : "changed", .changed)
        case .skipped: ("skipped", .skipped)
        case .failed: ("failed", .failed)
        case .unreachable: ("unreachable", .failed)
        case .unstable: ("unstable", .failed)
        }
    }

    private func summary(_ record: TaskRecord) -> String {
        var parts: [String] = []
        if !record.step.changes.isEmpty, !record.isCensored {
            parts.append(
                ChangeText(style: .plain, width: width, isPlan: record.isCheck).summary(record.step.changes))
        }
        if record.items.count > 1 { parts.append("\(record.items.count) items") }
        if let delegate = record.delegate { parts.append("on \(delegate)") }
        return parts.joined(separator: ", ")
    }

    private func item(item: ItemRecord, detail: ChangeText) -> String {
        let word = item.step.outcome.rawValue
        let changes = item.step.changes.isEmpty ? "" : "  " + detail.summary(item.step.changes)
        let label = TextLayout.harmless(item.label)
        return indent
            + TextLayout.cut("\(TextLayout.pad(word, to: 9)) \(label)\(changes)", to: max(width - indent.count, 20))
    }

    private func refutation(_ changes: [Change], _ detail: ChangeText) -> [String] {
        // A second run that changes something has a note of its own, and no plan.
        guard !changes.isEmpty else { return [] }
        return sentence("", "planned again, it would still change:", .failed)
            + detail.details(changes).map { indent + $0 }
    }

    private func failure(_ record: TaskRecord) -> [String] {
        var diagnostics = record.step.failure
        for item in record.items where item.step.hasFailed && diagnostics.isEmpty { diagnostics += item.step.failure }
        guard !diagnostics.isEmpty else { return [] }
        let renderer = DiagnosticRenderer(style: style, width: width - 4)
        return renderer.render(diagnostics).split(separator: "\n", omittingEmptySubsequences: false).dropLast().map {
            "    " + $0
        }
    }

    private func faint(_ text: String) -> [String] { sentence("", text, .faint) }

    private func sentence(_ label: String, _ text: String, _ role: Style.Role) -> [String] {
        TextLayout.wrap(label + TextLayout.harmless(text), to: max(width - indent.count, 20)).map {
            indent + style.text($0, role)
        }
    }
}

extension String {
    fileprivate var trimmedRight: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
