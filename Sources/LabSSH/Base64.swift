private let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

/// Base64 (RFC 4648 section 4), as public key files have it.
func base64(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var index = 0
    while index < bytes.count {
        let group = (0..<3).reduce(0) { $0 << 8 | (index + $1 < bytes.count ? Int(bytes[index + $1]) : 0) }
        for position in 0..<4 {
            let isPadding = index + position > bytes.count
            text.append(isPadding ? UInt8(ascii: "=") : digits[group >> (18 - 6 * position) & 63])
        }
        index += 3
    }
    return String(decoding: text, as: UTF8.self)
}

/// The bytes of a text in base64; nil where it is none.
func bytes(base64 text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var bits = 0
    var count = 0
    for digit in text.utf8.reversed().drop(while: { $0 == UInt8(ascii: "=") }).reversed() {
        guard let value = digits.firstIndex(of: digit) else { return nil }
        bits = bits << 6 | value
        count += 6
        if count >= 8 {
            count -= 8
            bytes.append(UInt8(bits >> count & 0xFF))
            bits &= (1 << count) - 1
        }
    }
    return bytes
}
