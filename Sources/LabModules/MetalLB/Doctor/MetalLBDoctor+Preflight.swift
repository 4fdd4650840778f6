import LabCore
import LabKube

extension MetalLBDoctor {
    /// The checks that are made before every provision: two questions at once, for the nodes and for the version.
    ///
    /// - Parameter lab: what is known without asking: the configuration that is to come, the laptop's own addresses.
    /// - Throws: what `cluster` throws when it cannot be reached. Nodes that may not be read become a finding.
    static func preflight(_ cluster: any ClusterObjects, _ lab: LabSnapshot) async throws -> [Outcome] {
        async let version = cluster.serverVersion()
        async let nodes = cluster.list(.node, namespace: nil, labels: nil)
        var lab = lab
        do {
            lab.nodes = try await nodes ?? []
        } catch let error as KubeError where error.status?.code == 403 {
            lab.unreadable.append(("nodes", error.diagnostics.first?.message ?? "it is forbidden"))
        }
        lab.serverVersion = try await version
        return judge(lab, onlyPreflight: true)
    }
}
