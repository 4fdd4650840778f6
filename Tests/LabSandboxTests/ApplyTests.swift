import LabCore
import LabSandbox
import Synchronization
import Testing

/// Server-side apply beyond what was recorded; the cases follow structured-merge-diff's own tests.
@Suite("Server-side apply")
struct ApplyTests {
    private let path = Fixture.configMaps + "/cm"

    @Test("A field that two appliers gave the same value belongs to both, and goes with the last")
    func coOwnership() async {
        let api = await Fixture()
        _ = await api.apply(path, Fixture.configMap(["a": "1", "b": "1"]), as: "one")
        let both = await api.apply(path, Fixture.configMap(["a": "1"]), as: "two")
        #expect(both.status == 200)
        #expect(both.fields(of: "one") == ["f:data": ["f:a": .map([:]), "f:b": .map([:])]])
        #expect(both.fields(of: "two") == ["f:data": ["f:a": .map([:])]])

        let dropped = await api.apply(path, Fixture.configMap(["b": "1"]), as: "one")
        #expect(dropped.body["data"] == ["a": "1", "b": "1"], "the other still owns it")
        let gone = await api.apply(path, Fixture.configMap(["c": "1"]), as: "two")
        #expect(gone.body["data"] == ["b": "1", "c": "1"])
    }

    @Test("Conflicts of one manager and of several are told in the words of a real server")
    func conflicts() async {
        let api = await Fixture()
        _ = await api.apply(path, Fixture.configMap(["a": "1", "b": "1"]), as: "zoe")
        let one = await api.apply(path, Fixture.configMap(["a": "2", "b": "2"]), as: "labctl")
        #expect(one.status == 409)
        #expect(one.message == "Apply failed with 2 conflicts: conflicts with \"zoe\":\n- .data.a\n- .data.b")
        #expect(one.body[["details", "causes"]]?.list?.count == 2)

        _ = await api.merge(path, ["data": ["b": "3"]], as: "amy")
        let two = await api.apply(path, Fixture.configMap(["a": "2", "b": "2"]), as: "labctl")
        #expect(
            two.message
                == "Apply failed with 2 conflicts: conflicts with \"amy\" using v1:\n- .data.b\nconflicts with \"zoe\":\n"
                + "- .data.a")
        #expect(await api.get(path).body["data"] == ["a": "1", "b": "3"])

        let forced = await api.apply(path, Fixture.configMap(["a": "2", "b": "2"]), as: "labctl", "&force=true")
        #expect(forced.status == 200)
        #expect(forced.fields(of: "zoe") == nil)
        #expect(forced.fields(of: "amy") == nil)
    }

    @Test("A conflict in an associative list names the item")
    func conflictInList() async {
        let api = await Fixture()
        let deployments = "/apis/apps/v1/namespaces/default/deployments/d"
        _ = await api.apply(deployments, deployment(image: "a:1"), as: "one")
        let answer = await api.apply(deployments, deployment(image: "a:2"), as: "two")
        #expect(
            answer.message
                == "Apply failed with 1 conflict: conflict with \"one\": "
                + ".spec.template.spec.containers[name=\"c\"].image")
    }

    @Test("Items of associative lists: others' stay, dropped ones go with what an updater wrote in them")
    func listItems() async {
        let api = await Fixture()
        let path = "/apis/apps/v1/namespaces/default/deployments/d"
        _ = await api.apply(path, deployment(image: "a:1", sidecars: ["mine"]), as: "one")
        _ = await api.apply(path, deployment(image: "a:1", sidecars: ["theirs"]), as: "two")
        _ = await api.merge(
            path, ["metadata": ["annotations": ["seen": "yes"]]], as: "editor")
        let names = { (answer: Fixture.Answer) in
            answer.body[["spec", "template", "spec", "containers"]]?.list?.compactMap { $0["name"]?.string } ?? []
        }
        let merged = await api.get(path)
        #expect(Set(names(merged)) == ["c", "mine", "theirs"])
        let dropped = await api.apply(path, deployment(image: "a:1"), as: "one")
        #expect(Set(names(dropped)) == ["c", "theirs"])
        #expect(dropped.body[["metadata", "annotations", "seen"]] == "yes", "an updater's field is not pruned")
        #expect(dropped.body[["metadata", "generation"]] == 3)
    }

    @Test("An updater takes what it changes, and drops what it removes")
    func updates() async {
        let api = await Fixture()
        _ = await api.apply(path, Fixture.configMap(["a": "1", "b": "1"]), as: "labctl")
        let patched = await api.merge(path, ["data": ["a": "2", "c": "1", "b": .null]], as: "editor")
        #expect(patched.fields(of: "editor") == ["f:data": ["f:a": .map([:]), "f:c": .map([:])]])
        #expect(patched.fields(of: "labctl") == nil)
        #expect(patched.body["data"] == ["a": "2", "c": "1"])

        var object = patched.body
        object["data"] = ["c": "1"]
        let put = await api.send("PUT", path + "?fieldManager=putter", object, contentType: "application/json")
        #expect(put.status == 200)
        #expect(put.fields(of: "editor") == ["f:data": ["f:c": .map([:])]])
        #expect(put.fields(of: "putter") == nil, "removing is not owning")

        let stale = await api.send("PUT", path, patched.body, contentType: "application/json")
        #expect(stale.status == 409)
        #expect(stale.body["reason"] == "Conflict")
        #expect(stale.body[["details", "causes"]] == nil, "no field manager is to blame")
    }

    @Test("Nothing to do keeps resourceVersion and times, however late it is")
    func noOperation() async {
        var options = Gate().options()
        let now = ManualClock()
        options.now = { now.time }
        let api = await Fixture(options)
        let first = await api.apply(path, Fixture.configMap(["a": "1"]), as: "labctl")
        now.advance(seconds: 90)
        let second = await api.apply(path, Fixture.configMap(["a": "1"]), as: "labctl")
        #expect(second.status == 200)
        #expect(second.body == first.body)
        let third = await api.apply(path, Fixture.configMap(["a": "2"]), as: "labctl")
        #expect(third.body[["metadata", "managedFields"]]?.list?.first?["time"] == "2027-01-15T08:01:30Z")
        #expect(third.body[["metadata", "resourceVersion"]] != first.body[["metadata", "resourceVersion"]])
    }

    @Test("What an applier leaves empty it still owns; nulls it does not send")
    func emptyAndNull() async {
        let api = await Fixture()
        let path = "/apis/apps/v1/namespaces/default/deployments/d"
        var object = deployment(image: "a:1")
        object["metadata"] = ["name": "d", "namespace": "default", "creationTimestamp": .null]
        var spec = object[["spec", "template", "spec"]] ?? .null
        spec["volumes"] = [["name": "tmp", "emptyDir": .map([:])]]
        object = replacing(object, ["spec", "template", "spec"], spec)
        let answer = await api.apply(path, object, as: "labctl")
        #expect(answer.status == 201)
        #expect(
            answer.fields(of: "labctl")?[["f:spec", "f:template", "f:spec", "f:volumes"]]
                == ["k:{\"name\":\"tmp\"}": [".": .map([:]), "f:name": .map([:]), "f:emptyDir": .map([:])]])
        #expect(answer.fields(of: "labctl")?["f:metadata"] == nil)
    }

    @Test("Sets are owned by their values")
    func sets() async {
        let api = await Fixture()
        var object = Fixture.configMap(["a": "1"])
        object = replacing(object, ["metadata"], ["name": "cm", "namespace": "default", "finalizers": ["lab.io/keep"]])
        let answer = await api.apply(path, object, as: "labctl")
        #expect(
            answer.fields(of: "labctl")?["f:metadata"]
                == ["f:finalizers": ["v:\"lab.io/keep\"": .map([:])]])
        let deleted = await api.send("DELETE", path)
        #expect(deleted.body[["metadata", "deletionTimestamp"]] != nil)
        #expect(await api.get(path).status == 200, "a finalizer holds it")
        let released = await api.apply(path, Fixture.configMap(["a": "1"]), as: "labctl")
        #expect(released.status == 200)
        #expect(await api.get(path).status == 404)
    }

    @Test("A dry run stores nothing and reports everything")
    func dryRun() async {
        let api = await Fixture()
        let created = await api.apply(path, Fixture.configMap(["a": "1"]), as: "labctl", "&dryRun=All")
        #expect(created.status == 201)
        #expect(created.body[["metadata", "uid"]] != nil)
        #expect(await api.get(path).status == 404)
        let unknown = await api.apply(path, Fixture.configMap(["a": "1"]), as: "labctl", "&dryRun=Some")
        #expect(unknown.status == 422)
    }

    @Test("A subresource has owners of its own")
    func statusOwners() async {
        let api = await Fixture()
        _ = await api.apply(
            Fixture.definitions + "/things.lab.io",
            Fixture.definition(spec: ["type": "object", "x-kubernetes-preserve-unknown-fields": true], status: true),
            as: "labctl")
        await api.cluster.settled()
        var thing = Fixture.thing(["size": 1])
        thing["status"] = ["phase": "ignored"]
        let created = await api.apply(Fixture.things + "/t", thing, as: "labctl")
        #expect(created.body["status"] == nil)
        #expect(created.fields(of: "labctl") == ["f:spec": ["f:size": .map([:])]])
        thing["status"] = ["phase": "Ready"]
        thing["spec"] = ["size": 99]
        let status = await api.apply(Fixture.things + "/t/status", thing, as: "controller")
        #expect(status.status == 200)
        #expect(status.body["spec"] == ["size": 1])
        #expect(status.body["status"] == ["phase": "Ready"])
        #expect(status.fields(of: "controller") == ["f:status": ["f:phase": .map([:])]])
        #expect(status.body[["metadata", "generation"]] == 1)
    }

    private func deployment(image: String, sidecars: [String] = []) -> Value {
        let containers: [Value] =
            [["name": "c", "image": .string(image)]] + sidecars.map { ["name": .string($0), "image": "s:1"] }
        return [
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "d", "namespace": "default"],
            "spec": [
                "selector": ["matchLabels": ["app": "d"]],
                "template": ["metadata": ["labels": ["app": "d"]], "spec": ["containers": .list(containers)]],
            ],
        ]
    }

    private func replacing(_ object: Value, _ path: [String], _ value: Value) -> Value {
        guard let first = path.first else { return value }
        var object = object
        object[first] = replacing(object[first] ?? .map([:]), Array(path.dropFirst()), value)
        return object
    }
}

/// A wall clock that stands still until it is moved.
final class ManualClock: Sendable {
    private let seconds = Mutex(1_800_000_000)

    var time: Timestamp { Timestamp(seconds: seconds.withLock { $0 }) }

    func advance(seconds count: Int) { seconds.withLock { $0 += count } }
}
