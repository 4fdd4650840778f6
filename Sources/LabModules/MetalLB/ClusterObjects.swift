import LabCore

/// The few things that the doctor and the verification ask of an API server.
package protocol ClusterObjects: Sendable {
    /// `gitVersion` of the server.
    func serverVersion() async throws -> String

    /// nil when there is no such object, or the cluster serves no such kind.
    func get(_ kind: ClusterKind, namespace: String?, name: String) async throws -> Value?

    /// All of them, each with its kind, or nil when the cluster serves no such kind. Without a namespace those of all namespaces.
    func list(_ kind: ClusterKind, namespace: String?, labels: String?) async throws -> [Value]?

    func create(_ kind: ClusterKind, _ object: Value) async throws

    /// Asks the server, and the webhooks of the kind, about an object that is not made.
    func tryOut(_ kind: ClusterKind, _ object: Value) async throws

    /// A merge patch (RFC 7386).
    func merge(_ kind: ClusterKind, namespace: String?, name: String, patch: Value) async throws

    /// Does nothing when there is no such object.
    func delete(_ kind: ClusterKind, namespace: String?, name: String) async throws
}

/// A kind of object by its API names.
package struct ClusterKind: Sendable, Hashable {
    package let apiVersion: String
    package let kind: String

    package init(_ apiVersion: String, _ kind: String) {
        self.apiVersion = apiVersion
        self.kind = kind
    }

    package static let service = ClusterKind("v1", "Service")
    package static let node = ClusterKind("v1", "Node")
    package static let event = ClusterKind("v1", "Event")
    package static let namespace = ClusterKind("v1", "Namespace")
    package static let secret = ClusterKind("v1", "Secret")
    package static let configMap = ClusterKind("v1", "ConfigMap")
    package static let endpoints = ClusterKind("v1", "Endpoints")
    package static let endpointSlice = ClusterKind("discovery.k8s.io/v1", "EndpointSlice")
    package static let deployment = ClusterKind("apps/v1", "Deployment")
    package static let daemonSet = ClusterKind("apps/v1", "DaemonSet")
    package static let definition = ClusterKind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    package static let validatingWebhooks = ClusterKind(
        "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")
    package static let pool = ClusterKind("metallb.io/v1beta1", "IPAddressPool")
    package static let l2Advertisement = ClusterKind("metallb.io/v1beta1", "L2Advertisement")
    package static let bgpAdvertisement = ClusterKind("metallb.io/v1beta1", "BGPAdvertisement")
    package static let l2Status = ClusterKind("metallb.io/v1beta1", "ServiceL2Status")
}
