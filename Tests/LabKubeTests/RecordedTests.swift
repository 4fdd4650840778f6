import Foundation
import LabCore
import Testing

@testable import LabKube

/// The recorded exchanges of a real API server, by their notes.
private func recorded(_ file: String) throws -> [Value] {
    let path = (sharedData ?? "") + "/kube-apiserver/\(file).jsonl"
    let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    return try text.split(separator: "\n").map { try Value(json: String($0)) }
}

private func answer(_ file: String, _ note: String) throws -> Value {
    try #require(try recorded(file).first { $0["note"]?.string == note }?["response"], "\(note)")
}

@Suite(.enabled(if: sharedData != nil, "needs the recorded exchanges"))
struct RecordedTests {
    @Test(arguments: [
        ("apply", "no fieldManager", KubeError.Kind.invalid, false), ("apply", "unknown resource", .notFound, false),
        ("apply", "object in a missing namespace", .notFound, false),
        ("apply", "unknown field, Strict", .schema, false),
        ("apply", "conflict", .fieldConflict, false), ("apply", "conflict with an Update", .fieldConflict, false),
        ("apply", "invalid object", .invalid, false), ("apply", "anonymous", .forbidden, false),
        ("metallb", "pool, dry run, 0 tries in", .webhookUnavailable, true),
        ("metallb", "webhook denies: inverted range", .denied, false),
        ("metallb", "unknown field in a custom resource, Strict", .schema, false),
    ])
    func `answers are told apart`(file: String, note: String, kind: KubeError.Kind, isTransient: Bool) throws {
        let answer = try answer(file, note)
        let body = answer["body"]?.string.map { Array($0.utf8) } ?? answer["body"]?.jsonBytes() ?? []
        let error = KubeError(APIStatus(code: answer["status"]?.int ?? 0, body: body), action: "apply x")
        #expect(error.kind == kind)
        #expect(error.isTransient == isTransient)
    }

    @Test(arguments: [
        ("workload status: Deployment", Readiness.ready), ("workload status: DaemonSet", .ready),
        ("CRD straight after creation", .ready), ("its ingress address", .ready),
        ("LoadBalancer Service", .waiting("no address has been assigned")),
        ("create Deployment", .waiting("the controller has not seen it yet")),
        ("create DaemonSet", .waiting("the controller has not seen it yet")),
    ])
    func `readiness of what a real cluster answered`(note: String, expected: Readiness) throws {
        let body = try #require(try answer("metallb", note)["body"])
        #expect(Readiness(of: body) == expected)
    }

    @Test func `the caBundle that MetalLB owns is kept, and only that`() throws {
        let live = try #require(try answer("metallb", "who owns bgppeers' caBundle")["body"])
        let path = FieldPath.keys("spec", "conversion", "webhook", "clientConfig", "caBundle")
        #expect(ManagedFields(of: live).owners(of: path, in: live).map(\.description) == ["MetalLB (Update)"])
        let created = try recorded("metallb").first {
            $0["note"] == "create CustomResourceDefinition"
                && $0[["request", "path"]]?.string?.contains("bgppeers") == true
        }
        let intent = Intents.cleaned(try #require(created?[["request", "body"]]), keepsNulls: false)
        let reference = ObjectReference(
            apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", namespace: nil,
            name: "bgppeers.metallb.io")
        let kept = KeptFields(intent, reference: reference, live: live, own: ["labctl"])
        #expect(kept.notes.count == 1)
        #expect(kept.object[field: path] == nil)
        #expect(kept.object[field: .keys("spec", "conversion", "webhook", "clientConfig", "service")] != nil)
        // Straight after its creation only we own it: leaving it out would remove it.
        let fresh = try #require(created?[["response", "body"]])
        #expect(KeptFields(intent, reference: reference, live: fresh, own: ["labctl"]).notes == [])
    }

    @Test func `aggregated discovery is read in two requests and only when it is needed`() async throws {
        let exchanges = try recorded("discovery")
        let count = Counter()
        let discovery = Discovery { request in
            count.add()
            let note = request.path == "/api" ? "aggregated discovery, core" : "aggregated discovery, groups"
            let found = exchanges.first { $0["note"]?.string == note }
            return HTTPResponse(status: 200, body: found?[["response", "body"]]?.jsonBytes() ?? [])
        }
        let deployment = try await discovery.resource(apiVersion: "apps/v1", kind: "Deployment")
        #expect(deployment.path(namespace: "a", name: "b") == "/apis/apps/v1/namespaces/a/deployments/b")
        #expect(count.value == 0)
        let policy = try await discovery.resource(
            apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingAdmissionPolicy")
        #expect(policy.path(name: "x") == "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/x")
        #expect(count.value == 2)
        #expect(try await discovery.find(apiVersion: "batch/v1", kind: "cj")?.kind == "CronJob")
        let wrong = await failure { _ = try await discovery.resource(apiVersion: "v1", kind: "Deployment") }
        #expect(wrong?.diagnostics[0].hint == "Deployment is served as apps/v1")
    }

    @Test func `what is built in is what a real server serves`() throws {
        var served: Set<String> = []
        for note in ["aggregated discovery, core", "aggregated discovery, groups"] {
            for group in try answer("discovery", note)[["body", "items"]]?.list ?? [] {
                for version in group["versions"]?.list ?? [] {
                    let name = group[["metadata", "name"]]?.string.map { "\($0)/" } ?? ""
                    for resource in version["resources"]?.list ?? [] {
                        let kind = resource[["responseKind", "kind"]]?.string ?? ""
                        let scope = resource["scope"]?.string ?? ""
                        served.insert(
                            "\(name)\(version["version"]?.string ?? "") \(kind) \(resource["resource"]?.string ?? "") \(scope)"
                        )
                    }
                }
            }
        }
        for resource in BuiltInResources.all {
            let scope = resource.isNamespaced ? "Namespaced" : "Cluster"
            let line = "\(resource.apiVersion) \(resource.kind) \(resource.plural) \(scope)"
            #expect(served.contains(line), "\(line)")
        }
    }
}
