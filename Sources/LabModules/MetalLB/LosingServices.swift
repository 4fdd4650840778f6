import LabCore
import LabKube

/// The Services of users that hold an address of MetalLB's and lose it when MetalLB goes.
struct LosingServices {
    private static let annotations = [
        "metallb.io/ip-allocated-from-pool", "metallb.universe.tf/ip-allocated-from-pool",
    ]
    private static let poolDefinition = "ipaddresspools.metallb.io"

    let client: KubeClient

    /// One sentence for each Service; none when it is not MetalLB that goes.
    ///
    /// - Throws: `KubeError`.
    func warnings(removing objects: [LiveObject]) async throws -> [String] {
        let removesMetalLB = objects.contains {
            $0.reference.kind == "CustomResourceDefinition" && $0.reference.name == Self.poolDefinition
        }
        guard removesMetalLB else { return [] }
        let services = try await client.discovery.resource(apiVersion: "v1", kind: "Service")
        return try await client.list(services).items.compactMap { service in
            guard service[["spec", "type"]] == "LoadBalancer" else { return nil }
            let addresses = (service[["status", "loadBalancer", "ingress"]]?.list ?? []).compactMap { $0["ip"]?.string }
            guard !addresses.isEmpty else { return nil }
            let pool = Self.annotations.lazy.compactMap { service[["metadata", "annotations", $0]]?.string }.first
            // Without the annotation the address may be of another load balancer, so that is not claimed.
            guard let pool else { return nil }
            let namespace = service[["metadata", "namespace"]]?.string ?? ""
            let name = service[["metadata", "name"]]?.string ?? ""
            return "Service \(namespace)/\(name) loses its address \(addresses.joined(separator: ", ")) of pool \(pool)"
        }
    }
}
