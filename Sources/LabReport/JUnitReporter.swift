import LabCore
import LabEngine

/// Shows a run to CI systems: JUnit's XML, one test case a step and host, written when the run ends.
///
/// A failed or unreachable step is a `failure`, so is one that is not idempotent; `system-out` has changes and notes.
package struct JUnitReporter: Reporter {
    private let sink: any TextSink

    package init(sink: any TextSink) { self.sink = sink }

    package func handle(_ event: Event) {
        guard case .runFinished(let report) = event else { return }
        sink.write(Self.document(report))
    }

    static func document(_ report: Report) -> String {
        let records = report.records
        let failures = records.count { isFailure($0) } + report.failures.count
        let skipped = records.count { $0.outcome == .skipped }
        var lines = ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>"]
        let counts =
            "tests=\"\(records.count + report.failures.count)\" failures=\"\(failures)\" skipped=\"\(skipped)\""
        lines.append("<testsuites name=\"labctl\" \(counts) time=\"\(seconds(report.duration))\">")
        lines.append("  <testsuite name=\"\(escape(report.title))\" \(counts) time=\"\(seconds(report.duration))\">")
        for record in records { lines += testCase(record) }
        for failure in report.failures {
            let message = failure.diagnostics.first?.message ?? "the run failed"
            lines.append("    <testcase classname=\"labctl\" name=\"\(escape(report.title))\">")
            lines.append("      <failure message=\"\(escape(message))\">\(escape(text(failure.diagnostics)))</failure>")
            lines.append("    </testcase>")
        }
        lines += ["  </testsuite>", "</testsuites>"]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func testCase(_ record: TaskRecord) -> [String] {
        let name = record.pass > 1 ? "\(record.task.name) (again)" : record.task.name
        let head =
            "    <testcase classname=\"\(escape(record.host))\" name=\"\(escape(name))\" time=\"\(seconds(record.step.duration))\""
        var body: [String] = []
        if record.outcome == .skipped { body.append("      <skipped/>") }
        if isFailure(record) {
            let message = record.step.failure.first?.message ?? "planned again, it would still change something"
            let detail = record.step.failure.isEmpty ? refutation(record) : text(record.step.failure)
            body.append("      <failure message=\"\(escape(message))\">\(escape(detail))</failure>")
        }
        let words = ChangeText(style: .plain, width: 100, isPlan: record.isCheck)
        let output = words.details(record.step.changes) + record.step.notes + record.step.warnings
        if !output.isEmpty {
            body.append("      <system-out>\(escape(output.joined(separator: "\n")))</system-out>")
        }
        return body.isEmpty ? [head + "/>"] : [head + ">"] + body + ["    </testcase>"]
    }

    private static func isFailure(_ record: TaskRecord) -> Bool {
        record.isFatal || record.outcome == .unstable
    }

    private static func refutation(_ record: TaskRecord) -> String {
        guard case .refuted(let changes) = record.step.proof else { return "" }
        return ChangeText(style: .plain, width: 100, isPlan: true).details(changes).joined(separator: "\n")
    }

    private static func text(_ diagnostics: [Diagnostic]) -> String {
        DiagnosticRenderer(style: .plain, width: 100).render(diagnostics)
    }

    private static func seconds(_ duration: Duration) -> String {
        let milliseconds = Int((duration / .milliseconds(1)).rounded())
        let fraction = String(milliseconds % 1000)
        return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }

    /// XML 1.0 has no control characters but tab, line feed and carriage return.
    private static func escape(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\n", "\t": result.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
