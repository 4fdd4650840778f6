/// In which order objects go to the cluster: what others need first, what watches over others last.
enum ApplyStage: Int, Comparable, CaseIterable {
    /// Namespaces and CustomResourceDefinitions.
    case foundations
    /// Cluster-scoped kinds: roles, classes, volumes.
    case cluster
    /// What workloads use: accounts, roles, configuration, services.
    case configuration
    case workloads
    /// Webhook configurations and API services: once they are there, they are asked about everything.
    case webhooks
    /// Custom resources: after their CRD, and after what answers for them was started.
    case customResources

    static func < (a: ApplyStage, b: ApplyStage) -> Bool { a.rawValue < b.rawValue }

    private static let ownGroups: Set<String> = [
        "", "apps", "batch", "autoscaling", "policy", "extensions", "rbac.authorization.k8s.io", "networking.k8s.io",
        "storage.k8s.io", "scheduling.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "node.k8s.io",
        "certificates.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io", "authentication.k8s.io",
        "authorization.k8s.io", "resource.k8s.io", "admissionregistration.k8s.io", "apiregistration.k8s.io",
        "apiextensions.k8s.io",
    ]
    private static let configurationKinds: Set<String> = [
        "ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Secret", "Service", "PersistentVolumeClaim", "Endpoints",
        "EndpointSlice", "LimitRange", "ResourceQuota", "NetworkPolicy", "Lease",
    ]

    init(_ reference: ObjectReference) {
        switch (reference.group, reference.kind) {
        case ("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition"): self = .foundations
        case ("admissionregistration.k8s.io", _), ("apiregistration.k8s.io", _): self = .webhooks
        case (let group, _) where !Self.ownGroups.contains(group): self = .customResources
        default:
            if reference.namespace == nil {
                self = .cluster
            } else {
                self = Self.configurationKinds.contains(reference.kind) ? .configuration : .workloads
            }
        }
    }

    /// The indices of the references by stage, each in the order in which they were written.
    static func grouped(_ references: [ObjectReference]) -> [(stage: ApplyStage, indices: [Int])] {
        let stages = Dictionary(grouping: references.indices) { ApplyStage(references[$0]) }
        return allCases.compactMap { stage in stages[stage].map { (stage, $0) } }
    }
}
