/// The filters, grouped by what they work on.
enum Filters {
    static let texts: [String: Filter] = [
        "upper": Filter { .string(try $0.inputText().uppercased()) },
        "lower": Filter { .string(try $0.inputText().lowercased()) },
        "capitalize": Filter { .string(StringMethods.capitalized(try $0.inputText())) },
        "title": Filter { .string(titled(try $0.inputText())) },
        "string": Filter { .string(try $0.inputText()) },
        "trim": Filter("chars") { .string(StringMethods.stripped(try $0.inputText(), try $0.string(0))) },
        "replace": Filter("old", "new", "count", required: 2) { call in
            .string(
                StringMethods.replaced(
                    try call.inputText(), try (call[0] ?? .null).text(), try (call[1] ?? .null).text(),
                    limit: try call.int(2) ?? -1))
        },
        "split": Filter("sep", "maxsplit") { call in
            .list(try StringMethods.split(call.inputString(), call.string(0), limit: call.int(1) ?? -1))
        },
        "center": Filter("width") { call in
            let width = try call.int(0) ?? 80
            guard width <= Limits.textSize else { throw Failure("the width is too large") }
            return .string(StringMethods.centered(try call.inputText(), width))
        },
        "format": Filter(isVariadic: true, body: format),
        "indent": Filter("width", "first", "blank", body: indent),
        "truncate": Filter("length", "killwords", "end", "leeway", body: truncate),
        "wordwrap": Filter("width", "break_long_words", "wrapstring", "break_on_hyphens") { call in
            let wrap = TextWrap(
                width: try call.int(0) ?? 79, breaksLongWords: try call[1]?.isTrue() ?? true,
                breaksOnHyphens: try call[3]?.isTrue() ?? true)
            let separator = try call.string(2) ?? "\n"
            return .string(
                try Python.lines(call.inputString()).map { try wrap.lines(of: $0).joined(separator: separator) }
                    .joined(separator: separator))
        },
        "wordcount": Filter { call in
            .int(try Pattern("\\w+").allMatches(in: call.inputText()).count)
        },
        "comment": Filter(
            "style", "newline", "beginning", "prefix", "prefix_count", "decoration", "postfix", "postfix_count", "end",
            body: comment),
        "quote": Filter { call in .string(shellQuoted(call.input.isNull ? "" : try call.inputText())) },
        "escape": Filter { .string(markupEscaped(try $0.inputText())) },
        "e": Filter { .string(markupEscaped(try $0.inputText())) },
        "forceescape": Filter { .string(markupEscaped(try $0.inputText())) },
        "safe": Filter { .string(try $0.inputText()) },
        "striptags": Filter { call in
            let withoutComments = try Pattern("<!--.*?-->", matchesNewlines: true).replacing(
                in: call.inputText(), with: "")
            let withoutTags = try Pattern("<.*?>", matchesNewlines: true).replacing(in: withoutComments.text, with: "")
            let words = try StringMethods.split(withoutTags.text, nil, limit: -1).compactMap(\.string)
            return .string(markupUnescaped(words.joined(separator: " ")))
        },
        "xmlattr": Filter("autospace") { call in
            let attributes = try call.inputDict().entries.filter { !$0.value.isNull && !$0.value.isUndefined }.map {
                "\(markupEscaped(try $0.key.object.text()))=\"\(markupEscaped(try $0.value.text()))\""
            }.joined(separator: " ")
            let hasSpace = try call[0]?.isTrue() ?? true
            return .string(hasSpace && !attributes.isEmpty ? " " + attributes : attributes)
        },
    ]

    /// jinja2's own title: words start behind white space and `-({[<`.
    private static func titled(_ text: String) -> String {
        var result = ""
        var startsWord = true
        for scalar in text.unicodeScalars {
            let separates = Python.isSpace(scalar) || ["-", "(", "{", "[", "<"].contains(scalar)
            result += startsWord ? scalar.properties.uppercaseMapping : scalar.properties.lowercaseMapping
            startsWord = separates
        }
        return result
    }

    private static func format(_ call: Call) throws -> Object {
        guard call.rest.isEmpty || call.extraKeywords.isEmpty else {
            throw Failure("\(call.subject) takes arguments with names or without, not both")
        }
        let values: Object =
            call.extraKeywords.isEmpty ? .tuple(call.rest) : .dict(DictBox(call.extraKeywords.dictionary))
        return .string(try PercentFormat.format(call.inputText(), with: values))
    }

    private static func indent(_ call: Call) throws -> Object {
        let indentation: String
        if let text = call[0]?.string {
            indentation = text
        } else {
            let width = try call.int(0) ?? 4
            guard width <= 10_000 else { throw Failure("the width is too large") }
            indentation = String(repeating: " ", count: max(0, width))
        }
        var lines = Python.lines(try call.inputString() + "\n")
        let indentsBlank = try call.flag(2)
        for index in lines.indices.dropFirst() where indentsBlank || !lines[index].isEmpty {
            lines[index] = indentation + lines[index]
        }
        return .string((try call.flag(1) ? indentation : "") + lines.joined(separator: "\n"))
    }

    private static func truncate(_ call: Call) throws -> Object {
        let text = Array(try call.inputString().unicodeScalars)
        let length = try call.int(0) ?? 255
        let end = try call.string(2) ?? "..."
        let leeway = try call.int(3) ?? 5
        let endLength = end.unicodeScalars.count
        guard length >= endLength, leeway >= 0, length <= Int.max / 2, leeway <= Int.max / 2 else {
            throw Failure("\(call.subject) needs a length of at least \(endLength), and no negative leeway")
        }
        if text.count <= length + leeway { return .string(try call.inputString()) }
        var kept = text[..<(length - endLength)]
        if try !call.flag(1), let space = kept.lastIndex(of: " ") { kept = kept[..<space] }
        return .string(kept.map(String.init).joined() + end)
    }

    /// `shlex.quote`.
    static func shellQuoted(_ text: String) -> String {
        let isSafe =
            !text.isEmpty
            && text.utf8.allSatisfy { byte in
                byte.isDigit || (byte < 0x80 && byte.isNameStart) || "@%+=:,./-".utf8.contains(byte)
            }
        return isSafe ? text : "'" + StringMethods.replaced(text, "'", "'\"'\"'", limit: -1) + "'"
    }

    private static func markupEscaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "'": result += "&#39;"
            case "\"": result += "&#34;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The entities that `markupEscaped` makes, and the named ones of XML.
    private static func markupUnescaped(_ text: String) -> String {
        let entities = [
            ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&apos;", "'"),
            ("&nbsp;", "\u{A0}"), ("&amp;", "&"),
        ]
        return entities.reduce(text) { StringMethods.replaced($0, $1.0, $1.1, limit: -1) }
    }

    private static let commentStyles: [String: (beginning: String, decoration: String, end: String)] = [
        "plain": ("", "# ", ""), "erlang": ("", "% ", ""), "c": ("", "// ", ""), "cblock": ("/*", " * ", " */"),
        "xml": ("<!--", " - ", "-->"),
    ]

    private static func comment(_ call: Call) throws -> Object {
        let name = try call.string(0) ?? "plain"
        guard let style = commentStyles[name] else {
            throw Failure("unknown comment style '\(name)'", hint: "there are plain, erlang, c, cblock and xml")
        }
        let text = try call.inputString()
        let newline = try call.string(1) ?? "\n"
        let decoration = try call.string(5) ?? style.decoration
        let bare = StringMethods.stripped(decoration, nil, left: false)
        let beginning = try call.string(2) ?? style.beginning
        let prefix = try call.string(3) ?? bare
        let postfix = try call.string(6) ?? bare
        let end = try call.string(8) ?? style.end
        let (prefixCount, postfixCount) = (try call.int(4) ?? 1, try call.int(7) ?? 1)
        guard max(prefixCount, postfixCount) <= 10_000 else { throw Failure("the count is too large") }
        var result = beginning.isEmpty ? "" : beginning + newline
        if !prefix.isEmpty {
            result += String(repeating: prefix == newline ? newline : prefix + newline, count: max(0, prefixCount))
        }
        let decorated = decoration + StringMethods.replaced(text, newline, newline + decoration, limit: -1)
        result += StringMethods.replaced(decorated, decoration + newline, bare + newline, limit: -1)
        result += String(repeating: newline + postfix, count: max(0, postfixCount))
        return .string(result + (end.isEmpty ? "" : newline + end))
    }
}
