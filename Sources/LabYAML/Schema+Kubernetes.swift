import LabCore

/// The numbers that reach the API server: go-yaml 2's resolution, then JSON, in which a float without a fraction is an
/// integer.
enum KubernetesSchema {
    static func number(_ text: UnsafeBufferPointer<UInt8>) -> Value? {
        if let special = FloatText.special(text) { return .float(special) }
        if text[0] == .dot {
            return isDecimal(text) ? FloatText.float(text).flatMap(json) : nil
        }
        guard text.contains(UInt8(ascii: "_")) else { return plain(text) }
        let stripped = text.filter { $0 != UInt8(ascii: "_") }
        return stripped.withUnsafeBufferPointer { plain($0) }
    }

    /// Go's `strconv.ParseInt` with base 0, then a float in YAML's notation.
    private static func plain(_ text: UnsafeBufferPointer<UInt8>) -> Value? {
        var scanner = NumberScanner(text)
        let isNegative = scanner.sign()
        let start = scanner.index
        guard text.count > start else { return nil }
        var base = 10
        var digits = start
        if text[start] == UInt8(ascii: "0"), text.count > start + 1 {
            switch text[start + 1] | 0x20 {
            case UInt8(ascii: "x"): (base, digits) = (16, start + 2)
            case UInt8(ascii: "o"): (base, digits) = (8, start + 2)
            case UInt8(ascii: "b"): (base, digits) = (2, start + 2)
            default: (base, digits) = (8, start + 1)
            }
        }
        if let value = FloatText.integer(
            text, from: digits, base: base, isNegative: isNegative, skipsUnderscores: false)
        {
            return .int(value)
        }
        if isDecimal(text) { return FloatText.float(text).flatMap(json) }
        // Beyond 64 bits JSON has a float.
        var big = 0.0
        guard digits < text.count else { return nil }
        for byte in text[digits...] {
            guard let digit = byte.hexadecimalValue, digit < base else { return nil }
            big = big * Double(base) + Double(digit)
        }
        return .float(isNegative ? -big : big)
    }

    /// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
    private static func isDecimal(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var scanner = NumberScanner(text)
        _ = scanner.sign()
        let whole = scanner.skip(while: \.isDigit)
        let fraction = scanner.take(.dot) ? scanner.skip(while: \.isDigit) : 0
        guard whole > 0 || fraction > 0 else { return false }
        if scanner.peek | 0x20 == UInt8(ascii: "e") {
            scanner.index += 1
            _ = scanner.sign()
            guard scanner.skip(while: \.isDigit) > 0 else { return false }
        }
        return scanner.isAtEnd
    }

    /// A float after its way through JSON; nil (a string) when it is out of range.
    static func json(_ value: Double) -> Value? {
        guard value.isFinite else { return nil }
        if abs(value) < 1e21, let whole = Int(exactly: value) { return .int(whole) }
        return .float(value)
    }

    /// Go's `strconv.FormatFloat(value, 'g', -1, 32)`, as sigs.k8s.io/yaml writes a key that is a float.
    static func keyText(_ value: Double) -> String {
        if value.isNaN { return ".nan" }
        let single = Float(value)
        if single.isInfinite { return single < 0 ? "-.inf" : ".inf" }
        if single == 0 { return single.sign == .minus ? "-0" : "0" }
        // Swift's description has the same shortest digits; they are laid out anew.
        var digits: [Character] = []
        var exponent = 0
        var pointAt: Int?
        let description = abs(single).description.lowercased()
        let parts = description.split(separator: "e")
        for character in parts[0] {
            if character == "." { pointAt = digits.count } else { digits.append(character) }
        }
        if parts.count > 1 { exponent = Int(parts[1].drop { $0 == "+" }) ?? 0 }
        var point = (pointAt ?? digits.count) + exponent
        while digits.count > 1, digits.first == "0" {
            digits.removeFirst()
            point -= 1
        }
        while digits.count > 1, digits.last == "0" { digits.removeLast() }
        let sign = single < 0 ? "-" : ""
        let scale = point - 1
        // For the shortest digits Go takes %e from a scale of 6 on.
        if scale < -4 || scale >= 6 {
            let mantissa = String(digits[0]) + (digits.count > 1 ? "." + String(digits.dropFirst()) : "")
            let magnitude = abs(scale)
            return sign + mantissa + "e" + (scale < 0 ? "-" : "+") + (magnitude < 10 ? "0" : "") + String(magnitude)
        }
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + String(digits) }
        if digits.count <= point { return sign + String(digits) + String(repeating: "0", count: point - digits.count) }
        return sign + String(digits[..<point]) + "." + String(digits[point...])
    }
}
