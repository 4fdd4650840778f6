import LabCore

/// An object as it was read from the cluster.
package struct LiveObject: Sendable {
    package let resource: APIResource
    package let reference: ObjectReference
    package let object: Value

    init(_ resource: APIResource, _ object: Value) {
        self.resource = resource
        self.object = object
        reference = ObjectReference(
            apiVersion: resource.apiVersion, kind: resource.kind,
            namespace: resource.isNamespaced ? object[["metadata", "namespace"]]?.string : nil,
            name: object[["metadata", "name"]]?.string ?? "")
    }

    package var identity: ObjectIdentity { ObjectIdentity(reference) }
    package var uid: String { object[["metadata", "uid"]]?.string ?? "" }
    package var finalizers: [String] { (object[["metadata", "finalizers"]]?.list ?? []).compactMap(\.string) }
    var isBeingDeleted: Bool { object[["metadata", "deletionTimestamp"]] != nil }

    /// `DeleteOptions` of a delete that only takes the object as it was seen.
    static func preconditions(of object: Value) -> ValueMap {
        var preconditions: ValueMap = [:]
        preconditions["uid"] = object[["metadata", "uid"]]
        preconditions["resourceVersion"] = object[["metadata", "resourceVersion"]]
        return ["preconditions": .map(preconditions)]
    }

    /// Whether the object goes with an owner anyway.
    var isOwned: Bool { object[["metadata", "ownerReferences"]]?.list?.isEmpty == false }

    /// Whether the object only says what a controller has seen (`status`), so that nothing that anybody decided is lost
    /// with it.
    var isStatusOnly: Bool {
        let own = (object.map ?? [:]).filter { !["apiVersion", "kind", "metadata", "status"].contains($0.key) }
        return own.allSatisfy { $0.value.isNull || $0.value.map?.isEmpty == true || $0.value.list?.isEmpty == true }
    }
}

extension KubeClient {
    /// All objects of a kind, or none when it is not served (any more), or not for listing.
    ///
    /// - Throws: `KubeError`.
    func listOrNothing(
        _ resource: APIResource, namespace: String? = nil, labelSelector: String? = nil, metadataOnly: Bool = false
    ) async throws -> [LiveObject] {
        do {
            return try await list(
                resource, namespace: namespace, labelSelector: labelSelector, metadataOnly: metadataOnly
            ).items.map { LiveObject(resource, $0) }
        } catch let error as KubeError {
            // 405: a kind that can only be created; 501 and 503: whoever serves it does not.
            guard error.kind == .unknownKind || [404, 405, 501, 503].contains(error.status?.code) else { throw error }
            return []
        }
    }
}
