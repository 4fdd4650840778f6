import LabCore

/// An answer that is no object: the Status of a failure, as the API server writes it.
package struct APIStatus: Error, Sendable {
    /// One reason for the failure, and the field that it is about.
    package struct Cause: Sendable {
        var reason: String?
        var message: String
        var field: String?
    }

    package var code: Int
    package var reason: String?
    package var message: String
    package var details: ValueMap?
    package var headers: [(String, String)] = []

    init(_ code: Int, _ reason: String?, _ message: String, details: ValueMap? = nil) {
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
    }

    package var body: Value {
        var map: ValueMap = [
            "kind": "Status", "apiVersion": "v1", "metadata": .map([:]), "status": "Failure",
            "message": .string(message),
        ]
        if let reason { map["reason"] = .string(reason) }
        if let details { map["details"] = .map(details) }
        map["code"] = .int(code)
        return .map(map)
    }

    static func badRequest(_ message: String) -> APIStatus { APIStatus(400, "BadRequest", message) }

    /// `configmaps "cm" not found`.
    static func notFound(_ resource: APIResource, _ name: String) -> APIStatus {
        APIStatus(
            404, "NotFound", "\(resource.qualified) \"\(name)\" not found",
            details: details(resource, name: name))
    }

    static func alreadyExists(_ resource: APIResource, _ name: String) -> APIStatus {
        APIStatus(
            409, "AlreadyExists", "\(resource.qualified) \"\(name)\" already exists",
            details: details(resource, name: name))
    }

    /// The optimistic lock: somebody else wrote in between.
    static func modified(_ resource: APIResource, _ name: String) -> APIStatus {
        APIStatus(
            409, "Conflict",
            "Operation cannot be fulfilled on \(resource.qualified) \"\(name)\": the object has been modified; "
                + "please apply your changes to the latest version and try again",
            details: details(resource, name: name))
    }

    static func invalid(kind: String, group: String, name: String, causes: [Cause]) -> APIStatus {
        let fields = causes.map { "\($0.field ?? ""): \($0.message)" }
        let text = fields.count == 1 ? fields[0] : "[\(fields.joined(separator: ", "))]"
        let title = group.isEmpty ? kind : "\(kind).\(group)"
        var details = ValueMap()
        if !name.isEmpty { details["name"] = .string(name) }
        if !group.isEmpty { details["group"] = .string(group) }
        details["kind"] = .string(kind)
        details["causes"] = encode(causes)
        return APIStatus(422, "Invalid", "\(title) \"\(name)\" is invalid: \(text)", details: details)
    }

    static func internalError(_ message: String) -> APIStatus {
        APIStatus(
            500, "InternalError", "Internal error occurred: \(message)",
            details: ["causes": .list([.map(["message": .string(message)])])])
    }

    /// What a real server can do and this one does not model.
    static func notModelled(_ what: String) -> APIStatus {
        APIStatus(
            501, "NotImplemented",
            "\(what) is not modelled: this is the labctl sandbox, not a real API server")
    }

    static func methodNotAllowed() -> APIStatus {
        APIStatus(
            405, "MethodNotAllowed", "the server does not allow this method on the requested resource", details: [:])
    }

    static func details(_ resource: APIResource, name: String) -> ValueMap {
        var map = ValueMap()
        if !name.isEmpty { map["name"] = .string(name) }
        if !resource.groupVersion.group.isEmpty { map["group"] = .string(resource.groupVersion.group) }
        map["kind"] = .string(resource.plural)
        return map
    }

    static func encode(_ causes: [Cause]) -> Value {
        .list(
            causes.map { cause in
                var map = ValueMap()
                if let reason = cause.reason { map["reason"] = .string(reason) }
                map["message"] = .string(cause.message)
                if let field = cause.field { map["field"] = .string(field) }
                return .map(map)
            })
    }
}
