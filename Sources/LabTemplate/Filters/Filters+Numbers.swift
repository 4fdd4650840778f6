#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension Filters {
    static let numbers: [String: Filter] = [
        "int": Filter("default", "base") { try integer($0) },
        "float": Filter("default") { call in
            if let number = call.input.number { return .float(number) }
            if let text = call.input.string, let number = PythonNumber.float(text) { return .float(number) }
            return call[0] ?? .float(0)
        },
        "abs": Filter { call in
            switch call.input {
            case .float(let value): return .float(value.magnitude)
            default:
                guard let value = call.input.int else {
                    throw Failure("\(call.subject) needs a number, not \(call.input.typeName)")
                }
                return value < 0 ? try Operators.negate(.int(value)) : .int(value)
            }
        },
        "round": Filter("precision", "method", body: round),
        "log": Filter("base") { call in
            let value = try call.inputNumber()
            guard value > 0 else { throw Failure("\(call.subject) needs a number above zero") }
            guard let base = call.given(0) else { return .float(Platform.log(value)) }
            guard let base = base.number, base > 0, base != 1 else {
                throw Failure("\(call.subject) needs another base")
            }
            return .float(base == 10 ? log10(value) : Platform.log(value) / Platform.log(base))
        },
        "pow": Filter("y", required: 1) { call in
            guard let exponent = call[0]?.number else { throw Failure("\(call.subject) needs a number as exponent") }
            return .float(Platform.pow(try call.inputNumber(), exponent))
        },
        "root": Filter("base") { call in
            let value = try call.inputNumber()
            let base = call[0]?.number ?? 2
            guard base != 0 else { throw Failure("division by zero") }
            guard value >= 0 else { throw Failure("\(call.subject) needs a number that is not negative") }
            return .float(base == 2 ? value.squareRoot() : Platform.pow(value, 1 / base))
        },
        "filesizeformat": Filter("binary") { call in
            let size = try call.input.number ?? PythonNumber.float(call.inputText()) ?? call.inputNumber()
            return .string(fileSize(size, isBinary: try call.flag(0)))
        },
        "human_readable": Filter("isbits", "unit", body: humanReadable),
        "human_to_bytes": Filter("default_unit", "isbits", body: humanToBytes),
    ]

    /// Names that this extension's own declarations would hide.
    private enum Platform {
        static func log(_ value: Double) -> Double {
            #if canImport(Glibc)
                Glibc.log(value)
            #elseif canImport(Musl)
                Musl.log(value)
            #else
                Darwin.log(value)
            #endif
        }

        static func pow(_ base: Double, _ exponent: Double) -> Double {
            #if canImport(Glibc)
                Glibc.pow(base, exponent)
            #elseif canImport(Musl)
                Musl.pow(base, exponent)
            #else
                Darwin.pow(base, exponent)
            #endif
        }
    }

    private static func integer(_ call: Call) throws -> Object {
        let fallback = call[0] ?? .int(0)
        let number: Double
        switch call.input {
        case .int, .bool: return .int(call.input.int ?? 0)
        case .float(let value): number = value
        case .string(let text):
            if let value = PythonNumber.int(text, base: try call.int(1) ?? 10) { return .int(value) }
            guard let value = PythonNumber.float(text) else { return fallback }
            number = value
        default: return fallback
        }
        guard number.isFinite else { return fallback }
        guard let value = Int(exactly: number.rounded(.towardZero)) else { throw tooLarge }
        return .int(value)
    }

    private static let tooLarge = Failure("the number does not fit into 64 bits")

    private static func rounded(_ number: Double) throws -> Object {
        guard let value = Int(exactly: number.rounded(.toNearestOrEven)) else { throw tooLarge }
        return .int(value)
    }

    private static func round(_ call: Call) throws -> Object {
        let precision = try call.int(0) ?? 0
        let method = try call.string(1) ?? "common"
        switch method {
        case "common":
            if let value = call.input.int {
                // Python rounds integers to integers.
                guard precision < 0, precision > -19 else { return .int(value) }
                guard let rounded = Int(exactly: Python.round(Double(value), digits: precision)) else { throw tooLarge }
                return .int(rounded)
            }
            return .float(Python.round(try call.inputNumber(), digits: precision))
        case "ceil", "floor":
            let factor = Platform.pow(10, Double(precision))
            let scaled = try call.inputNumber() * factor
            return .float((method == "ceil" ? scaled.rounded(.up) : scaled.rounded(.down)) / factor)
        default: throw Failure("unknown method '\(method)' of rounding", hint: "there are common, ceil and floor")
        }
    }

    private static func fileSize(_ size: Double, isBinary: Bool) -> String {
        let base: Double = isBinary ? 1024 : 1000
        if size == 1 { return "1 Byte" }
        if size < base { return "\(Int(exactly: size.rounded(.towardZero)) ?? 0) Bytes" }
        let prefixes = ["k", "M", "G", "T", "P", "E", "Z", "Y"]
        var unit = base
        var chosen = prefixes.count - 1
        for index in prefixes.indices {
            unit = Platform.pow(base, Double(index + 2))
            if size < unit {
                chosen = index
                break
            }
        }
        let prefix = isBinary ? prefixes[chosen].uppercased() + "iB" : prefixes[chosen] + "B"
        return Python.fixed(base * size / unit, 1) + " " + prefix
    }

    private static let units: [(letter: Character, size: Double)] = [
        ("Y", 0x1p80), ("Z", 0x1p70), ("E", 0x1p60), ("P", 0x1p50), ("T", 0x1p40), ("G", 0x1p30), ("M", 0x1p20),
        ("K", 0x1p10), ("B", 1),
    ]

    private static func humanReadable(_ call: Call) throws -> Object {
        let size = try call.inputNumber()
        let isBits = try call.flag(0)
        let wanted = try call.string(1)?.uppercased()
        let unit =
            units.first { unit in wanted.map { $0 == String(unit.letter) } ?? (size >= unit.size) } ?? ("B", 1)
        let base = isBits ? "bits" : "Bytes"
        let suffix = unit.size == 1 ? base : String(unit.letter) + String(base.prefix(1))
        return .string(Python.fixed(size / unit.size, 2) + " " + suffix)
    }

    private static func humanToBytes(_ call: Call) throws -> Object {
        let text = try call.inputText()
        let wrong = Failure("'\(text)' is no size", hint: "write a number and a unit: '10M', '2 GB'")
        guard let match = try Pattern("^([0-9]*\\.?[0-9]+)(?:\\s*([A-Za-z]+))?\\s*$").firstMatch(in: text, .search),
            let number = match.text(1).flatMap(Double.init)
        else { throw wrong }
        guard let name = try match.text(2) ?? call.string(0) else {
            return try rounded(number)
        }
        guard let letter = name.uppercased().first, let unit = units.first(where: { $0.letter == letter }) else {
            throw wrong
        }
        if name.count > 1 {
            let isBits = try call.flag(1)
            let short = (unit.size == 1 ? "" : String(letter)) + (isBits ? "b" : "B")
            let long =
                [
                    "B": "", "K": "kilo", "M": "mega", "G": "giga", "T": "tera", "P": "peta", "E": "exa", "Z": "zeta",
                    "Y": "yotta",
                ][letter, default: ""] + (isBits ? "bit" : "byte")
            guard name == short || name.lowercased() == long else { throw wrong }
        }
        return try rounded(number * unit.size)
    }
}

/// Texts of numbers as Python's `int()` and `float()` read them.
enum PythonNumber {
    private static func cleaned(_ text: String) -> String? {
        let trimmed = StringMethods.stripped(text, nil)
        guard trimmed.contains("_") else { return trimmed }
        // An underscore stands between digits.
        let scalars = Array(trimmed.utf8)
        for (index, byte) in scalars.enumerated() where byte == UInt8(ascii: "_") {
            guard index > 0, index + 1 < scalars.count, Character(Unicode.Scalar(scalars[index - 1])).isHexDigit,
                Character(Unicode.Scalar(scalars[index + 1])).isHexDigit
            else { return nil }
        }
        return trimmed.filter { $0 != "_" }
    }

    static func int(_ text: String, base: Int) -> Int? {
        guard var digits = cleaned(text)?.lowercased(), base == 0 || (2...36).contains(base) else { return nil }
        var isNegative = false
        if digits.hasPrefix("-") || digits.hasPrefix("+") { isNegative = digits.removeFirst() == "-" }
        var radix = base
        for (prefix, value) in [("0x", 16), ("0o", 8), ("0b", 2)] where base == value || base == 0 {
            if digits.hasPrefix(prefix) {
                digits.removeFirst(2)
                radix = value
            }
        }
        if radix == 0 { radix = 10 }
        guard let first = digits.first, first != "-", first != "+" else { return nil }
        return Int((isNegative ? "-" : "") + digits, radix: radix)
    }

    static func float(_ text: String) -> Double? {
        guard let digits = cleaned(text)?.lowercased() else { return nil }
        let magnitude = digits.drop { $0 == "-" || $0 == "+" }
        guard digits.count - magnitude.count <= 1 else { return nil }
        switch magnitude {
        case "inf", "infinity": return digits.hasPrefix("-") ? -.infinity : .infinity
        case "nan": return .nan
        default:
            guard magnitude.utf8.allSatisfy({ $0.isDigit || ".e+-".utf8.contains($0) }) else { return nil }
            if let value = Double(digits) { return value }
            // Swift reads neither "1." nor ".5".
            return Double((digits.hasPrefix("-") ? "-" : "") + "0" + magnitude + (magnitude.hasSuffix(".") ? "0" : ""))
        }
    }
}
