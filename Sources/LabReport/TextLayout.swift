/// Measuring, cutting and wrapping of text by the columns that it takes on a terminal.
enum TextLayout {
    /// How many columns a text takes: two for wide East Asian characters and emoji, none for combining marks. The text
    /// holds no escape sequences.
    static func width(_ text: String) -> Int {
        text.reduce(0) { $0 + width($1) }
    }

    private static func width(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        if scalar.value < 0x300 { return 1 }
        if scalar.properties.isEmojiPresentation { return 2 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        // The blocks of Unicode's EastAsianWidth.txt that are wide throughout.
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }

    /// The text padded with spaces on the right to `columns`.
    static func pad(_ text: String, to columns: Int) -> String {
        text + String(repeating: " ", count: max(0, columns - width(text)))
    }

    /// The text padded with spaces on the left to `columns`.
    static func padLeft(_ text: String, to columns: Int) -> String {
        String(repeating: " ", count: max(0, columns - width(text))) + text
    }

    /// The text, cut with an ellipsis where it is wider than `columns`.
    static func cut(_ text: String, to columns: Int) -> String {
        guard width(text) > columns else { return text }
        var taken = 0
        var result = ""
        for character in text {
            let width = width(character)
            if taken + width > max(columns - 1, 0) { break }
            taken += width
            result.append(character)
        }
        return columns > 0 ? result + "…" : ""
    }

    /// The text in lines of at most `columns`, broken at spaces; a word that is wider keeps a line of its own.
    static func wrap(_ text: String, to columns: Int) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { paragraph -> [String] in
            // What is indented, as the items of a list are, stays so.
            let indentation = String(paragraph.prefix { $0 == " " }.prefix(max(columns / 2, 0)))
            var lines: [String] = []
            var line = ""
            for word in paragraph.split(separator: " ") {
                if line.isEmpty {
                    line = indentation + word
                } else if width(line) + 1 + width(String(word)) <= columns {
                    line += " " + word
                } else {
                    lines.append(line)
                    line = indentation + word
                }
            }
            return lines + [line]
        }
    }

    /// A duration as people read it: `12 ms`, `1.2 s`, `2 min 05 s`.
    static func duration(_ duration: Duration) -> String {
        let milliseconds = Int((duration / .milliseconds(1)).rounded())
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        if milliseconds < 60_000 {
            let tenths = (milliseconds + 50) / 100
            return "\(tenths / 10).\(tenths % 10) s"
        }
        let seconds = (milliseconds + 500) / 1000
        return "\(seconds / 60) min \(seconds % 60 < 10 ? "0" : "")\(seconds % 60) s"
    }

    /// A text that cannot disturb a terminal: control characters other than line breaks and tabs are shown as `\xNN`.
    static func harmless(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if isControl(scalar) {
                result += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        (scalar.value < 0x20 && scalar != "\n" && scalar != "\t") || (0x7F...0x9F).contains(scalar.value)
    }
}
