import LabCore

extension KubeClient {
    /// One object, or nil when there is none.
    ///
    /// - Throws: `KubeError`; a 404 because the kind is not served is of kind `unknownKind`.
    package func get(_ resource: APIResource, namespace: String?, name: String) async throws -> Value? {
        let response = try await send(HTTPRequest(.get, resource.path(namespace: namespace, name: name)))
        if response.status == 404 {
            if isUnknownPath(response) { throw unserved(resource) }
            return nil
        }
        return try value(
            of: response,
            action:
                "read \(ObjectReference(apiVersion: resource.apiVersion, kind: resource.kind, namespace: namespace, name: name))"
        )
    }

    /// What a list answered.
    package struct ObjectList: Sendable {
        package let items: [Value]
        /// Where to watch from.
        package let resourceVersion: String
        /// Whether there are no others.
        package let isComplete: Bool
    }

    /// All objects of a kind, read page by page, and the resource version to watch from.
    ///
    /// - Parameters:
    ///   - limit: Stop reading pages when there are more than this.
    ///   - metadataOnly: Without anything but kind and metadata, where the server can do that.
    /// - Throws: `KubeError`.
    package func list(
        _ resource: APIResource, namespace: String? = nil, labelSelector: String? = nil, fieldSelector: String? = nil,
        pageSize: Int = 500, limit: Int = .max, metadataOnly: Bool = false
    ) async throws -> ObjectList {
        var items: [Value] = []
        var next: String?
        var restarts = 0
        while true {
            var query: [(name: String, value: String)] = [("limit", String(pageSize))]
            if let labelSelector, !labelSelector.isEmpty { query.append(("labelSelector", labelSelector)) }
            if let fieldSelector, !fieldSelector.isEmpty { query.append(("fieldSelector", fieldSelector)) }
            if let next { query.append(("continue", next)) }
            let partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
            let response = try await send(
                HTTPRequest(
                    .get, resource.path(namespace: namespace) + queryString(query),
                    accept: metadataOnly ? partial : "application/json"))
            if response.status == 404, isUnknownPath(response) { throw unserved(resource) }
            // 410: the pages' snapshot was compacted away (apiserver storage/etcd3 `continue`); start over.
            if response.status == 410, next != nil, restarts < 3 {
                restarts += 1
                next = nil
                items = []
                continue
            }
            let page = try value(of: response, action: "list \(resource.plural)")
            // Items of a list do not carry their own kind, or that of what is left of them.
            items += (page["items"]?.list ?? []).map { item in
                var item = item
                if item["kind"] == nil || metadataOnly { item["kind"] = .string(resource.kind) }
                if item["apiVersion"] == nil || metadataOnly { item["apiVersion"] = .string(resource.apiVersion) }
                return item
            }
            let version = page[["metadata", "resourceVersion"]]?.string ?? ""
            guard let token = page[["metadata", "continue"]]?.string, !token.isEmpty else {
                return ObjectList(items: items, resourceVersion: version, isComplete: true)
            }
            guard items.count + (page[["metadata", "remainingItemCount"]]?.int ?? 0) <= limit else {
                return ObjectList(items: items, resourceVersion: version, isComplete: false)
            }
            next = token
        }
    }

    /// What a write answered.
    package struct WriteResult: Sendable {
        package let object: Value
        package let isCreated: Bool
    }

    /// Server-side apply of an object, or its dry run.
    ///
    /// - Throws: `KubeError`.
    package func apply(
        _ object: Value, _ resource: APIResource, reference: ObjectReference, fieldManager: String,
        force: Bool, dryRun: Bool, span: SourceSpan? = nil
    ) async throws -> WriteResult {
        var query: [(name: String, value: String)] = [("fieldManager", fieldManager)]
        if force { query.append(("force", "true")) }
        if dryRun { query.append(("dryRun", "All")) }
        return try await write(
            HTTPRequest(
                .patch, resource.path(namespace: reference.namespace, name: reference.name) + queryString(query),
                contentType: "application/apply-patch+yaml", body: object.jsonBytes()),
            resource, action: dryRun ? "check \(reference)" : "apply \(reference)", span: span)
    }

    /// Merges a patch into an object that exists: strategically where the server knows how, else as RFC 7386 says.
    ///
    /// - Throws: `KubeError`.
    package func merge(
        _ patch: Value, _ resource: APIResource, reference: ObjectReference, fieldManager: String, dryRun: Bool,
        validation: ApplySettings.FieldValidation = .warn, span: SourceSpan? = nil
    ) async throws -> WriteResult {
        var query: [(name: String, value: String)] = [
            ("fieldManager", fieldManager), ("fieldValidation", validation.rawValue),
        ]
        if dryRun { query.append(("dryRun", "All")) }
        var request = HTTPRequest(
            .patch, resource.path(namespace: reference.namespace, name: reference.name) + queryString(query),
            contentType: "application/strategic-merge-patch+json", body: patch.jsonBytes())
        let action = dryRun ? "check \(reference)" : "patch \(reference)"
        // Custom resources have no strategic merge: 415.
        let isCustom = BuiltInResources.find(apiVersion: resource.apiVersion, kind: resource.kind) == nil
        if !isCustom {
            let response = try await send(request)
            if response.status != 415 { return try result(response, resource, action: action, span: span) }
        }
        request.contentType = "application/merge-patch+json"
        return try await write(request, resource, action: action, span: span)
    }

    /// Creates an object that must not exist yet.
    ///
    /// - Throws: `KubeError`.
    package func create(
        _ object: Value, _ resource: APIResource, reference: ObjectReference, fieldManager: String, dryRun: Bool,
        validation: ApplySettings.FieldValidation = .warn, span: SourceSpan? = nil
    ) async throws -> WriteResult {
        var query: [(name: String, value: String)] = [
            ("fieldManager", fieldManager), ("fieldValidation", validation.rawValue),
        ]
        if dryRun { query.append(("dryRun", "All")) }
        return try await write(
            HTTPRequest(
                .post, resource.path(namespace: reference.namespace) + queryString(query),
                contentType: "application/json", body: object.jsonBytes()),
            resource, action: dryRun ? "check \(reference)" : "create \(reference)", span: span)
    }

    /// Replaces an object whole; its `metadata.resourceVersion`, where given, guards against writers in between.
    ///
    /// - Throws: `KubeError`.
    package func replace(
        _ object: Value, _ resource: APIResource, reference: ObjectReference, fieldManager: String, dryRun: Bool,
        validation: ApplySettings.FieldValidation = .warn, span: SourceSpan? = nil
    ) async throws -> WriteResult {
        var query: [(name: String, value: String)] = [
            ("fieldManager", fieldManager), ("fieldValidation", validation.rawValue),
        ]
        if dryRun { query.append(("dryRun", "All")) }
        return try await write(
            HTTPRequest(
                .put, resource.path(namespace: reference.namespace, name: reference.name) + queryString(query),
                contentType: "application/json", body: object.jsonBytes()),
            resource, action: dryRun ? "check \(reference)" : "replace \(reference)", span: span)
    }

    /// Changes an object by a JSON patch (RFC 6902).
    ///
    /// - Throws: `KubeError`; kind `race` when a guarded resource version has moved on.
    func patch(
        _ operations: Value, _ resource: APIResource, reference: ObjectReference, fieldManager: String
    ) async throws -> WriteResult {
        try await write(
            HTTPRequest(
                .patch,
                resource.path(namespace: reference.namespace, name: reference.name)
                    + queryString([("fieldManager", fieldManager)]),
                contentType: "application/json-patch+json", body: operations.jsonBytes()),
            resource, action: "take over \(reference)", span: nil)
    }

    /// Deletes an object. Gives false when there was none.
    ///
    /// - Parameter options: `DeleteOptions` of the API, for example `{"propagationPolicy": "Foreground"}`.
    /// - Throws: `KubeError`.
    package func delete(
        _ resource: APIResource, reference: ObjectReference, options: ValueMap = [:], dryRun: Bool = false
    ) async throws -> Bool {
        var body: ValueMap = ["apiVersion": "v1", "kind": "DeleteOptions"]
        body.merge(options) { _, new in new }
        let request = HTTPRequest(
            .delete,
            resource.path(namespace: reference.namespace, name: reference.name)
                + queryString(dryRun ? [("dryRun", "All")] : []),
            contentType: options.isEmpty ? nil : "application/json",
            body: options.isEmpty ? [] : Value.map(body).jsonBytes())
        let response = try await send(request)
        if response.status == 404 { return false }
        _ = try value(of: response, action: "delete \(reference)")
        return true
    }

    private func write(
        _ request: HTTPRequest, _ resource: APIResource, action: String, span: SourceSpan?
    ) async throws -> WriteResult {
        try result(try await send(request), resource, action: action, span: span)
    }

    private func result(
        _ response: HTTPResponse, _ resource: APIResource, action: String, span: SourceSpan?
    ) throws -> WriteResult {
        if response.status == 404, isUnknownPath(response) { throw unserved(resource, span: span) }
        return WriteResult(
            object: try value(of: response, action: action, span: span), isCreated: response.status == 201)
    }

    /// The JSON of a successful answer.
    ///
    /// - Throws: `KubeError` of what the server said otherwise.
    func value(of response: HTTPResponse, action: String, span: SourceSpan? = nil) throws -> Value {
        guard (200..<300).contains(response.status) else {
            throw KubeError(APIStatus(code: response.status, body: response.body), action: action, span: span)
        }
        do {
            return try Value(json: response.body)
        } catch {
            throw KubeError(
                .malformedAnswer,
                "what answers at \(kubeconfig.cluster.host):\(kubeconfig.cluster.port) is no API server",
                span: span, notes: error.diagnostics.map { Diagnostic.Note($0.message) })
        }
    }

    /// A path that the server does not know gets plain text, not a Status object (ground truth, section 6).
    private func isUnknownPath(_ response: HTTPResponse) -> Bool {
        (try? Value(json: response.body))?["kind"]?.string != "Status"
    }

    private func unserved(_ resource: APIResource, span: SourceSpan? = nil) -> KubeError {
        KubeError(
            .unknownKind, "the cluster serves no kind \(resource.kind) in apiVersion \(resource.apiVersion)",
            span: span,
            status: APIStatus(code: 404, message: "404 page not found"))
    }
}
