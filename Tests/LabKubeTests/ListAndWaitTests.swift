import LabCore
import Synchronization
import Testing

@testable import LabKube

/// Long lists, waits whose watch ends, and what a wait that fails says, against a server that answers from a script.
@Suite(.timeLimit(.minutes(2)))
struct ListAndWaitTests {
    private static let deployments = APIResource(
        group: "apps", version: "v1", kind: "Deployment", plural: "deployments", isNamespaced: true)
    private static let reference = ObjectReference(
        apiVersion: "apps/v1", kind: "Deployment", namespace: "lab", name: "web")

    private static func page(_ names: [String], next: String? = nil) -> TestAnswer {
        let items = names.map { #"{"metadata":{"name":"\#($0)"}}"# }.joined(separator: ",")
        let token = next.map { #","continue":"\#($0)""# } ?? ""
        return .answer(status: 200, body: #"{"metadata":{"resourceVersion":"7"\#(token)},"items":[\#(items)]}"#)
    }

    private static func deployment(_ version: Int, ready: Int) -> String {
        #"""
        {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"lab","generation":1,"resourceVersion":"\#(version)"},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"web"}}},"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":\#(ready),"availableReplicas":\#(ready)}}
        """#
    }

    @Test func `a long list is read page by page`() async throws {
        let paths = Mutex<[String]>([])
        try await withServer { request in
            paths.withLock { $0.append(request.path) }
            return request.path.contains("continue=t%2F1")
                ? Self.page(["c"]) : Self.page(["a", "b"], next: "t/1")
        } _: { client, _ in
            let list = try await client.list(Self.deployments, namespace: "lab", pageSize: 2)
            #expect(list.items.map { $0[["metadata", "name"]] } == ["a", "b", "c"])
            #expect(list.items.allSatisfy { $0["kind"] == "Deployment" && $0["apiVersion"] == "apps/v1" })
            #expect(list.resourceVersion == "7")
            #expect(paths.withLock { $0 }.allSatisfy { $0.contains("limit=2") })
        }
    }

    @Test func `a list whose pages have expired is read anew`() async throws {
        let tries = Counter()
        try await withServer { request in
            guard request.path.contains("continue=") else { return Self.page(["a"], next: "t") }
            return tries.add() == 1
                ? .answer(status: 410, body: #"{"kind":"Status","code":410,"reason":"Expired","message":"old"}"#)
                : Self.page(["b"])
        } _: { client, server in
            let list = try await client.list(Self.deployments, namespace: "lab")
            #expect(list.items.map { $0[["metadata", "name"]] } == ["a", "b"])
            #expect(server.count.value == 1)
        }
    }

    /// How a watch ends before the object is ready.
    enum Ending: CaseIterable { case expired, ended, lost }

    @Test(arguments: Ending.allCases)
    func `a wait goes on when its watch ends`(_ ending: Ending) async throws {
        let watches = Counter()
        let versions = Mutex<[String]>([])
        try await withServer { request in
            guard request.path.contains("watch=1") else {
                return .answer(status: 200, body: Self.deployment(10 + watches.value, ready: 0))
            }
            versions.withLock {
                $0 += request.path.split(separator: "&").filter { $0.hasPrefix("resourceVersion") }.map(String.init)
            }
            guard watches.add() == 1 else {
                return .pieces(
                    [#"{"type":"MODIFIED","object":\#(Self.deployment(20, ready: 1))}"# + "\n"], thenClose: false)
            }
            switch ending {
            case .expired:
                let status = #"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#
                return .pieces([#"{"type":"ERROR","object":\#(status)}"# + "\n"], thenClose: true)
            case .ended: return .pieces([], thenClose: true)
            case .lost: return .hangUp
            }
        } _: { client, _ in
            let wait = ReadinessWait(client: client, timeout: .seconds(60), pollInterval: .milliseconds(10))
            let found = try await wait.wait(for: [(Self.deployments, Self.reference)])
            #expect(found.first??[["metadata", "resourceVersion"]] == "20")
            // From where the object was read, each time; a link that was lost is asked for once more as it was.
            #expect(Set(versions.withLock { $0 }).isSubset(of: ["resourceVersion=10", "resourceVersion=11"]))
            #expect(watches.value == 2)
        }
    }

    @Test func `a wait that fails says why in the cluster's words`() async throws {
        let pods = #"""
            {"metadata":{"resourceVersion":"1"},"items":[
            {"metadata":{"name":"web-1"},"spec":{"nodeName":"w1"},"status":{"phase":"Pending","containerStatuses":[{"name":"c","state":{"waiting":{"reason":"ImagePullBackOff","message":"Back-off pulling image \"nope:1\""}}}]}},
            {"metadata":{"name":"web-2"},"spec":{"nodeName":"w2"},"status":{"phase":"Running","containerStatuses":[{"name":"c","state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off 10s"}}}]}}]}
            """#
        try await withServer { request in
            switch request.path {
            case let path where path.contains("/pods/web-2/log"):
                return .answer(
                    status: path.contains("previous=true") ? 200 : 400, body: "reading config\nno such file\n")
            case let path where path.contains("/pods?"): return .answer(status: 200, body: pods)
            case let path where path.contains("/events?") && path.contains("web-1"):
                return .answer(
                    status: 200,
                    body:
                        #"{"metadata":{},"items":[{"type":"Warning","reason":"Failed","message":"nope:1: not found","count":4},{"type":"Normal","reason":"Pulling","message":"pulling"}]}"#
                )
            case let path where path.contains("/events?"):
                return .answer(status: 200, body: #"{"metadata":{},"items":[]}"#)
            case let path where path.contains("watch=1"): return .pieces([], thenClose: false)
            default: return .answer(status: 200, body: Self.deployment(1, ready: 0))
            }
        } _: { client, _ in
            let wait = ReadinessWait(client: client, timeout: .milliseconds(300))
            let error = await failure { _ = try await wait.wait(for: [(Self.deployments, Self.reference)]) }
            #expect(error?.kind == .notReady)
            #expect(error?.message.hasPrefix("Deployment lab/web is not ready after ") == true)
            #expect(error?.message.hasSuffix(": 0 of 1 ready") == true)
            #expect(
                error?.diagnostics.first?.notes.map(\.message) == [
                    #"pod web-1 on w1: c: ImagePullBackOff: Back-off pulling image "nope:1""#,
                    "event: Failed: nope:1: not found (4 times)",
                    "pod web-2 on w2: c: CrashLoopBackOff: back-off 10s", "  log: reading config",
                    "  log: no such file",
                ])
        }
    }

    /// What an autoscaler writes is left to it; a person's `kubectl scale` is not.
    @Test(arguments: [
        ("kube-controller-manager", "scale", true), ("kubectl", "scale", false), ("kube-controller-manager", "", false),
    ])
    func `replicas of an autoscaler are kept`(_ manager: String, _ subresource: String, _ isKept: Bool) throws {
        let live = try Value(
            json: #"""
                {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"lab","managedFields":[
                {"manager":"labctl","operation":"Apply","fieldsV1":{"f:spec":{"f:paused":{}}}},
                {"manager":"\#(manager)","operation":"Update","subresource":"\#(subresource)","fieldsV1":{"f:spec":{"f:replicas":{}}}}]},
                "spec":{"replicas":5}}
                """#)
        let wanted: Value = [
            "apiVersion": "apps/v1", "kind": "Deployment", "spec": ["replicas": 2, "paused": false],
        ]
        let kept = KeptFields(wanted, reference: Self.reference, live: live, own: ["labctl"])
        #expect(kept.object[["spec", "replicas"]] == (isKept ? nil : 2))
        #expect(
            kept.notes == (isKept ? ["kept .spec.replicas of Deployment lab/web: kube-controller-manager owns it"] : [])
        )
    }
}
