import LabCore

/// A kind that an API server serves, and where.
package struct APIResource: Sendable, Hashable {
    /// Empty for the core group.
    package let group: String
    package let version: String
    package let kind: String
    /// The name in URLs: `daemonsets`.
    package let plural: String
    package let isNamespaced: Bool
    package let shortNames: [String]

    package init(
        group: String, version: String, kind: String, plural: String, isNamespaced: Bool, shortNames: [String] = []
    ) {
        self.group = group
        self.version = version
        self.kind = kind
        self.plural = plural
        self.isNamespaced = isNamespaced
        self.shortNames = shortNames
    }

    package var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    /// The path of one object, or of the list when `name` is nil; over all namespaces when `namespace` is nil.
    package func path(namespace: String? = nil, name: String? = nil) -> String {
        var path = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
        if isNamespaced, let namespace { path += "/namespaces/\(pathSegment(namespace))" }
        path += "/\(plural)"
        if let name { path += "/\(pathSegment(name))" }
        return path
    }
}

/// A text as one segment of a URL's path (RFC 3986, section 3.3: `pchar`), so that a colon of an RBAC name stays.
private func pathSegment(_ text: String) -> String {
    percentEncoded(text).replacing("%3A", with: ":")
}

/// Which object: kind, namespace and name.
package struct ObjectReference: Sendable, Hashable, CustomStringConvertible {
    package let apiVersion: String
    package let kind: String
    /// nil for cluster-scoped objects.
    package let namespace: String?
    package let name: String

    package init(apiVersion: String, kind: String, namespace: String?, name: String) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    package var group: String {
        apiVersion.firstIndex(of: "/").map { String(apiVersion[..<$0]) } ?? ""
    }

    /// As people name it: `DaemonSet metallb-system/speaker`.
    package var description: String {
        namespace.map { "\(kind) \($0)/\(name)" } ?? "\(kind) \(name)"
    }
}

/// The kinds that every supported API server (1.23 and later) serves under the same paths, so that they need no discovery.
enum BuiltInResources {
    private static let clusterScoped: [(String, [String])] = [
        ("v1", ["Namespace", "Node", "PersistentVolume"]),
        ("rbac.authorization.k8s.io/v1", ["ClusterRole", "ClusterRoleBinding"]),
        ("apiextensions.k8s.io/v1", ["CustomResourceDefinition"]),
        ("apiregistration.k8s.io/v1", ["APIService"]),
        ("admissionregistration.k8s.io/v1", ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"]),
        ("storage.k8s.io/v1", ["StorageClass", "CSIDriver"]),
        ("scheduling.k8s.io/v1", ["PriorityClass"]),
        ("networking.k8s.io/v1", ["IngressClass"]),
    ]

    private static let namespaced: [(String, [String])] = [
        (
            "v1",
            [
                "ConfigMap", "Secret", "Service", "ServiceAccount", "Pod", "Endpoints", "Event", "LimitRange",
                "PersistentVolumeClaim", "ResourceQuota", "ReplicationController",
            ]
        ),
        ("apps/v1", ["Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ControllerRevision"]),
        ("batch/v1", ["Job", "CronJob"]),
        ("rbac.authorization.k8s.io/v1", ["Role", "RoleBinding"]),
        ("networking.k8s.io/v1", ["Ingress", "NetworkPolicy"]),
        ("policy/v1", ["PodDisruptionBudget"]),
        ("discovery.k8s.io/v1", ["EndpointSlice"]),
        ("coordination.k8s.io/v1", ["Lease"]),
        ("autoscaling/v2", ["HorizontalPodAutoscaler"]),
    ]

    static let all: [APIResource] =
        clusterScoped.flatMap { group, kinds in kinds.map { make(group, $0, isNamespaced: false) } }
        + namespaced.flatMap { group, kinds in kinds.map { make(group, $0, isNamespaced: true) } }

    private static let byKind: [String: APIResource] = Dictionary(
        all.map { ("\($0.apiVersion) \($0.kind)", $0) }, uniquingKeysWith: { first, _ in first })

    static func find(apiVersion: String, kind: String) -> APIResource? { byKind["\(apiVersion) \(kind)"] }

    static func find(_ kind: GroupKind) -> APIResource? {
        all.first { $0.group == kind.group && $0.kind == kind.kind }
    }

    private static func make(_ apiVersion: String, _ kind: String, isNamespaced: Bool) -> APIResource {
        let (group, version) = splitAPIVersion(apiVersion)
        return APIResource(
            group: group, version: version, kind: kind, plural: plural(kind), isNamespaced: isNamespaced)
    }

    /// The plurals of the built-in kinds are regular, but for Endpoints.
    private static func plural(_ kind: String) -> String {
        let name = kind.lowercased()
        if name == "endpoints" { return name }
        if name.hasSuffix("s") { return name + "es" }
        if name.hasSuffix("y") { return name.dropLast() + "ies" }
        return name + "s"
    }
}

/// Group and version of an `apiVersion`; the group of `v1` is empty.
func splitAPIVersion(_ apiVersion: String) -> (group: String, version: String) {
    guard let slash = apiVersion.firstIndex(of: "/") else { return ("", apiVersion) }
    return (String(apiVersion[..<slash]), String(apiVersion[apiVersion.index(after: slash)...]))
}
