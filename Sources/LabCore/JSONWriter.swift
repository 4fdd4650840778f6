extension Value {
    /// How a JSON text is laid out.
    package enum JSONLayout: Sendable {
        /// One line, no spaces: `{"a":1}`.
        case compact
        /// One entry a line, indented by so many spaces.
        case indented(Int)
    }

    /// The value as a JSON text (RFC 8259), keys in their order, or sorted by their bytes.
    ///
    /// Floats with no fraction keep one digit (`1.0`), so that they are read as floats again; the numbers that JSON
    /// does not have (NaN, infinities) are written as null.
    package func json(_ layout: JSONLayout = .compact, sortedKeys: Bool = false) -> String {
        String(decoding: jsonBytes(layout, sortedKeys: sortedKeys), as: UTF8.self)
    }

    /// The value as the bytes of a JSON text; see `json(_:sortedKeys:)`.
    package func jsonBytes(_ layout: JSONLayout = .compact, sortedKeys: Bool = false) -> [UInt8] {
        var writer = JSONWriter(layout: layout, sortedKeys: sortedKeys)
        writer.write(self, depth: 0)
        return writer.bytes
    }
}

private struct JSONWriter {
    let layout: Value.JSONLayout
    let sortedKeys: Bool
    var bytes: [UInt8] = []

    init(layout: Value.JSONLayout, sortedKeys: Bool) {
        self.layout = layout
        self.sortedKeys = sortedKeys
    }

    mutating func write(_ value: Value, depth: Int) {
        switch value {
        case .null: append("null")
        case .bool(let value): append(value ? "true" : "false")
        case .int(let value): append(String(value))
        case .float(let value): append(value.isFinite ? String(value) : "null")
        case .string(let text): write(text)
        case .list(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                startItem(index, depth: depth + 1)
                write(value, depth: depth + 1)
            }
            end(UInt8(ascii: "]"), isEmpty: values.isEmpty, depth: depth)
        case .map(let entries):
            bytes.append(UInt8(ascii: "{"))
            let keys =
                sortedKeys ? entries.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } : Array(entries.keys)
            for (index, key) in keys.enumerated() {
                startItem(index, depth: depth + 1)
                write(key)
                bytes.append(UInt8(ascii: ":"))
                if case .indented = layout { bytes.append(0x20) }
                write(entries[key] ?? .null, depth: depth + 1)
            }
            end(UInt8(ascii: "}"), isEmpty: entries.isEmpty, depth: depth)
        }
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func startItem(_ index: Int, depth: Int) {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        newLine(depth: depth)
    }

    private mutating func end(_ bracket: UInt8, isEmpty: Bool, depth: Int) {
        if !isEmpty { newLine(depth: depth) }
        bytes.append(bracket)
    }

    private mutating func newLine(depth: Int) {
        guard case .indented(let width) = layout else { return }
        bytes.append(0x0A)
        bytes.append(contentsOf: repeatElement(0x20, count: depth * width))
    }

    private mutating func write(_ text: String) {
        let digits = Array("0123456789abcdef".utf8)
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case 0x0A: append("\\n")
            case 0x0D: append("\\r")
            case 0x09: append("\\t")
            case 0..<0x20, 0x7F:
                append("\\u00")
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
