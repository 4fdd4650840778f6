import LabCore

/// Types written one a line, as `BuiltInSchemas.text` has them.
///
/// `Name = field …`, or `Name! = field …` for a map that is one leaf. A field is a name and what it holds: nothing for
/// a string, `#` a number, `%` a boolean, `?` any scalar, `*` anything, `:Type` a map of that type, `[]` an atomic
/// list, `[set]` a set, `[a,b]` an associative list with these keys, `{}` a map of any keys, `{!}` one that is a single
/// leaf; lists and maps are followed by what their elements hold. `=text` is the default of a string that is a key.
struct SchemaNotation {
    private var definitions: [String: (isAtomic: Bool, fields: [Substring])] = [:]
    private var types: [String: SchemaType] = [:]

    init(_ text: String) {
        for line in text.split(separator: "\n") {
            guard let separator = line.firstRange(of: "= ") else { continue }
            var name = line[..<separator.lowerBound].filter { $0 != " " }
            let isAtomic = name.hasSuffix("!")
            if isAtomic { name.removeLast() }
            definitions[name] = (isAtomic, line[separator.upperBound...].split(separator: " "))
        }
    }

    /// The type under `name`; `any` when no line defines it.
    mutating func type(_ name: String) -> SchemaType {
        if let type = types[name] { return type }
        guard let definition = definitions[name] else { return .any }
        var fields: [String: SchemaType] = [:]
        for field in definition.fields {
            let end = field.firstIndex { !($0.isLetter || $0.isNumber || $0 == "$" || $0 == "_") } ?? field.endIndex
            fields[String(field[..<end])] = content(field[end...])
        }
        let type = SchemaType.map(SchemaType.MapShape(fields: fields, element: nil, isAtomic: definition.isAtomic))
        types[name] = type
        return type
    }

    var names: [String] { Array(definitions.keys) }

    private mutating func content(_ notation: Substring) -> SchemaType {
        guard let first = notation.first else { return .scalar(.string, defaultValue: nil) }
        switch first {
        case "#": return .scalar(.number, defaultValue: nil)
        case "%": return .scalar(.boolean, defaultValue: nil)
        case "?": return .scalar(.untyped, defaultValue: nil)
        case "=": return .scalar(.string, defaultValue: .string(String(notation.dropFirst())))
        case ":": return type(String(notation.dropFirst()))
        case "[":
            let end = notation.firstIndex(of: "]") ?? notation.endIndex
            let keys = notation[notation.index(after: notation.startIndex)..<end]
            let element = content(notation[end...].dropFirst())
            let relation: SchemaType.ListShape.Relation =
                keys.isEmpty
                ? .atomic : keys == "set" ? .set : .keyed(keys.split(separator: ",").map { String($0) })
            return .list(SchemaType.ListShape(element: element, relation: relation))
        case "{":
            let isAtomic = notation.hasPrefix("{!")
            let element = content(notation.drop { $0 != "}" }.dropFirst())
            return .map(SchemaType.MapShape(fields: [:], element: element, isAtomic: isAtomic))
        default: return .any
        }
    }
}
