import LabCore

/// An API group and a version of it, as `apiVersion` names them: `v1`, `apps/v1`.
package struct GroupVersion: Sendable, Hashable, CustomStringConvertible {
    /// Empty for the core group.
    package var group: String
    package var version: String

    package init(group: String, version: String) {
        self.group = group
        self.version = version
    }

    package init(_ text: String) {
        if let slash = text.firstIndex(of: "/") {
            group = String(text[..<slash])
            version = String(text[text.index(after: slash)...])
        } else {
            group = ""
            version = text
        }
    }

    package var description: String { group.isEmpty ? version : "\(group)/\(version)" }
}

/// A resource of the API: where its objects are and what they are called.
package struct APIResource: Sendable, Hashable {
    package var groupVersion: GroupVersion
    package var kind: String
    package var plural: String
    package var singular: String
    package var isNamespaced: Bool
    package var shortNames: [String] = []
    package var categories: [String] = []
    package var hasStatus = false
    package var listKind: String
    package var isCustom = false
    package var verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]

    /// `configmaps`, `deployments.apps`: how messages name the resource.
    package var qualified: String {
        groupVersion.group.isEmpty ? plural : "\(plural).\(groupVersion.group)"
    }

    /// The objects of all versions of a resource are stored under this.
    var storageKey: String { "\(groupVersion.group)/\(plural)" }

    static let builtIn: [APIResource] = [
        make("v1", "ConfigMap", "configmaps", short: ["cm"]),
        make("v1", "Endpoints", "endpoints", singular: "endpoints", short: ["ep"]),
        make("v1", "Event", "events", short: ["ev"]),
        make("v1", "Namespace", "namespaces", namespaced: false, short: ["ns"], status: true),
        make("v1", "Node", "nodes", namespaced: false, short: ["no"], status: true),
        make("v1", "Pod", "pods", short: ["po"], categories: ["all"], status: true),
        make("v1", "Secret", "secrets"),
        make("v1", "ServiceAccount", "serviceaccounts", short: ["sa"]),
        make("v1", "Service", "services", short: ["svc"], categories: ["all"], status: true),
        make("apps/v1", "DaemonSet", "daemonsets", short: ["ds"], categories: ["all"], status: true),
        make("apps/v1", "Deployment", "deployments", short: ["deploy"], categories: ["all"], status: true),
        make("apps/v1", "ReplicaSet", "replicasets", short: ["rs"], categories: ["all"], status: true),
        make("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced: false),
        make("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced: false),
        make("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
        make("rbac.authorization.k8s.io/v1", "Role", "roles"),
        make(
            "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations",
            namespaced: false, categories: ["api-extensions"]),
        make(
            "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations",
            namespaced: false, categories: ["api-extensions"]),
        make(
            "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced: false,
            short: ["crd", "crds"], categories: ["api-extensions"], status: true),
        make("coordination.k8s.io/v1", "Lease", "leases"),
        make("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
    ]

    private static func make(
        _ version: String, _ kind: String, _ plural: String, singular: String? = nil, namespaced: Bool = true,
        short: [String] = [], categories: [String] = [], status: Bool = false
    ) -> APIResource {
        var resource = APIResource(
            groupVersion: GroupVersion(version), kind: kind, plural: plural,
            singular: singular ?? kind.lowercased(), isNamespaced: namespaced, shortNames: short,
            categories: categories, hasStatus: status, listKind: kind + "List")
        if kind == "Namespace" { resource.verbs.removeAll { $0 == "deletecollection" } }
        return resource
    }

    /// Groups of a real server that the sandbox leaves out: requests to them are answered with 501.
    static let unmodelledGroups: Set<String> = [
        "apiregistration.k8s.io", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "autoscaling",
        "batch", "certificates.k8s.io", "networking.k8s.io", "policy", "storage.k8s.io", "scheduling.k8s.io",
        "node.k8s.io", "resource.k8s.io", "flowcontrol.apiserver.k8s.io",
    ]

    /// Resources of modelled groups that a real server has and the sandbox leaves out.
    static let unmodelledResources: Set<String> = [
        "/bindings", "/componentstatuses", "/limitranges", "/persistentvolumeclaims", "/persistentvolumes",
        "/podtemplates", "/replicationcontrollers", "/resourcequotas", "apps/controllerrevisions",
        "apps/statefulsets", "admissionregistration.k8s.io/mutatingadmissionpolicies",
        "admissionregistration.k8s.io/mutatingadmissionpolicybindings",
        "admissionregistration.k8s.io/validatingadmissionpolicies",
        "admissionregistration.k8s.io/validatingadmissionpolicybindings",
    ]
}
