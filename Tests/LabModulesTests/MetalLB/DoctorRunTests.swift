import LabCore
import Testing

@testable import LabModules

@Suite("The doctor's round")
struct DoctorRunTests {
    private let configuration = [pool("lab-pool", ["192.168.56.10/32"]), advertisement("lab-l2", ["lab-pool"])]
    private let nodes: [Value] = [
        [
            "metadata": ["name": "w1"],
            "status": ["addresses": [["type": "InternalIP", "address": "192.168.56.10"]]],
        ]
    ]

    @Test("what is fetched is judged, and what is forbidden is named")
    func round() async throws {
        var behaviour = FakeCluster.Behaviour()
        behaviour.onRequest = { if $0 == "list Secret" { throw ModuleError("secrets is forbidden") } }
        let cluster = FakeCluster(behaviour, configuration: configuration, nodes: nodes)
        await cluster.put(
            .configMap,
            [
                "metadata": ["name": "kube-proxy", "namespace": "kube-system"],
                "data": ["config.conf": "mode: ipvs\nipvs:\n  strictARP: false\n"],
            ])
        let outcomes = try await MetalLBDoctor.run(cluster)
        #expect(outcomes.map(\.number) == Array(1...14))
        let sentences = outcomes.flatMap(\.findings).map(\.sentence)
        #expect(sentences.contains("pool \"lab-pool\" holds 192.168.56.10, the address of node w1"))
        #expect(sentences.contains("secrets could not be read: secrets is forbidden"))
        #expect(
            sentences.contains(
                "kube-proxy runs in IPVS mode without strictARP, so every node answers ARP for every address"))
        #expect(sentences.contains("VirtualBox: it was not asked for"))
    }

    @Test("the checks before every provision ask for nodes and version, and judge the pools that are to come")
    func preflight() async throws {
        let cluster = FakeCluster(configuration: [], nodes: nodes)
        var lab = LabSnapshot()
        lab.configuration = configuration
        let outcomes = try await MetalLBDoctor.preflight(cluster, lab)
        #expect(outcomes.map(\.number) == [2, 3, 4, 7, 14])
        #expect(Set(await cluster.requests).subtracting(["version"]) == ["list Node"])
        #expect(
            outcomes.flatMap(\.findings).filter { $0.severity == .error }.map(\.sentence) == [
                "pool \"lab-pool\" holds 192.168.56.10, the address of node w1"
            ])
    }
}
