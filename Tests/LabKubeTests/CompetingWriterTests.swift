import LabCore
import LabSandbox
import LabTesting
import Synchronization
import Testing

@testable import LabKube

/// Somebody else who writes every object just before each write of ours, so that nothing that was read is current.
@Suite(.timeLimit(.minutes(5)), .enabled(if: sharedData != nil, "needs the shared MetalLB manifests"))
struct CompetingWriterTests {
    /// Has `rival` merge `patch` into every object of MetalLB's manifest just before labctl writes it.
    private static func compete(
        _ server: SandboxAPIServer, times: Int, writes: Counter,
        _ patch: @escaping @Sendable (_ path: String, _ number: Int) -> String?
    ) async {
        await server.cluster.inject(
            Fault(
                .precededBy { request in
                    guard let patch = patch(request.path, writes.add()) else { return [] }
                    return [
                        APIRequest(
                            method: "PATCH", target: request.path + "?fieldManager=rival",
                            contentType: "application/merge-patch+json", body: Array(patch.utf8),
                            user: APIUser(name: "rival", groups: ["system:masters"]))
                    ]
                }, times: times, onlyWrites: true))
    }

    private func engine(_ client: KubeClient, force: Bool = true, gate: Duration = .seconds(30)) -> ApplyEngine {
        ApplyEngine(client: client, settings: ApplySettings(method: .serverSide(force: force), gateTimeout: gate))
    }

    @Test func `who writes other fields of every object neither stops us nor is overwritten`() async throws {
        try await withCluster { server, client in
            let engine = engine(client)
            let stock = try intents(try manifest("metallb-native-v0.14.9.yaml"))
            _ = try await engine.apply(try await engine.plan(stock))
            await server.cluster.settled()
            // Every object has to be written: a label more on each.
            let text = String(decoding: try manifest("metallb-native-v0.14.9.yaml").bytes, as: UTF8.self)
            let changed = try labelled(text)
            let writes = Counter()
            // Each object once: who writes for ever is faster than a write that a resource version guards.
            let written = Paths()
            await Self.compete(server, times: 1000, writes: writes) { path, number in
                written.insert(path) ? "{\"metadata\":{\"annotations\":{\"rival\":\"\(number)\"}}}" : nil
            }
            let plan = try await engine.plan(changed)
            #expect(plan.items.count(where: \.isChange) == 24)
            let applied = try await engine.apply(plan)
            #expect(applied.count == 24)
            await server.cluster.heal()
            var rivals = 0
            for item in applied {
                let live = try await client.get(
                    try #require(item.item.resource), namespace: item.item.reference.namespace,
                    name: item.item.reference.name)
                #expect(live?[["metadata", "labels", "raced"]]?.string == "yes", "\(item.item.reference)")
                if live?[["metadata", "annotations", "rival"]] != nil { rivals += 1 }
            }
            #expect(rivals == 24)
            #expect(try await engine.plan(changed).isEmpty)
            print("a rival wrote each of 24 objects between our read and our write; we wrote \(writes.value) times")
        }
    }

    @Test func `who writes our fields is named as long as they do, and loses when they stop`() async throws {
        try await withCluster { server, client in
            let maps = try intents(
                (0..<8).map { "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm\($0)}, data: {k: ours}}" }
                    .joined(separator: "\n---\n"))
            let engine = engine(client)
            _ = try await engine.apply(try await engine.plan(maps))
            for round in 1...5 {
                // After our write, not before it: what a controller does that wants it otherwise.
                for index in 0..<8 {
                    _ = await server.cluster.answer(
                        APIRequest(
                            method: "PATCH",
                            target: "/api/v1/namespaces/default/configmaps/cm\(index)?fieldManager=rival",
                            contentType: "application/merge-patch+json",
                            body: Array("{\"data\":{\"k\":\"\(round)\"}}".utf8),
                            user: APIUser(name: "rival", groups: ["system:masters"])))
                }
                let plan = try await engine.plan(maps)
                #expect(plan.items.count(where: \.isChange) == 8)
                #expect(plan.items.allSatisfy { $0.changes.first?.owner == "rival (Update)" })
                #expect(plan.notes.count { $0.contains("from rival") } == 8, "\(plan.notes)")
                // Without force nothing of theirs is taken, and they are named.
                let error = await failure {
                    let careful = self.engine(client, force: false)
                    _ = try await careful.apply(try await careful.plan(maps))
                }
                #expect(error?.kind == .fieldConflict)
                #expect(error?.message.contains("rival owns .data.k") == true)
                let live = await server.cluster.object("/configmaps", namespace: "default", name: "cm0")
                #expect(live?[["data", "k"]]?.string == "\(round)")
                _ = try await engine.apply(plan)
            }
            #expect(try await engine.plan(maps).isEmpty)
        }
    }

    @Test func `who writes a guarded object again and again is told in the end, and another run converges`()
        async throws
    {
        try await withCluster { server, client in
            let engine = engine(client)
            let stock = try intents(try manifest("metallb-native-v0.14.9.yaml"))
            _ = try await engine.apply(try await engine.plan(stock))
            await server.cluster.settled()
            let text = String(decoding: try manifest("metallb-native-v0.14.9.yaml").bytes, as: UTF8.self)
            // The CRD with the caBundle is written with its resource version, so that MetalLB's own write is not undone.
            let changed = try labelled(text).filter { $0.reference.name == "bgppeers.metallb.io" }
            let writes = Counter()
            await Self.compete(server, times: .max, writes: writes) { _, number in
                "{\"metadata\":{\"annotations\":{\"rival\":\"\(number)\"}}}"
            }
            let impatient = self.engine(client, gate: .seconds(8))
            let error = await failure { _ = try await impatient.apply(try await impatient.plan(changed)) }
            #expect(error?.kind == .race)
            #expect(writes.value > 2)
            await server.cluster.heal()
            let live = await server.cluster.object(
                "apiextensions.k8s.io/customresourcedefinitions", name: "bgppeers.metallb.io")
            #expect(live?[["metadata", "labels", "raced"]] == nil, "what failed was not done")
            _ = try await engine.apply(try await engine.plan(changed))
            #expect(try await engine.plan(changed).isEmpty)
        }
    }

    /// The manifest with a label more on every object.
    private func labelled(_ text: String) throws -> [Intent] {
        let names = text.split(separator: "\n---\n").map { document -> String in
            let lines = document.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            guard let metadata = lines.firstIndex(of: "metadata:") else { return String(document) }
            var changed = lines
            if let labels = lines[metadata...].firstIndex(of: "  labels:") {
                changed.insert("    raced: \"yes\"", at: labels + 1)
            } else {
                changed.insert(contentsOf: ["  labels:", "    raced: \"yes\""], at: metadata + 1)
            }
            return changed.joined(separator: "\n")
        }
        return try intents(names.joined(separator: "\n---\n"))
    }
}

private final class Paths: Sendable {
    private let seen = Mutex<Set<String>>([])

    /// Whether it is new.
    func insert(_ path: String) -> Bool { seen.withLock { $0.insert(path).inserted } }
}
