import LabCore
import Testing

@testable import LabYAML

func load(_ text: String, _ schema: Schema = .ansible) throws(YAMLError) -> [SourceValue] {
    try YAML.load(SourceFile(path: "x.yml", text: text), schema: schema)
}

func mistakes(_ text: String, _ schema: Schema = .ansible) -> [Diagnostic] {
    do {
        _ = try load(text, schema)
        return []
    } catch {
        return error.diagnostics
    }
}

struct CoreSchemaTests {
    @Test(
        arguments: [
            ("", .null), ("~", .null), ("null", .null), ("Null", .null), ("NULL", .null), ("nULL", nil), ("true", true),
            ("True", true),
            ("TRUE", true), ("tRUE", nil), ("false", false), ("yes", nil), ("no", nil), ("on", nil), ("y", nil),
            ("0", 0), ("-0", 0), ("007", 7),
            ("+12", 12), ("-12", -12), ("0o14", 12), ("0o8", nil), ("0xC", 12), ("0xc", 12), ("-0x1", nil), ("0x", nil),
            ("0b1", nil), ("1_000", nil),
            ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
            ("9223372036854775808", .float(0x1p63)),
            ("0xFFFFFFFFFFFFFFFF", .float(0x1p64)), ("1.", 1.0), ("1.5", 1.5), (".5", 0.5), ("-.5", -0.5), ("+.5", 0.5),
            (".", nil),
            ("1e3", 1000.0), ("1E-3", 0.001), ("1e", nil), ("1e+", nil), ("1.5e3", 1500.0), (".inf", .float(.infinity)),
            ("-.Inf", .float(-.infinity)),
            ("+.INF", .float(.infinity)), (".iNF", nil), ("1:30", nil), ("0.14.9", nil), ("2001-12-14", nil),
            ("<<", nil), ("=", nil), ("e3", nil),
        ] as [(String, Value?)])
    func resolves(_ text: String, _ value: Value?) {
        #expect(Schema.core.resolve(text) == value)
    }

    @Test func resolvesNaN() {
        guard case .float(let value)? = Schema.core.resolve(".nan") else {
            Issue.record("no float")
            return
        }
        #expect(value.isNaN)
    }
}

struct PlaceTests {
    static let text = """
        # é
        - name: Install
          "key ü": [a, {b: c}]
          text: |
            one
            two
        - &x !!str last

        """

    private func text(_ span: SourceSpan?) -> String {
        guard let span else { return "<none>" }
        return String(decoding: span.file.bytes[span.start.offset..<span.end.offset], as: UTF8.self)
    }

    @Test func everyValueAndKeyKnowsItsPlace() throws {
        let root = try #require(try load(Self.text).first)
        let first = try #require(root.list?.first?.entries)
        #expect(first.map { text($0.keySpan) } == ["name", "\"key ü\"", "text"])
        #expect(first.map { text($0.value.span) } == ["Install", "[a, {b: c}]", "|\n    one\n    two"])
        #expect(first.map { $0.keySpan?.description } == ["x.yml:2:3", "x.yml:3:3", "x.yml:4:3"])
        #expect(first[1].value.span?.start == SourcePosition(line: 3, column: 12, offset: 33))
        #expect(first[1].value.span?.end == SourcePosition(line: 3, column: 23, offset: 44))
        let inner = try #require(first[1].value.list?.last?.entries?.first)
        #expect(text(inner.keySpan) == "b" && text(inner.value.span) == "c")
        #expect(text(root.list?.last?.span) == "last")
        #expect(text(root.list?.first?.span).hasPrefix("name") && text(root.list?.first?.span).hasSuffix("two"))
    }

    @Test func anEmptyValueStandsAfterItsColon() throws {
        let entry = try #require(try load("a:\nb: 1\n").first?.entries?.first)
        #expect(entry.value.isNull && entry.value.span?.start.offset == 2)
    }

    @Test func anAliasStandsWhereItIsWritten() throws {
        let root = try #require(try load("a: &x {k: v}\nb: *x\n").first)
        #expect(root["b"]?.span?.description == "x.yml:2:4")
        #expect(root["b"]?["k"]?.span?.description == "x.yml:1:11")
        #expect(root["b"]?.value == ["k": "v"])
    }

    @Test func placesAgreeWithTheFileEverywhere() throws {
        for text in [Self.text, "a: 1\r\nb: é\r\nc: [日, 本,\r\n x]\r\n", "a: 1\rb: 2\r", "- 'a\n\n  b'\n- \"c\"\n"] {
            let file = SourceFile(path: "x", text: text)
            func check(_ value: SourceValue) {
                for span in [value.span] + (value.entries ?? []).map(\.keySpan) {
                    guard let span else { continue }
                    #expect(
                        span.start == file.position(at: span.start.offset)
                            && span.end == file.position(at: span.end.offset))
                }
                for part in value.list ?? value.entries?.map(\.value) ?? [] { check(part) }
            }
            for value in try YAML.load(file, schema: .core) { check(value) }
        }
    }
}

struct MergeTests {
    @Test func mergedEntriesComeFirstAndOwnEntriesWin() throws {
        let value = try load("a: &a {x: 1, y: 2}\nb: {y: 3, <<: *a, z: 4}\n").first?["b"]?.value
        #expect(value?.map?.elements.map(\.key) == ["x", "y", "z"])
        #expect(value == ["x": 1, "y": 3, "z": 4])
    }

    @Test func ofSeveralMapsTheFirstWins() throws {
        let value = try load("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\n").first?["c"]?.value
        #expect(value == ["x": 1, "y": 2])
    }

    @Test func underCoreItIsAKey() throws {
        #expect(try load("a: {<<: {x: 1}}\n", .core).first?["a"]?.value == ["<<": ["x": 1]])
    }

    @Test func aQuotedOneIsAKey() throws {
        #expect(try load("a: {'<<': {x: 1}}\n").first?["a"]?.value == ["<<": ["x": 1]])
    }

    @Test func goYAMLMergesInPlace() throws {
        #expect(try load("a: &a {x: 1}\nb: {x: 3, <<: *a}\n", .kubernetes).first?["b"]?.value == ["x": 1])
        #expect(try load("a: &a {x: 1}\nb: {<<: *a, x: 3}\n", .kubernetes).first?["b"]?.value == ["x": 3])
    }

    @Test(arguments: ["a: {<<: 1}", "a: {<<: [1]}", "a: {<<: x}", "a: {<<: ~}"])
    func onlyMapsAreMerged(_ text: String) {
        #expect(mistakes(text).map { $0.message.hasPrefix("`<<` merges maps, but this is") } == [true])
    }
}

struct TagTests {
    @Test func ansibleTagsAreKept() throws {
        let values = try #require(
            try load("- !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n- !unsafe '{{ x }}'\n- !unsafe [a]\n").first?
                .list)
        #expect(values.map(\.tag) == ["!vault", "!unsafe", "!unsafe"])
        #expect(values[0].string == "$ANSIBLE_VAULT;1.1;AES256\n6162\n" && values[1].string == "{{ x }}")
    }

    @Test func otherTagsAreRefusedWithTheNearest() {
        let found = mistakes("a: !valut x\n")
        #expect(
            found.map(\.message) == ["Ansible knows no tag `!valut`"] && found.first?.hint == "did you mean `!vault`?")
        #expect(mistakes("a: !valut x\n", .core).isEmpty)
    }

    @Test(
        arguments: [
            ("!!str 12", "12"), ("!!int '12'", 12), ("!!float 1", 1.0), ("!!bool 'true'", true), ("!!null ''", nil),
            ("!!str", ""), ("!!map", [:]), ("!!seq", []),
            ("! 12", "12"), ("!local x", "x"), ("!!seq [a]", ["a"]), ("!!map {a: b}", ["a": "b"]),
            ("!!set {a}", ["a": nil]),
        ] as [(String, Value)])
    func typesOfYAMLAreHonoured(_ text: String, _ value: Value) throws {
        #expect(try load(text, .core).first?.value == value)
    }

    @Test(arguments: [
        "!!int x", "!!bool 1", "!!float x", "!!null x", "!!seq x", "!!map [a]", "!!seq {a: b}", "!!str [a]",
    ])
    func whatIsNotOfTheTypeIsRefused(_ text: String) {
        #expect(mistakes(text, .core).count == 1)
    }
}

struct DialectTests {
    /// What libyaml reads and YAML 1.2 does not: refused under `core`.
    @Test(
        arguments: [
            ("k: [\n  a\n]\n", ["k": ["a"]]), ("k: {\na: 1\n}\n", ["k": ["a": 1]]), ("k: \"a\nb\"\n", ["k": "a b"]),
            ("k: 'a\n b'\nl: 'c\nd'\n", ["k": "a b", "l": "c d"]),
            ("k: \"a\"#c\n", ["k": "a"]), ("[a]#c\n", ["a"]), ("[a,#c\n b]\n", ["a", "b"]), ("[-]\n", ["-"]),
            ("k: |#c\n  a\n", ["k": "a\n"]),
        ] as [(String, Value)])
    func isLaxWhereLibyamlIs(_ text: String, _ value: Value) throws {
        #expect(try load(text, .ansible).first?.value == value)
        #expect(try load(text, .kubernetes).first?.value == value)
        #expect(!mistakes(text, .core).isEmpty)
    }

    @Test(arguments: Schema.allCases)
    func tabsSeparateButDoNotIndent(_ schema: Schema) throws {
        #expect(try load("a:\tb\n", schema).first?.value == ["a": "b"])
        #expect(try load("a: b\t# c\n\t\nd: e\n", schema).first?.value == ["a": "b", "d": "e"])
        for text in ["\ta: b\n", "a:\n\tb: c\n", "a:\n  b: c\n\td: e\n", "-\t- a\n", "a:\n\t- b\n"] {
            #expect(mistakes(text, schema).map(\.message) == ["a tab cannot be used for indentation"], "\(text)")
        }
    }

    @Test func documentsAndEmptyOnes() throws {
        #expect(try load("").isEmpty && load("# c\n").isEmpty && load("...\n").isEmpty)
        #expect(try load("---\n").map(\.value) == [.null])
        #expect(try load("--- a\n---\n--- {b: c}\n...\n---\n").map(\.value) == ["a", nil, ["b": "c"], nil])
    }

    @Test func keysOfOtherTypesAreHeldByTheirText() throws {
        #expect(
            try load("{yes: 1, 0644: 2, 1.5: 3, ~: 4}").first?.entries?.map(\.key) == ["true", "420", "1.5", "null"])
        #expect(
            mistakes("{~: 4}", .kubernetes).map(\.message) == [
                "a key cannot be null: the API server's JSON has no such keys"
            ])
        #expect(mistakes("{[a]: 4}").map(\.message) == ["a key must be a text, but this is a list"])
        #expect(mistakes("a: .inf\n", .kubernetes).count == 1)
    }
}

struct RecoveryTests {
    /// Several mistakes of a file are found together; what follows from one is not told again.
    @Test func goesOnAtTheNextEntry() {
        let text = """
            - a: b: c
              d: e
            - f:g
              h: i
            - j: 'k' l
            - m: [n
              o: p
            - q: "\\z"
            - ok: yes
            """
        #expect(mistakes(text).map { $0.span?.start.line } == [1, 3, 5, 6, 8])
    }

    @Test func goesOnAtTheNextDocument() {
        #expect(
            mistakes("a: b: c\n---\nd\ne: f\n---\nok: 1\n---\n[\n---\ng: ]\n").map { $0.span?.start.line } == [1, 3, 8])
    }

    @Test func stopsAfterAnUnclosedQuote() {
        #expect(mistakes("a: b: c\nd: \"e\nf: g: h\n").map { $0.span?.start.line } == [1, 2])
    }

    @Test func mistakesOfValuesAreFoundTogether() {
        let text = "a: 1\nb: *none\na: 2\nc: !!int x\nd: {<<: 5}\n[e]: f\n"
        #expect(mistakes(text).map { $0.span?.start.line } == [2, 3, 4, 5, 6])
    }
}
