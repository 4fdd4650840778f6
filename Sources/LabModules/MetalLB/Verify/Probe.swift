import LabCore

/// The objects that a verification makes: a Service of type LoadBalancer that leads to the API server itself, so that no
/// image has to be pulled and no pod has to start.
struct Probe: Sendable {
    static let name = "labctl-probe"
    /// What finds the probe's objects, those of a run that was killed included.
    static let selector = "app.kubernetes.io/managed-by=labctl,labctl.dev/probe=true"
    static let port = 443
    private static let portName = "https"
    private static let labels: ValueMap = ["app.kubernetes.io/managed-by": "labctl", "labctl.dev/probe": "true"]

    /// What the Service leads to.
    struct Target: Sendable, Hashable {
        let addresses: [IPAddress]
        let port: Int

        var isIPv4: Bool { addresses.first?.isIPv4 ?? true }
    }

    let namespace: String
    let target: Target
    /// The pool to ask for by name; nil takes what a Service without wishes gets.
    let pool: String?

    var service: Value {
        var metadata: ValueMap = [
            "name": .string(Self.name), "namespace": .string(namespace), "labels": .map(Self.labels),
        ]
        if let pool { metadata["annotations"] = ["metallb.io/address-pool": .string(pool)] }
        return [
            "apiVersion": "v1", "kind": "Service", "metadata": .map(metadata),
            "spec": [
                "type": "LoadBalancer",
                "ipFamilyPolicy": "SingleStack",
                "ipFamilies": [target.isIPv4 ? "IPv4" : "IPv6"],
                "ports": [
                    [
                        "name": .string(Self.portName), "protocol": "TCP", "port": .int(Self.port),
                        "targetPort": .int(target.port),
                    ]
                ],
            ],
        ]
    }

    var endpointSlice: Value {
        var labels = Self.labels
        labels["kubernetes.io/service-name"] = .string(Self.name)
        labels["endpointslice.kubernetes.io/managed-by"] = "labctl"
        return [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": ["name": .string(Self.name), "namespace": .string(namespace), "labels": .map(labels)],
            "addressType": target.isIPv4 ? "IPv4" : "IPv6",
            "endpoints": [
                [
                    "addresses": .list(target.addresses.map { .string($0.description) }),
                    "conditions": ["ready": true],
                ]
            ],
            "ports": [["name": .string(Self.portName), "protocol": "TCP", "port": .int(target.port)]],
        ]
    }

    /// Where the API server listens, from the Service `kubernetes` that every cluster has.
    ///
    /// - Throws: `ModuleError` when the cluster does not say; what `cluster` throws.
    static func target(in cluster: any ClusterObjects) async throws -> Target {
        if let slice = try await cluster.get(.endpointSlice, namespace: "default", name: "kubernetes"),
            let target = target(addresses: slice["endpoints"], ports: slice["ports"])
        {
            return target
        }
        if let endpoints = try await cluster.get(.endpoints, namespace: "default", name: "kubernetes"),
            let subset = endpoints["subsets"]?.list?.first
        {
            let addresses = (subset["addresses"]?.list ?? []).compactMap { $0["ip"] }
            if let target = target(addresses: [["addresses": .list(addresses)]], ports: subset["ports"]) {
                return target
            }
        }
        throw ModuleError(
            "the cluster does not say where its API server listens",
            notes: [.init("neither EndpointSlice nor Endpoints default/kubernetes has an address")])
    }

    private static func target(addresses endpoints: Value?, ports: Value?) -> Target? {
        let addresses = (endpoints?.list ?? []).filter { $0[["conditions", "ready"]]?.bool ?? true }
            .flatMap { $0["addresses"]?.list ?? [] }.compactMap { $0.string.flatMap { IPAddress($0) } }
        guard let first = addresses.first, let port = ports?.list?.first?["port"]?.int else { return nil }
        // An EndpointSlice holds addresses of one family.
        return Target(addresses: addresses.filter { $0.isIPv4 == first.isIPv4 }, port: port)
    }

    /// Removes what carries the probe's labels, this run's and any earlier one's, and waits until it is gone.
    ///
    /// - Returns: what was removed, as people name it.
    static func removeAll(
        in cluster: any ClusterObjects, deadline: ContinuousClock.Instant, interval: Duration
    ) async throws -> [String] {
        var removed: [String] = []
        while true {
            var left = 0
            for kind in [ClusterKind.service, .endpointSlice] {
                for object in try await cluster.list(kind, namespace: nil, labels: selector) ?? [] {
                    let namespace = object[["metadata", "namespace"]]?.string
                    left += 1
                    let subject = "\(kind.kind) \(namespace ?? "")/\(object.objectName)"
                    if !removed.contains(subject) { removed.append(subject) }
                    // What is being deleted waits for a finalizer, which another delete does not hurry.
                    if object[["metadata", "deletionTimestamp"]] == nil {
                        try await cluster.delete(kind, namespace: namespace, name: object.objectName)
                    }
                }
            }
            if left == 0 { return removed }
            guard ContinuousClock.now < deadline else {
                throw ModuleError(
                    "the probe's objects do not go away: \(removed.joined(separator: ", "))",
                    hint: "kubectl delete services,endpointslices -A -l \(selector)")
            }
            try await Task.sleep(for: interval)
        }
    }
}
