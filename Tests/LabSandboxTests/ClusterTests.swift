import LabCore
import LabSandbox
import Testing

@Suite("Access, deletion, what is not modelled")
struct ClusterTests {
    @Test("Who is not of system:masters is forbidden, in the words of a real server")
    func forbidden() async {
        let api = await Fixture()
        let user = APIUser(name: "jane", groups: ["lab"])
        let answer = await api.send("GET", "/apis/apps/v1/namespaces/default/deployments/x", user: user)
        #expect(answer.status == 403)
        #expect(
            answer.message
                == "deployments.apps \"x\" is forbidden: User \"jane\" cannot get resource \"deployments\" in API group "
                + "\"apps\" in the namespace \"default\"")
        let list = await api.send("GET", "/api/v1/nodes", user: user)
        #expect(
            list.message
                == "nodes is forbidden: User \"jane\" cannot list resource \"nodes\" in API group \"\" at the cluster "
                + "scope")
        #expect(await api.send("GET", "/apis", user: user).status == 200, "discovery is open to who is known")
        #expect(await api.send("GET", "/apis", user: .anonymous).status == 403)
        #expect(await api.send("GET", "/version", user: .anonymous).status == 200)
    }

    @Test(
        "What a real server has and the sandbox does not model is answered with 501 that says who is speaking",
        arguments: [
            "/apis/batch/v1/namespaces/default/jobs", "/api/v1/persistentvolumes",
            "/api/v1/namespaces/kube-system/pods/x/log", "/apis/networking.k8s.io/v1",
        ])
    func notModelled(_ path: String) async {
        let api = await Fixture()
        let answer = await api.get(path)
        #expect(answer.status == 501)
        #expect(answer.message.hasSuffix("is not modelled: this is the labctl sandbox, not a real API server"))
    }

    @Test("A namespace goes with everything in it, and takes nothing new meanwhile")
    func namespaces() async {
        let gate = Gate()
        let api = await Fixture(gate.options { $0.contentDeleted = Gate.held })
        let path = "/api/v1/namespaces/n"
        _ = await api.apply(
            path, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "n"]], as: "labctl")
        var object = Fixture.configMap(["a": "1"])
        object["metadata"] = ["name": "cm", "namespace": "n"]
        #expect(await api.apply("\(path)/configmaps/cm", object, as: "labctl").status == 201)
        let deleted = await api.send("DELETE", path)
        #expect(deleted.body[["status", "phase"]] == "Terminating")
        object["metadata"] = ["name": "late", "namespace": "n"]
        let late = await api.apply("\(path)/configmaps/late", object, as: "labctl")
        #expect(late.status == 403)
        #expect(late.message.contains("because it is being terminated"))
        await gate.open()
        await api.cluster.settled()
        #expect(await api.get(path).status == 404)
        #expect(await api.get("\(path)/configmaps/cm").status == 404)
        #expect(await api.send("DELETE", "/api/v1/namespaces/default").status == 403)
    }

    @Test("What names a removed object as its owner goes with it")
    func owners() async {
        let api = await Fixture()
        let parent = await api.apply(
            Fixture.configMaps + "/parent", Fixture.configMap(.map([:]), name: "parent"), as: "labctl")
        var child = Fixture.configMap(.map([:]), name: "child")
        child["metadata"] = [
            "name": "child", "namespace": "default",
            "ownerReferences": [
                [
                    "apiVersion": "v1", "kind": "ConfigMap", "name": "parent",
                    "uid": parent.body[["metadata", "uid"]] ?? "",
                ]
            ],
        ]
        _ = await api.apply(Fixture.configMaps + "/child", child, as: "labctl")
        _ = await api.send("DELETE", Fixture.configMaps + "/parent")
        #expect(await api.get(Fixture.configMaps + "/child").status == 404)
    }

    @Test("Faults come as ordered, and requests are counted")
    func faults() async {
        let api = await Fixture()
        await api.cluster.forgetRequests()
        await api.cluster.inject(
            Fault(
                .status(code: 429, reason: "TooManyRequests", message: "slow down", retryAfter: 1), times: 2,
                method: "PATCH"))
        let path = Fixture.configMaps + "/cm"
        #expect(await api.get(path).status == 404)
        let first = await api.apply(path, Fixture.configMap(.map([:])), as: "labctl")
        #expect(first.status == 429)
        #expect(first.headers["Retry-After"] == "1")
        #expect(await api.apply(path, Fixture.configMap(.map([:])), as: "labctl").status == 429)
        #expect(await api.apply(path, Fixture.configMap(.map([:])), as: "labctl").status == 201)
        #expect(await api.cluster.requestCount == 4)
    }

    @Test("JSON patches and strategic merge patches")
    func patches() async {
        let api = await Fixture()
        let path = Fixture.configMaps + "/cm"
        _ = await api.apply(path, Fixture.configMap(["a": "1", "b": "2"]), as: "labctl")
        let patched = await api.send(
            "PATCH", path,
            [
                ["op": "test", "path": "/data/a", "value": "1"], ["op": "replace", "path": "/data/a", "value": "9"],
                ["op": "remove", "path": "/data/b"], ["op": "add", "path": "/data/c~1d", "value": "3"],
            ], contentType: "application/json-patch+json")
        #expect(patched.body["data"] == ["a": "9", "c/d": "3"])
        let failed = await api.send(
            "PATCH", path, [["op": "test", "path": "/data/a", "value": "1"]],
            contentType: "application/json-patch+json")
        #expect(failed.status == 422)
        let strategic = await api.send(
            "PATCH", path, ["data": ["a": .null, "z": "1"]],
            contentType: "application/strategic-merge-patch+json")
        #expect(strategic.body["data"] == ["c/d": "3", "z": "1"])
        let unknown = await api.send("PATCH", path, .map([:]), contentType: "text/plain")
        #expect(unknown.status == 415)
    }

    @Test(
        "The discovery documents agree with the recorded ones on everything that is modelled",
        .enabled(if: SharedData.isThere))
    func discovery() async throws {
        let api = await Fixture()
        for exchange in try SharedData.exchanges("discovery.jsonl") {
            let note = Comment(rawValue: exchange["note"]?.string ?? "")
            let path = try #require(exchange[["request", "path"]]?.string)
            let accept = exchange[["request", "accept"]]?.string
            let response = await api.cluster.answer(
                APIRequest(method: "GET", target: path, accept: accept, user: Fixture.administrator))
            #expect(response.status == exchange[["response", "status"]]?.int, note)
            guard case .bytes(let bytes) = response.body, let own = try? Value(json: bytes) else { continue }
            let recorded = try #require(exchange[["response", "body"]])
            #expect(own["kind"] == recorded["kind"], note)
            let known = Self.entries(recorded)
            let offered = Self.entries(own)
            for (name, entry) in offered { #expect(known[name] == entry, "\(path): \(name)") }
            if path != "/version", path != "/openapi/v3" { #expect(!offered.isEmpty, note) }
        }
    }

    /// The resources of a discovery document by group version and name, without what depends on the build.
    private static func entries(_ document: Value) -> [String: Value] {
        var result: [String: Value] = [:]
        for resource in document["resources"]?.list ?? [] {
            var resource = resource
            resource["storageVersionHash"] = nil
            result[resource["name"]?.string ?? ""] = resource
        }
        for group in document["groups"]?.list ?? [] { result[group["name"]?.string ?? ""] = group }
        for group in document["items"]?.list ?? [] {
            for version in group["versions"]?.list ?? [] {
                for resource in version["resources"]?.list ?? [] {
                    var resource = resource
                    // Subresources that run programs or scale are not modelled.
                    let status = resource["subresources"]?.list?.filter { $0["subresource"] == "status" } ?? []
                    resource["subresources"] = status.isEmpty ? Value?.none : .list(status)
                    let name = group[["metadata", "name"]]?.string ?? ""
                    result["\(name)/\(version["version"]?.string ?? "")/\(resource["resource"]?.string ?? "")"] =
                        resource
                }
            }
        }
        for version in document["versions"]?.list ?? [] { result[version.string ?? ""] = version }
        return result
    }
}
