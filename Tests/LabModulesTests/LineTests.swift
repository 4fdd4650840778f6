import LabCore
import LabModules
import Testing

/// What ansible-core 2.19 makes of the same files, by its documentation and source.
@Suite struct LineTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var before: String?
        var arguments: ValueMap
        var after: String?
        var testDescription: String { "\(before ?? "-") | \(Value.map(arguments).json())" }

        init(_ before: String?, _ arguments: ValueMap, _ after: String?) {
            self.before = before
            self.arguments = arguments
            self.after = after
        }
    }

    static let lines: [Case] = [
        Case("a\nb\n", ["line": "c"], "a\nb\nc\n"),
        Case("a\nb", ["line": "c"], "a\nb\nc\n"),
        Case("a\nb\n", ["line": "b"], "a\nb\n"),
        Case("a\nb\nab\n", ["line": "x", "regexp": "^a"], "a\nb\nx\n"),
        Case("a\nb\nab\n", ["line": "x", "regexp": "^a", "firstmatch": true], "x\nb\nab\n"),
        Case("a=1\n", ["line": #"\1=2"#, "regexp": "^(a)=", "backrefs": true], "a=2\n"),
        Case("a=1\n", ["line": #"\g<1>=2"#, "regexp": "^(b)=", "backrefs": true], "a=1\n"),
        Case("a\nb\nc\n", ["line": "x", "insertafter": "^a"], "a\nx\nb\nc\n"),
        Case("a\nb\nc\n", ["line": "x", "insertbefore": "^c"], "a\nb\nx\nc\n"),
        Case("a\nb\n", ["line": "x", "insertbefore": "BOF"], "x\na\nb\n"),
        Case("a\nb\n", ["line": "x", "insertafter": "^z"], "a\nb\nx\n"),
        Case("a\nb\n", ["line": "x", "insertafter": "EOF"], "a\nb\nx\n"),
        Case("a b\nc\n", ["line": "x", "search_string": "a b"], "x\nc\n"),
        Case("a\nb\na\n", ["line": "a", "state": "absent"], "b\n"),
        Case("a1\nb\na2\n", ["regexp": "^a", "state": "absent"], "b\n"),
        Case("a\n", ["line": "z", "state": "absent"], "a\n"),
        Case(nil, ["line": "a", "create": true], "a\n"),
        Case(nil, ["line": "a", "state": "absent"], nil),
    ]

    @Test(arguments: lines) func line(_ test: Case) async throws {
        let node = try Node()
        if let before = test.before { node.write("f", before) }
        let outcome = try await node.call(
            LineInFileModule(), test.arguments.merging(["path": "DIR/f"]) { first, _ in first })
        #expect(node.read("f") == test.after)
        // Ansible calls these `changed` on every run: what is replaced is not what is there afterwards.
        let isRestless = test.before == "a\nb\nab\n"
        #expect(outcome.summary == (test.before == test.after ? "ok" : isRestless ? "unstable" : "changed"))
    }

    static let blocks: [Case] = [
        Case("a\n", ["block": "x\ny"], "a\n# BEGIN ANSIBLE MANAGED BLOCK\nx\ny\n# END ANSIBLE MANAGED BLOCK\n"),
        Case(
            "a\n# BEGIN ANSIBLE MANAGED BLOCK\nold\n# END ANSIBLE MANAGED BLOCK\nb\n", ["block": "new\n"],
            "a\n# BEGIN ANSIBLE MANAGED BLOCK\nnew\n# END ANSIBLE MANAGED BLOCK\nb\n"),
        Case("a\n# BEGIN ANSIBLE MANAGED BLOCK\nold\n# END ANSIBLE MANAGED BLOCK\nb\n", ["state": "absent"], "a\nb\n"),
        Case("a\nb\n", ["block": "x", "insertafter": "^a", "marker": ";{mark}"], "a\n;BEGIN\nx\n;END\nb\n"),
        Case("a\nb\n", ["block": "x", "insertbefore": "BOF", "marker": ";{mark}"], ";BEGIN\nx\n;END\na\nb\n"),
        Case("a", ["block": "x", "marker": ";{mark}"], "a\n;BEGIN\nx\n;END\n"),
        Case(nil, ["block": "x", "create": true, "marker": ";{mark}"], ";BEGIN\nx\n;END\n"),
    ]

    @Test(arguments: blocks) func block(_ test: Case) async throws {
        let node = try Node()
        if let before = test.before { node.write("f", before) }
        let outcome = try await node.call(
            BlockInFileModule(), test.arguments.merging(["path": "DIR/f"]) { first, _ in first })
        #expect(node.read("f") == test.after)
        #expect(outcome.summary == (test.before == test.after ? "ok" : "changed"))
    }

    @Test func missingFile() async throws {
        let node = try Node()
        await #expect(throws: ModuleError.self) {
            try await node.call(LineInFileModule(), ["path": "DIR/f", "line": "a"])
        }
    }

    static let diffs: [(String, String, String)] = [
        ("a\nb\nc\n", "a\nB\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"),
        ("", "a\n", "@@ -0,0 +1 @@\n+a\n"),
        ("a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"),
        (
            "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n", "1\nx\n3\n4\n5\n6\n7\n8\n9\n10\n11\ny\n",
            "@@ -1,5 +1,5 @@\n 1\n-2\n+x\n 3\n 4\n 5\n@@ -9,4 +9,4 @@\n 9\n 10\n 11\n-12\n+y\n"
        ),
    ]

    @Test(arguments: diffs) func unifiedDiff(_ test: (before: String, after: String, hunks: String)) {
        let (before, after, hunks) = test
        let diff = TextDiff.unified(before: before, after: after, beforeName: "f", afterName: "f")
        #expect(diff == "--- f\n+++ f\n" + hunks)
    }
}
