import LabCore
import LabEngine

/// The end of a run: a line for each host, and what it comes to.
struct RecapText {
    let style: Style
    let width: Int

    func lines(_ report: Report) -> [String] {
        let summaries = report.summaries
        var lines: [String] = []
        if !summaries.isEmpty {
            lines.append("")
            lines.append(style.text("recap", .strong))
            let column = summaries.map { TextLayout.width($0.host) }.max() ?? 0
            lines += summaries.flatMap { host($0, column: min(column, 24), isCheck: report.isCheck) }
        }
        for failure in report.failures {
            if !lines.isEmpty { lines.append("") }
            lines += DiagnosticRenderer(style: style, width: width).render(failure.diagnostics)
                .split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
        }
        // Where nothing was begun, the error is all there is to say.
        guard !summaries.isEmpty || report.failures.isEmpty else { return lines }
        lines.append("")
        lines += verdict(report, summaries)
        return lines
    }

    private func host(_ summary: Report.HostSummary, column: Int, isCheck: Bool) -> [String] {
        var parts: [(text: String, role: Style.Role)] = [
            ("\(summary.ok) ok", summary.ok > 0 ? .ok : .faint),
            ("\(summary.changed) \(isCheck ? "to change" : "changed")", summary.changed > 0 ? .changed : .faint),
            ("\(summary.failed) failed", summary.failed > 0 ? .failed : .faint),
        ]
        if summary.unstable > 0 { parts.append(("\(summary.unstable) unstable", .failed)) }
        if summary.isUnreachable { parts.append(("unreachable", .failed)) }
        if summary.skipped > 0 { parts.append(("\(summary.skipped) skipped", .faint)) }
        if summary.ignored > 0 { parts.append(("\(summary.ignored) ignored", .warning)) }
        if summary.rescued > 0 { parts.append(("\(summary.rescued) rescued", .warning)) }
        if !isCheck, summary.proved + summary.unproved > 0 {
            let isAll = summary.proved == summary.steps
            parts.append(("\(summary.proved) of \(summary.steps) steps proved", isAll ? .ok : .warning))
        }
        parts.append((TextLayout.duration(summary.duration), .faint))

        var lines: [String] = []
        var line = "  " + TextLayout.pad(TextLayout.cut(summary.host, to: column), to: column)
        var used = column + 2
        for part in parts {
            if used + 2 + TextLayout.width(part.text) > width, used > column + 2 {
                lines.append(line)
                line = String(repeating: " ", count: column + 2)
                used = column + 2
            }
            line += "  " + style.text(part.text, part.role)
            used += 2 + TextLayout.width(part.text)
        }
        return lines + [line]
    }

    private func verdict(_ report: Report, _ summaries: [Report.HostSummary]) -> [String] {
        let (text, role) = sentence(report, summaries)
        return TextLayout.wrap(text, to: width).map { style.text($0, role) }
    }

    private func sentence(_ report: Report, _ summaries: [Report.HostSummary]) -> (String, Style.Role) {
        let time = "in \(TextLayout.duration(report.duration))"
        if report.isInterrupted { return ("interrupted \(time); what is shown above is what was done", .failed) }
        let unreachable = summaries.filter(\.isUnreachable).map(\.host)
        let failed = summaries.reduce(0) { $0 + $1.failed }
        if failed > 0 || !report.failures.isEmpty {
            return (failed > 0 ? "\(count(failed, "step")) failed \(time)" : "stopped \(time)", .failed)
        }
        if !unreachable.isEmpty { return ("not reached: \(unreachable.joined(separator: ", ")) (\(time))", .failed) }
        let unstable = summaries.reduce(0) { $0 + $1.unstable }
        if unstable > 0 { return ("\(count(unstable, "step")) not idempotent \(time)", .failed) }
        let changed = summaries.reduce(0) { $0 + $1.changed }
        if report.isCheck {
            return changed == 0
                ? ("nothing would change (\(time))", .ok)
                : ("\(count(changed, "step")) would change something; nothing was changed (\(time))", .changed)
        }
        let steps = summaries.reduce(0) { $0 + $1.steps }
        let proved = summaries.reduce(0) { $0 + $1.proved }
        let proof =
            steps == 0 ? "" : proved == steps ? ", every step proved" : ", \(count(steps - proved, "step")) not proved"
        let twice = report.hasProvingPass ? ", and again with no change" : ""
        return changed == 0
            ? ("nothing to do\(proof)\(twice) (\(time))", .ok)
            : ("\(count(changed, "step")) changed\(proof)\(twice) (\(time))", .ok)
    }

    private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
