import LabCore
import LabSandbox
import Testing

@testable import LabKube

@Suite(.timeLimit(.minutes(1)))
struct KubeErrorTests {
    private func errors(_ count: Int, code: Int, reason: String, kind: String = "ConfigMap") -> [KubeError] {
        (0..<count).map { index in
            KubeError(
                APIStatus(code: code, reason: reason, message: "no \(kind) \(index)"), action: "apply \(kind) \(index)")
        }
    }

    private func told(_ errors: [KubeError]) throws -> [String] {
        try #require(KubeError(merging: errors)).diagnostics.map {
            ([$0.message] + $0.notes.map(\.message)).joined(separator: "; ")
        }
    }

    @Test func `a refusal of rights is told once, with the number of the other objects`() throws {
        #expect(
            try told(errors(24, code: 403, reason: "Forbidden")) == [
                "the API server forbids to apply ConfigMap 0: no ConfigMap 0; and 23 more objects, for the same reason"
            ])
        #expect(
            try told(errors(2, code: 403, reason: "Forbidden")) == [
                "the API server forbids to apply ConfigMap 0: no ConfigMap 0; and 1 more object, for the same reason"
            ])
        let unauthorized = try told(errors(3, code: 401, reason: "Unauthorized"))
        #expect(unauthorized.count == 1)
        #expect(unauthorized[0].hasSuffix("; and 2 more objects, for the same reason"))
    }

    @Test func `other failures are told each, as long as they are few`() throws {
        #expect(try told(errors(1, code: 403, reason: "Forbidden")).count == 1)
        #expect(try told(errors(3, code: 422, reason: "Invalid")).count == 3)
        #expect(
            try told(errors(4, code: 422, reason: "Invalid")) == [
                "cannot apply ConfigMap 0: no ConfigMap 0; and 3 more objects, with an error of the same kind"
            ])
        // Each kind of failure is counted by itself, in the order of the objects.
        let mixed = errors(1, code: 422, reason: "Invalid", kind: "Pod") + errors(5, code: 403, reason: "Forbidden")
        #expect(try told(mixed).map { $0.prefix(24) } == ["cannot apply Pod 0: no P", "the API server forbids t"])
        #expect(KubeError(merging: []) == nil)
    }

    @Test func `a plan of many objects that are all forbidden tells the first`() async throws {
        try await withCluster { server, client in
            _ = try await client.discovery.find(apiVersion: "v1", kind: "ConfigMap", refresh: false)
            await server.cluster.inject(
                Fault(
                    .status(code: 403, reason: "Forbidden", message: "configmaps is forbidden", retryAfter: nil),
                    times: 100, pathPart: "/configmaps"))
            let objects = (0..<24).map { "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm-\($0)}}" }
            let engine = ApplyEngine(client: client, settings: ApplySettings(method: .serverSide(force: true)))
            let wanted = try intents(objects.joined(separator: "\n---\n"))
            let error = await failure { _ = try await engine.plan(wanted) }
            #expect(error?.kind == .forbidden)
            #expect(error?.diagnostics.count == 1)
            #expect(error?.diagnostics.first?.message.contains("ConfigMap default/cm-0") == true)
            #expect(
                error?.diagnostics.first?.notes.map(\.message) == ["and 23 more objects, for the same reason"])
        }
    }
}
