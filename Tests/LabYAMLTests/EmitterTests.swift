import LabCore
import Testing

@testable import LabYAML

struct EmitterTests {
    static let texts = [
        "", " ", "a", "a b", "yes", "no", "y", "N", "on", "null", "~", "true", "0644", "0o644", "0x1F", "1_000", "1:30",
        "1e3",
        "1.5", ".5", ".inf", ".nan", "-1", "+1", "-", "--", "---", "...", "--- a", "... b", "- a", "-a", "? a", "?a",
        ": a", ":a",
        "a:", "a: b", "a:b", "a #b", "a#b", "#a", "'a", "a'b", "'a'", "\"a", "a\"b", "[a", "a]", "{a", "{{ a }}",
        "a {{ b }}", "a, b", ",a",
        "&a", "*a", "!a", "%a", "@a", "`a", "|", ">", "|a", "<<", "=", "a\nb", "a\nb\n", "a\n\nb\n\n", "\na", "\n",
        "\n\n", " a\nb", "  a\n b\n",
        "\ta\nb", "a\tb", "a\n\tb\n", "a \nb", "a\n  \nb\n", "a\n  ", "a\r\nb", "a\rb", "é", "日本語", "😀", "\u{85}",
        "a\u{2028}b", "\u{FEFF}a", "\u{0}", "\u{7F}",
        "\u{1B}[0m", "a\\b", "C:\\x", "\\n", "2001-12-14", "2001-12-14T21:59:43Z", "0.14.9", "192.168.56.10",
        "192.168.56.200-192.168.56.250", "12:30:45",
        "00:1a:2b:3c:4d:5e", "v1", "1Mi", "100m", "e\u{301}", " \u{301}a\nb", "\u{301}", "key: |\n  text\n",
        "line one: x\nline two # y\n", "http://x/y?z#f",
        String(repeating: "long ", count: 300), "trailing ", "trailing:", "a: ", "a :b", "a # b\nc", "- a\n- b\n",
        "#!/bin/sh\nset -e\n", "%YAML 1.2", "...\na", "---\n",
    ]

    @Test(arguments: texts, Schema.allCases)
    func textsAreReadBack(_ text: String, schema: Schema) throws {
        let values: [Value] = [
            .string(text), .list([.string(text), .list([.string(text)])]), .map(["key": .string(text)]),
            .map(["outer": .list([.map([text: .string(text), "z": .null])])]),
            .map([text: .map([text: .list([.string(text)])])]),
        ]
        for value in values {
            for (indent, indentsLists) in [(2, true), (4, true), (2, false)] {
                let yaml = YAML.emit(value, indent: indent, indentsLists: indentsLists)
                let again = try YAML.load(SourceFile(path: "again.yml", text: yaml), schema: schema)
                #expect(again.map(\.value) == [value], "\(yaml)")
            }
        }
    }

    @Test(arguments: Schema.allCases)
    func scalarsAreReadBack(_ schema: Schema) throws {
        let floats: [Double] = [
            0.5, -1.5, 1e-7, 1.5e300, 0.1, 123456.789, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
        ]
        let values: [Value] =
            [.null, .bool(true), .bool(false), .int(0), .int(.max), .int(.min), .list([]), .map([:])]
            + floats.map(Value.float)
        for value in values {
            let yaml = YAML.emit(.list([value]))
            #expect(
                try YAML.load(SourceFile(path: "again.yml", text: yaml), schema: schema).first?.value == .list([value]))
        }
    }

    @Test func isPlainAndShort() {
        let value: Value = [
            "name": "Install MetalLB", "version": "0.14.9", "mode": "0644", "enabled": true, "when": "a == 'b'",
            "script": "set -e\necho hi\n", "list": ["a", ["b", "c"], ["k": 1, "l": [:]]], "empty": "", "none": nil,
            "template": "{{ x }}", "range": "192.168.56.200-192.168.56.250",
        ]
        #expect(
            YAML.emit(value) == """
                name: Install MetalLB
                version: 0.14.9
                mode: '0644'
                enabled: true
                when: a == 'b'
                script: |
                  set -e
                  echo hi
                list:
                  - a
                  - - b
                    - c
                  - k: 1
                    l: {}
                empty: ''
                none: null
                template: '{{ x }}'
                range: 192.168.56.200-192.168.56.250

                """)
    }

    /// The events of a stream that was written again from its nodes, but for styles, are those of the stream.
    @Test(arguments: SuiteCase.all.filter { !$0.isError })
    func treesAreReadBack(_ suiteCase: SuiteCase) throws {
        let tree = try YAML.parse(suiteCase.source)
        let text = YAML.emit(tree)
        let again = try YAML.parse(SourceFile(path: "again.yaml", text: text))
        #expect(again.eventsWithoutStyle() == tree.eventsWithoutStyle(), "\(text)")
    }
}

extension SyntaxTree {
    /// Events in which only plain and quoted scalars are told apart, and neither flow and block nor explicit markers.
    func eventsWithoutStyle() -> [String] {
        events().split(separator: "\n").map { line in
            var line = String(line)
            if line.hasPrefix("+SEQ []") {
                line.removeSubrange(line.index(line.startIndex, offsetBy: 4)..<line.index(line.startIndex, offsetBy: 7))
            }
            if line.hasPrefix("+MAP {}") {
                line.removeSubrange(line.index(line.startIndex, offsetBy: 4)..<line.index(line.startIndex, offsetBy: 7))
            }
            if line.hasPrefix("+DOC") { line = "+DOC" }
            if line.hasPrefix("-DOC") { line = "-DOC" }
            guard line.hasPrefix("=VAL") else { return line }
            // Texts of several lines may change from plain to quoted: they are strings either way.
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            if let content = parts.firstIndex(where: { ":'\"|>".contains($0.first ?? "x") && !$0.hasPrefix("<") }),
                content > 0
            {
                var text = parts[content...].joined(separator: " ")
                let indicator = text.removeFirst()
                let isPlain = indicator == ":" && Schema.allCases.contains { $0.resolve(text) != nil }
                return parts[..<content].joined(separator: " ") + (isPlain ? " :" : " \"") + text
            }
            return line
        }
    }
}

struct EditorTests {
    static let inventory = """
        # The lab.
        all:
          vars:
            metallb_version: "0.14.9"   # keep in step with Roles/metallb
            ports: [80, 443]  # flow

            users:
              # people
              - name: a   # first
                uid: 1
              - name: b
          hosts:
            cp1: {ansible_host: 192.168.56.10}
            w1:
        # the end

        """

    func edit(_ change: (inout YAMLEditor) throws -> Void) throws -> String {
        var editor = try YAMLEditor(SourceFile(path: "lab.yml", text: Self.inventory), schema: .ansible)
        try change(&editor)
        return editor.text
    }

    @Test func changesOneValueOnly() throws {
        let text = try edit { try $0.set(["all", "vars", "metallb_version"], to: "0.15.3") }
        #expect(text == Self.inventory.replacing("\"0.14.9\"", with: "0.15.3"))
    }

    @Test func quotesWhereNeeded() throws {
        let text = try edit { try $0.set(["all", "vars", "ports", "1"], to: "8443") }
        #expect(text == Self.inventory.replacing("443]", with: "'8443']"))
    }

    @Test func addsAKeyAtTheEndOfItsMap() throws {
        let text = try edit {
            try $0.set(["all", "hosts", "w2"], to: ["ansible_host": "192.168.56.12"])
            try $0.set(["all", "hosts", "cp1", "role"], to: "control")
            try $0.set(["all", "hosts", "w1"], to: ["ansible_host": "192.168.56.11"])
            try $0.set(["all", "vars", "users", "0", "uid"], to: 2)
            try $0.set(["all", "vars", "users", "1", "uid"], to: 3)
        }
        #expect(
            text
                == Self.inventory.replacing("uid: 1", with: "uid: 2")
                .replacing("- name: b\n", with: "- name: b\n        uid: 3\n")
                .replacing("56.10}", with: "56.10, role: control}")
                .replacing(
                    "w1:\n",
                    with: "w1:\n      ansible_host: 192.168.56.11\n    w2:\n      ansible_host: 192.168.56.12\n"))
    }

    @Test func turnsBlocksIntoScalarsAndBack() throws {
        let text = try edit {
            try $0.set(["all", "vars", "users"], to: nil)
            try $0.set(["all", "vars", "metallb_version"], to: ["a": ["b", "c"]])
        }
        let value = try YAML.load(SourceFile(path: "x", text: text), schema: .ansible).first?.value
        #expect(value?[["all", "vars", "users"]] == .null)
        #expect(value?[["all", "vars", "metallb_version"]] == ["a": ["b", "c"]])
        #expect(text.contains("# keep in step") && text.contains("# flow") && text.contains("# the end"))
    }

    @Test func removesAnEntryWithItsLine() throws {
        let text = try edit {
            try $0.remove(["all", "vars", "ports"])
            try $0.remove(["all", "vars", "users", "0", "name"])
            try $0.remove(["all", "hosts", "w1"])
        }
        #expect(
            text
                == Self.inventory.replacing("    ports: [80, 443]  # flow\n", with: "")
                .replacing("- name: a   # first\n        uid", with: "- uid").replacing("    w1:\n", with: ""))
    }

    @Test func refusesAPathThatLeadsNowhere() throws {
        #expect(throws: YAMLError.self) { try edit { try $0.set(["all", "nothing", "here"], to: 1) } }
        #expect(throws: YAMLError.self) { try edit { try $0.remove(["all", "nothing"]) } }
    }

    @Test func writesAnEmptyFile() throws {
        var editor = try YAMLEditor(SourceFile(path: "x.yml", text: "# only a comment\n"), schema: .ansible)
        try editor.set(["a"], to: 1)
        #expect(editor.text == "# only a comment\na: 1\n")
    }
}
