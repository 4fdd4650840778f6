import Foundation
import LabCore
import LabKube
import LabSandbox
import LabTransport
import Testing

@testable import LabModules

/// The beginning of the namespaces' names, when the tests run in Scripts/arp-testbed.
private let testBed = ProcessInfo.processInfo.environment["LABCTL_ARP_TESTBED"]

/// The sandbox's cluster, said to be a real one, with a stand-in for the speakers: the address is on the interface of
/// the node that is to announce it.
private actor SpokenFor: ClusterObjects {
    private let client: KubeClient
    private let bed: String
    /// Moves the address as an election would; nil leaves it where the test put it.
    private let candidates: [String]?

    init(_ client: KubeClient, bed: String, candidates: [String]?) {
        self.client = client
        self.bed = bed
        self.candidates = candidates
    }

    func serverVersion() async throws -> String { "v1.36.2" }

    func get(_ kind: ClusterKind, namespace: String?, name: String) async throws -> Value? {
        try await client.get(kind, namespace: namespace, name: name)
    }

    func list(_ kind: ClusterKind, namespace: String?, labels: String?) async throws -> [Value]? {
        guard let candidates else { return try await client.list(kind, namespace: namespace, labels: labels) }
        let announcer = try await elect(candidates)
        switch kind {
        case .l2Status: return [["status": ["node": .string(announcer)]]]
        case .event:
            let service = try await client.get(.service, namespace: "default", name: Probe.name)
            return [
                [
                    "reason": "nodeAssigned", "lastTimestamp": "2026-01-01T00:00:00Z",
                    "message": .string("announcing from node \"\(announcer)\" with protocol \"layer2\""),
                    "involvedObject": ["name": "labctl-probe", "uid": service?[["metadata", "uid"]] ?? .null],
                ]
            ]
        default: return try await client.list(kind, namespace: namespace, labels: labels)
        }
    }

    func create(_ kind: ClusterKind, _ object: Value) async throws { try await client.create(kind, object) }

    func tryOut(_ kind: ClusterKind, _ object: Value) async throws { try await client.tryOut(kind, object) }

    func merge(_ kind: ClusterKind, namespace: String?, name: String, patch: Value) async throws {
        try await client.merge(kind, namespace: namespace, name: name, patch: patch)
        if let candidates { _ = try await elect(candidates) }
    }

    func delete(_ kind: ClusterKind, namespace: String?, name: String) async throws {
        try await client.delete(kind, namespace: namespace, name: name)
    }

    /// The first candidate that is not excluded gets the address, and says so to all, as a speaker does.
    private func elect(_ candidates: [String]) async throws -> String {
        let nodes = try await client.list(.node, namespace: nil, labels: nil) ?? []
        let eligible = candidates.filter { name in
            nodes.first { $0.objectName == name }?[["metadata", "labels"]]?.map?[FailoverDrill.excludeLabel] == nil
        }
        let chosen = try #require(eligible.first)
        for name in candidates where name != chosen { await Address.remove(from: name, bed) }
        await Address.add(to: chosen, bed)
        return chosen
    }
}

/// Moves 192.168.56.200 between the nodes' interfaces.
private enum Address {
    static let text = "192.168.56.200"

    static func add(to node: String, _ bed: String) async {
        await run(["ip", "-n", "\(bed)-\(node)", "address", "replace", "\(text)/32", "dev", "eth1"])
        // Announcements as the speaker sends them: without a request, to all.
        await run(["ip", "netns", "exec", "\(bed)-\(node)", "python3", "-c", announce])
    }

    static func remove(from node: String, _ bed: String) async {
        await run(["ip", "-n", "\(bed)-\(node)", "address", "delete", "\(text)/32", "dev", "eth1"])
    }

    private static let announce = """
        import socket
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind(("eth1", 0x0806))
        mac = s.getsockname()[4]
        ip = socket.inet_aton("\(text)")
        s.send(b"\\xff" * 6 + mac + bytes.fromhex("08060001080006040001") + mac + ip + b"\\xff" * 6 + ip)
        """

    private static func run(_ arguments: [String]) async {
        _ = try? await LocalConnection(hostName: "localhost").run(Command(.arguments(arguments)))
    }
}

@Suite(
    "The verification with real ARP", .serialized,
    .enabled(if: testBed != nil && recordedData != nil, "run Scripts/arp-testbed"))
struct ARPTestBedTests {
    /// Verifies a lab where the nodes have the address, and gives the steps.
    private func verify(
        holders: [String], candidates: [String]? = nil, failover: Bool = false
    ) async throws -> [VerificationStep] {
        let bed = try #require(testBed)
        for node in ["cp1", "w1", "w2"] { await Address.remove(from: node, bed) }
        for node in holders { await Address.add(to: node, bed) }
        var steps: [VerificationStep] = []
        try await withSandboxLab(host: "0.0.0.0", port: 6443) { client, _ in
            var pace = TrafficVerification.Pace()
            pace.settling = .milliseconds(100)
            pace.reachability = .seconds(5)
            pace.interval = .milliseconds(100)
            let log = VerificationLog { _ in }
            let laptop = Laptop(connection: LocalConnection(hostName: "localhost"), kubeconfig: client.kubeconfig)
            try await TrafficVerification(
                cluster: SpokenFor(client, bed: bed, candidates: candidates), laptop: laptop,
                namespace: "metallb-system", pools: ["lab-pool"], withFailover: failover, pace: pace, log: log
            ).run()
            steps = log.all
        }
        return steps
    }

    private func step(_ name: String, _ steps: [VerificationStep]) throws -> VerificationStep {
        try #require(steps.first { $0.name == name })
    }

    @Test("the announcing node answers, and only it")
    func works() async throws {
        let steps = try await verify(holders: ["w2"])
        #expect(steps.filter { $0.result != .passed }.map(\.line) == [])
        #expect(try step("neighbour table", steps).detail.hasSuffix("answers, and only it: w2"))
    }

    @Test("another node than MetalLB says is found out")
    func otherNode() async throws {
        let found = try step("neighbour table", try await verify(holders: ["w1"]))
        #expect(found.result == .failed)
        #expect(found.detail.hasSuffix("of w1 answers, but MetalLB says that w2 announces"))
    }

    @Test("an address that nobody answers for is found out")
    func nobody() async throws {
        let steps = try await verify(holders: [])
        #expect(try step("TLS through the address", steps).result == .failed)
    }

    @Test("fail-over: the address moves to the other node, answers there, and comes back")
    func failover() async throws {
        let steps = try await verify(holders: ["w2"], candidates: ["w2", "w1"], failover: true)
        #expect(steps.filter { $0.result != .passed }.map(\.line) == [])
        #expect(
            try step("fail-over", steps).detail == "192.168.56.200 moved from w2 to w1, answered there, and came back")
    }
}
