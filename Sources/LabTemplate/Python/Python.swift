#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Small pieces of Python's behaviour that templates show.
enum Python {
    /// `repr()` of a float: the shortest digits that read back the same, with an exponent below 1e-4 and from 1e16.
    static func text(of value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
        let (digits, exponent) = shortestDigits(value.magnitude)
        var text: String
        if (-4..<16).contains(exponent) {
            if exponent < 0 {
                text = "0." + String(repeating: "0", count: -exponent - 1) + digits
            } else if digits.count <= exponent + 1 {
                text = digits + String(repeating: "0", count: exponent + 1 - digits.count) + ".0"
            } else {
                text = digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
            }
        } else {
            text = String(digits.prefix(1))
            if digits.count > 1 { text += "." + digits.dropFirst() }
            let magnitude = String(exponent.magnitude)
            text += "e" + (exponent < 0 ? "-" : "+") + (magnitude.count < 2 ? "0" : "") + magnitude
        }
        return (value < 0 ? "-" : "") + text
    }

    /// The significant digits and the power of ten of the first one.
    private static func shortestDigits(_ value: Double) -> (String, Int) {
        let parts = value.description.split(separator: "e", maxSplits: 1)
        let mantissa = parts[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = mantissa.count > 1 ? mantissa[1] : ""
        var exponent = (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) + mantissa[0].count - 1
        var digits = String(mantissa[0] + fraction)
        let leadingZeros = digits.prefix { $0 == "0" }.count
        digits.removeFirst(leadingZeros)
        exponent -= leadingZeros
        while digits.last == "0" { digits.removeLast() }
        return (digits, exponent)
    }

    /// `repr()` of a string.
    static func quoted(_ text: String) -> String {
        let quote: Unicode.Scalar = text.contains("'") && !text.contains("\"") ? "\"" : "'"
        var result = String(quote)
        for scalar in text.unicodeScalars {
            switch scalar {
            case quote: result += "\\" + String(quote)
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                if isPrintable(scalar) {
                    result.unicodeScalars.append(scalar)
                } else if scalar.value < 0x100 {
                    result += "\\x" + hexadecimal(scalar.value, 2)
                } else if scalar.value < 0x10000 {
                    result += "\\u" + hexadecimal(scalar.value, 4)
                } else {
                    result += "\\U" + hexadecimal(scalar.value, 8)
                }
            }
        }
        return result + String(quote)
    }

    static func hexadecimal(_ value: UInt32, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if (0x20..<0x7F).contains(scalar.value) { return true }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }

    static func contains(_ text: String, _ part: String) -> Bool {
        part.isEmpty || find(Array(part.unicodeScalars), in: Array(text.unicodeScalars)) != nil
    }

    /// The index of the first (or last) occurrence at or after `start`, in Unicode scalars.
    static func find(
        _ part: [Unicode.Scalar], in text: [Unicode.Scalar], from start: Int = 0, to end: Int? = nil,
        backwards: Bool = false
    ) -> Int? {
        let last = (end ?? text.count) - part.count
        guard start <= last else { return nil }
        let matches = { (index: Int) in text[index..<index + part.count].elementsEqual(part) }
        let indices = start...last
        return backwards ? indices.last(where: matches) : indices.first(where: matches)
    }

    /// Python's white space for `strip()` and `split()`.
    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// `text.splitlines()`.
    static func lines(_ text: String, keepEnds: Bool = false) -> [String] {
        var result: [String] = []
        var line = String.UnicodeScalarView()
        let scalars = Array(text.unicodeScalars)
        var index = 0
        while index < scalars.count {
            let scalar = scalars[index]
            index += 1
            switch scalar.value {
            case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
                if keepEnds { line.append(scalar) }
                if scalar == "\r", index < scalars.count, scalars[index] == "\n" {
                    if keepEnds { line.append("\n") }
                    index += 1
                }
                result.append(String(line))
                line = String.UnicodeScalarView()
            default: line.append(scalar)
            }
        }
        if !line.isEmpty { result.append(String(line)) }
        return result
    }

    /// Rounds half to even on the exact value, as Python's `round(value, digits)`.
    static func round(_ value: Double, digits: Int) -> Double {
        guard value.isFinite else { return value }
        guard digits >= 0 else {
            let factor = pow(10, Double(-digits))
            return (value / factor).rounded(.toNearestOrEven) * factor
        }
        guard digits < 300 else { return value }
        return Double(fixed(value, digits)) ?? value
    }

    /// `%.<digits>f`, rounded correctly.
    static func fixed(_ value: Double, _ digits: Int) -> String { formatted("%.*f", digits, value) }

    /// One float through the C library's printf, which rounds as Python does.
    static func formatted(_ format: String, _ precision: Int, _ value: Double) -> String {
        var buffer = [CChar](repeating: 0, count: 400 + max(0, precision))
        let written = withVaList([Int32(clamping: precision), value]) {
            vsnprintf(&buffer, buffer.count, format, $0)
        }
        return String(decoding: buffer.prefix(max(0, Int(written))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// `slice(start, stop, step).indices(count)` as the indices themselves.
    static func slice(count: Int, start: Int?, stop: Int?, step: Int?) throws -> [Int] {
        let step = min(max(step ?? 1, -count - 1), count + 1)
        guard step != 0 else { throw Failure("the step of a slice cannot be zero") }
        func clamped(_ value: Int, _ low: Int, _ high: Int) -> Int {
            min(max(value < 0 ? value + count : value, low), high)
        }
        if step > 0 {
            let from = start.map { clamped($0, 0, count) } ?? 0
            let to = stop.map { clamped($0, 0, count) } ?? count
            return from < to ? Array(stride(from: from, to: to, by: step)) : []
        }
        let from = start.map { clamped($0, -1, count - 1) } ?? count - 1
        let to = stop.map { clamped($0, -1, count - 1) } ?? -1
        return from > to ? Array(stride(from: from, to: to, by: step)) : []
    }
}
