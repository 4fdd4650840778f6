import Foundation
import LabCore
import LabSandbox
import LabTesting
import LabYAML
import Testing

@testable import LabKube

private let set = ApplySet(role: "metallb")

private func applying(_ client: KubeClient) -> ApplyEngine {
    ApplyEngine(client: client, settings: ApplySettings(method: .serverSide(force: true)))
}

/// Applies objects as members of the set, with its record before them.
private func install(_ client: KubeClient, _ intents: [Intent]) async throws {
    let intents = try set.labelled(intents)
    try await ApplySetStore(client: client, set: set).widen(to: ApplySetScope(of: intents.map(\.reference)))
    let engine = applying(client)
    _ = try await engine.apply(try await engine.plan(intents))
}

private func writes(_ server: SandboxAPIServer) async -> Int {
    await server.cluster.requests.count { $0.method != "GET" }
}

private func send(
    _ server: SandboxAPIServer, _ method: String, _ path: String, _ body: Value,
    type: String = "application/merge-patch+json"
) async {
    let response = await server.cluster.answer(
        APIRequest(
            method: method, target: path, contentType: type, body: body.jsonBytes(),
            user: APIUser(name: "admin", groups: ["system:masters"])))
    #expect(response.status < 300)
}

private let definition = """
    apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata: {name: things.lab.io}
    spec:
      group: lab.io
      scope: Namespaced
      names: {kind: Thing, plural: things}
      versions:
        - name: v1
          served: true
          storage: true
          schema:
            openAPIV3Schema:
              type: object
              properties:
                spec: {type: object, properties: {a: {type: string}}}
                status: {type: object, properties: {seen: {type: string}}}
    """

private func thing(_ name: String, spec: String = "{a: x}") -> String {
    "apiVersion: lab.io/v1\nkind: Thing\nmetadata: {name: \(name)}\nspec: \(spec)"
}

@Suite(.timeLimit(.minutes(3)))
struct ApplySetTests {
    @Test(arguments: [
        // Computed with Python's hashlib and base64 from KEP-3659's words.
        ("metallb", "labctl-metallb", "applyset-A-5jZrXjZNrLs410sRANUbEoQl0yfYALKCuUQfrsa9U-v1"),
        ("my_role", "labctl-my-role", "applyset-w7qCWhDdaEjWSmbBDY_uT5gd7CjX2uO0K9tVPK7x0as-v1"),
        ("my_role_", "labctl-my-role", "applyset-w7qCWhDdaEjWSmbBDY_uT5gd7CjX2uO0K9tVPK7x0as-v1"),
    ])
    func `a set is identified as KEP-3659 says`(role: String, name: String, id: String) {
        #expect(ApplySet(role: role).parent.name == name)
        #expect(ApplySet(role: role).id == id)
    }

    @Test func `members get the label, and none brings one itself`() throws {
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cm\n  labels: {a: b}"
        let labelled = try set.labelled(try intents(map))
        #expect(
            labelled[0].object[["metadata", "labels"]] == ["a": "b", "applyset.kubernetes.io/part-of": .string(set.id)])
        let error = #expect(throws: KubeError.self) {
            try set.labelled(
                try intents(
                    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cm\n  labels: {applyset.kubernetes.io/part-of: x}"
                ))
        }
        #expect(error?.kind == .input)
        #expect(error?.diagnostics.first?.span?.description == "pool.yaml:5:12")
    }

    @Test func `versions are ranked as Kubernetes ranks them`() {
        let ranked = ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"]
        #expect(ranked.shuffled().sorted { VersionPriority($0) > VersionPriority($1) } == ranked)
    }

    @Test func `the record widens before, narrows after, and is left alone when it is right`() async throws {
        try await withCluster { server, client in
            let store = ApplySetStore(client: client, set: set)
            func scope(_ kinds: String..., in namespaces: String...) -> ApplySetScope {
                ApplySetScope(groupKinds: Swift.Set(kinds.map { GroupKind($0) }), namespaces: Swift.Set(namespaces))
            }
            #expect(try await store.parent() == nil)
            #expect(try await store.widen(to: scope("Service", "Deployment.apps", in: "metallb-system", "kube-system")))
            let live = try #require(
                await server.cluster.object("/configmaps", namespace: "kube-system", name: "labctl-metallb"))
            #expect(live[["metadata", "labels"]] == ["applyset.kubernetes.io/id": .string(set.id)])
            #expect(
                live[["metadata", "annotations"]] == [
                    "applyset.kubernetes.io/tooling": "labctl/v1",
                    "applyset.kubernetes.io/contains-group-kinds": "Deployment.apps,Service",
                    "applyset.kubernetes.io/additional-namespaces": "metallb-system",
                ])
            await server.cluster.forgetRequests()
            #expect(try await !store.widen(to: scope("Service", in: "kube-system")))
            #expect(try await !store.narrow(to: scope("Service", "Deployment.apps", in: "metallb-system")))
            #expect(await writes(server) == 0)
            #expect(try await store.widen(to: scope("Secret", in: "x")))
            #expect(
                try await store.parent()?.scope
                    == scope("Secret", "Service", "Deployment.apps", in: "metallb-system", "x"))
            #expect(try await store.narrow(to: scope("Secret", in: "x")))
            #expect(try await store.parent()?.scope == scope("Secret", in: "x"))
        }
    }

    @Test(arguments: [
        (
            ["metadata": ["annotations": ["applyset.kubernetes.io/tooling": "kubectl/v1.30"]]] as Value,
            "is managed by kubectl"
        ),
        (
            ["metadata": ["annotations": ["applyset.kubernetes.io/tooling": .null]]] as Value,
            "is somebody else's object"
        ),
        (["data": ["role": "metal_lb"]] as Value, "records the objects of the role metal_lb"),
    ])
    func `a record that is not ours is left alone`(patch: Value, words: String) async throws {
        try await withCluster { server, client in
            let store = ApplySetStore(client: client, set: set)
            try await store.widen(to: ApplySetScope())
            await send(
                server, "PATCH", "/api/v1/namespaces/kube-system/configmaps/labctl-metallb?fieldManager=x", patch)
            let error = await failure { try await store.widen(to: ApplySetScope(groupKinds: [GroupKind("Secret")])) }
            #expect(error?.kind == .refused)
            #expect(error?.message.contains(words) == true)
        }
    }

    @Test func `copies that controllers make of the label are no members`() async throws {
        try await withCluster { server, client in
            try await install(
                client,
                try intents(
                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: member}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}"
                ))
            let labels: Value = .map([ApplySet.partOfLabel: .string(set.id)])
            await send(
                server, "POST", "/api/v1/namespaces/default/configmaps?fieldManager=controller",
                ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "copy", "labels": labels]],
                type: "application/json")
            let members = try await ApplySetStore(client: client, set: set).members([GroupKind("ConfigMap")])
            #expect(members.map(\.reference.name).sorted() == ["member", "other"])
        }
    }

    @Test func `what changed hands while it was removed stays`() async throws {
        try await withCluster { server, client in
            try await install(client, try intents("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}"))
            let store = ApplySetStore(client: client, set: set)
            let seen = try await store.members([GroupKind("ConfigMap")])
            let path = "/api/v1/namespaces/default/configmaps/cm?fieldManager=x"
            // Another write in between is no reason to keep it.
            await send(server, "PATCH", path, ["data": ["a": "1"]])
            await send(server, "PATCH", path, ["metadata": ["labels": .null]])
            let error = await failure {
                try await Removal(client: client, set: set, timeout: .seconds(10)).run(seen)
            }
            #expect(error?.kind == .refused)
            #expect(error?.message == "ConfigMap default/cm is not removed: it does not belong to metallb any more")
            #expect(await server.cluster.object("/configmaps", namespace: "default", name: "cm") != nil)
        }
    }

    @Test
    func `a CRD is not removed while others' objects of its kind exist; those that only have a status do not count`()
        async throws
    {
        try await withCluster { server, client in
            try await install(client, try intents(definition))
            await server.cluster.settled()
            await client.discovery.invalidate()
            let engine = applying(client)
            for text in [thing("mine"), thing("seen", spec: "{}")] {
                _ = try await engine.apply(try await engine.plan(try intents(text)))
            }
            let store = ApplySetStore(client: client, set: set)
            let members = try await store.members([GroupKind("CustomResourceDefinition.apiextensions.k8s.io")])
            let checks = RemovalGuard(client: client, set: set)
            let error = await failure { try await checks.refuseLosses(with: members, of: "metallb", isUpgrade: true) }
            #expect(
                error?.message
                    == "CustomResourceDefinition things.lab.io is no longer part of metallb, but an object that metallb "
                    + "did not make would be destroyed with it: Thing default/mine")
            await send(server, "DELETE", "/apis/lab.io/v1/namespaces/default/things/mine", .null)
            try await checks.refuseLosses(with: members, of: "metallb", isUpgrade: true)
            try await Removal(client: client, set: set, timeout: .seconds(10)).run(members)
            #expect(await server.cluster.object("lab.io/things", namespace: "default", name: "seen") == nil)
        }
    }

    @Test func `a namespace is not removed with what others have in it, nor left in Terminating`() async throws {
        try await withCluster { server, client in
            try await install(
                client,
                try intents(
                    "apiVersion: v1\nkind: Namespace\nmetadata: {name: lab}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: own, namespace: lab}"
                ))
            let maps = "/api/v1/namespaces/lab/configmaps"
            func map(_ metadata: Value) async {
                await send(
                    server, "POST", "\(maps)?fieldManager=x",
                    ["apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata], type: "application/json")
            }
            await map(["name": "kube-root-ca.crt"])
            await map(["name": "theirs"])
            let store = ApplySetStore(client: client, set: set)
            let members = try await store.members([GroupKind("Namespace"), GroupKind("ConfigMap")])
            #expect(members.count == 2)
            let checks = RemovalGuard(client: client, set: set)
            let loss = await failure { try await checks.refuseLosses(with: members, of: "metallb", isUpgrade: false) }
            #expect(
                loss?.message
                    == "Namespace lab cannot be removed: an object that metallb did not make would be destroyed with it: "
                    + "ConfigMap lab/theirs")
            await send(server, "PATCH", "\(maps)/theirs?fieldManager=x", ["metadata": ["finalizers": ["lab.io/hold"]]])
            let removal = Removal(client: client, set: set, timeout: .seconds(10))
            let stuck = await failure { try await removal.run(members) }
            #expect(stuck?.message == "Namespace lab is not removed: it would stay in Terminating")
            #expect(
                stuck?.diagnostics.first?.notes.map(\.message) == [
                    "ConfigMap lab/theirs is kept by the finalizer lab.io/hold"
                ])
            let live = await server.cluster.object("/namespaces", name: "lab")
            #expect(live?[["metadata", "deletionTimestamp"]] == nil)
            #expect(await server.cluster.object("/configmaps", namespace: "lab", name: "own") == nil, "it went before")
        }
    }

    @Test func `an APIService that does not answer keeps a namespace from being removed, by its name`() async throws {
        let authority = try TestAuthority()
        let list = """
            {"kind":"APIServiceList","metadata":{"resourceVersion":"1"},"items":[
            {"metadata":{"name":"v1beta1.metrics.k8s.io"},"status":{"conditions":[{"type":"Available","status":"False",
            "reason":"MissingEndpoints","message":"endpoints for service/metrics-server have no addresses"}]}},
            {"metadata":{"name":"v1.apps"},"status":{"conditions":[{"type":"Available","status":"True"}]}}]}
            """
        let server = try await TestServer.start(try authority.issue("x", addresses: [[127, 0, 0, 1]])) { request in
            request.path.hasPrefix("/apis/apiregistration.k8s.io/v1/apiservices")
                ? .answer(status: 200, body: list) : .answer(status: 404, body: "404 page not found")
        }
        let port = server.port
        let client = try KubeClient(kubeconfig(port: port, ca: try authority.pem)) { _, _ in
            try await DirectChannel.open(host: "127.0.0.1", port: port)
        }
        let resource = try #require(BuiltInResources.find(apiVersion: "v1", kind: "Namespace"))
        let namespace = LiveObject(resource, ["metadata": ["name": "metallb-system"]])
        let error = await failure {
            try await RemovalGuard(client: client, set: set).refuseSilentServices([namespace])
        }
        #expect(
            error?.message
                == "Namespace metallb-system cannot be removed: the APIService v1beta1.metrics.k8s.io does not answer, and "
                + "while it does not, a namespace stays in Terminating")
        #expect(error?.diagnostics.first?.notes.first?.message.contains("have no addresses") == true)
        await client.close()
        await server.stop()
    }
}
