import LabCore

extension SchemaType {
    /// The type of the objects of a custom resource, from its `openAPIV3Schema`.
    static func definition(_ schema: Value) -> SchemaType {
        guard case .map(var map) = SchemaType(openAPI: schema) else { return .any }
        map.fields["apiVersion"] = .scalar(.string, defaultValue: nil)
        map.fields["kind"] = .scalar(.string, defaultValue: nil)
        map.fields["metadata"] = BuiltInSchemas.objectMeta
        return .map(map)
    }

    init(openAPI schema: Value) {
        if schema["x-kubernetes-int-or-string"]?.bool == true {
            self = .scalar(.untyped, defaultValue: schema["default"])
            return
        }
        let preserves = schema["x-kubernetes-preserve-unknown-fields"]?.bool == true
        switch schema["type"]?.string {
        case "object":
            var fields: [String: SchemaType] = [:]
            for (name, property) in schema["properties"]?.map ?? [:] { fields[name] = SchemaType(openAPI: property) }
            var element: SchemaType?
            switch schema["additionalProperties"] {
            case .map(let additional): element = SchemaType(openAPI: .map(additional))
            case .bool(true): element = .any
            default: element = preserves ? .any : nil
            }
            self = .map(
                MapShape(
                    fields: fields, element: element,
                    isAtomic: schema["x-kubernetes-map-type"]?.string == "atomic"))
        case "array":
            let keys = schema["x-kubernetes-list-map-keys"]?.list?.compactMap(\.string) ?? []
            let relation: ListShape.Relation =
                switch schema["x-kubernetes-list-type"]?.string {
                case "map": .keyed(keys)
                case "set": .set
                default: .atomic
                }
            self = .list(
                ListShape(element: schema["items"].map { SchemaType(openAPI: $0) } ?? .any, relation: relation))
        case "string": self = .scalar(.string, defaultValue: schema["default"])
        case "integer", "number": self = .scalar(.number, defaultValue: schema["default"])
        case "boolean": self = .scalar(.boolean, defaultValue: schema["default"])
        default: self = .any
        }
    }
}

/// The defaults of a custom resource's schema laid into a value.
func customDefaults(_ schema: Value, in value: Value) -> Value {
    switch value {
    case .map(var entries):
        for (name, property) in schema["properties"]?.map ?? [:] {
            if entries[name] == nil, let defaultValue = property["default"] { entries[name] = defaultValue }
            if let current = entries[name] { entries[name] = customDefaults(property, in: current) }
        }
        if case .map(let additional) = schema["additionalProperties"] ?? .null {
            for (name, current) in entries where schema["properties"]?[name] == nil {
                entries[name] = customDefaults(.map(additional), in: current)
            }
        }
        return .map(entries)
    case .list(let items):
        guard let itemSchema = schema["items"] else { return value }
        return .list(items.map { customDefaults(itemSchema, in: $0) })
    default: return value
    }
}
