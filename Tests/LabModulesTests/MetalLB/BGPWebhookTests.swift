import Foundation
import LabCore
import LabKube
import LabSandbox
import LabYAML
import Testing

@testable import LabModules

/// labctl's two readings of MetalLB's rules, made apart: what it says before anything is sent, and what the simulated
/// webhook says.
@Suite("The simulated webhook and the client agree about BGP", .serialized)
struct BGPWebhookTests {
    private func withLab(frr: Bool, _ body: (KubeClient, SandboxAPIServer) async throws -> Void) async throws {
        var options = ClusterOptions()
        options.delays = .each(.milliseconds(2))
        let server = try await SandboxAPIServer.start(options: options)
        let client = try await sandboxClient(of: server)
        do {
            let text = frr ? MiniatureManifest.frrText : MiniatureManifest.text
            let manifests = try YAML.load(SourceFile(path: "miniature", text: text), schema: .kubernetes)
            try await apply(manifests.map { Manifest($0) }, client)
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

    private func webhookSentence(_ objects: [Value], _ client: KubeClient) async throws -> String? {
        do {
            for object in objects { try await apply([Manifest(SourceValue(object))], client) }
            return nil
        } catch let error as any DiagnosticError {
            let all = error.diagnostics.flatMap { [$0.message] + $0.notes.map(\.message) }.joined(separator: "\n")
            return all.range(of: " is refused: ").map { String(all[$0.upperBound...]) } ?? all
        }
    }

    private static let ok: [Value] = [
        pool("p", ["10.0.0.0/28"], spec: ["avoidBuggyIPs": true]), bgpPeer("r1"), bgpAdvertisement("a"),
    ]

    private static let refusals: [[Value]] = [
        [bgpPeer("r1", ["myASN": 0])], [bgpPeer("r1", ["peerASN": .null])], [bgpPeer("r1", ["dynamicASN": "internal"])],
        [bgpPeer("r1", ["peerASN": 64512, "ebgpMultiHop": true])], [bgpPeer("r1", ["peerAddress": "router"])],
        [bgpPeer("r1", ["holdTime": "2s"])], [bgpPeer("r1", ["routerID": "x"])], [bgpPeer("r1"), bgpPeer("r2")],
        [bgpPeer("r1"), bgpPeer("r2", ["peerAddress": "192.168.56.2", "myASN": 64520])],
        [community("c", [("x", "70000:1")])], [community("c", [("x", "1:2"), ("x", "1:3")])],
        ok + [bgpAdvertisement("b", ["communities": ["70000:1"]])],
        ok + [bgpAdvertisement("b", ["peers": ["r1", "r1"]])],
        ok + [bgpAdvertisement("b", ["aggregationLength": 24])], ok + [bgpAdvertisement("b", ["localPref": 7])],
        ok + [bgpAdvertisement("b", ["aggregationLength": 33])],
    ]

    @Test("what the client refuses, the webhook refuses with the same words")
    func refused() async throws {
        let manifest = try YAML.load(
            SourceFile(path: "miniature", text: MiniatureManifest.frrText), schema: .kubernetes)
        // One lab for all of them: it is the dearest part.
        try await withLab(frr: true) { client, _ in
            for objects in Self.refusals {
                let sentence = try #require(try await webhookSentence(objects, client), "\(objects)")
                let own = MetalLBObjects.validate(manifest.map(\.value) + objects, scope: ValidationScope())
                    .filter { $0.severity == .error }.map(\.message)
                // MetalLB puts what a sentence is about on the next line.
                let core = try #require(sentence.split(separator: "\n").first)
                #expect(own.count == 1)
                #expect(own.first?.hasSuffix(core) == true, "\(own) beside \(sentence)")
                for object in objects {
                    let kind = ClusterKind(object["apiVersion"]?.string ?? "", object["kind"]?.string ?? "")
                    try await client.delete(kind, namespace: "metallb-system", name: object.objectName)
                }
            }
        }
    }

    @Test("with the native manifest the webhook refuses what only FRR can do")
    func native() async throws {
        try await withLab(frr: false) { client, _ in
            let sentence = try await webhookSentence([bgpPeer("r1", ["vrf": "red"])], client)
            #expect(sentence?.hasPrefix("peer 192.168.56.1 has vrf set on native bgp mode") == true)
        }
    }

    @Test("what the webhook lets pass, as its objects may come in any order, and what holds a profile")
    func transient() async throws {
        try await withLab(frr: true) { client, server in
            let objects =
                Self.ok + [
                    bgpPeer(
                        "r2", ["peerAddress": "192.168.56.2", "bfdProfile": "fast", "passwordSecret": ["name": "s"]]),
                    bgpAdvertisement("b", ["communities": ["not-yet"], "peers": ["r9"]]), bfdProfile("fast"),
                ]
            let sentence = try await webhookSentence(objects, client)
            #expect(sentence == nil)
            let kind = ClusterKind("metallb.io/v1beta1", "BFDProfile")
            await #expect {
                try await client.delete(kind, namespace: "metallb-system", name: "fast")
            } throws: { error in
                "\((error as? any DiagnosticError)?.diagnostics ?? [])"
                    .contains("failed to delete BFDProfile fast, used by BGPPeer r2")
            }
        }
    }

    @Test("the deprecated version of a peer is converted by the webhook once it has the controller's certificate")
    func conversion() async throws {
        try await withLab(frr: true) { client, server in
            try await apply([Manifest(SourceValue(bgpPeer("r1", ["vrf": "red"])))], client)
            let old = ClusterKind("metallb.io/v1beta1", "BGPPeer")
            let read = try await client.get(old, namespace: "metallb-system", name: "r1")
            #expect(read?["apiVersion"] == "metallb.io/v1beta1")
            #expect(read?["spec"]?["vrf"] == nil)
            #expect(read?[["spec", "peerAddress"]] == "192.168.56.1")
        }
    }

    @Test("every node that may announces over BGP says so in an event")
    func announced() async throws {
        try await withLab(frr: true) { client, server in
            let objects = [pool("p", ["10.0.0.4/30"]), bgpPeer("r1"), bgpAdvertisement("a")]
            try await apply(objects.map { Manifest(SourceValue($0)) }, client)
            try await client.create(
                .service, Probe(namespace: "default", target: .init(addresses: [], port: 1), pool: nil).service)
            await server.cluster.settled()
            let events = try await client.list(.event, namespace: "default", labels: nil) ?? []
            let messages = events.compactMap { $0["message"]?.string }.filter { $0.contains("announcing") }.sorted()
            #expect(
                messages == [
                    "announcing from node \"w1\" with protocol \"bgp\"",
                    "announcing from node \"w2\" with protocol \"bgp\"",
                ])
            #expect(try await client.list(.l2Status, namespace: nil, labels: nil)?.count == 0)
        }
    }
}
