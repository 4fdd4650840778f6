import Foundation
import LabCore
import LabReport
import Testing

/// What people see, word for word. `LABCTL_UPDATE_GOLDEN=1 swift test --filter Golden` writes the files anew; look at
/// the difference before it is committed.
@Suite("Golden texts")
struct GoldenTests {
    private func check(_ text: String, _ name: String) throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden/\(name)")
        if ProcessInfo.processInfo.environment["LABCTL_UPDATE_GOLDEN"] == "1" {
            try Data(text.utf8).write(to: file)
        }
        let expected = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        #expect(text == expected, "differs from \(file.path)")
    }

    @Test(
        "a run as text",
        arguments: [
            ("text-100", TextReporter.Options(width: 100)),
            ("text-80-diff", TextReporter.Options(width: 80, showsDiff: true)),
            ("text-40", TextReporter.Options(width: 40)),
            ("text-verbose", TextReporter.Options(width: 100, isVerbose: true)),
            ("text-colour", TextReporter.Options(style: Style(isColoured: true), width: 100, showsDiff: true)),
        ])
    func text(_ name: String, _ options: TextReporter.Options) throws {
        let memory = Memory()
        let reporter = TextReporter(options: options, sink: memory)
        for event in Sample.events { reporter.handle(event) }
        try check(memory.text, name + ".txt")
    }

    @Test("a task that never succeeded does not say that it answered", arguments: [true, false])
    func retries(_ hasFailed: Bool) throws {
        var record = try #require(Sample.records.first { $0.step.attempts > 1 })
        if hasFailed { record.step.outcome = .failed }
        let memory = Memory()
        TextReporter(options: TextReporter.Options(width: 80), sink: memory).handle(.taskFinished(record))
        #expect(memory.text.contains("gave up after 3 tries") == hasFailed)
        #expect(memory.text.contains("answered at try 3") != hasFailed)
    }

    @Test("what is indented in a note stays indented")
    func indentedNote() throws {
        var record = try #require(Sample.records.first { $0.outcome == .ok })
        record.step.notes = ["x = [\n  1,\n  {\n    \"a\": 2\n  }\n]"]
        let memory = Memory()
        TextReporter(options: TextReporter.Options(width: 80), sink: memory).handle(.taskFinished(record))
        let column = String(repeating: " ", count: 14)
        let wanted = ["x = [", "  1,", "  {", "    \"a\": 2", "  }", "]"].map { column + $0 + "\n" }.joined()
        #expect(memory.text.contains(wanted), "\(memory.text)")
    }

    @Test("no line is wider than the window, but for what cannot be broken", arguments: [60, 80, 100])
    func width(_ columns: Int) {
        let memory = Memory()
        let reporter = TextReporter(options: TextReporter.Options(width: columns), sink: memory)
        for event in Sample.events { reporter.handle(event) }
        for line in memory.text.split(separator: "\n")
        where line.split(separator: " ").allSatisfy({ $0.count < columns / 2 }) {
            #expect(line.count <= columns, "\(line)")
        }
    }

    @Test("a run as JSON lines")
    func json() throws {
        let memory = Memory()
        let reporter = JSONReporter(sink: memory)
        for event in Sample.events { reporter.handle(event) }
        try check(memory.text, "run.jsonl")
        for line in memory.text.split(separator: "\n") { _ = try Value(json: String(line)) }
    }

    @Test("a run as JUnit")
    func junit() throws {
        let memory = Memory()
        let reporter = JUnitReporter(sink: memory)
        for event in Sample.events { reporter.handle(event) }
        try check(memory.text, "run.xml")
    }

    @Test(
        "a diagnostic",
        arguments: [("diagnostic-80", 80, false), ("diagnostic-40", 40, false), ("diagnostic-colour", 80, true)])
    func diagnostic(_ name: String, _ width: Int, _ isColoured: Bool) throws {
        let renderer = DiagnosticRenderer(style: Style(isColoured: isColoured), width: width)
        try check(renderer.render([Sample.failure]), name + ".txt")
    }

    @Test("control characters of others do not reach the terminal")
    func harmless() {
        let renderer = DiagnosticRenderer(style: .plain, width: 80)
        let text = renderer.render(Diagnostic("the server says \u{1B}[2Jboo\u{07}"))
        #expect(text == "error: the server says \\x1b[2Jboo\\x07\n")
    }

    @Test("the excerpt of a long line is cut around the caret")
    func longLine() {
        let line = String(repeating: "x", count: 300) + "BAD" + String(repeating: "y", count: 300)
        let file = SourceFile(path: "f.yml", text: line)
        let text = DiagnosticRenderer(style: .plain, width: 60).render(
            Diagnostic("no", span: file.span(300..<303)))
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines[1].hasSuffix("f.yml:1:301"))
        let column = lines[4].firstIndex(of: "^").map { lines[4].distance(from: lines[4].startIndex, to: $0) } ?? -1
        #expect(lines[3].dropFirst(column).hasPrefix("BAD"))
        #expect(lines.allSatisfy { $0.count <= 60 })
    }
}
