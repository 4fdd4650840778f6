import LabCore
import LabModules
import Testing

@Suite struct FileTests {
    /// Each line: set-up, arguments, summary, and a check in the shell that must succeed afterwards.
    struct Case: Sendable, CustomTestStringConvertible {
        var setUp: String
        var arguments: ValueMap
        var summary: String
        var check: String
        var testDescription: String { "\(setUp) | \(Value.map(arguments).json())" }

        init(_ setUp: String, _ arguments: ValueMap, _ summary: String, _ check: String) {
            self.setUp = setUp
            self.arguments = arguments
            self.summary = summary
            self.check = check
        }
    }

    static let files: [Case] = [
        Case("true", ["path": "DIR/a/b", "state": "directory"], "changed", "test -d a/b"),
        Case(
            "mkdir a", ["path": "DIR/a/b/c", "state": "directory", "mode": "0700"], "changed",
            "test $(stat -c %a a/b/c) = 700 && test $(stat -c %a a/b) = 700 && test $(stat -c %a a) = 755"),
        Case("mkdir a", ["path": "DIR/a", "state": "directory"], "ok", "true"),
        Case("mkdir a; chmod 700 a", ["path": "DIR/a", "mode": "0755"], "changed", "test $(stat -c %a a) = 755"),
        Case(
            "mkdir -p a/b; touch a/b/f; chmod -R 700 a",
            ["path": "DIR/a", "state": "directory", "recurse": true, "mode": "u=rwX,go=rX"],
            "changed", "test $(stat -c %a a/b) = 755 && test $(stat -c %a a/b/f) = 755"),
        Case("touch f", ["path": "DIR/f", "mode": "u+x,g-r"], "changed", "test $(stat -c %a f) = 704"),
        Case("touch f; chmod 4755 f", ["path": "DIR/f", "mode": "u-s"], "changed", "test $(stat -c %a f) = 755"),
        Case("touch f", ["path": "DIR/f", "mode": 420], "ok", "true"),
        Case("touch f", ["path": "DIR/f", "owner": "root", "group": 0], "ok", "true"),
        Case("touch f", ["path": "DIR/l", "src": "DIR/f", "state": "link"], "changed", "test -L l && test -f l"),
        Case("touch f", ["path": "DIR/l", "src": "f", "state": "link"], "changed", "test $(readlink l) = f"),
        Case("touch f; ln -s f l", ["path": "DIR/l", "src": "f", "state": "link"], "ok", "true"),
        Case(
            "ln -s g l; touch f", ["path": "DIR/l", "src": "f", "state": "link"], "changed", "test $(readlink l) = f"),
        Case(
            "true", ["path": "DIR/l", "src": "nowhere", "state": "link", "force": true, "follow": false], "changed",
            "test -L l"),
        Case(
            "echo x >l; touch f", ["path": "DIR/l", "src": "f", "state": "link", "force": true], "changed", "test -L l"),
        Case("touch f", ["path": "DIR/h", "src": "DIR/f", "state": "hard"], "changed", "test f -ef h"),
        Case("touch f; ln f h", ["path": "DIR/h", "src": "DIR/f", "state": "hard"], "ok", "true"),
        Case("mkdir -p a/b; touch a/b/f", ["path": "DIR/a", "state": "absent"], "changed", "test ! -e a"),
        Case("mkdir a; ln -s a l", ["path": "DIR/l", "state": "absent"], "changed", "test ! -L l && test -d a"),
        Case("true", ["path": "DIR/a", "state": "absent"], "ok", "true"),
        Case(
            "touch -d 2001-01-01 f",
            ["path": "DIR/f", "state": "touch", "modification_time": "preserve", "access_time": "preserve"], "ok",
            "true"),
        Case(
            "touch -d 2001-01-01 f", ["path": "DIR/f", "state": "touch"], "unknown",
            "test $(stat -c %Y f) -gt 1000000000"),
        Case(
            "mkdir real; ln -s real d", ["path": "DIR/d", "state": "directory", "mode": "0700"], "changed",
            "test $(stat -c %a real) = 700"),
        Case("touch 'a b;c'", ["path": "DIR/a b;c", "mode": "0600"], "changed", "test $(stat -c %a 'a b;c') = 600"),
    ]

    /// Two hosts of an inventory may be one machine.
    @Test func aFolderThatCameSinceThePlanIsNoFailure() async throws {
        let node = try Node()
        let arguments: ValueMap = ["path": .string("\(node.folder)/a/b"), "state": "directory", "mode": "0750"]
        let module = FileModule()
        let call = ModuleCall(
            arguments: try module.specification.convert(arguments), source: SourceValue(.map(arguments)))
        let plan = try await module.plan(call, in: node.context)
        node.sh("mkdir -p a/b")
        _ = try await module.apply(plan, for: call, in: node.context)
        #expect(node.mode("a/b") == 0o750)
    }

    @Test(arguments: files) func file(_ test: Case) async throws {
        let node = try Node()
        node.sh("umask 022; \(test.setUp)")
        let outcome = try await node.call(FileModule(), test.arguments)
        #expect(outcome.summary == test.summary)
        #expect(node.sh(test.check) == 0)
    }

    static let refused: [(String, ValueMap)] = [
        ("true", ["path": "DIR/f", "state": "file"]), ("touch f", ["path": "DIR/f", "state": "directory"]),
        ("true", ["path": "DIR/l", "src": "nowhere", "state": "link"]),
        ("echo >l; echo >f", ["path": "DIR/l", "src": "f", "state": "link"]),
        ("true", ["path": "DIR/l", "state": "link"]), ("touch f", ["path": "DIR/f", "mode": "rwxr"]),
        ("touch f", ["path": "DIR/f", "state": "touch", "access_time": "noon"]),
        ("touch f", ["path": "DIR/f", "state": "file", "recurse": true]),
        ("touch f", ["path": "DIR/f", "owner": "nobody-here"]),
    ]

    @Test(arguments: refused) func fileRefuses(_ test: (setUp: String, arguments: ValueMap)) async throws {
        let (setUp, arguments) = test
        let node = try Node()
        node.sh(setUp)
        await #expect(throws: ModuleError.self) { try await node.call(FileModule(), arguments) }
    }

    static let copies: [Case] = [
        Case(
            "true", ["content": "x", "dest": "DIR/f", "mode": "0640"], "changed",
            "test $(cat f) = x && test $(stat -c %a f) = 640"),
        Case("printf x >f", ["content": "x", "dest": "DIR/f"], "ok", "true"),
        Case("printf x >f; chmod 600 f", ["content": "y", "dest": "DIR/f"], "changed", "test $(stat -c %a f) = 600"),
        Case("printf x >f", ["content": "y", "dest": "DIR/f", "force": false], "ok", "test $(cat f) = x"),
        Case("printf x >f", ["content": "y", "dest": "DIR/f", "backup": true], "changed", "test $(cat f.*~) = x"),
        Case("true", ["content": ["a": [1]], "dest": "DIR/f"], "changed", "grep -q '\"a\"' f"),
        Case(
            "echo s >s; chmod 711 s", ["src": "s", "dest": "DIR/f", "mode": "preserve"], "changed",
            "cmp s f && test $(stat -c %a f) = 711"),
        Case("echo s >s; mkdir d", ["src": "s", "dest": "DIR/d"], "changed", "cmp s d/s"),
        Case("echo s >s", ["src": "s", "dest": "DIR/new/"], "changed", "cmp s new/s"),
        Case(
            "mkdir -p t/u t/empty; echo 1 >t/a; echo 2 >t/u/b", ["src": "t", "dest": "DIR/out"], "changed",
            "cmp t/u/b out/t/u/b && test -d out/t/empty"),
        Case(
            "mkdir -p t/u; echo 2 >t/u/b", ["src": "t/", "dest": "DIR/out", "directory_mode": "0700"], "changed",
            "cmp t/u/b out/u/b && test $(stat -c %a out/u) = 700"),
        Case("mkdir t; echo 1 >t/a; cp -r t out", ["src": "t/", "dest": "DIR/out"], "ok", "true"),
        Case(
            "mkdir t; ln -s /x t/l", ["src": "t/", "dest": "DIR/out", "local_follow": false], "changed",
            "test $(readlink out/l) = /x"),
        Case(
            "echo r >r", ["src": "DIR/r", "dest": "DIR/c", "remote_src": true, "mode": "0600"], "changed",
            "cmp r c && test $(stat -c %a c) = 600"),
        Case("echo r >r; cp r c", ["src": "DIR/r", "dest": "DIR/c", "remote_src": true], "ok", "true"),
        Case(
            "mkdir -p r/s; echo 1 >r/s/x", ["src": "DIR/r", "dest": "DIR/c/", "remote_src": true], "changed",
            "cmp r/s/x c/r/s/x"),
        Case("true", ["content": "x", "dest": "DIR/f", "validate": "grep x %s"], "changed", "test $(cat f) = x"),
        Case(
            "echo old >real; ln -s real l", ["content": "new", "dest": "DIR/l"], "changed",
            "test ! -L l && grep -q old real"),
        Case(
            "echo old >real; ln -s real l", ["content": "new", "dest": "DIR/l", "follow": true], "changed",
            "test -L l && grep -q new real"),
    ]

    @Test(arguments: copies) func copy(_ test: Case) async throws {
        let node = try Node()
        node.sh("umask 022; \(test.setUp)")
        let outcome = try await node.call(CopyModule(), test.arguments)
        #expect(outcome.summary == test.summary)
        #expect(node.sh(test.check) == 0)
    }

    @Test func validationKeepsTheOldFile() async throws {
        let node = try Node()
        node.write("f", "old")
        await #expect(throws: ModuleError.self) {
            try await node.call(CopyModule(), ["content": "x", "dest": "DIR/f", "validate": "grep y %s"])
        }
        #expect(node.read("f") == "old")
        #expect(node.sh("test ! -e f.labctl-new") == 0)
    }

    @Test func missingSourceSaysWhereItWasLookedFor() async throws {
        let node = try Node()
        let error = await #expect(throws: ModuleError.self) {
            try await node.call(CopyModule(), ["src": "nowhere", "dest": "DIR/f"])
        }
        #expect(error?.diagnostics.first?.notes.first?.message == "looked for: \(node.folder)/nowhere")
    }

    @Test func templates() async throws {
        let node = try Node()
        node.write("t.j2", "hello\n")
        var context = node.context
        context.renderFile = { text, _, format in
            text + "\(format.trimsBlocks) \(format.variables["template_path"]?.string ?? "")\n"
        }
        let outcome = try await node.call(
            TemplateModule(), ["src": "t.j2", "dest": "DIR/out", "mode": "0600"], context: context)
        #expect(outcome.summary == "changed")
        #expect(node.read("out") == "hello\ntrue t.j2\n")
        #expect(node.mode("out") == 0o600)
        #expect(outcome.changes.first?.textDiff?.hasSuffix("@@ -0,0 +1,2 @@\n+hello\n+true t.j2\n") == true)
        #expect(outcome.values["checksum"] == .string(Checksum.of("hello\ntrue t.j2\n".utf8, .sha1)))
    }

    @Test func statHasAnsiblesShape() async throws {
        let node = try Node()
        node.write("f", "abc")
        node.sh("chmod 4750 f; ln -s f l")
        let file = try #require(try await node.call(StatModule(), ["path": "DIR/f"]).values["stat"])
        let expected: ValueMap = [
            "exists": true, "isreg": true, "isdir": false, "islnk": false, "mode": "4750", "size": 3, "isuid": true,
            "xgrp": true, "roth": false, "checksum": "a9993e364706816aba3e25717850c26c9cd0d89d", "nlink": 1,
        ]
        for (key, value) in expected { #expect(file[key] == value, "\(key)") }
        let link = try #require(try await node.call(StatModule(), ["path": "DIR/l"]).values["stat"])
        #expect(link["islnk"] == true && link["lnk_target"] == "f")
        #expect(link["lnk_source"] == .string("\(node.folder)/f") && link["checksum"] == nil)
        let through = try #require(
            try await node.call(StatModule(), ["path": "DIR/l", "follow": true, "checksum": "sha256"]).values["stat"])
        #expect(through["isreg"] == true)
        #expect(through["checksum"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(try await node.call(StatModule(), ["path": "DIR/none"]).values["stat"] == ["exists": false])
    }
}
