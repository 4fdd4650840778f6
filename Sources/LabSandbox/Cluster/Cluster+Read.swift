import LabCore

extension Cluster {
    func get(
        _ endpoint: Endpoint, _ target: APITarget, _ name: String, _ request: APIRequest
    ) throws(APIStatus) -> APIResponse {
        let object = try shown(existing(endpoint, target.namespace, name), endpoint)
        guard Tables.isWanted(request) else { return .object(object) }
        let metadata: Value = ["resourceVersion": .string(object.resourceVersion)]
        return .object(Tables.table([object], endpoint, metadata: metadata, now: now))
    }

    /// The stored object.
    ///
    /// - Throws: 404 when there is none.
    func existing(_ endpoint: Endpoint, _ namespace: String?, _ name: String) throws(APIStatus) -> Value {
        guard let object = store[endpoint.key(namespace, name)] else { throw .notFound(endpoint.resource, name) }
        return object
    }

    /// The object in the version that was asked for.
    func shown(_ object: Value, _ endpoint: Endpoint) throws(APIStatus) -> Value {
        let wanted = "\(endpoint.resource.groupVersion)"
        guard object["apiVersion"]?.string != wanted else { return object }
        if endpoint.definition?.convertsByWebhook == true {
            return try convert(object, to: wanted, endpoint.resource.qualified)
        }
        var object = object
        object["apiVersion"] = .string(wanted)
        return object
    }

    func list(_ endpoint: Endpoint, _ target: APITarget, _ request: APIRequest) throws(APIStatus) -> APIResponse {
        let filter = try ListFilter(request)
        var items = store.list(
            endpoint.resource.storageKey, namespace: endpoint.resource.isNamespaced ? target.namespace : nil
        ).filter { filter.matches($0.object) }
        var metadata: ValueMap = ["resourceVersion": .string(String(store.revision))]
        if endpoint.resource.isCustom { metadata["continue"] = "" }
        if let token = request.parameter("continue"), !token.isEmpty {
            let parts = token.split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
            guard parts.count == 3, let revision = Int(parts[0]) else {
                throw .badRequest("continue key is not valid: \(token)")
            }
            metadata["resourceVersion"] = .string(String(revision))
            items.removeAll { ($0.key.namespace, $0.key.name) <= (parts[1], parts[2]) }
        }
        if let limit = request.parameter("limit").flatMap({ Int($0) }), limit > 0, items.count > limit {
            let last = items[limit - 1].key
            metadata["continue"] = .string("\(store.revision)/\(last.namespace)/\(last.name)")
            metadata["remainingItemCount"] = .int(items.count - limit)
            items = Array(items.prefix(limit))
        }
        var shownItems: [Value] = []
        for item in items {
            var object = try shown(item.object, endpoint)
            if !endpoint.resource.isCustom {
                // The items of built-in lists carry neither kind nor apiVersion, as the list says both.
                object["kind"] = nil
                object["apiVersion"] = nil
            }
            shownItems.append(object)
        }
        if Self.wantsMetadataOnly(request) {
            return .object([
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": .map(metadata),
                "items": .list(
                    shownItems.map {
                        [
                            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                            "metadata": $0["metadata"] ?? .null,
                        ]
                    }),
            ])
        }
        if Tables.isWanted(request) {
            return .object(Tables.table(shownItems, endpoint, metadata: .map(metadata), now: now))
        }
        return .object([
            "kind": .string(endpoint.resource.listKind),
            "apiVersion": .string("\(endpoint.resource.groupVersion)"), "metadata": .map(metadata),
            "items": .list(shownItems),
        ])
    }
}

extension Cluster {
    /// Whether the first form that the client takes is a list of metadata alone.
    private static func wantsMetadataOnly(_ request: APIRequest) -> Bool {
        request.accept?.split(separator: ",").first?.contains("as=PartialObjectMetadataList") ?? false
    }
}

/// The selectors of a list, a watch or a delete of many.
struct ListFilter: Sendable {
    private let labels: LabelSelector
    private let fields: FieldSelector

    init(_ request: APIRequest) throws(APIStatus) {
        labels = try LabelSelector(request.parameter("labelSelector") ?? "")
        fields = try FieldSelector(request.parameter("fieldSelector") ?? "")
    }

    func matches(_ object: Value) -> Bool { labels.matches(object.labels) && fields.matches(object) }
}
