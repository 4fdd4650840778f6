import LabCore

/// The numbers of PyYAML's resolver: the regular expressions of `yaml/resolver.py`, as code.
enum PyYAMLSchema {
    private static let underscore = UInt8(ascii: "_")

    static func number(_ text: UnsafeBufferPointer<UInt8>) -> Value? {
        var scanner = NumberScanner(text)
        let hasSign = scanner.peek == .dash || scanner.peek == UInt8(ascii: "+")
        let isNegative = scanner.sign()
        let start = scanner.index
        let first = scanner.peek
        if first == .dot { return fraction(text, hasSign: hasSign) }
        guard first.isDigit else { return nil }

        if first == UInt8(ascii: "0"), text.count > start + 1 {
            switch text[start + 1] {
            case UInt8(ascii: "b"): return based(text, from: start + 2, base: 2, isNegative: isNegative)
            case UInt8(ascii: "x"): return based(text, from: start + 2, base: 16, isNegative: isNegative)
            default: break
            }
        }
        _ = scanner.skip { $0.isDigit || $0 == underscore }
        if scanner.isAtEnd {
            if first == UInt8(ascii: "0"), text.count > start + 1 {
                // `0644` is octal, `0_0` is zero, `089` is a string.
                return based(text, from: start, base: 8, isNegative: isNegative)
            }
            return based(text, from: start, base: 10, isNegative: isNegative)
        }
        if scanner.peek == .colon { return sexagesimal(text, from: start, isNegative: isNegative) }
        guard scanner.take(.dot) else { return nil }
        _ = scanner.skip { $0.isDigit || $0 == underscore }
        return exponent(&scanner)
    }

    /// `\.[0-9][0-9_]*` without a sign, `.inf` with or without one, `.nan`.
    private static func fraction(_ text: UnsafeBufferPointer<UInt8>, hasSign: Bool) -> Value? {
        var scanner = NumberScanner(text)
        if !hasSign, scanner.take(.dot), scanner.peek.isDigit {
            _ = scanner.skip { $0.isDigit || $0 == underscore }
            return exponent(&scanner)
        }
        return FloatText.special(text).map(Value.float)
    }

    /// An exponent needs its sign: `1.0e+3` is a float, `1.0e3` a string.
    private static func exponent(_ scanner: inout NumberScanner) -> Value? {
        if scanner.peek | 0x20 == UInt8(ascii: "e") {
            scanner.index += 1
            guard scanner.peek == .dash || scanner.peek == UInt8(ascii: "+") else { return nil }
            scanner.index += 1
            guard scanner.skip(while: \.isDigit) > 0 else { return nil }
        }
        guard scanner.isAtEnd else { return nil }
        return FloatText.float(scanner.text).map(Value.float)
    }

    /// An integer; beyond 64 bits it stays the text that Ansible would print.
    private static func based(
        _ text: UnsafeBufferPointer<UInt8>, from: Int, base: Int, isNegative: Bool
    ) -> Value? {
        FloatText.integer(text, from: from, base: base, isNegative: isNegative, skipsUnderscores: true).map(Value.int)
    }

    /// Base 60: `1:30` is 90, `1:30.5` is 90.5. All digits after the first colon are below 60.
    private static func sexagesimal(
        _ text: UnsafeBufferPointer<UInt8>, from: Int, isNegative: Bool
    ) -> Value? {
        let startsWithZero = text[from] == UInt8(ascii: "0")
        var whole = 0
        var index = from
        while index < text.count, text[index] != .colon {
            if text[index] != underscore {
                let (product, overflows) = whole.multipliedReportingOverflow(by: 10)
                let (sum, overflowsToo) = product.addingReportingOverflow(Int(text[index] &- 0x30))
                if overflows || overflowsToo { return nil }
                whole = sum
            }
            index += 1
        }
        while index < text.count, text[index] == .colon {
            // [0-5]?[0-9]
            guard index + 1 < text.count, text[index + 1].isDigit else { return nil }
            var digit = Int(text[index + 1] &- 0x30)
            index += 2
            if index < text.count, text[index].isDigit {
                guard digit <= 5 else { return nil }
                digit = digit * 10 + Int(text[index] &- 0x30)
                index += 1
            }
            let (product, overflows) = whole.multipliedReportingOverflow(by: 60)
            let (sum, overflowsToo) = product.addingReportingOverflow(digit)
            if overflows || overflowsToo { return nil }
            whole = sum
        }
        if index == text.count { return startsWithZero ? nil : .int(isNegative ? -whole : whole) }
        guard text[index] == .dot else { return nil }
        let fraction = UnsafeBufferPointer(rebasing: text[index...])
        guard fraction.dropFirst().allSatisfy({ $0.isDigit || $0 == underscore }) else { return nil }
        let digits = "0" + String(decoding: fraction.filter { $0 != underscore }, as: UTF8.self) + "0"
        guard let part = Double(digits) else { return nil }
        return .float((isNegative ? -1 : 1) * (Double(whole) + part))
    }
}
