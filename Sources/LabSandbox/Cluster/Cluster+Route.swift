import LabCore

/// A resource that a request is about, with everything that is known of it.
struct Endpoint: Sendable {
    var resource: APIResource
    var type: SchemaType
    /// `openAPIV3Schema` of a custom resource.
    var schema: Value?
    var definition: CustomDefinitions.Version?

    func key(_ namespace: String?, _ name: String) -> ObjectKey {
        ObjectKey(
            resource: resource.storageKey, namespace: resource.isNamespaced ? namespace ?? "" : "", name: name)
    }
}

extension Cluster {
    /// Finds out what a request is about, whether the user may, and answers it.
    func route(_ request: APIRequest) throws(APIStatus) -> APIResponse {
        if let response = try routeOutsideResources(request) { return response }
        guard let target = APITarget(path: request.path) else { return .pageNotFound }
        try authorize(request, target)
        guard let endpoint = endpoint(target.groupVersion, target.plural) else {
            let group = target.groupVersion.group
            let isUnmodelled =
                APIResource.unmodelledGroups.contains(group)
                || APIResource.unmodelledResources.contains("\(group)/\(target.plural)")
            if isUnmodelled { throw .notModelled("\(target.groupVersion)/\(target.plural)") }
            return .pageNotFound
        }
        if endpoint.resource.isNamespaced, target.namespace == nil, target.name != nil { return .pageNotFound }
        switch target.subresource {
        case nil: break
        case "status" where endpoint.resource.hasStatus: break
        case "status" where endpoint.resource.isCustom: return .pageNotFound
        case .some(let name): throw .notModelled("subresource \(target.plural)/\(name)")
        }
        var response = try dispatch(request, endpoint, target)
        if let text = endpoint.definition?.deprecation {
            response.headers.append((name: "Warning", value: "299 - \(Value.string(text).json())"))
        }
        return response
    }

    private func dispatch(
        _ request: APIRequest, _ endpoint: Endpoint, _ target: APITarget
    ) throws(APIStatus) -> APIResponse {
        switch (request.method, target.name) {
        case ("GET", .some(let name)): return try get(endpoint, target, name, request)
        case ("GET", nil) where request.flag("watch"): return try watch(endpoint, target, request)
        case ("GET", nil): return try list(endpoint, target, request)
        case ("POST", nil): return try create(endpoint, target, request)
        case ("PUT", .some(let name)): return try replace(endpoint, target, name, request)
        case ("PATCH", .some(let name)): return try patch(endpoint, target, name, request)
        case ("DELETE", .some(let name)): return try delete(endpoint, target, name, request)
        case ("DELETE", nil): return try deleteCollection(endpoint, target, request)
        default: throw .methodNotAllowed()
        }
    }

    /// The resource under a group version, or nil when nothing is registered there.
    func endpoint(_ version: GroupVersion, _ plural: String) -> Endpoint? {
        if let definition = definitions.versions[version]?[plural] {
            return Endpoint(
                resource: definition.resource, type: definition.type, schema: definition.schema,
                definition: definition)
        }
        guard let resource = APIResource.builtIn.first(where: { $0.groupVersion == version && $0.plural == plural }),
            let type = BuiltInSchemas.type(version, resource.kind)
        else { return nil }
        return Endpoint(resource: resource, type: type)
    }

    private func routeOutsideResources(_ request: APIRequest) throws(APIStatus) -> APIResponse? {
        let parts = request.path.split(separator: "/")
        let isOpen = ["/version", "/version/", "/healthz", "/livez", "/readyz"].contains(request.path)
        let isDiscovery =
            parts.isEmpty || parts.first == "openapi" || (parts.first == "api" && parts.count <= 2)
            || (parts.first == "apis" && parts.count <= 3)
        guard isOpen || isDiscovery else {
            if parts.first == "api" || parts.first == "apis" { return nil }
            if !request.user.isMaster { throw forbiddenPath(request) }
            return .pageNotFound
        }
        if !isOpen, request.user.isAnonymous { throw forbiddenPath(request) }
        guard request.method == "GET" else { throw .methodNotAllowed() }
        switch (parts.first, parts.count) {
        case ("version", _): return .object(Discovery.version(isOnLabNetwork: options.isOnLabNetwork))
        case ("healthz", _), ("livez", _), ("readyz", _): return .text("ok")
        case (nil, _): return .object(["paths": ["/api", "/apis", "/openapi/v3", "/version"]])
        default: return discover(request, parts.map { String($0) })
        }
    }

    private func forbiddenPath(_ request: APIRequest) -> APIStatus {
        APIStatus(
            403, "Forbidden",
            "forbidden: User \"\(request.user.name)\" cannot \(request.method.lowercased()) path \"\(request.path)\"",
            details: [:])
    }

    /// Members of `system:masters` may do everything, nobody else anything: the sandbox evaluates no roles.
    private func authorize(_ request: APIRequest, _ target: APITarget) throws(APIStatus) {
        if request.user.isMaster { return }
        let verb =
            switch request.method {
            case "GET": target.name != nil ? "get" : request.flag("watch") ? "watch" : "list"
            case "POST": "create"
            case "PUT": "update"
            case "PATCH": "patch"
            case "DELETE": target.name != nil ? "delete" : "deletecollection"
            default: request.method.lowercased()
            }
        let group = target.groupVersion.group
        let qualified = group.isEmpty ? target.plural : "\(target.plural).\(group)"
        let resource = target.subresource.map { "\(target.plural)/\($0)" } ?? target.plural
        let title = target.name.map { "\(qualified) \"\($0)\"" } ?? qualified
        let place = target.namespace.map { "in the namespace \"\($0)\"" } ?? "at the cluster scope"
        var details = ValueMap()
        if let name = target.name { details["name"] = .string(name) }
        if !group.isEmpty { details["group"] = .string(group) }
        details["kind"] = .string(target.plural)
        throw APIStatus(
            403, "Forbidden",
            "\(title) is forbidden: User \"\(request.user.name)\" cannot \(verb) resource \"\(resource)\" "
                + "in API group \"\(group)\" \(place)", details: details)
    }
}
