import LabCore

/// How a text has to be written so that every schema reads it back.
enum ScalarText {
    /// The plainest style in which `text` is read back under all schemas.
    static func style(of text: String, isKey: Bool) -> SyntaxTree.Style {
        if isPlain(text) { return .plain }
        if text.utf8.contains(where: \.isBreak) {
            return !isKey && isLiteral(text) ? .literal : .doubleQuoted
        }
        return text.unicodeScalars.allSatisfy(isPrintable) ? .singleQuoted : .doubleQuoted
    }

    /// Whether a text that was plain is plain on one line in block style, too.
    static func canStayPlain(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            guard let first = bytes.first, let last = bytes.last, !first.isBlank, !last.isBlank, last != .colon else {
                return false
            }
            if bytes.contains(where: { $0.isBreak }) { return false }
            switch first {
            case .dash, .dot:
                let isMarker = bytes.count >= 3 && bytes[1] == first && bytes[2] == first
                if isMarker, bytes.count == 3 || bytes[3].isBlank { return false }
                return first == .dot || bytes.count > 1 && !bytes[1].isBlank
            case .question, .colon:
                return bytes.count > 1 && !bytes[1].isBlank && !bytes[1].isFlowIndicator
            case .exclamation, .doubleQuote, .hash, .percent, .ampersand, .singleQuote, .asterisk, .comma, .greater,
                .at, .openBracket, .closeBracket, .backtick, .openBrace, .closeBrace, .pipe:
                return false
            default: break
            }
            for index in bytes.indices.dropFirst() {
                if bytes[index] == .hash, bytes[index - 1].isBlank { return false }
                if bytes[index - 1] == .colon, bytes[index].isBlank { return false }
            }
            return true
        }
    }

    /// Whether a text can stand in single quotes on one line.
    static func isPrintableLine(_ text: String) -> Bool { text.unicodeScalars.allSatisfy(isPrintable) }

    static func singleQuoted(_ text: String) -> String {
        var result = "'"
        for scalar in text.unicodeScalars {
            if scalar == "'" { result += "'" }
            result.unicodeScalars.append(scalar)
        }
        return result + "'"
    }

    /// A key that may not stand before its colon on one line.
    static func needsExplicitKey(_ key: String) -> Bool { key.unicodeScalars.count > 1000 }

    /// Whether a text can stand without quotes in every context, and is a string to every schema.
    static func isPlain(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            guard let first = bytes.first, let last = bytes.last else { return false }
            guard !first.isBlank, !last.isBlank, last != .colon else { return false }
            switch first {
            case .exclamation, .doubleQuote, .hash, .percent, .ampersand, .singleQuote, .asterisk, .comma, .greater,
                .at,
                .openBracket, .closeBracket, .backtick, .openBrace, .closeBrace, .pipe, UInt8(ascii: "="),
                UInt8(ascii: "~"):
                return false
            case .dash, .question, .colon:
                // `---` and the like; `-x` is fine, but a number or a date it may be to someone.
                if bytes.count == 1 || bytes[1].isBlank || bytes[1] == first || first != .dash { return false }
            case .dot:
                if bytes.count >= 3, bytes[1] == .dot, bytes[2] == .dot { return false }
            case UInt8(ascii: "<"):
                if bytes.count == 2, bytes[1] == first { return false }
            default: break
            }
            for index in bytes.indices {
                let byte = bytes[index]
                if byte < 0x20 || byte == 0x7F { return false }
                if byte == .colon, index + 1 < bytes.count, bytes[index + 1].isBlank { return false }
                if byte == .hash, bytes[index - 1].isBlank { return false }
                if byte == .comma || byte == .openBracket || byte == .closeBracket || byte == .openBrace
                    || byte == .closeBrace
                {
                    // Harmless in block style; but people copy values into brackets, and templates start so.
                    if byte == .openBrace, index + 1 < bytes.count, bytes[index + 1] == .openBrace { return false }
                }
            }
            if bytes.contains(where: { $0 >= 0x80 }) {
                guard String(decoding: bytes, as: UTF8.self).unicodeScalars.allSatisfy(isPrintable) else {
                    return false
                }
            }
            return Schema.allCases.allSatisfy { $0.resolve(bytes) == nil } && !isDate(bytes)
        }
    }

    /// What YAML 1.1 takes for a date (https://yaml.org/type/timestamp.html), although labctl has none: `2024-01-01`.
    private static func isDate(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        bytes.count >= 8 && bytes.prefix(4).allSatisfy(\.isDigit) && bytes[4] == .dash && bytes[5].isDigit
            && (bytes[6] == .dash || bytes[6].isDigit && bytes[7] == .dash)
    }

    /// Whether a text of several lines can stand as a literal block.
    static func isLiteral(_ text: String) -> Bool {
        guard text.utf8.first != .tab, text.utf8.contains(where: { !$0.isBreak }) else { return false }
        // White space at the end of a line would survive, but not an editor; a carriage return would be a line break.
        return text.unicodeScalars.allSatisfy { isPrintable($0) || $0 == "\n" } && !text.utf8.contains(.carriageReturn)
            && !text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().contains {
                !$0.isEmpty && $0.allSatisfy { $0 == " " || $0 == "\t" }
            } && text.split(separator: "\n").last.map { !$0.allSatisfy { $0 == " " || $0 == "\t" } } ?? true
    }

    /// Printable without an escape, and no line break to a reader of YAML 1.1.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x20...0x7E, 0xA0...0x2027, 0x202A...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD,
            0x10000...0x10FFFF:
            true
        default: false
        }
    }

    static func doubleQuoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\0": result += "\\0"
            default:
                if isPrintable(scalar) {
                    result.unicodeScalars.append(scalar)
                } else {
                    let digits = String(scalar.value, radix: 16, uppercase: true)
                    let (letter, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
                    result += "\\" + letter + String(repeating: "0", count: width - digits.count) + digits
                }
            }
        }
        return result + "\""
    }

    /// A float that every schema reads as one: with a point, and a sign in the exponent.
    static func float(_ value: Double) -> String {
        guard value.isFinite else { return FloatText.text(value) }
        let text = String(value)
        guard let exponent = text.firstIndex(of: "e") else { return text }
        let mantissa = text[..<exponent]
        let power = text[text.index(after: exponent)...]
        return (mantissa.contains(".") ? String(mantissa) : mantissa + ".0") + "e"
            + (power.hasPrefix("-") || power.hasPrefix("+") ? "" : "+") + power
    }
}
