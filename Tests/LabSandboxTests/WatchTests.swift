import LabCore
import LabSandbox
import Testing

@Suite("Lists and watches")
struct WatchTests {
    private func apply(_ api: Fixture, _ name: String, labels: Value = .map([:]), data: Value = ["a": "1"]) async {
        var object = Fixture.configMap(data, name: name)
        object["metadata"] = ["name": .string(name), "namespace": "default", "labels": labels]
        _ = await api.apply("\(Fixture.configMaps)/\(name)", object, as: "labctl")
    }

    private func summary(_ events: [Value]) -> [String] {
        events.map {
            "\($0["type"]?.string ?? "") \($0[["object", "metadata", "name"]]?.string ?? "")"
        }
    }

    @Test("A watch from a resourceVersion tells what came after it")
    func fromRevision() async {
        let api = await Fixture()
        await apply(api, "one")
        let revision = await api.get(Fixture.configMaps).body[["metadata", "resourceVersion"]]?.string ?? ""
        await apply(api, "two")
        await apply(api, "one", data: ["a": "2"])
        _ = await api.send("DELETE", Fixture.configMaps + "/two")
        let events = await api.watch("\(Fixture.configMaps)?watch=1&timeoutSeconds=0&resourceVersion=\(revision)")
        #expect(summary(events) == ["ADDED two", "MODIFIED one", "DELETED two"])
        #expect(
            events.last?[["object", "metadata", "resourceVersion"]]
                == (await api.get(Fixture.configMaps)).body[["metadata", "resourceVersion"]])
    }

    @Test("Without a resourceVersion it starts with what is there, and ends with a bookmark when asked")
    func fromNow() async {
        let api = await Fixture()
        await apply(api, "one")
        let events = await api.watch("\(Fixture.configMaps)?watch=true&timeoutSeconds=0&allowWatchBookmarks=true")
        #expect(summary(events) == ["ADDED one", "BOOKMARK "])
        let initial = await api.watch(
            "\(Fixture.configMaps)?watch=1&timeoutSeconds=0&sendInitialEvents=true&resourceVersionMatch=NotOlderThan")
        #expect(summary(initial) == ["ADDED one", "BOOKMARK "])
        #expect(
            initial.last?[["object", "metadata", "annotations", "k8s.io/initial-events-end"]] == "true")
    }

    @Test("An object that comes to match a selector is added, one that ceases to is deleted")
    func selectors() async {
        let api = await Fixture()
        await apply(api, "one")
        let revision = await api.get(Fixture.configMaps).body[["metadata", "resourceVersion"]]?.string ?? ""
        await apply(api, "one", labels: ["on": "yes"])
        await apply(api, "one", labels: ["on": "yes"], data: ["a": "2"])
        await apply(api, "one", labels: ["on": "no"])
        let events = await api.watch(
            "\(Fixture.configMaps)?watch=1&timeoutSeconds=0&labelSelector=on%3Dyes&resourceVersion=\(revision)")
        #expect(summary(events) == ["ADDED one", "MODIFIED one", "DELETED one"])
    }

    @Test("A watch from a revision that is forgotten gets 410 Expired")
    func expired() async {
        let api = await Fixture()
        let revision = await api.get(Fixture.configMaps).body[["metadata", "resourceVersion"]]?.string ?? ""
        await apply(api, "one")
        await api.cluster.compact()
        await apply(api, "two")
        let events = await api.watch("\(Fixture.configMaps)?watch=1&timeoutSeconds=0&resourceVersion=\(revision)")
        #expect(events.count == 1)
        #expect(events.first?["type"] == "ERROR")
        #expect(events.first?[["object", "code"]] == 410)
        #expect(events.first?[["object", "reason"]] == "Expired")
    }

    @Test("Events reach a watch that is open, and stopping the cluster ends it")
    func live() async throws {
        let api = await Fixture()
        let response = await api.cluster.answer(
            APIRequest(method: "GET", target: "\(Fixture.configMaps)?watch=1", user: Fixture.administrator))
        guard case .stream(let chunks) = response.body else {
            Issue.record("no stream")
            return
        }
        var iterator = chunks.makeAsyncIterator()
        await apply(api, "one")
        let first = await iterator.next()
        #expect(try Value(json: first ?? [])["type"] == "ADDED")
        await api.cluster.stop()
        #expect(await iterator.next() == nil)
    }

    @Test("kubectl's tables have the columns that people look at")
    func tables() async throws {
        let api = await Fixture()
        func rows(_ path: String) async throws -> (names: [String], cells: [[Value]]) {
            let response = await api.cluster.answer(
                APIRequest(
                    method: "GET", target: path,
                    accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
                    user: Fixture.administrator))
            guard case .bytes(let bytes) = response.body else { return ([], []) }
            let table = try Value(json: bytes)
            #expect(table["kind"] == "Table")
            return (
                table["columnDefinitions"]?.list?.compactMap { $0["name"]?.string } ?? [],
                table["rows"]?.list?.compactMap { $0["cells"]?.list } ?? []
            )
        }
        let nodes = try await rows("/api/v1/nodes")
        #expect(nodes.names == ["Name", "Status", "Roles", "Version", "Internal-IP", "Age"])
        #expect(nodes.cells.map { $0[0] } == ["cp1", "w1", "w2"])
        #expect(nodes.cells[0][1...2] == ["Ready", "control-plane"])
        #expect(nodes.cells[1][4] == "192.168.56.11")
        let service = try await rows("/api/v1/namespaces/default/services/kubernetes")
        #expect(service.cells.count == 1)
        #expect(Array(service.cells[0][1...4]) == ["ClusterIP", "10.96.0.1", "<none>", "443/TCP"])
    }

    @Test("Long lists come in parts")
    func parts() async {
        let api = await Fixture()
        for name in ["a", "b", "c", "d", "e"] { await apply(api, name) }
        var names: [String] = []
        var token = ""
        var rounds = 0
        repeat {
            let answer = await api.get("\(Fixture.configMaps)?limit=2&continue=\(token)")
            names += answer.body["items"]?.list?.compactMap { $0[["metadata", "name"]]?.string } ?? []
            token = answer.body[["metadata", "continue"]]?.string ?? ""
            rounds += 1
        } while !token.isEmpty && rounds < 10
        #expect(names == ["a", "b", "c", "d", "e"])
        #expect(rounds == 3)
    }

    @Test(
        "Label selectors",
        arguments: [
            ("app=x", ["a"]), ("app==x", ["a"]), ("app!=x", ["b", "c"]), ("app", ["a", "b"]), ("!app", ["c"]),
            ("app in (x, y)", ["a", "b"]), ("app notin (x)", ["b", "c"]), ("app=x,tier=1", ["a"]),
            ("app=y,tier=1", []),
        ])
    func labels(_ selector: String, _ expected: [String]) async {
        let api = await Fixture()
        await apply(api, "a", labels: ["app": "x", "tier": "1"])
        await apply(api, "b", labels: ["app": "y"])
        await apply(api, "c")
        let encoded = selector.replacing(" ", with: "%20").replacing("=", with: "%3D")
        let answer = await api.get("\(Fixture.configMaps)?labelSelector=\(encoded)")
        #expect(answer.body["items"]?.list?.compactMap { $0[["metadata", "name"]]?.string } == expected)
    }

    @Test("Selectors that are none, and fields that cannot be selected by, are refused")
    func badSelectors() async {
        let api = await Fixture()
        #expect(await api.get("\(Fixture.configMaps)?labelSelector=a%20b").status == 400)
        #expect(await api.get("\(Fixture.configMaps)?fieldSelector=data.a%3D1").status == 400)
        await apply(api, "one")
        await apply(api, "two")
        let answer = await api.get("\(Fixture.configMaps)?fieldSelector=metadata.name%3Dtwo")
        #expect(answer.body["items"]?.list?.count == 1)
    }
}
