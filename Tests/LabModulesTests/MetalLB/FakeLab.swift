import LabCore

@testable import LabModules

/// A cluster that holds what it is given, with a stand-in for MetalLB that can be told to misbehave.
actor FakeCluster: ClusterObjects {
    struct Behaviour: Sendable {
        /// What a probe's Service gets; nil gives no address.
        var address: String? = "192.168.56.200"
        /// What the Service's annotation says.
        var pool: String? = "lab-pool"
        /// How many times the Service is read before it has its address.
        var patience = 2
        /// The nodes that say that they announce; the first that is not excluded is the real one.
        var announcers = ["w1"]
        /// The nodes that say in events that they announce over BGP.
        var bgpNodes: [String] = []
        /// What the event says; nil says what is true.
        var eventNode: String?
        var hasStatusKind = true
        var hasEvents = true
        var version = "v1.36.2"
        /// Whether deleting works.
        var deletes = true
        /// Called with every request's description, before it is answered.
        var onRequest: @Sendable (String) throws -> Void = { _ in }
    }

    private struct Key: Hashable {
        let kind: ClusterKind
        let namespace: String
        let name: String
    }

    private var objects: [Key: Value] = [:]
    private var reads = 0
    private(set) var requests: [String] = []
    private let behaviour: Behaviour

    init(_ behaviour: Behaviour = Behaviour(), configuration: [Value], nodes: [Value]) {
        self.behaviour = behaviour
        for object in configuration {
            objects[
                Key(
                    kind: ClusterKind("metallb.io/v1beta1", object["kind"]?.string ?? ""), namespace: "metallb-system",
                    name: object.objectName)] = object
        }
        for node in nodes { objects[Key(kind: .node, namespace: "", name: node.objectName)] = node }
        objects[Key(kind: .endpointSlice, namespace: "default", name: "kubernetes")] = [
            "metadata": ["name": "kubernetes", "namespace": "default"], "addressType": "IPv4",
            "endpoints": [["addresses": ["192.168.56.10"], "conditions": ["ready": true]]],
            "ports": [["name": "https", "port": 6443]],
        ]
    }

    /// The objects that carry the probe's label.
    var probeObjects: [Value] {
        objects.values.filter { $0[["metadata", "labels"]]?.map?["labctl.dev/probe"] == "true" }
    }

    var node: @Sendable (String) -> Value? { { [objects] in objects[Key(kind: .node, namespace: "", name: $0)] } }

    func put(_ kind: ClusterKind, _ object: Value) {
        objects[Key(kind: kind, namespace: object[["metadata", "namespace"]]?.string ?? "", name: object.objectName)] =
            object
    }

    private func note(_ request: String) throws {
        requests.append(request)
        try behaviour.onRequest(request)
    }

    private var announcing: [String] {
        behaviour.announcers.filter { name in
            objects[Key(kind: .node, namespace: "", name: name)]?[["metadata", "labels"]]?.map?[
                FailoverDrill.excludeLabel]
                == nil
        }
    }

    func serverVersion() async throws -> String { behaviour.version }

    func get(_ kind: ClusterKind, namespace: String?, name: String) async throws -> Value? {
        try Task.checkCancellation()
        try note("get \(kind.kind) \(name)")
        let key = Key(kind: kind, namespace: namespace ?? "", name: name)
        guard var object = objects[key] else { return nil }
        guard kind == .service, name == Probe.name, let address = behaviour.address else { return object }
        reads += 1
        guard reads > behaviour.patience else { return object }
        object["status"] = ["loadBalancer": ["ingress": [["ip": .string(address)]]]]
        var metadata = object["metadata"] ?? [:]
        if let pool = behaviour.pool {
            metadata["annotations"] = ["metallb.io/ip-allocated-from-pool": .string(pool)]
        }
        object["metadata"] = metadata
        return object
    }

    func list(_ kind: ClusterKind, namespace: String?, labels: String?) async throws -> [Value]? {
        try Task.checkCancellation()
        try note("list \(kind.kind)")
        let service = objects.first { $0.key.kind == .service && $0.key.name == Probe.name }?.value
        switch kind {
        case .l2Status:
            guard behaviour.hasStatusKind else { return nil }
            guard service != nil else { return [] }
            let names =
                behaviour.announcers.count > 1 && behaviour.eventNode == "both"
                ? announcing : Array(announcing.prefix(1))
            return names.map { ["metadata": ["name": .string("l2-" + $0)], "status": ["node": .string($0)]] }
        case .event where !behaviour.bgpNodes.isEmpty:
            guard let service else { return [] }
            return behaviour.bgpNodes.map { node in
                event(
                    "nodeAssigned", "announcing from node \"\(node)\" with protocol \"bgp\"", of: service,
                    at: "2026-01-01T00:00:02Z")
            }
        case .event:
            guard behaviour.hasEvents, let service, let node = behaviour.eventNode ?? announcing.first else {
                return []
            }
            return [
                event(
                    "nodeAssigned", "announcing from node \"gone\" with protocol \"layer2\"", of: service,
                    at: "2026-01-01T00:00:00Z"),
                event(
                    "nodeAssigned", "announcing from node \"\(node)\" with protocol \"layer2\"", of: service,
                    at: "2026-01-01T00:00:01Z"),
            ]
        default: break
        }
        let wanted = (labels ?? "").split(separator: ",").map { $0.split(separator: "=").map(String.init) }
        return objects.filter { key, object in
            let own = object[["metadata", "labels"]]?.map ?? [:]
            return key.kind == kind && (namespace == nil || key.namespace == namespace)
                && wanted.allSatisfy { own[$0[0]]?.string == $0[1] }
        }.map(\.value).sorted { $0.objectName < $1.objectName }
    }

    private func event(_ reason: Value, _ message: String, of service: Value, at time: Value) -> Value {
        [
            "reason": reason, "message": .string(message), "lastTimestamp": time,
            "involvedObject": ["name": "labctl-probe", "uid": service[["metadata", "uid"]] ?? .null],
        ]
    }

    func create(_ kind: ClusterKind, _ object: Value) async throws {
        try Task.checkCancellation()
        try note("create \(kind.kind)")
        reads = 0
        var object = object
        var metadata = object["metadata"] ?? [:]
        metadata["uid"] = "u-\(requests.count)".asValue
        object["metadata"] = metadata
        put(kind, object)
    }

    func tryOut(_ kind: ClusterKind, _ object: Value) async throws { try note("try \(kind.kind)") }

    func merge(_ kind: ClusterKind, namespace: String?, name: String, patch: Value) async throws {
        try Task.checkCancellation()
        try note("merge \(kind.kind) \(name)")
        let key = Key(kind: kind, namespace: namespace ?? "", name: name)
        guard let object = objects[key] else { return }
        objects[key] = merged(object, patch)
    }

    private func merged(_ value: Value, _ patch: Value) -> Value {
        guard let entries = patch.map else { return patch }
        var result = value.map ?? [:]
        for (key, change) in entries {
            // Assigning nil would be a null, which a Value may be.
            if change.isNull {
                result.removeValue(forKey: key)
            } else {
                result[key] = merged(result[key] ?? .null, change)
            }
        }
        return .map(result)
    }

    func delete(_ kind: ClusterKind, namespace: String?, name: String) async throws {
        try Task.checkCancellation()
        try note("delete \(kind.kind) \(name)")
        if behaviour.deletes { objects[Key(kind: kind, namespace: namespace ?? "", name: name)] = nil }
    }
}

extension String {
    fileprivate var asValue: Value { .string(self) }
}

/// A laptop on the lab's network, on which MAC addresses answer as they are told to.
struct FakeLaptop: LaptopNetwork {
    var local = ["192.168.56.1/24"]
    var answers: @Sendable (IPAddress) throws -> String = { _ in "HTTP/2 status 200" }
    /// The table at each look; the last one stays.
    var table: @Sendable () async -> [(String, String)] = {
        [
            ("192.168.56.200", "02:00:00:00:00:11"), ("192.168.56.10", "02:00:00:00:00:10"),
            ("192.168.56.11", "02:00:00:00:00:11"), ("192.168.56.12", "02:00:00:00:00:12"),
        ]
    }

    func networks() throws -> [LocalNetwork] {
        local.compactMap { text in
            guard let parsed = IPNetwork.parse(text), let address = IPAddress(text.prefix { $0 != "/" }) else {
                return nil
            }
            return LocalNetwork(interface: "vboxnet0", address: address, network: parsed.network)
        }
    }

    func neighbours() async throws -> [Neighbour] {
        await table().compactMap { address, hardware in
            IPAddress(address).map { Neighbour(address: $0, hardwareAddress: hardware, interface: "vboxnet0") }
        }
    }

    var routes: [String] = []

    func hasRoute(to address: IPAddress) async throws -> Bool {
        (local + routes).contains { IPNetwork.parse($0)?.network.contains(address) == true }
    }

    func nudge(_ address: IPAddress) async {}

    func handshake(_ address: IPAddress, port: Int) async throws -> String { try answers(address) }
}
