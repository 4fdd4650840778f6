import LabCore
import OrderedCollections

/// Python's literals, which INI inventories write values in (`ast.literal_eval`); what is none is a text.
struct PythonLiteral {
    /// The value of a literal; the text itself when it is no literal.
    static func value(of text: String) -> Value {
        var reader = PythonLiteral(Array(text.unicodeScalars))
        guard let value = reader.document() else { return .string(text) }
        return value
    }

    private let scalars: [Unicode.Scalar]
    private var index = 0

    private init(_ scalars: [Unicode.Scalar]) { self.scalars = scalars }

    /// A literal, or several with commas between them, and a comment after it.
    private mutating func document() -> Value? {
        guard let first = literal(depth: 0) else { return nil }
        var values = [first]
        var isTuple = false
        while take(",") {
            isTuple = true
            skipSpace()
            if peek == nil || peek == "#" { break }
            guard let next = literal(depth: 0) else { return nil }
            values.append(next)
        }
        skipSpace()
        guard peek == nil || peek == "#" else { return nil }
        return isTuple ? .list(values) : first
    }

    private var peek: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private mutating func skipSpace() {
        while let scalar = peek, scalar == " " || scalar == "\t" || scalar == "\n" { index += 1 }
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        skipSpace()
        guard peek == scalar else { return false }
        index += 1
        return true
    }

    private mutating func literal(depth: Int) -> Value? {
        guard depth < 100 else { return nil }
        skipSpace()
        switch peek {
        case "[": return sequence(close: "]", depth: depth)
        case "(": return tuple(depth: depth)
        case "{": return braces(depth: depth)
        case "'", "\"": return strings()
        case "-", "+": return signedNumber()
        case .some("0"..."9"), ".": return number()
        case .some(let scalar):
            let next = index + 1 < scalars.count ? scalars[index + 1] : " "
            guard next == "'" || next == "\"" else { return word() }
            switch scalar {
            case "r", "R":
                index += 1
                return string(isRaw: true).map { .string($0) }
            case "b", "B", "u", "U":
                index += 1
                return strings()
            default: return nil
            }
        case nil: return nil
        }
    }

    private mutating func sequence(close: Unicode.Scalar, depth: Int) -> Value? {
        index += 1
        var values: [Value] = []
        while !take(close) {
            guard let value = literal(depth: depth + 1) else { return nil }
            values.append(value)
            if !take(",") {
                guard take(close) else { return nil }
                break
            }
        }
        return .list(values)
    }

    /// `(1, 2)` is a list here; `(1)` is 1.
    private mutating func tuple(depth: Int) -> Value? {
        let start = index
        guard case .list(let values)? = sequence(close: ")", depth: depth) else { return nil }
        let hasComma = scalars[start..<index].dropLast().last { $0 != " " } == ","
        return values.count == 1 && !hasComma ? values[0] : .list(values)
    }

    private mutating func braces(depth: Int) -> Value? {
        index += 1
        if take("}") { return .map([:]) }
        var entries = ValueMap()
        var members: [Value] = []
        while true {
            guard let key = literal(depth: depth + 1) else { return nil }
            if take(":") {
                guard members.isEmpty, let name = String(keyword: key), let value = literal(depth: depth + 1) else {
                    return nil
                }
                entries[name] = value
            } else {
                guard entries.isEmpty else { return nil }
                members.append(key)
            }
            if take(",") {
                if take("}") { break }
                continue
            }
            guard take("}") else { return nil }
            break
        }
        return members.isEmpty ? .map(entries) : .list(Array(OrderedSet(members)))
    }

    /// One string, or several side by side.
    private mutating func strings() -> Value? {
        var text = ""
        repeat {
            guard let part = string() else { return nil }
            text += part
            skipSpace()
        } while peek == "'" || peek == "\""
        return .string(text)
    }

    private mutating func string(isRaw: Bool = false) -> String? {
        guard let quote = peek else { return nil }
        index += 1
        var text = String.UnicodeScalarView()
        while let scalar = peek {
            index += 1
            if scalar == quote { return String(text) }
            if scalar == "\n" { return nil }
            guard scalar == "\\" else {
                text.append(scalar)
                continue
            }
            guard let escaped = peek else { return nil }
            if isRaw {
                index += 1
                text.append(scalar)
                text.append(escaped)
                continue
            }
            index += 1
            switch escaped {
            case "n": text.append("\n")
            case "t": text.append("\t")
            case "r": text.append("\r")
            case "a": text.append("\u{07}")
            case "b": text.append("\u{08}")
            case "f": text.append("\u{0C}")
            case "v": text.append("\u{0B}")
            case "0": text.append("\u{00}")
            case "\\", "'", "\"": text.append(escaped)
            case "\n": break
            case "x":
                guard let code = hexadecimal(2) else { return nil }
                text.append(code)
            case "u":
                guard let code = hexadecimal(4) else { return nil }
                text.append(code)
            default:
                text.append("\\")
                text.append(escaped)
            }
        }
        return nil
    }

    private mutating func hexadecimal(_ count: Int) -> Unicode.Scalar? {
        guard index + count <= scalars.count else { return nil }
        let digits = String(String.UnicodeScalarView(scalars[index..<index + count]))
        index += count
        return UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init)
    }

    private mutating func signedNumber() -> Value? {
        let isNegative = peek == "-"
        index += 1
        skipSpace()
        switch number() {
        case .int(let value)?: return .int(isNegative ? -value : value)
        case .float(let value)?: return .float(isNegative ? -value : value)
        default: return nil
        }
    }

    private mutating func number() -> Value? {
        let start = index
        while let scalar = peek, isNumberPart(scalar, after: start) { index += 1 }
        let text = String(String.UnicodeScalarView(scalars[start..<index]))
        guard !text.hasSuffix("_"), !text.contains("__") else { return nil }
        let digits = text.filter { $0 != "_" }.lowercased()
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where digits.hasPrefix(prefix) {
            return Int(digits.dropFirst(2), radix: radix).map { .int($0) }
        }
        if digits.allSatisfy({ $0.isASCII && $0.isNumber }) {
            // Python refuses leading zeros (`0644`), so that such a value stays a text.
            if digits.hasPrefix("0"), digits.contains(where: { $0 != "0" }) { return nil }
            return Int(digits).map { .int($0) }
        }
        guard digits.allSatisfy({ $0.isNumber || ".e+-".contains($0) }) else { return nil }
        let padded = digits.hasSuffix(".") ? digits + "0" : digits.replacing(".e", with: ".0e")
        return Double(padded.hasPrefix(".") ? "0" + padded : padded).map { .float($0) }
    }

    private func isNumberPart(_ scalar: Unicode.Scalar, after start: Int) -> Bool {
        if scalar.properties.numericType == .decimal || scalar == "." || scalar == "_" { return true }
        if (scalar == "+" || scalar == "-") && index > start {
            let before = scalars[index - 1]
            let isHexadecimal = start + 1 < scalars.count && (scalars[start + 1] == "x" || scalars[start + 1] == "X")
            return (before == "e" || before == "E") && !isHexadecimal
        }
        return ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
    }

    private mutating func word() -> Value? {
        for (name, value) in [("True", Value.bool(true)), ("False", .bool(false)), ("None", .null)] {
            let length = name.unicodeScalars.count
            if scalars[index...].starts(with: name.unicodeScalars),
                index + length == scalars.count || !scalars[index + length].properties.isXIDContinue
            {
                index += length
                return value
            }
        }
        return nil
    }
}
