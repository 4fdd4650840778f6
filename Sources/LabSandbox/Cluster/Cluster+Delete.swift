import LabCore

extension Cluster {
    /// What becomes of the objects that name a deleted one as their owner (`DeleteOptions.propagationPolicy`).
    enum Propagation: String { case background = "Background", foreground = "Foreground", orphan = "Orphan" }

    func delete(
        _ endpoint: Endpoint, _ target: APITarget, _ name: String, _ request: APIRequest
    ) throws(APIStatus) -> APIResponse {
        let object = try existing(endpoint, target.namespace, name)
        let options = request.body.isEmpty ? Value.null : (try? Value(json: request.body)) ?? .null
        let dryRun = try WriteOptions.dryRun(request) || options["dryRun"]?.list?.isEmpty == false
        let propagation = try propagation(options, request)
        try checkPreconditions(options, object, endpoint, name)
        if endpoint.resource.kind == "Namespace", ["default", "kube-system", "kube-public"].contains(name) {
            throw APIStatus(
                403, "Forbidden", "namespaces \"\(name)\" is forbidden: this namespace may not be deleted",
                details: APIStatus.details(endpoint.resource, name: name))
        }
        try admit(object, live: object, endpoint, operation: "DELETE")
        if dryRun { return .object(try deleted(object, endpoint)) }
        let remaining = remove(endpoint, endpoint.key(target.namespace, name), object, propagation)
        if let remaining { return .object(try shown(remaining, endpoint)) }
        return .object(try deleted(object, endpoint))
    }

    private func propagation(_ options: Value, _ request: APIRequest) throws(APIStatus) -> Propagation {
        if options["orphanDependents"] == true { return .orphan }
        guard let text = options["propagationPolicy"]?.string ?? request.parameter("propagationPolicy") else {
            return .background
        }
        guard let propagation = Propagation(rawValue: text) else {
            throw .invalid(
                kind: "DeleteOptions", group: "meta.k8s.io", name: "",
                causes: [
                    .init(
                        reason: "FieldValueNotSupported",
                        message: "Unsupported value: \"\(text)\": supported values: \"Foreground\", \"Background\", "
                            + "\"Orphan\", \"nil\"", field: "propagationPolicy")
                ])
        }
        return propagation
    }

    /// `DeleteOptions.preconditions` (apiserver registry/generic/registry/store.go).
    private func checkPreconditions(
        _ options: Value, _ object: Value, _ endpoint: Endpoint, _ name: String
    ) throws(APIStatus) {
        func conflict(_ text: String) -> APIStatus {
            APIStatus(
                409, "Conflict",
                "Operation cannot be fulfilled on \(endpoint.resource.qualified) \"\(name)\": Precondition failed: "
                    + text, details: APIStatus.details(endpoint.resource, name: name))
        }
        if let uid = options[path: ["preconditions", "uid"]]?.string, uid != object.uid {
            throw conflict("UID in precondition: \(uid), UID in object meta: \(object.uid)")
        }
        if let version = options[path: ["preconditions", "resourceVersion"]]?.string, version != object.resourceVersion
        {
            throw conflict(
                "ResourceVersion in precondition: \(version), ResourceVersion in object meta: "
                    + object.resourceVersion)
        }
    }

    func deleteCollection(
        _ endpoint: Endpoint, _ target: APITarget, _ request: APIRequest
    ) throws(APIStatus) -> APIResponse {
        guard endpoint.resource.verbs.contains("deletecollection"), endpoint.resource.kind != "Namespace",
            !endpoint.resource.isNamespaced || target.namespace != nil
        else { throw .methodNotAllowed() }
        let filter = try ListFilter(request)
        let items = store.list(
            endpoint.resource.storageKey, namespace: endpoint.resource.isNamespaced ? target.namespace : nil
        ).filter { filter.matches($0.object) }
        for item in items { try admit(item.object, live: item.object, endpoint, operation: "DELETE") }
        for item in items { _ = remove(endpoint, item.key, item.object) }
        return .object([
            "kind": .string(endpoint.resource.listKind),
            "apiVersion": .string("\(endpoint.resource.groupVersion)"),
            "metadata": ["resourceVersion": .string(String(store.revision))],
            "items": .list(items.map(\.object)),
        ])
    }

    /// What the API server answers when an object is gone.
    private func deleted(_ object: Value, _ endpoint: Endpoint) throws(APIStatus) -> Value {
        var details = APIStatus.details(endpoint.resource, name: object.objectName)
        details["uid"] = .string(object.uid)
        return [
            "kind": "Status", "apiVersion": "v1", "metadata": .map([:]), "status": "Success",
            "details": .map(details),
        ]
    }

    /// Removes an object; nil, or the object while finalizers still hold it.
    @discardableResult
    func remove(
        _ endpoint: Endpoint, _ key: ObjectKey, _ object: Value, _ propagation: Propagation = .background
    ) -> Value? {
        var finalizers = object.finalizers
        switch propagation {
        case .background: break
        case .foreground: finalizers.appendOnce(Self.foregroundFinalizer)
        case .orphan: finalizers.appendOnce(Self.orphanFinalizer)
        }
        let kind = endpoint.resource.kind
        // apiextensions-apiserver, registry/customresourcedefinition/etcd.go: a deletion sets the finalizer.
        if kind == "CustomResourceDefinition" { finalizers.appendOnce(Self.definitionFinalizer) }
        guard !finalizers.isEmpty || kind == "Namespace" else {
            _ = discard(key)
            collectOrphans(of: object.uid)
            return nil
        }
        var object = object
        if object[path: ["metadata", "deletionTimestamp"]] == nil || finalizers != object.finalizers {
            object.fill(["metadata", "deletionTimestamp"], .string("\(now)"))
            if !finalizers.isEmpty { object.set(["metadata", "finalizers"], .list(finalizers.map { .string($0) })) }
            if kind == "Namespace" { object.set(["status", "phase"], "Terminating") }
            object = commit(object, at: key)
        }
        terminate(key)
        return object
    }
}

extension Value {
    var finalizers: [String] { self[path: ["metadata", "finalizers"]]?.list?.compactMap(\.string) ?? [] }
}

extension [String] {
    fileprivate mutating func appendOnce(_ text: String) { if !contains(text) { append(text) } }
}
