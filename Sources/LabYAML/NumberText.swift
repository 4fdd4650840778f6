/// Reads the digits of numbers out of bytes, without copying them.
struct NumberScanner {
    let text: UnsafeBufferPointer<UInt8>
    var index = 0

    init(_ text: UnsafeBufferPointer<UInt8>) { self.text = text }

    var isAtEnd: Bool { index == text.count }
    var peek: UInt8 { index < text.count ? text[index] : 0 }

    /// Moves over the byte when it is `byte`.
    mutating func take(_ byte: UInt8) -> Bool {
        guard index < text.count, text[index] == byte else { return false }
        index += 1
        return true
    }

    /// Moves over `+` or `-`; true for `-`.
    mutating func sign() -> Bool {
        if take(.dash) { return true }
        _ = take(UInt8(ascii: "+"))
        return false
    }

    /// Moves over the bytes that `isIncluded`; the number of them.
    mutating func skip(while isIncluded: (UInt8) -> Bool) -> Int {
        let start = index
        while index < text.count, isIncluded(text[index]) { index += 1 }
        return index - start
    }
}

/// Integers of any base; floats by the standard library, which rounds correctly.
enum FloatText {
    /// The integer that the digits after `from` stand for; nil when it does not fit or a digit is none of the base.
    static func integer(
        _ text: UnsafeBufferPointer<UInt8>, from: Int, base: Int, isNegative: Bool, skipsUnderscores: Bool
    ) -> Int? {
        // Built as a negative number, whose range is the larger one.
        var value = 0
        var hasDigits = false
        for index in from..<text.count {
            let byte = text[index]
            if skipsUnderscores, byte == UInt8(ascii: "_") { continue }
            guard let digit = byte.hexadecimalValue, digit < base else { return nil }
            let (product, overflows) = value.multipliedReportingOverflow(by: base)
            let (sum, overflowsToo) = product.subtractingReportingOverflow(Int(digit))
            if overflows || overflowsToo { return nil }
            value = sum
            hasDigits = true
        }
        guard hasDigits else { return nil }
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    /// The float that a text in decimal notation stands for, underscores left out.
    static func float(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
        guard text.contains(UInt8(ascii: "_")) else { return Double(String(decoding: text, as: UTF8.self)) }
        return Double(String(decoding: text.filter { $0 != UInt8(ascii: "_") }, as: UTF8.self))
    }

    /// The word after the sign and the dot of `.inf` or `.nan` in its three spellings.
    static func special(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
        switch String(decoding: text, as: UTF8.self) {
        case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": .infinity
        case "-.inf", "-.Inf", "-.INF": -.infinity
        case ".nan", ".NaN", ".NAN": .nan
        default: nil
        }
    }

    /// A float as YAML writes it.
    static func text(_ value: Double) -> String {
        if value.isNaN { return ".nan" }
        if value.isInfinite { return value < 0 ? "-.inf" : ".inf" }
        return String(value)
    }
}
