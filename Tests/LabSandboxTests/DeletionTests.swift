import LabCore
import LabSandbox
import Testing

@Suite("Deletion, as the API server and its controllers do it")
struct DeletionTests {
    @Test(
        "preconditions keep what has changed",
        arguments: [
            (["uid": "1f6b0a3e-0000-4000-8000-000000000000"] as Value, "Precondition failed: UID in precondition"),
            (["resourceVersion": "1"] as Value, "Precondition failed: ResourceVersion in precondition: 1"),
        ])
    func preconditions(_ wanted: Value, _ message: String) async {
        let api = await Fixture()
        let path = Fixture.configMaps + "/cm"
        let made = await api.apply(path, Fixture.configMap(["a": "1"]), as: "labctl")
        let refused = await api.send("DELETE", path, ["kind": "DeleteOptions", "preconditions": wanted])
        #expect(refused.status == 409)
        #expect(refused.body["reason"] == "Conflict")
        #expect(refused.message.contains(message))
        let right: Value = [
            "uid": made.body[["metadata", "uid"]] ?? "",
            "resourceVersion": made.body[["metadata", "resourceVersion"]] ?? "",
        ]
        #expect(await api.send("DELETE", path, ["kind": "DeleteOptions", "preconditions": right]).status == 200)
        #expect(await api.get(path).status == 404)
    }

    @Test("a CRD goes after its objects, and an object that a finalizer holds holds the CRD")
    func definition() async {
        let api = await Fixture()
        let definition = Fixture.definitions + "/things.lab.io"
        _ = await api.apply(
            definition, Fixture.definition(spec: ["type": "object", "properties": ["a": ["type": "string"]]]),
            as: "labctl")
        await api.cluster.settled()
        var held = Fixture.thing(["a": "1"], name: "held")
        held["metadata"]?["finalizers"] = ["lab.io/hold"]
        #expect(await api.apply(Fixture.things + "/held", held, as: "labctl").status == 201)
        #expect(
            await api.apply(Fixture.things + "/free", Fixture.thing(["a": "1"], name: "free"), as: "labctl").status
                == 201)
        let deleted = await api.send("DELETE", definition)
        #expect(
            deleted.body[["metadata", "finalizers"]] == ["customresourcecleanup.apiextensions.k8s.io"])
        await api.cluster.settled()
        #expect(await api.get(Fixture.things + "/free").status == 404)
        let waiting = await api.get(definition).body[["status", "conditions"]]?.list?.last
        #expect(waiting?["type"] == "Terminating" && waiting?["reason"] == "InstanceDeletionInProgress")
        let late = await api.apply(Fixture.things + "/late", Fixture.thing(["a": "1"], name: "late"), as: "labctl")
        #expect(late.status == 405)
        #expect(late.message == "create not allowed while custom resource definition is terminating")
        #expect(await api.get(Fixture.things + "/held").body[["metadata", "deletionTimestamp"]] != nil)
        _ = await api.merge(Fixture.things + "/held", ["metadata": ["finalizers": .null]], as: "lab")
        await api.cluster.settled()
        #expect(await api.get(definition).status == 404)
        #expect(await api.get(Fixture.things + "/held").status == 404)
    }

    @Test("a namespace says what keeps it in Terminating, and goes when that is gone")
    func namespace() async {
        let api = await Fixture()
        let path = "/api/v1/namespaces/n"
        _ = await api.apply(
            path, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "n"]], as: "labctl")
        let held: Value = [
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": "held", "namespace": "n", "finalizers": ["lab.io/hold"]],
        ]
        _ = await api.apply("\(path)/configmaps/held", held, as: "labctl")
        _ = await api.send("DELETE", path)
        await api.cluster.settled()
        let conditions = await api.get(path).body[["status", "conditions"]]?.list ?? []
        let remaining = conditions.first { $0["type"] == "NamespaceContentRemaining" }
        #expect(remaining?["message"] == "Some resources are remaining: configmaps. has 1 resource instances")
        let finalizers = conditions.first { $0["type"] == "NamespaceFinalizersRemaining" }
        #expect(
            finalizers?["message"]
                == "Some content in the namespace has finalizers remaining: lab.io/hold in 1 resource instances")
        _ = await api.merge("\(path)/configmaps/held", ["metadata": ["finalizers": .null]], as: "lab")
        await api.cluster.settled()
        #expect(await api.get(path).status == 404)
    }

    private static func child(_ name: String, of uid: String, finalizers: Value? = nil) -> Value {
        var metadata: Value = [
            "name": .string(name), "namespace": "default",
            "ownerReferences": [
                [
                    "apiVersion": "v1", "kind": "ConfigMap", "name": "cm", "uid": .string(uid),
                    "blockOwnerDeletion": true,
                ]
            ],
        ]
        metadata["finalizers"] = finalizers
        return ["apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata]
    }

    @Test("what belongs to an object goes after it, before it, or stays, as propagationPolicy says")
    func propagation() async {
        for policy in ["Background", "Foreground", "Orphan"] {
            let api = await Fixture()
            let path = Fixture.configMaps
            let owner = await api.apply("\(path)/cm", Fixture.configMap(["a": "1"]), as: "labctl")
            let uid = owner.body[["metadata", "uid"]]?.string ?? ""
            _ = await api.apply(
                "\(path)/child", Self.child("child", of: uid, finalizers: ["lab.io/hold"]), as: "labctl")
            _ = await api.send(
                "DELETE", "\(path)/cm", ["kind": "DeleteOptions", "propagationPolicy": .string(policy)])
            await api.cluster.settled()
            let child = await api.get("\(path)/child").body
            switch policy {
            case "Foreground":
                #expect(await api.get("\(path)/cm").body[["metadata", "finalizers"]] == ["foregroundDeletion"])
                #expect(child[["metadata", "deletionTimestamp"]] != nil)
                _ = await api.merge("\(path)/child", ["metadata": ["finalizers": .null]], as: "lab")
                await api.cluster.settled()
            case "Background":
                #expect(await api.get("\(path)/cm").status == 404)
                #expect(child[["metadata", "deletionTimestamp"]] != nil)
            default: #expect(child[["metadata", "ownerReferences"]] == nil)
            }
            #expect(await api.get("\(path)/cm").status == 404, "\(policy)")
        }
    }
}
