import LabCore

extension Cluster {
    func create(
        _ endpoint: Endpoint, _ target: APITarget, _ request: APIRequest
    ) throws(APIStatus) -> APIResponse {
        let dryRun = try WriteOptions.dryRun(request)
        try requireJSON(request)
        var object = try RequestBody.decode(request.body, isYAML: true)
        try RequestBody.checkIdentity(&object, endpoint.resource, namespace: target.namespace, name: nil)
        if object.objectName.isEmpty, let prefix = object[path: ["metadata", "generateName"]]?.string {
            object.set(["metadata", "name"], .string(prefix + UUID4.suffix()))
        }
        let name = object.objectName
        guard !name.isEmpty else {
            throw .invalid(
                kind: endpoint.resource.kind, group: endpoint.resource.groupVersion.group, name: "",
                causes: [
                    .init(
                        reason: "FieldValueRequired",
                        message: "Required value: name or generateName is required", field: "metadata.name")
                ])
        }
        guard store[endpoint.key(target.namespace, name)] == nil else {
            throw .alreadyExists(endpoint.resource, name)
        }
        try requireNamespace(endpoint, target.namespace, name)
        return try write(endpoint, target, object, live: nil, request, dryRun: dryRun)
    }

    /// kubectl sends built-in objects as protobuf when it makes them with its `create` generators.
    private func requireJSON(_ request: APIRequest) throws(APIStatus) {
        let contentType = (request.contentType ?? "application/json").prefix { $0 != ";" }
        guard contentType == "application/json" || contentType == "application/yaml" else {
            throw APIStatus(
                415, "UnsupportedMediaType",
                "the labctl sandbox reads JSON and YAML, not \(contentType): with kubectl, use `apply --server-side -f`",
                details: [:])
        }
    }

    func replace(
        _ endpoint: Endpoint, _ target: APITarget, _ name: String, _ request: APIRequest
    ) throws(APIStatus) -> APIResponse {
        let dryRun = try WriteOptions.dryRun(request)
        try requireJSON(request)
        var object = try RequestBody.decode(request.body, isYAML: true)
        try RequestBody.checkIdentity(&object, endpoint.resource, namespace: target.namespace, name: name)
        let live = try existing(endpoint, target.namespace, name)
        let revision = object.resourceVersion
        if !revision.isEmpty, revision != live.resourceVersion { throw .modified(endpoint.resource, name) }
        return try write(endpoint, target, object, live: live, request, dryRun: dryRun)
    }

    func patch(
        _ endpoint: Endpoint, _ target: APITarget, _ name: String, _ request: APIRequest
    ) throws(APIStatus) -> APIResponse {
        let contentType = (request.contentType ?? "").prefix { $0 != ";" }
        if contentType == "application/apply-patch+yaml" { return try apply(endpoint, target, name, request) }
        let dryRun = try WriteOptions.dryRun(request)
        let stored = try existing(endpoint, target.namespace, name)
        let live = try shown(stored, endpoint)
        let patch: Value
        do throws(JSONError) { patch = try Value(json: request.body) } catch {
            throw .badRequest("error decoding patch: \(error.message)")
        }
        var object: Value
        switch contentType {
        case "application/merge-patch+json": object = live.mergePatched(patch)
        case "application/json-patch+json": object = try live.jsonPatched(patch)
        case "application/strategic-merge-patch+json" where !endpoint.resource.isCustom:
            object = try live.strategicallyPatched(patch, endpoint.type)
        default:
            let supported =
                "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
            throw APIStatus(
                415, "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: \(supported)",
                details: [:])
        }
        if object.resourceVersion != live.resourceVersion { throw .modified(endpoint.resource, name) }
        try RequestBody.checkIdentity(&object, endpoint.resource, namespace: target.namespace, name: name)
        return try write(endpoint, target, object, live: stored, request, dryRun: dryRun)
    }

    /// A write that is no apply: unknown fields go (or are refused), and the writer owns what it changed.
    private func write(
        _ endpoint: Endpoint, _ target: APITarget, _ object: Value, live: Value?, _ request: APIRequest, dryRun: Bool
    ) throws(APIStatus) -> APIResponse {
        let resource = endpoint.resource
        var unknown: [String] = []
        var object = endpoint.type.pruned(object, unknown: &unknown)
        if !unknown.isEmpty, request.parameter("fieldValidation") == "Strict" {
            let list = unknown.map { "unknown field \"\($0)\"" }.joined(separator: ", ")
            throw .badRequest(
                resource.isCustom
                    ? "strict decoding error: \(list)"
                    : "\(resource.kind) in version \"\(resource.groupVersion.version)\" cannot be handled as a "
                        + "\(resource.kind): strict decoding error: \(list)")
        }
        let violations = endpoint.type.violations(in: object)
        guard violations.isEmpty else {
            throw .badRequest(
                "\(resource.kind) in version \"\(resource.groupVersion.version)\" cannot be handled as a "
                    + "\(resource.kind): \(violations.text)")
        }
        if target.subresource == nil, resource.hasStatus { object["status"] = live?["status"] }
        if target.subresource == "status", let live {
            for (field, value) in live.map ?? [:] where field != "status" && field != "metadata" {
                object[field] = value
            }
        }
        let manager = ManagedFields.Manager(
            name: WriteOptions.updateManager(request), operation: .update, updateVersion: resource.groupVersion,
            subresource: target.subresource ?? "")
        let owners = updatedOwners(endpoint, object, live: live, manager: manager)
        return try finish(
            endpoint, target, object, owners: owners, manager: manager, live: live, dryRun: dryRun)
    }

    /// Who owns what after `manager` wrote `object`.
    func updatedOwners(
        _ endpoint: Endpoint, _ object: Value, live: Value?, manager: ManagedFields.Manager
    ) -> ManagedFields {
        // Managed fields of the written object count, unless it has none (apimachinery fieldmanager.go, decodeLiveOrNew).
        let given = ManagedFields(object[path: ["metadata", "managedFields"]])
        let former =
            given.entries.isEmpty || !manager.subresource.isEmpty
            ? ManagedFields(live?[path: ["metadata", "managedFields"]]) : given
        var written = object
        // Defaults count as written by an updater, as the server fills them in before it looks who owns what.
        if !endpoint.resource.isCustom {
            Defaults.apply(to: &written, endpoint.resource.groupVersion, endpoint.resource.kind)
            if endpoint.resource.hasStatus, manager.subresource.isEmpty { written["status"] = live?["status"] }
            if endpoint.resource.kind == "Namespace", live == nil { written["spec"] = nil }
        } else if let schema = endpoint.schema {
            written = customDefaults(schema, in: written)
        }
        written.set(["metadata", "managedFields"], nil)
        var base = live ?? Defaults.empty(endpoint.resource.kind)
        base.set(["metadata", "managedFields"], nil)
        return Updater(type: endpoint.type, version: endpoint.resource.groupVersion).update(
            live: base, object: written, owners: former, manager: manager, isCreate: live == nil,
            isBuiltIn: !endpoint.resource.isCustom)
    }

    /// A write of a simulated controller, past HTTP and admission.
    func control(
        _ version: String, _ plural: String, namespace: String = "", name: String, manager: String,
        subresource: String = "", _ change: (inout Value) -> Void
    ) {
        guard let endpoint = endpoint(GroupVersion(version), plural) else { return }
        let key = endpoint.key(namespace, name)
        guard let live = store[key] else { return }
        var object = live
        change(&object)
        controlWrite(endpoint, key, object, live: live, manager: manager, subresource: subresource)
    }

    /// Makes an object as a simulated controller; one of that name is left alone.
    func controlCreate(_ version: String, _ plural: String, manager: String, _ object: Value) {
        guard let endpoint = endpoint(GroupVersion(version), plural) else { return }
        let key = endpoint.key(object.objectNamespace, object.objectName)
        guard store[key] == nil else { return }
        var object = object
        object["apiVersion"] = .string(version)
        object["kind"] = .string(endpoint.resource.kind)
        object.set(["metadata", "uid"], .string(UUID4.random()))
        object.set(["metadata", "creationTimestamp"], .string("\(now)"))
        if endpoint.schema == nil { Defaults.apply(to: &object, GroupVersion(version), endpoint.resource.kind) }
        if endpoint.resource.isCustom { object.set(["metadata", "generation"], 1) }
        if endpoint.resource.kind == "Service" { addresses.complete(&object, live: nil) }
        controlWrite(endpoint, key, object, live: nil, manager: manager, subresource: "")
    }

    private func controlWrite(
        _ endpoint: Endpoint, _ key: ObjectKey, _ object: Value, live: Value?, manager: String, subresource: String
    ) {
        var object = object
        let manager = ManagedFields.Manager(
            name: manager, operation: .update, updateVersion: endpoint.resource.groupVersion,
            subresource: subresource)
        var owners = ManagedFields(live?[path: ["metadata", "managedFields"]])
        var base = live ?? Defaults.empty(endpoint.resource.kind)
        base.set(["metadata", "managedFields"], nil)
        object.set(["metadata", "managedFields"], nil)
        if live != nil, base == object { return }
        owners = Updater(type: endpoint.type, version: endpoint.resource.groupVersion).update(
            live: base, object: object, owners: owners, manager: manager, isCreate: live == nil,
            isBuiltIn: !endpoint.resource.isCustom)
        if owners.entries[manager] != nil { owners.entries[manager]?.time = "\(now)" }
        if subresource.isEmpty, let live, live["spec"] != object["spec"],
            let generation = live[path: ["metadata", "generation"]]?.int
        {
            object.set(["metadata", "generation"], .int(generation + 1))
        }
        if !owners.entries.isEmpty { object.set(["metadata", "managedFields"], owners.encoded) }
        commit(object, at: key)
    }
}
