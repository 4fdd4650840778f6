import Foundation
import LabCore
import LabSandbox
import LabYAML
import Synchronization
import Testing

@testable import LabKube

/// The folder with recorded data that is shared beside the project, or nil.
let sharedData: String? = {
    if let named = ProcessInfo.processInfo.environment["LABCTL_SHARED"] { return named + "/data" }
    var folder = URL(fileURLWithPath: #filePath)
    while folder.path != "/" {
        folder.deleteLastPathComponent()
        let candidate = folder.appendingPathComponent("shared/data").path
        if FileManager.default.fileExists(atPath: candidate) { return candidate }
    }
    return nil
}()

func manifest(_ name: String) throws -> SourceFile {
    let path = (sharedData ?? "") + "/metallb/\(name)"
    return SourceFile(path: name, bytes: Array(try Data(contentsOf: URL(fileURLWithPath: path))))
}

func intents(_ text: String, namespace: String = "default") throws -> [Intent] {
    try intents(SourceFile(path: "pool.yaml", text: text), namespace: namespace)
}

func intents(_ file: SourceFile, namespace: String = "default") throws -> [Intent] {
    try Intents.read(try YAML.load(file, schema: .kubernetes).map { Manifest($0) }, defaultNamespace: namespace)
}

/// A simulated cluster with a client, stopped at the end.
func withCluster(
    delays: SimulatedDelays = .each(.milliseconds(20)),
    _ body: (SandboxAPIServer, KubeClient) async throws -> Void
) async throws {
    var options = ClusterOptions()
    options.delays = delays
    let server = try await SandboxAPIServer.start(options: options)
    let document = try YAML.load(SourceFile(path: "config", text: server.kubeconfig()), schema: .kubernetes)
    let config = try await Kubeconfig.resolve(document[0], path: "config") { _ in [] }
    let client = try KubeClient(config) { host, port in try await DirectChannel.open(host: host, port: port) }
    do {
        try await body(server, client)
    } catch {
        await client.close()
        await server.stop()
        throw error
    }
    await client.close()
    await server.stop()
}

/// What a plan would change, in short.
func differences(_ plan: ApplyPlan) -> [String] {
    plan.items.filter(\.isChange).map { "\($0.reference): \($0.changes.map(\.path))" }
}

private let pool = """
    apiVersion: metallb.io/v1beta1
    kind: IPAddressPool
    metadata:
      name: lab-pool
      namespace: metallb-system
    spec:
      addresses:
        - 192.168.56.200-192.168.56.250
    """

private func engine(
    _ client: KubeClient, force: Bool = true, timeout: Duration = .seconds(60),
    progress: @escaping @Sendable (String) -> Void = { _ in }
) -> ApplyEngine {
    ApplyEngine(
        client: client,
        settings: ApplySettings(method: .serverSide(force: force), gateTimeout: timeout), progress: progress)
}

@Suite(.timeLimit(.minutes(3)))
struct ApplyEngineTests {
    @Test(
        .enabled(if: sharedData != nil, "needs the shared MetalLB manifests"),
        arguments: ["metallb-native-v0.14.9.yaml", "metallb-native-v0.13.12.yaml", "metallb-native-v0.15.3.yaml"])
    func `the stock manifest is changed once and then ok`(name: String) async throws {
        try await withCluster { server, client in
            let intents = try intents(try manifest(name))
            let engine = engine(client)
            let first = try await engine.plan(intents)
            #expect(first.items.filter(\.isChange).count == intents.count)
            let before = await server.cluster.requests.filter {
                $0.method != "GET" && !$0.query.contains { $0.name == "dryRun" }
            }
            #expect(before.isEmpty, "a plan does not write")
            _ = try await engine.apply(first)
            await server.cluster.settled()
            // The pods come up and the controller writes its certificates.
            let wait = ReadinessWait(client: client, timeout: .seconds(30))
            let deployment = try #require(BuiltInResources.find(apiVersion: "apps/v1", kind: "Deployment"))
            let daemonSet = try #require(BuiltInResources.find(apiVersion: "apps/v1", kind: "DaemonSet"))
            _ = try await wait.wait(for: [
                (
                    deployment,
                    ObjectReference(
                        apiVersion: "apps/v1", kind: "Deployment", namespace: "metallb-system", name: "controller")
                ),
                (
                    daemonSet,
                    ObjectReference(
                        apiVersion: "apps/v1", kind: "DaemonSet", namespace: "metallb-system", name: "speaker")
                ),
            ])
            try await Task.sleep(for: .milliseconds(300))
            await server.cluster.settled()
            for _ in 0..<2 {
                await server.cluster.forgetRequests()
                let again = try await engine.plan(intents)
                #expect(differences(again) == [])
                if name.contains("0.14.9") {
                    #expect(
                        again.notes == [
                            "kept .spec.conversion.webhook.clientConfig.caBundle of CustomResourceDefinition bgppeers.metallb.io: MetalLB owns it"
                        ])
                }
                #expect(await server.cluster.requests.count == 2 * intents.count)
            }
        }
    }

    @Test(.enabled(if: sharedData != nil, "needs the shared MetalLB manifests"))
    func `a custom resource waits for its webhook, and then is ok`() async throws {
        try await withCluster { server, client in
            let manifest = try intents(try manifest("metallb-native-v0.14.9.yaml"))
            let sentences = Sentences()
            let engine = engine(client) { sentences.add($0) }
            _ = try await engine.apply(try await engine.plan(manifest))
            let pools = try intents(pool)
            // As a real server says while nothing listens behind the webhook's Service (recorded in metallb.jsonl).
            let refusal =
                #"Internal error occurred: failed calling webhook "ipaddresspoolvalidationwebhook.metallb.io": failed to call webhook: Post "https://metallb-webhook-service.metallb-system.svc:443/validate": no endpoints available for service "metallb-webhook-service""#
            await server.cluster.inject(
                Fault(
                    .status(code: 500, reason: "InternalError", message: refusal, retryAfter: nil), times: 12,
                    method: "PATCH", pathPart: "ipaddresspools"))
            let early = try await engine.plan(pools)
            #expect(
                early.items[0].action
                    == .unchecked("the webhook ipaddresspoolvalidationwebhook.metallb.io does not answer yet"))
            let applied = try await engine.apply(early)
            #expect(applied[0].object?[["spec", "autoAssign"]] == true)
            #expect(try await engine.plan(pools).isEmpty)
            #expect(
                sentences.all.contains {
                    $0.contains("the webhook ipaddresspoolvalidationwebhook.metallb.io does not answer yet")
                })
        }
    }

    @Test(.enabled(if: sharedData != nil, "needs the shared MetalLB manifests"))
    func `CRDs and their custom resources come in one list`() async throws {
        try await withCluster { server, client in
            let all = try intents(try manifest("metallb-native-v0.14.9.yaml")) + (try intents(pool))
            let engine = engine(client)
            let plan = try await engine.plan(all)
            #expect(plan.items.last?.action == .unchecked("its CustomResourceDefinition comes first"))
            #expect(plan.items.contains { $0.action == .unchecked("its namespace comes first") })
            _ = try await engine.apply(plan)
            try await Task.sleep(for: .milliseconds(300))
            await server.cluster.settled()
            let again = try await engine.plan(all)
            #expect(differences(again) == [])
        }
    }

    @Test(.enabled(if: sharedData != nil, "needs the shared MetalLB manifests"))
    func `drift is found, shown with its owner, and repaired`() async throws {
        try await withCluster { server, client in
            let intents = try intents(try manifest("metallb-native-v0.14.9.yaml"))
            let engine = engine(client)
            _ = try await engine.apply(try await engine.plan(intents))
            await server.cluster.settled()
            let patch = try await client.send(
                HTTPRequest(
                    .patch, "/api/v1/namespaces/metallb-system?fieldManager=editor",
                    contentType: "application/merge-patch+json",
                    body: Array(#"{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}"#.utf8)))
            #expect(patch.status == 200)
            let plan = try await engine.plan(intents)
            let changed = plan.items.filter(\.isChange)
            let item = try #require(changed.first)
            #expect(item.reference.description == "Namespace metallb-system")
            #expect(
                item.changes == [
                    FieldChange(
                        path: #".metadata.labels["pod-security.kubernetes.io/enforce"]"#, before: "restricted",
                        after: "privileged", owner: "editor (Update)")
                ])
            #expect(item.notes(done: true).first?.hasPrefix("took ") == true)
            _ = try await engine.apply(plan)
            #expect(differences(try await engine.plan(intents)) == [])
        }
    }

    private static let map = """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: cm}
        data:
          k: v
          other: "1"
        """

    @Test func `a conflict names manager, field, both values and the place`() async throws {
        try await withCluster { _, client in
            let intents = try intents(Self.map)
            let polite = engine(client, force: false)
            _ = try await polite.apply(try await polite.plan(intents))
            try await take(client, #"{"k":"theirs"}"#)
            let error = await failure { _ = try await polite.plan(intents) }
            #expect(error?.kind == .fieldConflict)
            #expect(error?.message == "ConfigMap default/cm is not applied: other owns .data.k")
            #expect(error?.diagnostics[0].notes[0].message == #"other owns .data.k: "theirs" there, "v" wanted"#)
            #expect(error?.diagnostics[0].span?.description == "pool.yaml:5:3")
            let forced = engine(client)
            let plan = try await forced.plan(intents)
            #expect(plan.notes == ["takes .data.k of ConfigMap default/cm from other"])
            let applied = try await forced.apply(plan)
            #expect(applied[0].item.notes(done: true) == ["took .data.k of ConfigMap default/cm from other"])
            #expect(try await forced.plan(intents).isEmpty)
        }
    }

    private func take(_ client: KubeClient, _ data: String) async throws {
        let body = #"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm"},"data":\#(data)}"#
        let response = try await client.send(
            HTTPRequest(
                .patch, "/api/v1/namespaces/default/configmaps/cm?fieldManager=other&force=true",
                contentType: "application/apply-patch+yaml", body: Array(body.utf8)))
        #expect(response.status == 200)
    }

    @Test func `a field that leaves the manifest leaves the cluster`() async throws {
        try await withCluster { _, client in
            let engine = engine(client)
            _ = try await engine.apply(try await engine.plan(try intents(Self.map)))
            let smaller = try intents(Self.map.replacing("\n  other: \"1\"", with: ""))
            let plan = try await engine.plan(smaller)
            #expect(
                plan.items[0].changes == [
                    FieldChange(path: ".data.other", before: "1", after: nil, owner: "labctl (Apply)")
                ])
            _ = try await engine.apply(plan)
            #expect(try await engine.plan(smaller).isEmpty)
        }
    }

    @Test func `equal fields of others are adopted once`() async throws {
        try await withCluster { _, client in
            let created = try await client.send(
                HTTPRequest(
                    .post, "/api/v1/namespaces/default/configmaps?fieldManager=other", contentType: "application/json",
                    body: Array(
                        #"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm"},"data":{"k":"v","other":"1"}}"#
                            .utf8)))
            #expect(created.status == 201)
            let engine = engine(client, force: false)
            let plan = try await engine.plan(try intents(Self.map))
            #expect(plan.items[0].changes.map(\.path) == [".metadata.managedFields"])
            _ = try await engine.apply(plan)
            #expect(try await engine.plan(try intents(Self.map)).isEmpty)
        }
    }

    @Test func `what kubectl apply set is taken over, and goes when it is no longer wanted`() async throws {
        try await withCluster { server, client in
            let annotation = #"{"apiVersion":"v1","data":{"k":"v","old":"x"},"kind":"ConfigMap"}"#
            let body: Value = [
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": [
                    "name": "cm",
                    "annotations": ["kubectl.kubernetes.io/last-applied-configuration": .string(annotation)],
                ],
                "data": ["k": "before", "old": "x"],
            ]
            _ = try await client.send(
                HTTPRequest(
                    .post, "/api/v1/namespaces/default/configmaps?fieldManager=kubectl-client-side-apply",
                    contentType: "application/json", body: body.jsonBytes()))
            let engine = engine(client, force: false)
            let plan = try await engine.plan(try intents(Self.map))
            let changes = Dictionary(uniqueKeysWithValues: plan.items[0].changes.map { ($0.path, $0) })
            #expect(changes[".data.k"]?.before == "before")
            #expect(changes[".data.old"]?.after == nil)
            #expect(plan.notes == ["takes over what kubectl-client-side-apply (Update) set in ConfigMap default/cm"])
            _ = try await engine.apply(plan)
            let live = await server.cluster.object("/configmaps", namespace: "default", name: "cm")
            #expect(live?["data"] == ["k": "v", "other": "1"])
            #expect(live?[["metadata", "annotations"]] == nil || live?[["metadata", "annotations"]] == [:])
            #expect(try await engine.plan(try intents(Self.map)).isEmpty)
        }
    }

    @Test(.enabled(if: sharedData != nil, "needs the shared MetalLB manifests"))
    func `mistakes are told with their place`() async throws {
        try await withCluster { server, client in
            let engine = engine(client)
            _ = try await engine.apply(try await engine.plan(try intents(try manifest("metallb-native-v0.14.9.yaml"))))
            _ = try await engine.apply(try await engine.plan(try intents(pool)))
            let typo = await failure { _ = try await engine.plan(try intents(pool + "\n  autoAssing: false\n")) }
            #expect(typo?.message == "IPAddressPool has no field .spec.autoAssing")
            #expect(typo?.diagnostics[0].hint == "did you mean autoAssign?")
            #expect(typo?.diagnostics[0].span?.description == "pool.yaml:9:3")
            let inverted = pool.replacing("192.168.56.200-192.168.56.250", with: "192.168.56.250-192.168.56.200")
            let denied = await failure {
                _ = try await engine.plan(try intents(inverted.replacing("lab-pool", with: "bad")))
            }
            #expect(denied?.kind == .denied)
            #expect(denied?.diagnostics[0].span?.description == "pool.yaml:8:7")
            #expect(denied?.message.contains("is after the end IP") == true)
            let kind = await failure {
                _ = try await engine.plan(try intents(pool.replacing("IPAddressPool", with: "IPAdressPool")))
            }
            #expect(kind?.kind == .unknownKind)
            #expect(kind?.diagnostics[0].hint == "did you mean IPAddressPool?")
            let invalid = await failure {
                _ = try await engine.plan(
                    try intents(
                        """
                        apiVersion: v1
                        kind: Service
                        metadata: {name: s}
                        spec:
                          ports:
                            - port: 0
                        """))
            }
            #expect(invalid?.kind == .invalid)
            #expect(invalid?.diagnostics[0].span?.description == "pool.yaml:6:7")
        }
    }

    @Test func `a passing 500, a lost link and a race do not stop an apply`() async throws {
        try await withCluster { server, client in
            let engine = engine(client)
            let plan = try await engine.plan(try intents(Self.map))
            server.cutConnections()
            _ = try await engine.apply(plan)
            #expect(try await engine.plan(try intents(Self.map)).isEmpty)
        }
    }
}

/// Collects progress sentences.
final class Sentences: Sendable {
    private let state = Mutex<[String]>([])
    func add(_ text: String) { state.withLock { $0.append(text) } }
    var all: [String] { state.withLock { $0 } }
}
