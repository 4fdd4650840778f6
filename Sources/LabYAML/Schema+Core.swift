import LabCore

/// The numbers of the core schema (YAML 1.2.2, 10.3.2).
enum CoreSchema {
    static func number(_ text: UnsafeBufferPointer<UInt8>) -> Value? {
        var scanner = NumberScanner(text)
        if text.count > 2, text[0] == UInt8(ascii: "0") {
            // 0o[0-7]+ and 0x[0-9a-fA-F]+ have no sign.
            let base = text[1] == UInt8(ascii: "o") ? 8 : text[1] == UInt8(ascii: "x") ? 16 : 0
            if base > 0 {
                if let value = FloatText.integer(text, from: 2, base: base, isNegative: false, skipsUnderscores: false)
                {
                    return .int(value)
                }
                return big(text, base: base)
            }
        }
        let isNegative = scanner.sign()
        let digits = scanner.index
        let whole = scanner.skip(while: \.isDigit)
        if scanner.isAtEnd, whole > 0 {
            if let value = FloatText.integer(
                text, from: digits, base: 10, isNegative: isNegative, skipsUnderscores: false)
            {
                return .int(value)
            }
            return FloatText.float(text).map(Value.float)
        }
        var fraction = 0
        if scanner.take(.dot) { fraction = scanner.skip(while: \.isDigit) }
        guard whole > 0 || fraction > 0 else { return FloatText.special(text).map(Value.float) }
        if scanner.peek | 0x20 == UInt8(ascii: "e") {
            scanner.index += 1
            _ = scanner.sign()
            guard scanner.skip(while: \.isDigit) > 0 else { return nil }
        }
        guard scanner.isAtEnd else { return nil }
        return FloatText.float(text).map(Value.float)
    }

    /// An integer beyond 64 bits is the nearest float.
    private static func big(_ text: UnsafeBufferPointer<UInt8>, base: Int) -> Value? {
        var value = 0.0
        for byte in text.dropFirst(2) {
            guard let digit = byte.hexadecimalValue, digit < base else { return nil }
            value = value * Double(base) + Double(digit)
        }
        return .float(value)
    }
}
