import LabCore

/// Gives Services their cluster addresses and node ports.
struct ServiceAddresses: Sendable {
    private var nextAddress = 10
    private var nextPort = 30_100

    /// Fills in what the API server allocates, and keeps what the Service already had.
    mutating func complete(_ service: inout Value, live: Value?) {
        let type = service[path: ["spec", "type"]]?.string ?? "ClusterIP"
        guard type != "ExternalName" else { return }
        if service[path: ["spec", "clusterIP"]]?.string?.isEmpty ?? true {
            service.set(["spec", "clusterIP"], live?[path: ["spec", "clusterIP"]] ?? .string(allocateAddress()))
        }
        if let address = service[path: ["spec", "clusterIP"]] {
            service.fill(["spec", "clusterIPs"], .list([address]))
        }
        service.fill(["spec", "ipFamilies"], .list(["IPv4"]))
        service.fill(["spec", "ipFamilyPolicy"], "SingleStack")
        guard type == "LoadBalancer" || type == "NodePort" else {
            service.changeEach(["spec", "ports"]) { $0["nodePort"] = nil }
            service.set(["spec", "externalTrafficPolicy"], nil)
            service.set(["spec", "allocateLoadBalancerNodePorts"], nil)
            return
        }
        let formerPorts = live?[path: ["spec", "ports"]]?.list ?? []
        guard case .list(var ports) = service[path: ["spec", "ports"]] else { return }
        for index in ports.indices where ports[index]["nodePort"] == nil {
            let former = formerPorts.first {
                $0["port"] == ports[index]["port"] && $0["protocol"] == ports[index]["protocol"]
            }
            ports[index]["nodePort"] = former?["nodePort"] ?? .int(allocatePort())
        }
        service.set(["spec", "ports"], .list(ports))
    }

    private mutating func allocateAddress() -> String {
        nextAddress += 1
        return "10.96.\(nextAddress / 256).\(nextAddress % 256)"
    }

    private mutating func allocatePort() -> Int {
        nextPort = nextPort >= 32_767 ? 30_100 : nextPort + 1
        return nextPort
    }
}
