extension Filters {
    /// Regular expressions, in Python's syntax.
    static let expressions: [String: Filter] = [
        "regex_replace": Filter(
            "pattern", "replacement", "ignorecase", "multiline", "count", "mandatory_count"
        ) { call in
            let text = try call.inputText()
            let pattern = try Pattern(
                try call.string(0) ?? "", ignoresCase: try call.flag(2), isMultiline: try call.flag(3))
            let (result, count) = try pattern.replacing(
                in: text, with: try call.string(1) ?? "", limit: try call.int(4) ?? 0)
            if let wanted = try call.int(5), wanted != 0, wanted != count {
                throw Failure("the pattern should match \(wanted) times, but matches \(count) times")
            }
            return .string(result)
        },
        "regex_search": Filter("regex", required: 1, isVariadic: true) { call in
            let text = try call.inputText()
            let groups = try call.rest.map { try group(named: $0.text()) }
            guard let match = try pattern(call).firstMatch(in: text, .search) else { return .null }
            guard !groups.isEmpty else { return .string(match.text(0) ?? "") }
            return .list(
                try groups.map { name in
                    let group = try match.group(named: name)
                    return match.text(group).map { .string($0) } ?? .null
                })
        },
        "regex_findall": Filter("regex", "multiline", "ignorecase", required: 1) { call in
            let pattern = try Pattern(
                try call.string(0) ?? "", ignoresCase: try call.flag(2), isMultiline: try call.flag(1))
            return .list(
                try pattern.allMatches(in: call.inputText()).map { match in
                    switch match.groupCount {
                    case 0: .string(match.text(0) ?? "")
                    case 1: .string(match.text(1) ?? "")
                    default: .tuple((1...match.groupCount).map { .string(match.text($0) ?? "") })
                    }
                })
        },
        "regex_escape": Filter("re_type") { call in
            let text = try call.inputText()
            switch try call.string(0) ?? "python" {
            case "python": return .string(Pattern.escaped(text))
            case "posix_basic":
                return .string(
                    text.unicodeScalars.map { "].[^$*\\".unicodeScalars.contains($0) ? "\\" + String($0) : String($0) }
                        .joined())
            default: throw Failure("unknown type of expressions", hint: "there are python and posix_basic")
            }
        },
    ]

    private static func pattern(_ call: Call) throws -> Pattern {
        var (ignoresCase, isMultiline) = (false, false)
        for (name, value) in call.extraKeywords {
            switch name {
            case "ignorecase": ignoresCase = try value.isTrue()
            case "multiline": isMultiline = try value.isTrue()
            default:
                throw Failure("\(call.subject) has no argument '\(name)'", hint: "there are ignorecase and multiline")
            }
        }
        return try Pattern(try call.string(0) ?? "", ignoresCase: ignoresCase, isMultiline: isMultiline)
    }

    /// `\1` or `\g<name>`.
    private static func group(named text: String) throws -> String {
        if text.hasPrefix("\\g<"), text.hasSuffix(">") { return String(text.dropFirst(3).dropLast()) }
        let digits = text.dropFirst()
        guard text.hasPrefix("\\"), !digits.isEmpty, digits.utf8.allSatisfy(\.isDigit) else {
            throw Failure("'\(text)' names no group", hint: "write '\\\\1' or '\\\\g<name>'")
        }
        return String(digits)
    }
}
