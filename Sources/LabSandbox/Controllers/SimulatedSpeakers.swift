import LabCore

/// MetalLB's speakers at work: who announces an address by ARP, and who tells its peers.
extension Cluster {
    private static let nameLabel = "metallb.io/service-name"
    private static let namespaceLabel = "metallb.io/service-namespace"

    /// Brings what the speakers say of a Service in line with nodes and advertisements.
    func announce(_ key: ObjectKey, _ service: Value, _ address: IPAddress) {
        let pool =
            store[
                ObjectKey(
                    resource: "metallb.io/ipaddresspools", namespace: SimulatedMetalLB.namespace,
                    name: service[path: ["metadata", "annotations", Self.annotation]]?.string ?? "")] ?? .null
        announceByARP(key, service, address, pool)
        announceByBGP(key, service, pool)
    }

    /// The nodes that may announce at all (internal/k8s/nodes/nodes.go of 0.14.9), and that a selector of the
    /// advertisement matches.
    private func candidates(for advertisements: [Value]) -> [String] {
        store.list("/nodes", namespace: nil).filter { node in
            guard node.object.labels["node.kubernetes.io/exclude-from-external-load-balancers"] == nil,
                node.object[path: ["spec", "unschedulable"]]?.bool != true,
                !node.object.hasTrueCondition("NetworkUnavailable")
            else { return false }
            return advertisements.contains { advertisement in
                let selectors = advertisement[path: ["spec", "nodeSelectors"]]?.list ?? []
                return selectors.isEmpty || selectors.contains { LabelSelector(object: $0).matches(node.object.labels) }
            }
        }.map(\.key.name)
    }

    private func advertisements(_ plural: String, of pool: Value) -> [Value] {
        store.list("metallb.io/\(plural)", namespace: nil).map(\.object).filter { SimulatedBGP.selects($0, pool) }
    }

    private func announceByARP(_ key: ObjectKey, _ service: Value, _ address: IPAddress, _ pool: Value) {
        let nodes = candidates(for: advertisements("l2advertisements", of: pool))
        let node = SimulatedMetalLB.announcer(of: "\(address)", among: nodes)
        let statuses = store.list("metallb.io/servicel2statuses", namespace: SimulatedMetalLB.namespace).filter {
            $0.object.labels[Self.nameLabel]?.string == key.name
                && $0.object.labels[Self.namespaceLabel]?.string == key.namespace
        }
        if let node, statuses.count == 1, statuses[0].object[path: ["status", "node"]]?.string == node { return }
        for status in statuses { _ = discard(status.key) }
        guard let node else { return }
        event(
            key, service, "nodeAssigned", "announcing from node \"\(node)\" with protocol \"layer2\"", type: "Normal",
            component: "metallb-speaker", repeats: true)
        controlCreate(
            "metallb.io/v1beta1", "servicel2statuses", manager: "speaker",
            [
                "metadata": [
                    "name": .string("l2-\(UUID4.suffix())"), "namespace": .string(SimulatedMetalLB.namespace),
                    "labels": [
                        Self.nameLabel: .string(key.name), Self.namespaceLabel: .string(key.namespace),
                        "metallb.io/node": .string(node),
                    ],
                ],
                "spec": .map([:]),
                "status": [
                    "node": .string(node), "serviceName": .string(key.name),
                    "serviceNamespace": .string(key.namespace),
                ],
            ])
    }

    /// Every node that may tells its peers; without a peer there is nobody to tell.
    private func announceByBGP(_ key: ObjectKey, _ service: Value, _ pool: Value) {
        guard !store.list("metallb.io/bgppeers", namespace: nil).isEmpty else { return }
        for node in candidates(for: advertisements("bgpadvertisements", of: pool)) {
            event(
                key, service, "nodeAssigned", "announcing from node \"\(node)\" with protocol \"bgp\"", type: "Normal",
                component: "metallb-speaker")
        }
    }
}
