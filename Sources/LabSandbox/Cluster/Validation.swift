import LabCore

/// The rules of the API server that people run into; its messages word for word where they were recorded.
enum Validation {
    static func check(_ object: Value, live: Value?, _ endpoint: Endpoint) throws(APIStatus) {
        var causes = nameCauses(object, endpoint.resource)
        if let schema = endpoint.schema {
            custom(object, schema, at: "", into: &causes)
        } else {
            causes += builtIn(object, live: live, endpoint.resource)
        }
        guard !causes.isEmpty else { return }
        throw .invalid(
            kind: endpoint.resource.kind, group: endpoint.resource.groupVersion.group, name: object.objectName,
            causes: causes)
    }

    private static func nameCauses(_ object: Value, _ resource: APIResource) -> [APIStatus.Cause] {
        let name = object.objectName
        if resource.groupVersion.group == "rbac.authorization.k8s.io" { return [] }
        let isLabel = ["Namespace", "Service"].contains(resource.kind)
        let limit = isLabel ? 63 : 253
        let isFine =
            !name.isEmpty && name.utf8.count <= limit
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
                    || (!isLabel && byte == UInt8(ascii: "."))
            } && name.first != "-" && name.last != "-" && name.first != "." && name.last != "."
        guard !isFine else { return [] }
        let rule =
            isLabel
            ? "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
                + "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation "
                + "is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            : "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
                + "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
                + "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        return [
            .init(
                reason: "FieldValueInvalid", message: "Invalid value: \"\(name)\": \(rule)", field: "metadata.name")
        ]
    }

    private static func builtIn(_ object: Value, live: Value?, _ resource: APIResource) -> [APIStatus.Cause] {
        switch resource.kind {
        case "Service": service(object)
        case "Deployment", "DaemonSet": workload(object, live: live)
        case "CustomResourceDefinition": definition(object)
        default: []
        }
    }

    private static func service(_ object: Value) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let ports = object[path: ["spec", "ports"]]?.list ?? []
        if ports.isEmpty, object[path: ["spec", "type"]] != "ExternalName",
            object[path: ["spec", "clusterIP"]] != "None"
        {
            causes.append(.init(reason: "FieldValueRequired", message: "Required value", field: "spec.ports"))
        }
        for (index, port) in ports.enumerated() {
            let place = "spec.ports[\(index)]"
            if ports.count > 1, port["name"]?.string?.isEmpty ?? true {
                causes.append(.init(reason: "FieldValueRequired", message: "Required value", field: place + ".name"))
            }
            for field in ["port", "targetPort"] {
                guard let number = port[field]?.int, !(1...65_535).contains(number) else { continue }
                causes.append(
                    .init(
                        reason: "FieldValueInvalid",
                        message: "Invalid value: \(number): must be between 1 and 65535, inclusive",
                        field: "\(place).\(field)"))
            }
        }
        return causes
    }

    private static func workload(_ object: Value, live: Value?) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        let selector = object[path: ["spec", "selector"]]
        if selector == nil {
            causes.append(.init(reason: "FieldValueRequired", message: "Required value", field: "spec.selector"))
        } else if let selector {
            let labels = object[path: ["spec", "template", "metadata", "labels"]]?.map ?? [:]
            if !LabelSelector(object: selector).matches(labels) {
                causes.append(
                    .init(
                        reason: "FieldValueInvalid",
                        message: "Invalid value: \(Value.map(labels).json(sortedKeys: true)): "
                            + "`selector` does not match template `labels`",
                        field: "spec.template.metadata.labels"))
            }
        }
        if object[path: ["spec", "template", "spec", "containers"]]?.list?.isEmpty ?? true {
            causes.append(
                .init(
                    reason: "FieldValueRequired", message: "Required value",
                    field: "spec.template.spec.containers"))
        }
        if let former = live?[path: ["spec", "selector"]], let selector, former != selector {
            causes.append(
                .init(
                    reason: "FieldValueInvalid",
                    message: "Invalid value: \(selector.json(sortedKeys: true)): field is immutable",
                    field: "spec.selector"))
        }
        return causes
    }

    private static func definition(_ object: Value) -> [APIStatus.Cause] {
        let expected =
            "\(object[path: ["spec", "names", "plural"]]?.string ?? "").\(object[path: ["spec", "group"]]?.string ?? "")"
        guard object.objectName != expected else { return [] }
        return [
            .init(
                reason: "FieldValueInvalid",
                message: "Invalid value: \"\(object.objectName)\": must be spec.names.plural+\".\"+spec.group",
                field: "metadata.name")
        ]
    }

    /// The part of OpenAPI validation that schemas of custom resources use: type, required, enum, pattern lengths and
    /// ranges.
    private static func custom(_ value: Value, _ schema: Value, at path: String, into causes: inout [APIStatus.Cause]) {
        let place = path.isEmpty ? "<nil>" : path
        if value.isNull { return }
        if let allowed = schema["enum"]?.list, !allowed.contains(value) {
            let list = allowed.map { $0.json() }.joined(separator: ", ")
            causes.append(
                .init(
                    reason: "FieldValueNotSupported",
                    message: "Unsupported value: \(value.json()): supported values: \(list)", field: place))
        }
        func bound(_ name: String, _ sentence: String, _ isBroken: (Double, Double) -> Bool) {
            guard let limit = schema[name]?.double, let number = value.double, isBroken(number, limit) else { return }
            causes.append(
                .init(
                    reason: "FieldValueInvalid",
                    message: "Invalid value: \(value.json()): \(place) in body should be \(sentence) "
                        + (schema[name]?.json() ?? ""), field: place))
        }
        bound("minimum", "greater than or equal to") { $0 < $1 }
        bound("maximum", "less than or equal to") { $0 > $1 }
        switch value {
        case .map(let entries):
            for name in schema["required"]?.list?.compactMap(\.string) ?? [] where entries[name] == nil {
                causes.append(
                    .init(
                        reason: "FieldValueRequired", message: "Required value",
                        field: path.isEmpty ? name : "\(path).\(name)"))
            }
            for (name, entry) in entries {
                let below = path.isEmpty ? name : "\(path).\(name)"
                if let property = schema["properties"]?[name] {
                    custom(entry, property, at: below, into: &causes)
                } else if let additional = schema["additionalProperties"], additional.map != nil {
                    custom(entry, additional, at: below, into: &causes)
                }
            }
        case .list(let items):
            for (index, item) in items.enumerated() {
                custom(item, schema["items"] ?? .null, at: "\(path)[\(index)]", into: &causes)
            }
            if let least = schema["minItems"]?.int, items.count < least {
                causes.append(
                    .init(
                        reason: "FieldValueInvalid",
                        message: "Invalid value: \(items.count): \(place) in body should have at least \(least) items",
                        field: place))
            }
        default: break
        }
    }
}
