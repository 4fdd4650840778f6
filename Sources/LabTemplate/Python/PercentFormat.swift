/// Python's `format % values`.
enum PercentFormat {
    private struct Field {
        var isLeft = false
        var hasSign = false
        var hasSpace = false
        var isAlternate = false
        var isZero = false
        var width = 0
        var precision: Int?
    }

    static func format(_ format: String, with values: Object) throws -> String {
        let scalars = Array(format.unicodeScalars)
        var arguments: [Object] = if case .tuple(let tuple) = values { tuple.items } else { [values] }
        let isSingle = if case .tuple = values { false } else { true }
        let mapping: DictBox? = if case .dict(let dict) = values { dict } else { nil }
        var usesMapping = false
        var result = String.UnicodeScalarView()
        var index = 0

        func next() throws -> Object {
            guard !arguments.isEmpty else { throw Failure("there are not enough values for the format") }
            return arguments.removeFirst()
        }
        func number() throws -> Int {
            if index < scalars.count, scalars[index] == "*" {
                index += 1
                guard let value = try next().int, value.magnitude <= Limits.width else {
                    throw Failure("'*' in a format needs an integer that is not too large")
                }
                return value
            }
            var value = 0
            while index < scalars.count, let digit = Character(scalars[index]).wholeNumberValue, value < Limits.width {
                value = value * 10 + digit
                index += 1
            }
            return value
        }

        while index < scalars.count {
            let scalar = scalars[index]
            index += 1
            guard scalar == "%" else {
                result.append(scalar)
                continue
            }
            var key: String?
            if index < scalars.count, scalars[index] == "(" {
                guard let close = scalars[index...].firstIndex(of: ")") else {
                    throw Failure("the format key is not closed")
                }
                key = scalars[index + 1..<close].map(String.init).joined()
                index = close + 1
            }
            var field = Field()
            flags: while index < scalars.count {
                switch scalars[index] {
                case "-": field.isLeft = true
                case "+": field.hasSign = true
                case " ": field.hasSpace = true
                case "#": field.isAlternate = true
                case "0": field.isZero = true
                default: break flags
                }
                index += 1
            }
            field.width = try number()
            if field.width < 0 {
                field.isLeft = true
                field.width = -field.width
            }
            if index < scalars.count, scalars[index] == "." {
                index += 1
                field.precision = max(0, try number())
            }
            while index < scalars.count, ["h", "l", "L"].contains(scalars[index]) { index += 1 }
            guard index < scalars.count else { throw Failure("the format ends within a field") }
            let conversion = scalars[index]
            index += 1
            if conversion == "%" {
                result.append("%")
                continue
            }
            let value: Object
            if let key {
                guard let mapping else { throw Failure("the format needs a map because of '%(\(key))'") }
                usesMapping = true
                guard let found = mapping[key] else { throw Failure("the map for the format has no '\(key)'") }
                value = found
            } else {
                value = try next()
            }
            result.append(contentsOf: try text(of: value, conversion, field).unicodeScalars)
            guard result.count <= Limits.textSize else {
                throw Failure("the text grew above \(Limits.textSize >> 20) MiB")
            }
        }
        if !arguments.isEmpty, !usesMapping, !(isSingle && mapping != nil) {
            if isSingle, case .list = arguments[0] { return String(result) }
            throw Failure("not all values were used by the format")
        }
        return String(result)
    }

    private static func text(of value: Object, _ conversion: Unicode.Scalar, _ field: Field) throws -> String {
        if case .undefined(let undefined) = value { throw undefined.failure }
        guard field.width <= 10 * Limits.width, field.precision ?? 0 <= 10 * Limits.width else {
            throw Failure("the width of the format is too large")
        }
        switch conversion {
        case "s", "r", "a":
            var text = conversion == "s" ? try value.text() : try value.representation()
            if let precision = field.precision { text = String(text.unicodeScalars.prefix(precision)) }
            return pad(text, prefix: "", field, allowsZero: false)
        case "d", "i", "u":
            guard let number = value.number else {
                throw Failure("'%\(conversion)' needs a number, not \(value.typeName)", hint: "convert it with '| int'")
            }
            guard let integer = value.int ?? Int(exactly: number.rounded(.towardZero)) else {
                throw Failure("the number is too large for '%\(conversion)'")
            }
            var digits = String(integer.magnitude)
            if let precision = field.precision, digits.count < precision {
                digits = String(repeating: "0", count: precision - digits.count) + digits
            }
            return pad(digits, prefix: sign(integer < 0, field), field, allowsZero: true)
        case "x", "X", "o":
            guard let integer = value.int else {
                throw Failure("'%\(conversion)' needs an integer, not \(value.typeName)")
            }
            let digits = String(integer.magnitude, radix: conversion == "o" ? 8 : 16, uppercase: conversion == "X")
            let prefix = field.isAlternate ? "0" + String(conversion) : ""
            return pad(digits, prefix: sign(integer < 0, field) + prefix, field, allowsZero: true)
        case "e", "E", "f", "F", "g", "G":
            guard let number = value.number else {
                throw Failure(
                    "'%\(conversion)' needs a number, not \(value.typeName)", hint: "convert it with '| float'")
            }
            let text = Python.formatted(
                (field.isAlternate ? "%#.*" : "%.*") + String(conversion), field.precision ?? 6, number.magnitude)
            return pad(text, prefix: sign(number.sign == .minus && !number.isNaN, field), field, allowsZero: true)
        case "c":
            let text: String
            if let code = value.int, let scalar = Unicode.Scalar(UInt32(clamping: code)) {
                text = String(scalar)
            } else if let character = value.string, character.unicodeScalars.count == 1 {
                text = character
            } else {
                throw Failure("'%c' needs one character")
            }
            return pad(text, prefix: "", field, allowsZero: false)
        default: throw Failure("unknown conversion '%\(conversion)' in the format")
        }
    }

    private static func sign(_ isNegative: Bool, _ field: Field) -> String {
        isNegative ? "-" : field.hasSign ? "+" : field.hasSpace ? " " : ""
    }

    private static func pad(_ text: String, prefix: String, _ field: Field, allowsZero: Bool) -> String {
        let missing = max(0, field.width - prefix.unicodeScalars.count - text.unicodeScalars.count)
        if field.isLeft { return prefix + text + String(repeating: " ", count: missing) }
        if field.isZero, allowsZero { return prefix + String(repeating: "0", count: missing) + text }
        return String(repeating: " ", count: missing) + prefix + text
    }
}
