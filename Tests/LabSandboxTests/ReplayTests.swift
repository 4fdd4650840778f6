import LabCore
import LabSandbox
import LabYAML
import Testing

/// The exchanges recorded with a real API server, played against the sandbox's own.
@Suite("Replay", .enabled(if: SharedData.isThere, "the recorded exchanges are not on this machine"))
struct ReplayTests {
    /// Exchanges that the sandbox answers with 501, by their notes. At most three.
    static let refused: Set<String> = []

    @Test("apply.jsonl: same status, reason, message, and resourceVersion moved or not")
    func apply() async throws {
        let replay = try await Replay.start(options: Gate().options())
        for exchange in try SharedData.exchanges("apply.jsonl") { try await replay.play(exchange) }
        await replay.stop()
    }

    @Test("metallb.jsonl, with MetalLB simulated")
    func metallb() async throws {
        let gate = Gate()
        let replay = try await Replay.start(options: gate.options { $0.webhookEndpoint = Gate.held })
        let manifest = try YAML.load(
            SourceFile(path: "manifest", text: try SharedData.manifest("metallb-native-v0.14.9.yaml")),
            schema: .kubernetes
        ).map(\.value)
        for exchange in try SharedData.exchanges("metallb.jsonl") {
            let note = exchange["note"]?.string ?? ""
            switch note {
            case "second apply of the stock manifest":
                try await replay.applyAgain(exchange, manifest)
            case "CRD straight after creation":
                // What the recorder applied without noting it, and its wait for the CRDs.
                try await replay.applyRest(of: manifest)
                try await replay.play(exchange, until: { $0.json.isEstablished })
            case let note where note.hasPrefix("pool, dry run, ") && note != "pool, dry run, 0 tries in":
                await gate.open()
                try await replay.play(exchange, until: { $0.status != 500 })
            case "who owns bgppeers' caBundle":
                try await replay.play(exchange, until: { $0.json.managers.contains("MetalLB") })
            case "workload status: Deployment":
                try await replay.play(exchange, until: { $0.json[["status", "availableReplicas"]] == 1 })
            case "workload status: DaemonSet", "watch, first three events":
                try await replay.settle("/apis/apps/v1/namespaces/metallb-system/daemonsets/speaker") {
                    $0[["status", "numberReady"]] == 3
                }
                try await replay.play(exchange)
            case "its ingress address":
                try await replay.play(
                    exchange, until: { $0.json[["status", "loadBalancer", "ingress"]] != nil })
            default: try await replay.play(exchange)
            }
        }
        await replay.stop()
    }

    @Test("No more than three of the recorded exchanges are refused with 501")
    func refusals() { #expect(Self.refused.count <= 3) }
}

extension Value {
    fileprivate var isEstablished: Bool {
        self[["status", "conditions"]]?.list?.contains { $0["type"] == "Established" && $0["status"] == "True" }
            ?? false
    }

    fileprivate var managers: [String] {
        self[["metadata", "managedFields"]]?.list?.compactMap { $0["manager"]?.string } ?? []
    }
}

/// One server, and the recorded requests to it.
private final class Replay {
    private let server: SandboxAPIServer
    private let client: TestClient
    private let anonymous: TestClient
    /// The last resourceVersion of each object: in the recording, and here.
    private var revisions: [String: (recorded: String, own: String)] = [:]

    private init(server: SandboxAPIServer, client: TestClient, anonymous: TestClient) {
        self.server = server
        self.client = client
        self.anonymous = anonymous
    }

    static func start(options: ClusterOptions) async throws -> Replay {
        let server = try await SandboxAPIServer.start(options: options)
        return Replay(
            server: server,
            client: try await .connect(to: server, identity: server.administrator, http2: true),
            anonymous: try await .connect(to: server, identity: nil))
    }

    func stop() async {
        await client.close()
        await anonymous.close()
        await server.stop()
    }

    func play(_ exchange: Value, until isFine: ((TestClient.Answer) -> Bool)? = nil) async throws {
        let note = Comment(rawValue: exchange["note"]?.string ?? "")
        let request = try #require(exchange["request"], note)
        let recorded = try #require(exchange["response"], note)
        let answer: TestClient.Answer
        if let isFine {
            answer = try #require(
                try await eventually({ try await send(request, note.rawValue) }, until: isFine), note)
        } else {
            answer = try await send(request, note.rawValue)
        }
        if ReplayTests.refused.contains(note.rawValue) {
            #expect(answer.status == 501, note)
            return
        }
        #expect(answer.status == recorded["status"]?.int, note)
        let contentType = recorded["headers"]?["Content-Type"]?.string
        #expect(answer.headers.first(name: "Content-Type") == contentType, note)
        guard let body = recorded["body"], body.map != nil else {
            if request["path"]?.string?.contains("watch=1") != true {
                #expect(answer.text == recorded["body"]?.string, note)
            }
            return
        }
        let own = body["type"]?.string == "ADDED" ? answer.lines.first ?? .null : answer.json
        #expect(own["reason"] == body["reason"], note)
        #expect(own["message"] == body["message"], note)
        compareRevisions(own["object"] ?? own, body["object"] ?? body, note)
        compareShape(own, body, note)
    }

    private func send(_ request: Value, _ note: String) async throws -> TestClient.Answer {
        let body: [UInt8]? =
            switch request["body"] {
            case .string(let text): Array(text.utf8)
            case .null, nil: nil
            case .some(let value): value.jsonBytes()
            }
        let sender = note.hasPrefix("anonymous") ? anonymous : client
        return try await sender.request(
            request["method"]?.string ?? "", request["path"]?.string ?? "", body: body,
            contentType: request["contentType"]?.string, accept: request["accept"]?.string ?? "application/json")
    }

    /// Whether the write moved the resourceVersion here exactly when it did in the recording.
    private func compareRevisions(_ own: Value, _ recorded: Value, _ note: Comment) {
        guard let uid = recorded[["metadata", "uid"]]?.string else { return }
        let recordedRevision = recorded[["metadata", "resourceVersion"]]?.string
        let ownRevision = own[["metadata", "resourceVersion"]]?.string
        #expect((recordedRevision == nil) == (ownRevision == nil), note)
        guard let recordedRevision, let ownRevision else { return }
        if let last = revisions[uid] {
            #expect((last.own == ownRevision) == (last.recorded == recordedRevision), note)
        }
        revisions[uid] = (recordedRevision, ownRevision)
    }

    /// The whole answer, but for what differs between any two clusters.
    private func compareShape(_ own: Value, _ recorded: Value, _ note: Comment) {
        let kind = recorded["kind"]?.string ?? ""
        if ["APIResourceList", "ServiceL2StatusList"].contains(kind) {
            #expect(own["kind"] == recorded["kind"], note)
            let names = Set(recorded["resources"]?.list?.compactMap { $0["name"]?.string } ?? [])
            #expect(Set(own["resources"]?.list?.compactMap { $0["name"]?.string } ?? []) == names, note)
            return
        }
        var own = own
        if kind == "EventList" {
            // The recorder asked before a speaker had announced the address.
            own["items"] = .list(own["items"]?.list?.filter { $0["reason"] == "IPAllocated" } ?? [])
        }
        let differences = Self.masked(own).differences(from: Self.masked(recorded))
        #expect(differences.isEmpty, note)
    }

    private static let volatile: Set<String> = [
        "uid", "resourceVersion", "time", "creationTimestamp", "lastTransitionTime", "lastUpdateTime", "clusterIP",
        "clusterIPs", "nodePort", "caBundle", "firstTimestamp", "lastTimestamp",
    ]

    private static func masked(_ value: Value) -> Value {
        switch value {
        case .map(let entries):
            var result = ValueMap()
            for (key, entry) in entries {
                if volatile.contains(key) {
                    result[key] = "masked"
                } else if key == "managedFields" {
                    result[key] = .list(
                        (entry.list ?? []).map(masked).sorted { $0.json(sortedKeys: true) < $1.json(sortedKeys: true) })
                } else {
                    result[key] = masked(entry)
                }
            }
            return .map(result)
        case .list(let items): return .list(items.map(masked))
        case .string(let text):
            // Names that end in a hash or a number of their own.
            if text.hasPrefix("ReplicaSet \"") { return "ReplicaSet masked" }
            if text.hasPrefix("probe.") { return "probe.masked" }
            return value
        default: return value
        }
    }

    /// The path of an object of the manifest.
    private func path(_ object: Value) -> String {
        let version = object["apiVersion"]?.string ?? ""
        let kind = object["kind"]?.string ?? ""
        let plural = kind.lowercased() + (kind.hasSuffix("s") ? "es" : "s")
        let namespace = object[["metadata", "namespace"]]?.string.map { "/namespaces/\($0)" } ?? ""
        let name = object[["metadata", "name"]]?.string ?? ""
        return "/\(version.contains("/") ? "apis" : "api")/\(version)\(namespace)/\(plural)/\(name)"
    }

    func applyRest(of manifest: [Value]) async throws {
        for object in manifest {
            let path = path(object)
            if try await client.request("GET", path).status == 200 { continue }
            let answer = try await client.apply(path, object)
            #expect(answer.status == 201, "\(path)")
        }
    }

    /// One line of the second apply: status, error, and whether the resourceVersion moved.
    func applyAgain(_ line: Value, _ manifest: [Value]) async throws {
        let title = try #require(line["object"]?.string)
        let object = try #require(
            manifest.first { "\($0["kind"]?.string ?? "")/\($0[["metadata", "name"]]?.string ?? "")" == title })
        let path = path(object)
        try await settle(path) { _ in true }
        let before = try await client.request("GET", path).json[["metadata", "resourceVersion"]]
        let answer = try await client.apply(path, object)
        #expect(answer.status == line["status"]?.int, "\(title)")
        if let error = line["error"], error.map != nil {
            #expect(answer.json == error, "\(title)")
        } else {
            let moved = line["resourceVersionBefore"] != line["resourceVersionAfter"]
            #expect((answer.json[["metadata", "resourceVersion"]] != before) == moved, "\(title)")
        }
    }

    /// Waits until the simulated controllers have nothing to do and the object is as wanted.
    func settle(_ path: String, until isFine: (Value) -> Bool) async throws {
        await server.cluster.settled()
        _ = try #require(
            try await eventually({ try await client.request("GET", path).json }, until: isFine))
    }
}

extension Value {
    /// The places at which two values differ, each with both sides.
    fileprivate func differences(from other: Value, at path: String = "") -> [String] {
        switch (self, other) {
        case (.map(let a), .map(let b)):
            Set(a.keys).union(b.keys).sorted().flatMap { key -> [String] in
                switch (a[key], b[key]) {
                case (.some(let x), .some(let y)): x.differences(from: y, at: "\(path).\(key)")
                case (.some(let x), nil): ["\(path).\(key): \(x.json()) is not in the recording"]
                case (nil, .some(let y)): ["\(path).\(key): \(y.json()) is missing"]
                case (nil, nil): []
                }
            }
        case (.list(let a), .list(let b)) where a.count == b.count:
            zip(a, b).enumerated().flatMap { $1.0.differences(from: $1.1, at: "\(path)[\($0)]") }
        default: self == other ? [] : ["\(path): \(json()) instead of \(other.json())"]
        }
    }
}
