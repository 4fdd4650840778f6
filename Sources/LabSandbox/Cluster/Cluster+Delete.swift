import LabCore

extension Cluster {
    func delete(
        _ endpoint: Endpoint, _ target: APITarget, _ name: String, _ request: APIRequest
    ) throws(APIStatus) -> APIResponse {
        let object = try existing(endpoint, target.namespace, name)
        let options = request.body.isEmpty ? Value.null : (try? Value(json: request.body)) ?? .null
        let dryRun = try WriteOptions.dryRun(request) || options["dryRun"]?.list?.isEmpty == false
        if let uid = options[path: ["preconditions", "uid"]]?.string, uid != object.uid {
            throw APIStatus(
                409, "Conflict",
                "Operation cannot be fulfilled on \(endpoint.resource.qualified) \"\(name)\": Precondition failed: "
                    + "UID in precondition: \(uid), UID in object meta: \(object.uid)",
                details: APIStatus.details(endpoint.resource, name: name))
        }
        if endpoint.resource.kind == "Namespace", ["default", "kube-system", "kube-public"].contains(name) {
            throw APIStatus(
                403, "Forbidden", "namespaces \"\(name)\" is forbidden: this namespace may not be deleted",
                details: APIStatus.details(endpoint.resource, name: name))
        }
        try admit(object, live: object, endpoint, operation: "DELETE")
        if dryRun { return .object(try deleted(object, endpoint)) }
        let remaining = remove(endpoint, endpoint.key(target.namespace, name), object)
        if let remaining { return .object(try shown(remaining, endpoint)) }
        return .object(try deleted(object, endpoint))
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

    /// Removes an object and everything that belongs to it; nil, or the object when finalizers still hold it.
    @discardableResult
    func remove(_ endpoint: Endpoint, _ key: ObjectKey, _ object: Value) -> Value? {
        let isHeld = object[path: ["metadata", "finalizers"]]?.list?.isEmpty == false
        let isNamespace = endpoint.resource.kind == "Namespace"
        let isDefinition = endpoint.resource.kind == "CustomResourceDefinition"
        if isHeld || isNamespace {
            var object = object
            if object[path: ["metadata", "deletionTimestamp"]] == nil {
                object.set(["metadata", "deletionTimestamp"], .string("\(now)"))
                if isNamespace { object.set(["status", "phase"], "Terminating") }
                object = commit(object, at: key)
            }
            if isNamespace {
                schedule(after: options.delays.podsCreated) { $0.finishNamespace(key.name) }
            }
            return object
        }
        if isDefinition, let group = object[path: ["spec", "group"]]?.string,
            let plural = object[path: ["spec", "names", "plural"]]?.string
        {
            for item in store.list("\(group)/\(plural)", namespace: nil) { _ = discard(item.key) }
        }
        _ = discard(key)
        collectOrphans(of: object.uid)
        return nil
    }

    /// Ends a namespace: first what is in it, then itself.
    private func finishNamespace(_ name: String) {
        for key in store.allKeys where key.namespace == name { _ = discard(key) }
        _ = discard(ObjectKey(resource: "/namespaces", namespace: "", name: name))
    }

    /// The garbage collector: what named the removed object as its owner goes with it.
    private func collectOrphans(of uid: String) {
        guard !uid.isEmpty else { return }
        for key in store.allKeys {
            guard let object = store[key] else { continue }
            let owners = object[path: ["metadata", "ownerReferences"]]?.list ?? []
            guard owners.contains(where: { $0["uid"]?.string == uid }) else { continue }
            _ = discard(key)
            collectOrphans(of: object.uid)
        }
    }
}
