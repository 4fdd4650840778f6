import LabCore
import LabModules
import Testing

@Suite struct TransferTests {
    @Test func replace() async throws {
        let node = try Node()
        node.write("f", "server: https://127.0.0.1:6443\nserver: x\nend\n")
        let arguments: ValueMap = [
            "path": "DIR/f", "regexp": #"^(server: https://)127\.0\.0\.1"#, "replace": #"\g<1>192.168.56.10"#,
        ]
        #expect(try await node.call(ReplaceModule(), arguments).summary == "changed")
        #expect(node.read("f") == "server: https://192.168.56.10:6443\nserver: x\nend\n")
        #expect(try await node.call(ReplaceModule(), arguments).summary == "ok")
        let bounded: ValueMap = [
            "path": "DIR/f", "regexp": "server", "replace": "s", "after": "6443\n", "before": "end",
        ]
        #expect(try await node.call(ReplaceModule(), bounded).summary == "changed")
        #expect(node.read("f") == "server: https://192.168.56.10:6443\ns: x\nend\n")
    }

    @Test func slurp() async throws {
        let node = try Node()
        node.write("f", "hello\n")
        let values = try await node.call(SlurpModule(), ["src": "DIR/f"]).values
        #expect(values["content"] == "aGVsbG8K" && values["encoding"] == "base64")
        await #expect(throws: ModuleError.self) { try await node.call(SlurpModule(), ["src": "DIR/none"]) }
    }

    @Test func fetch() async throws {
        let node = try Node()
        node.write("f", "hello\n")
        let flat: ValueMap = ["src": "DIR/f", "dest": "DIR/got/", "flat": true]
        #expect(try await node.call(FetchModule(), flat).summary == "changed")
        #expect(node.read("got/f") == "hello\n")
        #expect(try await node.call(FetchModule(), flat).summary == "ok")
        let deep = try await node.call(FetchModule(), ["src": "DIR/f", "dest": "DIR/all"])
        #expect(deep.values["dest"] == .string("\(node.folder)/all/node\(node.folder)/f"))
        await #expect(throws: ModuleError.self) {
            try await node.call(FetchModule(), ["src": "DIR/none", "dest": "DIR/all"])
        }
        let missing = try await node.call(
            FetchModule(), ["src": "DIR/none", "dest": "DIR/all", "fail_on_missing": false])
        #expect(missing.summary == "ok")
    }

    @Test(arguments: ["file", "directory"]) func tempfile(_ state: String) async throws {
        let node = try Node()
        let outcome = try await node.call(
            TempfileModule(), ["path": "DIR", "state": .string(state), "suffix": ".x y"])
        let path = try #require(outcome.values["path"]?.string)
        #expect(path.hasPrefix(node.folder + "/ansible.") && path.hasSuffix(".x y"))
        #expect(node.sh("test -\(state == "file" ? "f" : "d") '\(path)'") == 0)
    }

    @Test func pause() async throws {
        let node = try Node()
        let outcome = try await node.call(PauseModule(), ["prompt": "Go on?"])
        #expect(outcome.result?.notes == ["Go on?", "nobody was asked: labctl goes on by itself"])
    }
}
