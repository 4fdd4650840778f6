import LabCore

/// What the server knows of a value's shape: enough for server-side apply, and no more (structured-merge-diff's
/// `schema.Atom`).
package indirect enum SchemaType: Sendable {
    case scalar(ScalarKind, defaultValue: Value?)
    case list(ListShape)
    case map(MapShape)
    /// Anything: scalars are leaves, lists atomic, maps field by field.
    case any

    /// What a scalar must be; `untyped` is any scalar.
    package enum ScalarKind: Sendable { case string, number, boolean, untyped }

    /// A list's items, and how they are merged.
    package struct ListShape: Sendable {
        /// Whether a list is owned whole or item by item, and what tells its items apart (`x-kubernetes-list-type`).
        package enum Relation: Sendable, Hashable {
            case atomic
            case set
            /// An associative list and the fields that are its key.
            case keyed([String])
        }
        package var element: SchemaType
        package var relation: Relation
    }

    /// The fields of a map, and whether it is owned whole.
    package struct MapShape: Sendable {
        package var fields: [String: SchemaType]
        /// The type of what is under undeclared keys; nil when there may be none.
        package var element: SchemaType?
        package var isAtomic: Bool
    }

    /// The type of what lies under `element`; `any` where nothing is declared.
    package func child(_ element: PathElement) -> SchemaType {
        switch (self, element) {
        case (.map(let map), .field(let name)): map.fields[name] ?? map.element ?? .any
        case (.list(let list), _): list.element
        default: .any
        }
    }

    /// The type with what is open in it settled by a value.
    func resolved(for value: Value?) -> SchemaType {
        guard case .any = self, let value else { return self }
        switch value {
        case .list: return .list(ListShape(element: .any, relation: .atomic))
        case .map: return .map(MapShape(fields: [:], element: .any, isAtomic: false))
        default: return .scalar(.untyped, defaultValue: nil)
        }
    }

    var defaultValue: Value? {
        if case .scalar(_, let value) = self { value } else { nil }
    }
}

extension SchemaType.ListShape {
    /// What names an item of the list, or why nothing does.
    func element(of item: Value, at index: Int) -> Result<PathElement, SchemaViolation> {
        switch relation {
        case .atomic: return .success(.index(index))
        case .set:
            switch item {
            case .map, .list, .null:
                return .failure(SchemaViolation("associative list without keys has an element that's a map type"))
            default: return .success(.value(item))
            }
        case .keyed(let names):
            guard case .map(let entries) = item else {
                return .failure(SchemaViolation("associative list with keys may not have non-map elements"))
            }
            var fields: [PathElement.KeyField] = []
            for name in names.sorted() {
                if let value = entries[name], !value.isNull {
                    fields.append(PathElement.KeyField(name: name, value: value))
                } else if let value = element.child(.field(name)).defaultValue {
                    fields.append(PathElement.KeyField(name: name, value: value))
                } else {
                    return .failure(
                        SchemaViolation(
                            "associative list with keys has an element that omits key field \"\(name)\""
                                + " (and doesn't have default value)"))
                }
            }
            return .success(.key(fields))
        }
    }
}

/// What is wrong with an object by its schema; the text of the API server.
package struct SchemaViolation: Error, Sendable, Hashable {
    package var path: FieldPath
    package var message: String

    init(_ message: String, path: FieldPath = []) {
        self.message = message
        self.path = path
    }

    var text: String { path.isEmpty ? message : "\(path.text): \(message)" }
}

extension [SchemaViolation] {
    /// One violation as it is, several one a line.
    var text: String {
        count == 1 ? self[0].text : (["errors:"] + map { "  " + $0.text }).joined(separator: "\n")
    }
}
