import LabCore
import LabModules
import Testing

@Suite struct WaitForTests {
    @Test func portsAndPaths() async throws {
        let node = try Node()
        let server = try await WebServer([:])
        let open = try await node.call(WaitForModule(), ["port": .int(server.port), "timeout": 5])
        #expect(open.values["port"] == .int(server.port) && open.values["state"] == "started")
        await server.stop()
        _ = try await node.call(WaitForModule(), ["port": .int(server.port), "state": "stopped", "timeout": 5])
        node.write("f", "first\nready: 42\n")
        let matched = try await node.call(
            WaitForModule(), ["path": "DIR/f", "search_regex": "^ready: (\\d+)$", "timeout": 5])
        #expect(matched.values["match_groups"] == ["42"])
        _ = try await node.call(WaitForModule(), ["path": "DIR/none", "state": "absent", "timeout": 5])
    }

    @Test func waitsUntilItIsThere() async throws {
        let node = try Node()
        node.sh("(sleep 0.3; touch later) &")
        let outcome = try await node.call(WaitForModule(), ["path": "DIR/later", "timeout": 20, "sleep": 1])
        #expect(outcome.summary == "read")
    }

    @Test func timesOutInWords() async throws {
        let node = try Node()
        let error = await #expect(throws: ModuleError.self) {
            try await node.call(WaitForModule(), ["path": "DIR/none", "timeout": 1])
        }
        let message = try #require(error?.diagnostics.first?.message)
        #expect(message.hasPrefix("node waited ") && message.hasSuffix(" s for \(node.folder)/none in vain"))
        #expect(error?.values["elapsed"]?.int ?? 0 >= 1)
    }

    @Test(arguments: [
        ["port": 1, "path": "/x"] as ValueMap, ["path": "/x", "state": "stopped"], ["state": "drained"],
        ["port": 1, "search_regex": "("],
    ]) func refuses(_ arguments: ValueMap) async throws {
        let node = try Node()
        await #expect(throws: ModuleError.self) { try await node.call(WaitForModule(), arguments) }
    }
}
