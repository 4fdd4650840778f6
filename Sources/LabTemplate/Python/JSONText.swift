/// Python's `json.dumps`.
struct JSONText {
    var indent: Int?
    var sortsKeys: Bool
    var escapesNonASCII = true
    var itemSeparator: String
    var keySeparator = ": "
    private static let maximumDepth = 200

    init(indent: Int? = nil, sortsKeys: Bool = false) {
        self.indent = indent.map { min(max($0, 0), 1000) }
        self.sortsKeys = sortsKeys
        self.itemSeparator = indent == nil ? ", " : ","
    }

    /// With the arguments `ensure_ascii` (2) and `separators` (3) of a filter.
    init(_ call: Call, indent: Int?, sortsKeys: Bool) throws {
        self.init(indent: indent, sortsKeys: sortsKeys)
        self.escapesNonASCII = try call[2]?.isTrue() ?? true
        if let separators = call.parameterCount > 3 ? call.given(3) : nil {
            let pair = try separators.elements().map { try $0.text() }
            guard pair.count == 2 else { throw Failure("the separators of \(call.subject) must be two") }
            (itemSeparator, keySeparator) = (pair[0], pair[1])
        }
    }

    func text(of object: Object) throws -> String {
        var result = ""
        try write(object, 0, into: &result)
        return result
    }

    private func newLine(_ depth: Int, into result: inout String) {
        guard let indent else { return }
        result += "\n" + String(repeating: " ", count: indent * depth)
    }

    private func write(_ object: Object, _ depth: Int, into result: inout String) throws {
        guard depth < Self.maximumDepth else { throw Failure("the value is nested too deeply for JSON") }
        guard result.utf8.count <= Limits.textSize else {
            throw Failure("the text grew above \(Limits.textSize >> 20) MiB")
        }
        switch object {
        case .undefined(let undefined): throw undefined.failure
        case .null: result += "null"
        case .bool(let value): result += value ? "true" : "false"
        case .int(let value): result += String(value)
        case .float(let value):
            result +=
                value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : Python.text(of: value)
        case .string(let text): write(text, into: &result)
        case .list, .tuple:
            let items = (object.sequence ?? []).filter { if case .omit = $0 { false } else { true } }
            result += "["
            for (index, item) in items.enumerated() {
                if index > 0 { result += itemSeparator }
                newLine(depth + 1, into: &result)
                try write(item, depth + 1, into: &result)
            }
            if !items.isEmpty { newLine(depth, into: &result) }
            result += "]"
        case .dict(let dict):
            var entries = try dict.entries.compactMap { entry -> (key: String, value: Object)? in
                if case .omit = entry.value { return nil }
                guard let key = entry.key.canonicalText else { throw Failure("a tuple cannot be a key in JSON") }
                return (key, entry.value)
            }
            if sortsKeys { entries.sort { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) } }
            result += "{"
            for (index, entry) in entries.enumerated() {
                if index > 0 { result += itemSeparator }
                newLine(depth + 1, into: &result)
                write(entry.key, into: &result)
                result += keySeparator
                try write(entry.value, depth + 1, into: &result)
            }
            if !entries.isEmpty { newLine(depth, into: &result) }
            result += "}"
        case .range: try write(.list(object.elements()), depth, into: &result)
        case .instance, .omit: throw Failure("\(object.typeName) cannot be written as JSON")
        }
    }

    private func write(_ text: String, into result: inout String) {
        result += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{08}": result += "\\b"
            case "\u{0C}": result += "\\f"
            default:
                if scalar.value < 0x20 || (escapesNonASCII && scalar.value > 0x7E) {
                    for unit in String(scalar).utf16 { result += "\\u" + Python.hexadecimal(UInt32(unit), 4) }
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        result += "\""
    }
}
