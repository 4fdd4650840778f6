import LabCore

extension SchemaType {
    /// Everything in `value` that the schema does not have.
    package func violations(in value: Value) -> [SchemaViolation] {
        var result: [SchemaViolation] = []
        validate(value, at: [], into: &result)
        return result
    }

    private func validate(_ value: Value, at path: FieldPath, into result: inout [SchemaViolation]) {
        if value.isNull { return }
        switch resolved(for: value) {
        case .scalar(let kind, _):
            if let message = Self.mismatch(kind, value) { result.append(SchemaViolation(message, path: path)) }
        case .list(let list):
            guard case .list(let items) = value else {
                result.append(SchemaViolation("expected list, got \(value.goDescription)", path: path))
                return
            }
            var seen: Set<PathElement> = []
            for (index, item) in items.enumerated() {
                switch list.element(of: item, at: index) {
                case .failure(let violation):
                    result.append(SchemaViolation("element \(index): \(violation.message)", path: path))
                case .success(let element):
                    if !seen.insert(element).inserted {
                        result.append(
                            SchemaViolation("duplicate entries for key \(element.description)", path: path))
                    }
                    list.element.validate(item, at: path + [element], into: &result)
                }
            }
        case .map(let map):
            guard case .map(let entries) = value else {
                result.append(SchemaViolation("expected map, got \(value.goDescription)", path: path))
                return
            }
            for (key, value) in entries {
                guard let type = map.fields[key] ?? map.element else {
                    result.append(
                        SchemaViolation("field not declared in schema", path: path + [.field(key)]))
                    continue
                }
                type.validate(value, at: path + [.field(key)], into: &result)
            }
        case .any: break
        }
    }

    private static func mismatch(_ kind: ScalarKind, _ value: Value) -> String? {
        switch (kind, value) {
        case (.string, .string), (.number, .int), (.number, .float), (.boolean, .bool): nil
        case (.string, _): "expected string, got \(value.goDescription)"
        case (.number, _): "expected numeric (int or float), got \(value.goTypeName)"
        case (.boolean, _): "expected boolean, got \(value.goDescription)"
        case (.untyped, .list), (.untyped, .map): "expected any scalar, got \(value.goDescription)"
        case (.untyped, _): nil
        }
    }

    /// The value without the fields that the schema does not have, and the paths of those.
    package func pruned(_ value: Value, at path: String = "", unknown: inout [String]) -> Value {
        switch (resolved(for: value), value) {
        case (.list(let list), .list(let items)):
            return .list(
                items.enumerated().map { list.element.pruned($1, at: "\(path)[\($0)]", unknown: &unknown) })
        case (.map(let map), .map(let entries)):
            var result = ValueMap()
            for (key, value) in entries {
                let place = path.isEmpty ? key : "\(path).\(key)"
                if let type = map.fields[key] ?? map.element {
                    result[key] = type.pruned(value, at: place, unknown: &unknown)
                } else {
                    unknown.append(place)
                }
            }
            return .map(result)
        default: return value
        }
    }
}

extension Value {
    /// The value as Go's `%#v` writes it in the schema errors of a real server.
    fileprivate var goDescription: String {
        "&value.valueUnstructured{Value:\(goLiteral)}"
    }

    private var goLiteral: String {
        switch self {
        case .null: "interface {}(nil)"
        case .bool(let value): String(value)
        case .int(let value): String(value)
        case .float(let value): String(value)
        case .string(let value): Value.string(value).json()
        case .list(let values):
            "[]interface {}{" + values.map(\.goLiteral).joined(separator: ", ") + "}"
        case .map(let entries):
            "map[string]interface {}{"
                + entries.map { "\(Value.string($0.key).json()):\($0.value.goLiteral)" }.joined(separator: ", ") + "}"
        }
    }

    fileprivate var goTypeName: String {
        switch self {
        case .null: "<nil>"
        case .bool: "bool"
        case .int: "int64"
        case .float: "float64"
        case .string: "string"
        case .list: "[]interface {}"
        case .map: "map[string]interface {}"
        }
    }
}
