import LabCore

/// The numbers that reach the API server: go-yaml 2's resolution, then JSON, in which a float without a fraction is an
/// integer.
enum KubernetesSchema {
    static func number(_ text: UnsafeBufferPointer<UInt8>, isKey: Bool) -> Value? {
        if let special = FloatText.special(text) { return .float(special) }
        guard text.contains(UInt8(ascii: "_")) else { return plain(text, isKey: isKey) }
        // After a dot Go itself reads the number: underscores stand between digits only.
        if text[0] == .dot {
            for index in text.indices where text[index] == UInt8(ascii: "_") {
                guard text[index - 1].isDigit, index + 1 < text.count, text[index + 1].isDigit else { return nil }
            }
        }
        let stripped = text.filter { $0 != UInt8(ascii: "_") }
        return stripped.withUnsafeBufferPointer { plain($0, isKey: isKey) }
    }

    /// Go's `strconv.ParseInt` with base 0, then a float in YAML's notation.
    private static func plain(_ text: UnsafeBufferPointer<UInt8>, isKey: Bool) -> Value? {
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
        if isDecimal(text) {
            guard let value = FloatText.float(text), value.isFinite else { return nil }
            return isKey ? .float(value) : json(value)
        }
        // Up to 64 bits without a sign it is a number, which JSON reads as a float.
        guard start == 0, digits < text.count,
            let value = UInt64(String(decoding: text[digits...], as: UTF8.self), radix: base)
        else { return nil }
        return .float(Double(value))
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

    /// A float after its way through JSON: Go writes it with the fewest digits that tell it apart, without an exponent
    /// below 1e21, and the API machinery reads it as an integer when it has no point and fits.
    static func json(_ value: Double) -> Value {
        guard value.rounded(.towardZero) == value, abs(value) < 1e21 else { return .float(value) }
        if abs(value) < 0x1p53 { return .int(Int(value)) }
        let (digits, scale) = shortestDigits(abs(value).description)
        let text = (value < 0 ? "-" : "") + digits + String(repeating: "0", count: max(0, scale + 1 - digits.count))
        return Int(text).map(Value.int) ?? .float(value)
    }

    /// The digits of a number in Swift's notation, without zeros at either end, and the power of ten of the first one.
    private static func shortestDigits(_ description: String) -> (digits: String, scale: Int) {
        let parts = description.split(separator: "e")
        var digits: [Character] = []
        var point: Int?
        for character in parts.first ?? "0" {
            if character == "." { point = digits.count } else { digits.append(character) }
        }
        var scale = (point ?? digits.count) - 1
        if parts.count > 1 { scale += Int(parts[1].drop { $0 == "+" }) ?? 0 }
        while digits.count > 1, digits.first == "0" {
            digits.removeFirst()
            scale -= 1
        }
        while digits.count > 1, digits.last == "0" { digits.removeLast() }
        return (String(digits), scale)
    }

    /// Go's `strconv.FormatFloat(value, 'g', -1, 32)`, as sigs.k8s.io/yaml writes a key that is a float.
    static func keyText(_ value: Double) -> String {
        if value.isNaN { return ".nan" }
        let single = Float(value)
        let sign = single.sign == .minus ? "-" : ""
        if single.isInfinite { return sign + ".inf" }
        if single == 0 { return sign + "0" }
        let (digits, scale) = shortestDigits(abs(single).description)
        // For the shortest digits Go takes %e from a scale of 6 on.
        if scale < -4 || scale >= 6 {
            let mantissa = String(digits.prefix(1)) + (digits.count > 1 ? "." + digits.dropFirst() : "")
            let magnitude = abs(scale)
            return sign + mantissa + "e" + (scale < 0 ? "-" : "+") + (magnitude < 10 ? "0" : "") + String(magnitude)
        }
        let point = scale + 1
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        if digits.count <= point { return sign + digits + String(repeating: "0", count: point - digits.count) }
        return sign + digits.prefix(point) + "." + digits.dropFirst(point)
    }
}
