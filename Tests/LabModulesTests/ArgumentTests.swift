import LabCore
import LabModules
import Testing

@Suite struct ArgumentTests {
    typealias Parameter = ModuleSpecification.Parameter

    static let accepted: [(Parameter.Kind, Value, Value)] = [
        (.bool, "yes", true), (.bool, "Off", false), (.bool, 1, true),
        (.bool, " t ", true), (.int, "5", 5), (.int, 2.0, 2), (.int, true, 1), (.float, "0.5", 0.5),
        (.string, 12, "12"), (.string, true, "True"), (.path, "~/x", "~/x"), (.list, "a,b", ["a", "b"]),
        (.list, 3, ["3"]), (.list, "", []), (.map, "a=1, b=2", ["a": "1", "b": "2"]),
        (.map, #"{"a": [1]}"#, ["a": [1]]), (.any, nil, nil),
    ]

    @Test(arguments: accepted) func converts(_ test: (kind: Parameter.Kind, written: Value, expected: Value)) {
        let (kind, written, expected) = test
        guard case .success(let value) = Parameter("x", kind).convert(written) else {
            Issue.record("refused")
            return
        }
        #expect(value == expected)
    }

    static let refused: [(Parameter.Kind, Value)] = [
        (.bool, "maybe"), (.int, "five"), (.int, 1.5), (.map, "x"), (.list, ["a": 1]),
        (.bool, 2),
    ]

    @Test(arguments: refused) func refuses(_ test: (kind: Parameter.Kind, written: Value)) {
        let (kind, written) = test
        guard case .failure = Parameter("x", kind).convert(written) else {
            Issue.record("accepted")
            return
        }
    }

    @Test func mistakesAreToldTogether() throws {
        let specification = CopyModule().specification
        let error = #expect(throws: ModuleError.self) {
            try specification.convert(["dst": "/x", "backup": "maybe"])
        }
        #expect(
            error?.diagnostics.map(\.message) == [
                "copy has no parameter 'dst'", "'backup' of copy must be a boolean, not 'maybe'", "copy needs 'dest'",
            ])
        #expect(error?.diagnostics.first?.hint == "did you mean 'dest'?")
        #expect(error?.failureClass == .input)
    }

    @Test func choicesNameTheNearest() {
        let error = #expect(throws: ModuleError.self) {
            try FileModule().specification.convert(["path": "/x", "state": "directroy"])
        }
        #expect(
            error?.diagnostics.first?.message
                == "'state' must be one of absent, directory, file, hard, link, touch, not 'directroy'; did you mean 'directory'?"
        )
    }

    @Test func aliasesAndDefaults() throws {
        let converted = try FileModule().specification.convert(["dest": "/x", "recurse": nil])
        #expect(converted["path"] == "/x")
        #expect(converted["recurse"] == false)
    }

    /// What the README says is there.
    @Test(arguments: [
        "command", "shell", "raw", "copy", "file", "template", "stat", "lineinfile", "blockinfile", "replace", "slurp",
        "fetch", "tempfile", "get_url", "kubernetes.core.k8s", "kubernetes.core.k8s_info", "debug", "assert", "fail",
        "set_fact", "include_vars", "wait_for", "ping", "pause", "meta",
    ])
    func everyModuleCanBeCalled(_ name: String) {
        #expect(ModuleRegistry.complete(environment: [:])[name] != nil)
    }

    @Test(arguments: [
        ("md5", "900150983cd24fb0d6963f7d28e17f72"), ("SHA1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), ("crc", nil),
    ])
    func digestsByPythonsNames(_ algorithm: String, _ digest: String?) {
        #expect(Checksum.named(algorithm, Array("abc".utf8)) == digest)
    }

    @Test func registryKnowsModulesByAllNames() throws {
        let registry = ModuleRegistry.builtIn(environment: [:])
        for name in ["copy", "ansible.builtin.copy", "ansible.legacy.copy"] {
            #expect(registry[name]?.specification.name == "ansible.builtin.copy")
        }
        let error = #expect(throws: ModuleError.self) { try registry.module(named: "ansible.builtin.coppy") }
        #expect(error?.diagnostics.first?.hint == "did you mean 'ansible.builtin.copy'?")
    }

    @Test(
        arguments: [
            ("recurse", "perhaps", "'recurse' of file must be a boolean, not 'perhaps'"), ("recurse", "yes", nil),
            ("path", ["a": 1], nil), ("nothing", "x", nil), ("recurse", .null, nil),
        ] as [(String, Value, String?)])
    func constantsOfAWrongKind(_ name: String, _ value: Value, _ message: String?) {
        let argument = SourceValue.Entry(key: name, keySpan: nil, value: SourceValue(value))
        #expect(FileModule().specification.mismatch(of: argument)?.message == message)
    }
}
