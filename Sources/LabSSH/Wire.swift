/// Writes the strings and numbers of RFC 4251, section 5.
enum Wire {
    static func number(_ number: UInt32) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
    static func string(_ bytes: [UInt8]) -> [UInt8] { number(UInt32(bytes.count)) + bytes }
    static func string(_ text: String) -> [UInt8] { string(Array(text.utf8)) }
    static func names(_ names: [String]) -> [UInt8] { string(names.joined(separator: ",")) }
}

/// Reads the strings and numbers of RFC 4251, section 5. Everything is nil when too few bytes are left for it.
struct WireReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var remaining: [UInt8] { Array(rest) }
    var isAtEnd: Bool { rest.isEmpty }

    mutating func bytes(_ count: Int) -> [UInt8]? {
        guard count >= 0, rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func number() -> UInt32? { bytes(4)?.reduce(0) { $0 << 8 | UInt32($1) } }

    mutating func longNumber() -> UInt64? { bytes(8)?.reduce(0) { $0 << 8 | UInt64($1) } }

    mutating func string() -> [UInt8]? {
        guard let length = number() else { return nil }
        return bytes(Int(length))
    }

    mutating func text() -> String? { string().map { String(decoding: $0, as: UTF8.self) } }

    /// A name-list.
    mutating func names() -> [String]? { text()?.split(separator: ",").map(String.init) }

    /// An mpint that is not negative, without its leading zeros.
    mutating func magnitude() -> [UInt8]? {
        guard let bytes = string(), bytes.first.map({ $0 < 0x80 }) ?? true else { return nil }
        return Array(bytes.drop { $0 == 0 })
    }
}
