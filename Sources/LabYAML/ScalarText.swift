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
                if bytes.count == 3, bytes.allSatisfy({ $0 == .dot }) { return false }
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
            return Schema.allCases.allSatisfy { $0.resolve(bytes) == nil } && !isNumberLike(bytes)
        }
    }

    /// What other readers may take for a number or a date, although no schema of labctl's does: `2024-01-01`, `0o8`.
    private static func isNumberLike(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes[0].isDigit || bytes.count > 1 && (bytes[0] == .dash || bytes[0] == .dot) && bytes[1].isDigit else {
            return false
        }
        return bytes.allSatisfy {
            $0.isDigit || $0 == .dash || $0 == .colon || $0 == .dot || $0 == UInt8(ascii: "_")
                || $0 == UInt8(ascii: "e")
                || $0 == UInt8(ascii: "E") || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "T") || $0 == .space
                || $0 == UInt8(ascii: "Z") || $0 == UInt8(ascii: "t")
        } && !isVersion(bytes)
    }

    /// Dotted versions and addresses (`0.14.9`, `192.168.56.10`) are strings everywhere.
    private static func isVersion(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        bytes.count { $0 == .dot } > 1 && bytes.allSatisfy { $0.isDigit || $0 == .dot }
    }

    /// Whether a text of several lines can stand as a literal block.
    private static func isLiteral(_ text: String) -> Bool {
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
