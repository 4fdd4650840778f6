import LabCore

extension Cluster {
    /// Server-side apply.
    func apply(
        _ endpoint: Endpoint, _ target: APITarget, _ name: String, _ request: APIRequest
    ) throws(APIStatus) -> APIResponse {
        let dryRun = try WriteOptions.dryRun(request)
        guard let managerName = request.parameter("fieldManager"), !managerName.isEmpty else {
            throw WriteOptions.missingFieldManager
        }
        try WriteOptions.checkManager(managerName)
        var config = try RequestBody.decode(request.body, isYAML: true)
        let resource = endpoint.resource
        try RequestBody.checkIdentity(&config, resource, namespace: target.namespace, name: name)
        if let fields = config[path: ["metadata", "managedFields"]], !fields.isNull {
            throw .badRequest("metadata.managedFields must be nil")
        }
        let key = endpoint.key(target.namespace, name)
        let live = store[key]
        if live == nil { try requireNamespace(endpoint, target.namespace, name) }
        let wantedRevision = config[path: ["metadata", "resourceVersion"]]?.string
        if let wantedRevision, wantedRevision != live?.resourceVersion { throw .modified(resource, name) }
        let violations = endpoint.type.violations(in: config)
        guard violations.isEmpty else {
            throw APIStatus(
                500, nil,
                "failed to create typed patch object (\(resource.isNamespaced ? target.namespace ?? "" : "")/\(name); "
                    + "\(resource.groupVersion.group)/\(resource.groupVersion.version), Kind=\(resource.kind)): "
                    + violations.text)
        }
        if target.subresource == nil, resource.hasStatus { config["status"] = nil }
        if target.subresource == "status" {
            guard live != nil else { throw .notFound(resource, name) }
            config["spec"] = nil
        }
        let manager = ManagedFields.Manager(
            name: managerName, operation: .apply, updateVersion: nil, subresource: target.subresource ?? "")
        let updater = Updater(type: endpoint.type, version: resource.groupVersion)
        let identity: Value = [
            "apiVersion": .string("\(resource.groupVersion)"), "kind": .string(resource.kind),
            "metadata": .map(["name": .string(name)]),
        ]
        var base = try live.map { object throws(APIStatus) in try shown(object, endpoint) } ?? identity
        let owners = ManagedFields(base[path: ["metadata", "managedFields"]])
        base.set(["metadata", "managedFields"], nil)
        let merged = try updater.apply(
            config, to: base, owners: owners, manager: manager, isForced: request.flag("force"))
        return try finish(
            endpoint, target, merged.object, owners: merged.owners, manager: manager, live: live, dryRun: dryRun)
    }

    /// Objects in a namespace can be made only when it is there and not on its way out.
    func requireNamespace(_ endpoint: Endpoint, _ namespace: String?, _ name: String) throws(APIStatus) {
        if endpoint.resource.isCustom { try requireLastingDefinition(endpoint.resource) }
        guard endpoint.resource.isNamespaced, let namespace else { return }
        guard let object = store[ObjectKey(resource: "/namespaces", namespace: "", name: namespace)] else {
            throw APIStatus(
                404, "NotFound", "namespaces \"\(namespace)\" not found",
                details: ["name": .string(namespace), "kind": "namespaces"])
        }
        guard object[path: ["metadata", "deletionTimestamp"]] == nil else {
            throw APIStatus(
                403, "Forbidden",
                "\(endpoint.resource.qualified) \"\(name)\" is forbidden: unable to create new content in namespace "
                    + "\(namespace) because it is being terminated",
                details: APIStatus.details(endpoint.resource, name: name))
        }
    }
}

extension Cluster {
    /// apiextensions-apiserver, customresource_handler.go: a kind on its way out takes no new objects.
    private func requireLastingDefinition(_ resource: APIResource) throws(APIStatus) {
        let key = ObjectKey(
            resource: "apiextensions.k8s.io/customresourcedefinitions", namespace: "", name: resource.qualified)
        guard store[key]?[path: ["metadata", "deletionTimestamp"]] != nil else { return }
        throw APIStatus(
            405, "MethodNotAllowed", "create not allowed while custom resource definition is terminating",
            details: ["group": .string(resource.groupVersion.group), "kind": .string(resource.plural)])
    }
}

/// The options of a write that stand in the query.
enum WriteOptions {
    static let missingFieldManager = APIStatus(
        422, "Invalid",
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        details: [
            "group": "meta.k8s.io", "kind": "PatchOptions",
            "causes": [
                [
                    "reason": "FieldValueRequired", "message": "Required value: is required for apply patch",
                    "field": "fieldManager",
                ]
            ],
        ])

    /// Whether nothing is to be stored.
    static func dryRun(_ request: APIRequest) throws(APIStatus) -> Bool {
        guard let value = request.parameter("dryRun"), !value.isEmpty else { return false }
        guard value == "All" else {
            throw .invalid(
                kind: "PatchOptions", group: "meta.k8s.io", name: "",
                causes: [
                    .init(
                        reason: "FieldValueNotSupported",
                        message: "Unsupported value: [\"\(value)\"]: supported values: \"All\"", field: "dryRun")
                ])
        }
        return true
    }

    static func checkManager(_ name: String) throws(APIStatus) {
        guard name.utf8.count > 128 else { return }
        throw .invalid(
            kind: "PatchOptions", group: "meta.k8s.io", name: "",
            causes: [
                .init(
                    reason: "FieldValueTooLong", message: "Too long: may not be more than 128 bytes",
                    field: "fieldManager")
            ])
    }

    /// The manager of a write that is no apply: the query's, else the program's name.
    static func updateManager(_ request: APIRequest) -> String {
        if let name = request.parameter("fieldManager"), !name.isEmpty { return name }
        let program = (request.userAgent ?? "").prefix { $0 != "/" && $0 != " " }
        return program.isEmpty ? "unknown" : String(program)
    }
}

/// Reading what a request carries.
enum RequestBody {
    static func decode(_ bytes: [UInt8], isYAML: Bool) throws(APIStatus) -> Value {
        let value: Value
        do throws(JSONError) {
            value = try Value(json: bytes)
        } catch {
            guard isYAML else {
                throw .badRequest("couldn't get version/kind; json parse error: \(error.message)")
            }
            value = try ApplyBody.yaml(bytes)
        }
        guard value.map != nil else { throw .badRequest("error decoding: the body is not an object") }
        return value
    }

    /// Checks kind, version, name and namespace against the path, and fills in what is missing.
    static func checkIdentity(
        _ object: inout Value, _ resource: APIResource, namespace: String?, name: String?
    ) throws(APIStatus) {
        let version = object["apiVersion"]?.string
        let kind = object["kind"]?.string
        guard let version, let kind else {
            throw .badRequest("Object 'Kind' is missing in '\(object.json())'")
        }
        if GroupVersion(version) != resource.groupVersion || kind != resource.kind {
            let given = GroupVersion(version)
            throw .badRequest("invalid object type: \(given.group)/\(given.version), Kind=\(kind)")
        }
        if object["metadata"]?.map == nil { object["metadata"] = .map([:]) }
        let given = object.objectName
        if let name {
            if given.isEmpty {
                object.set(["metadata", "name"], .string(name))
            } else if given != name {
                throw .badRequest(
                    "the name of the object (\(given)) does not match the name on the URL (\(name))")
            }
        }
        guard resource.isNamespaced, let namespace else { return }
        let givenNamespace = object.objectNamespace
        if givenNamespace.isEmpty {
            object.set(["metadata", "namespace"], .string(namespace))
        } else if givenNamespace != namespace {
            throw .badRequest(
                "the namespace of the provided object does not match the namespace sent on the request")
        }
    }
}
