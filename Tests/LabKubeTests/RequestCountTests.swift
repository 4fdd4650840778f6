import LabCore
import LabSandbox
import LabTesting
import LabYAML
import Testing

@testable import LabKube

/// How many requests looking and applying take, and that what spares requests spares no truth.
@Suite(.timeLimit(.minutes(2)))
struct RequestCountTests {
    private func engine(_ client: KubeClient, force: Bool = true) -> ApplyEngine {
        ApplyEngine(client: client, settings: ApplySettings(method: .serverSide(force: force)))
    }

    private func maps(_ count: Int, value: String = "1") throws -> [Intent] {
        try intents(
            (0..<count).map {
                "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: map-\($0)}\ndata: {value: \"\(value)\"}\n"
            }.joined())
    }

    /// What came since the last time, in short: `PATCH dry 3`.
    private func requests(_ server: SandboxAPIServer) async -> [String: Int] {
        let seen = await server.cluster.requests
        await server.cluster.forgetRequests()
        return seen.reduce(into: [:]) { counts, request in
            let isDry = request.query.contains { $0.name == "dryRun" }
            let isList = request.method == "GET" && request.path.hasSuffix("configmaps")
            counts[isList ? "LIST" : isDry ? "PATCH dry" : request.method, default: 0] += 1
        }
    }

    @Test func `an object is read and tried at once, written, and tried again`() async throws {
        try await withCluster { server, client in
            let engine = engine(client)
            let wanted = try maps(3)
            await server.cluster.forgetRequests()
            let plan = try await engine.plan(wanted)
            #expect(await requests(server) == ["GET": 3, "PATCH dry": 3])
            let applied = try await engine.apply(plan)
            #expect(await requests(server) == ["PATCH": 3])
            // What the writes answered is known: the dry runs say whether it still holds.
            #expect(try await engine.plan(wanted, known: KnownObjects(applied)).isEmpty)
            #expect(await requests(server) == ["PATCH dry": 3])
        }
    }

    @Test func `many objects of a kind are listed`() async throws {
        try await withCluster { server, client in
            let engine = engine(client)
            let wanted = try maps(60)
            await server.cluster.forgetRequests()
            let plan = try await engine.plan(wanted)
            #expect(plan.items.allSatisfy { $0.action == .create })
            #expect(await requests(server) == ["LIST": 1, "PATCH dry": 60])
            let applied = try await engine.apply(plan)
            #expect(await requests(server) == ["PATCH": 60])
            #expect(try await engine.plan(wanted, known: KnownObjects(applied)).isEmpty)
            #expect(await requests(server) == ["PATCH dry": 60])
            #expect(try await engine.plan(wanted).isEmpty)
            #expect(await requests(server) == ["LIST": 1, "PATCH dry": 60])
        }
    }

    @Test func `a namespace with many others is not listed to its end`() async throws {
        try await withCluster { server, client in
            let engine = engine(client)
            let all = try maps(560)
            let resource = try await client.discovery.resource(apiVersion: "v1", kind: "ConfigMap")
            _ = try await concurrently(all, limit: 48) { map in
                try await client.apply(
                    map.object, resource, reference: map.reference, fieldManager: "labctl", force: true, dryRun: false)
            }
            await server.cluster.forgetRequests()
            #expect(try await engine.plan(Array(all.suffix(40))).isEmpty)
            let seen = await requests(server)
            #expect(seen["LIST"] == 1)
            #expect(seen["PATCH dry"] == 40)
            #expect((seen["GET"] ?? 0) <= 40)
        }
    }

    /// Somebody who writes between the list, or our own write, and the dry run.
    @Test(arguments: [1, 40]) func `what is known and no longer true is looked at again`(count: Int) async throws {
        try await withCluster { server, client in
            let engine = engine(client)
            let wanted = try maps(count)
            let applied = try await engine.apply(try await engine.plan(wanted))
            let body = #"{"data":{"value":"theirs"}}"#
            let response = try await client.send(
                HTTPRequest(
                    .patch, "/api/v1/namespaces/default/configmaps/map-0?fieldManager=rival",
                    contentType: "application/merge-patch+json", body: Array(body.utf8)))
            #expect(response.status == 200)
            let plan = try await engine.plan(wanted, known: KnownObjects(applied))
            #expect(
                plan.items.filter(\.isChange).map(\.changes) == [
                    [FieldChange(path: ".data.value", before: "theirs", after: "1", owner: "rival (Update)")]
                ])
            #expect(plan.notes == ["takes .data.value of ConfigMap default/map-0 from rival"])
            // The same for one who must not take it: the conflict is told with what is there now.
            let polite = self.engine(client, force: false)
            await #expect(throws: KubeError.self) {
                _ = try await polite.plan(wanted, known: KnownObjects(applied))
            }
            // It was deleted: no longer there is a change as well.
            _ = try await client.send(HTTPRequest(.delete, "/api/v1/namespaces/default/configmaps/map-0"))
            let gone = try await engine.plan(wanted, known: KnownObjects(applied))
            #expect(gone.items.filter(\.isChange).map(\.action) == [.create])
        }
    }

    @Test func `created after the list`() async throws {
        try await withCluster { server, client in
            let engine = engine(client)
            let wanted = try maps(40)
            // Just before its dry run somebody makes the object as it is wanted.
            await server.cluster.inject(
                Fault(
                    .precededBy { request in
                        [
                            APIRequest(
                                method: "POST", target: "/api/v1/namespaces/default/configmaps?fieldManager=rival",
                                contentType: "application/json",
                                body: Array(
                                    #"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"map-7"},"data":{"value":"1"}}"#
                                        .utf8),
                                user: APIUser(name: "rival", groups: ["system:masters"]))
                        ]
                    }, method: "PATCH", pathPart: "map-7"))
            let plan = try await engine.plan(wanted)
            #expect(plan.items.filter { $0.action == .update }.map(\.reference.name) == ["map-7"])
            #expect(plan.items.count { $0.action == .create } == 39)
        }
    }

    @Test func `everything goes over one connection`() async throws {
        let server = try await SandboxAPIServer.start(options: ClusterOptions())
        let document = try YAML.load(SourceFile(path: "config", text: server.kubeconfig()), schema: .kubernetes)
        let config = try await Kubeconfig.resolve(document[0], path: "config") { _ in [] }
        let opened = Counter()
        let client = try KubeClient(config) { host, port in
            opened.add()
            return try await DirectChannel.open(host: host, port: port)
        }
        do {
            let engine = engine(client)
            let wanted = try maps(100)
            // Many that come at once before there is a connection share it, too.
            let plan = try await engine.plan(wanted)
            let applied = try await engine.apply(plan)
            #expect(try await engine.plan(wanted, known: KnownObjects(applied)).isEmpty)
            #expect(await server.cluster.requestCount >= 300)
            #expect(opened.value == 1)
        } catch {
            Issue.record(error)
        }
        await client.close()
        await server.stop()
    }
}
