import Foundation
import LabCore
import LabKube
import LabSandbox
import LabTransport
import LabYAML
import Testing

@testable import LabModules

/// A connection to the laptop that runs nothing: in the sandbox nothing is asked of it.
private struct NoLaptop: Connection {
    var hostName: String { "localhost" }
    func run(_ command: Command) async throws -> CommandResult { throw ModuleError("no command was expected") }
    func openForward(host: String, port: Int) async throws -> any ByteChannel {
        throw ModuleError("no forwarding was expected")
    }
    func writeFile(_ bytes: [UInt8], to path: String, attributes: FileAttributes, become: Become?) async throws {}
    func readFile(_ path: String, become: Become?) async throws -> [UInt8] { [] }
    func close() async {}
}

func sandboxClient(of server: SandboxAPIServer) async throws -> KubeClient {
    let file = SourceFile(path: "<kubeconfig>", text: server.kubeconfig())
    let document = try #require(try YAML.load(file, schema: .kubernetes).first)
    let kubeconfig = try await Kubeconfig.resolve(document, path: "<kubeconfig>") { _ in [] }
    return try KubeClient(kubeconfig) { host, port in try await DirectChannel.open(host: host, port: port) }
}

func apply(_ manifests: [Manifest], _ client: KubeClient) async throws {
    let engine = ApplyEngine(client: client, settings: ApplySettings(method: .serverSide(force: true)))
    let intents = try Intents.read(manifests, defaultNamespace: "default")
    _ = try await engine.apply(try await engine.plan(intents))
}

/// A cluster with MetalLB 0.14.9, a pool and its advertisement.
func withSandboxLab(
    host: String = "127.0.0.1", port: Int = 0, _ body: (KubeClient, SandboxAPIServer) async throws -> Void
) async throws {
    var options = ClusterOptions()
    options.delays = .each(.milliseconds(2))
    let server = try await SandboxAPIServer.start(options: options, host: host, port: port)
    let client = try await sandboxClient(of: server)
    do {
        let path = try #require(recordedData).appendingPathComponent("metallb/metallb-native-v0.14.9.yaml")
        let file = SourceFile(path: path.path, text: try String(contentsOf: path, encoding: .utf8))
        try await apply(try YAML.load(file, schema: .kubernetes).map { Manifest($0) }, client)
        await server.cluster.settled()
        let configuration = [
            pool("lab-pool", ["192.168.56.200-192.168.56.250"]), advertisement("lab-l2", ["lab-pool"]),
        ]
        try await apply(configuration.map { Manifest($0) }, client)
        await server.cluster.settled()
        try await body(client, server)
    } catch {
        await client.close()
        await server.stop()
        throw error
    }
    await client.close()
    await server.stop()
}

@Suite(
    "The verification against the sandbox's API server",
    .enabled(if: recordedData != nil, "the manifest of MetalLB is not here"))
struct SandboxVerificationTests {
    private func context() -> ModuleContext {
        ModuleContext(hostName: "cp1", connection: { NoLaptop() }, controller: NoLaptop(), shared: RunStorage())
    }

    private func call(_ arguments: ValueMap) -> ModuleCall {
        ModuleCall(arguments: arguments, source: SourceValue(.map(arguments)))
    }

    @Test("what loopback allows is checked, what it does not is named, and nothing is left")
    func verify() async throws {
        try await withSandboxLab { client, server in
            let module = VerifyModule { _, _ in client }
            let call = call(["namespace": "metallb-system", "pools": ["lab-pool"], "timeout": 30, "failover": false])
            let context = context()
            let plan = try await module.plan(call, in: context)
            guard case .readOnly = plan.verdict else {
                Issue.record("a verification changes nothing")
                return
            }
            let result = try await module.apply(plan, for: call, in: context)
            #expect(result.changed == false)
            #expect(result.notes.contains { $0.hasPrefix("address: 192.168.56.200 from pool lab-pool") })
            // The election is a hash: w2 comes first for this address.
            #expect(result.notes.contains("announcing node: w2, by its one ServiceL2Status and its event"))
            #expect(result.values["unchecked"] == ["TLS through the address", "neighbour table"])
            await server.cluster.settled()
            #expect(await server.cluster.object("/services", namespace: "default", name: "labctl-probe") == nil)
            let slices = try await client.list(.endpointSlice, namespace: nil, labels: Probe.selector)
            #expect(slices == [])
        }
    }

    @Test("a pool that is used up is told with the cluster's words, and nothing is left")
    func usedUp() async throws {
        try await withSandboxLab { client, server in
            try await apply([Manifest(pool("lab-pool", ["192.168.56.200/32"]))], client)
            try await client.create(
                .service,
                [
                    "apiVersion": "v1", "kind": "Service", "metadata": ["name": "taker", "namespace": "default"],
                    "spec": ["type": "LoadBalancer", "ports": [["port": 80]]],
                ])
            await server.cluster.settled()
            let module = VerifyModule { _, _ in client }
            let call = call(["namespace": "metallb-system", "pools": [], "timeout": 1])
            let error = await #expect(throws: ModuleError.self) {
                _ = try await module.apply(Plan(.readOnly), for: call, in: context())
            }
            let diagnostic = try #require(error?.diagnostics.first)
            #expect(diagnostic.message == "address: Service default/labctl-probe got no address within 1 s")
            #expect(diagnostic.notes.contains { $0.message.hasPrefix("event AllocationFailed: ") })
            #expect(await server.cluster.object("/services", namespace: "default", name: "labctl-probe") == nil)
        }
    }

    @Test("a check makes no probe")
    func checkMode() async throws {
        let module = VerifyModule { _, _ in throw ModuleError("the cluster was asked") }
        var context = context()
        context.checkMode = true
        let result = try await module.apply(Plan(.readOnly), for: call([:]), in: context)
        #expect(result.notes == ["check mode: no probe is made, so traffic is not checked"])
    }

    @Test("the doctor finds nothing wrong with the sandbox, and names what it cannot see")
    func doctor() async throws {
        try await withSandboxLab { client, _ in
            let findings = try await MetalLBDoctor.run(client).flatMap(\.findings)
            #expect(findings.filter { $0.severity == .error } == [])
            #expect(findings.contains { $0.severity == .unchecked && $0.number == 9 })
        }
    }

    @Test("through the address the API server must prove who it is")
    func handshake() async throws {
        try await withSandboxLab { client, server in
            let loopback = try #require(IPAddress("127.0.0.1"))
            // It asks the machine for its routes, and for nothing else.
            let laptop = Laptop(connection: LocalConnection(), kubeconfig: client.kubeconfig)
            let answer = try await laptop.handshake(loopback, port: server.port)
            #expect(answer == "it answered a request with status 200")

            // What is not in a network of this machine is never asked (TEST-NET-3 of RFC 5737 is nobody's).
            let stranger = try #require(IPAddress("203.0.113.1"))
            let refusal = await #expect(throws: ModuleError.self) { try await laptop.handshake(stranger, port: 443) }
            #expect(refusal?.diagnostics.first?.message.hasSuffix("so nothing was sent") == true)

            // Another cluster's server at the same address is found out.
            let other = try await SandboxAPIServer.start()
            let error = await #expect(throws: KubeError.self) { try await laptop.handshake(loopback, port: other.port) }
            #expect(error?.kind == .certificate)
            await other.stop()

            // Nothing listens on tcpmux's port; a port that was just given up may be another test's by now.
            await #expect(throws: ModuleError.self) { try await laptop.handshake(loopback, port: 1) }
        }
    }
}
