extension TemplateOptions {
    private static let header = Array("#jinja2:".utf8)

    /// Reads the line `#jinja2: trim_blocks: False, …` that may start a template; gives where the text behind it starts.
    ///
    /// - Throws: `Failure` when the line is not written so, or names an option that does not exist.
    mutating func readHeader(_ source: [UInt8]) throws -> Int {
        guard source.starts(with: Self.header) else { return 0 }
        let end = source.firstIndex(of: 0x0A) ?? source.count
        let line = String(decoding: source[Self.header.count..<end], as: UTF8.self)
        for pair in try pairs(line, range: 0..<end) {
            try set(pair.name, pair.value, range: 0..<end)
        }
        return min(end + 1, source.count)
    }

    /// `name: value` separated by commas; values are Python's literals.
    private func pairs(_ line: String, range: Range<Int>) throws -> [(name: String, value: Object)] {
        let source = Array(("{" + line + "}").utf8)
        var parts: [(String, Object)] = []
        var tokens = try Lexer.expression(source, in: 1..<source.count - 1)[...]
        while let name = tokens.popFirst(), case .name(let key) = name.kind {
            guard tokens.popFirst()?.isOperator(.colon) == true, let value = tokens.popFirst() else { break }
            switch value.kind {
            case .name("True"), .name("true"): parts.append((key, .bool(true)))
            case .name("False"), .name("false"): parts.append((key, .bool(false)))
            case .string(let text): parts.append((key, .string(text)))
            default: throw Failure("the option '\(key)' needs a string, True or False", kind: .syntax, range: range)
            }
            guard let separator = tokens.popFirst(), separator.isOperator(.comma) else { return parts }
        }
        throw Failure(
            "the line '#jinja2:' is not written as expected", kind: .syntax,
            hint: "write '#jinja2: trim_blocks: False, lstrip_blocks: True'", range: range)
    }

    private mutating func set(_ name: String, _ value: Object, range: Range<Int>) throws {
        switch (name, value) {
        case ("trim_blocks", .bool(let flag)): trimBlocks = flag
        case ("lstrip_blocks", .bool(let flag)): stripsBeforeBlocks = flag
        case ("block_start_string", .string(let text)): blockStart = text
        case ("block_end_string", .string(let text)): blockEnd = text
        case ("variable_start_string", .string(let text)): variableStart = text
        case ("variable_end_string", .string(let text)): variableEnd = text
        case ("comment_start_string", .string(let text)): commentStart = text
        case ("comment_end_string", .string(let text)): commentEnd = text
        case ("newline_sequence", .string("\n")): break
        default:
            let known = [
                "trim_blocks", "lstrip_blocks", "block_start_string", "block_end_string", "variable_start_string",
                "variable_end_string", "comment_start_string", "comment_end_string",
            ]
            throw Failure(
                known.contains(name)
                    ? "the option '\(name)' has a value of the wrong type" : "unknown option '\(name)'",
                kind: .syntax, hint: known.contains(name) ? nil : suggestion(for: name, among: known), range: range)
        }
    }
}
