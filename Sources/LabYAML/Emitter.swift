import LabCore

extension YAML {
    /// A value as a YAML document: block style, keys in their order, quotes only where a text would be read as something
    /// else under any schema.
    ///
    /// - Parameters:
    ///   - indent: columns by which a nested map is indented, 2 to 9.
    ///   - indentsLists: whether a list is indented below its key, or stands at the key's column as kubectl writes it.
    /// - Returns: lines, each with its break. Read again under any schema it gives `value`, but for floats without a
    ///   fraction, which are integers under `kubernetes`.
    package static func emit(_ value: Value, indent: Int = 2, indentsLists: Bool = true) -> String {
        var emitter = Emitter(indent: min(max(indent, 2), 9), indentsLists: indentsLists)
        emitter.document(value)
        return String(decoding: emitter.bytes, as: UTF8.self)
    }

    /// Several values as one stream, each document after a `---`.
    package static func emit(documents: [Value], indent: Int = 2, indentsLists: Bool = true) -> String {
        documents.map { "---\n" + emit($0, indent: indent, indentsLists: indentsLists) }.joined()
    }
}

/// Writes values in block style.
struct Emitter {
    let indent: Int
    let indentsLists: Bool
    var bytes: [UInt8] = []

    init(indent: Int, indentsLists: Bool) {
        self.indent = indent
        self.indentsLists = indentsLists
    }

    mutating func document(_ value: Value) {
        switch value {
        case .map(let entries) where !entries.isEmpty: map(entries, column: 0, isFirstLine: false)
        case .list(let items) where !items.isEmpty: list(items, column: 0, isFirstLine: false)
        default:
            scalar(value, column: 0)
            newLine()
        }
    }

    private mutating func map(_ entries: ValueMap, column: Int, isFirstLine: Bool) {
        var isFirst = isFirstLine
        for (key, value) in entries {
            if !isFirst { pad(column) }
            isFirst = false
            if ScalarText.needsExplicitKey(key) {
                append("? ")
                text(key, column: column + indent, isKey: false)
                newLine()
                pad(column)
                append(":")
            } else {
                text(key, column: column, isKey: true)
                append(":")
            }
            self.value(value, column: column, inMap: true)
        }
    }

    private mutating func list(_ items: [Value], column: Int, isFirstLine: Bool) {
        var isFirst = isFirstLine
        for item in items {
            if !isFirst { pad(column) }
            isFirst = false
            append("-")
            value(item, column: column, inMap: false)
        }
    }

    /// What stands after the colon or the dash of an entry at `column`.
    private mutating func value(_ value: Value, column: Int, inMap: Bool) {
        switch value {
        case .map(let entries) where !entries.isEmpty:
            if inMap {
                newLine()
                map(entries, column: column + indent, isFirstLine: false)
            } else {
                pad(indent - 1)
                map(entries, column: column + indent, isFirstLine: true)
            }
        case .list(let items) where !items.isEmpty:
            if inMap {
                newLine()
                list(items, column: indentsLists ? column + indent : column, isFirstLine: false)
            } else {
                pad(indent - 1)
                list(items, column: column + indent, isFirstLine: true)
            }
        default:
            append(" ")
            scalar(value, column: column + indent)
            newLine()
        }
    }

    private mutating func scalar(_ value: Value, column: Int) {
        switch value {
        case .null: append("null")
        case .bool(let value): append(value ? "true" : "false")
        case .int(let value): append(String(value))
        case .float(let value): append(ScalarText.float(value))
        case .string(let string): text(string, column: column, isKey: false)
        case .list: append("[]")
        case .map: append("{}")
        }
    }

    /// A text in the plainest style that keeps it: plain, a block for several lines, quotes.
    private mutating func text(_ string: String, column: Int, isKey: Bool) {
        switch ScalarText.style(of: string, isKey: isKey) {
        case .plain: append(string)
        case .singleQuoted: append(ScalarText.singleQuoted(string))
        case .literal: literal(string, column: max(column, indent))
        default: append(ScalarText.doubleQuoted(string))
        }
    }

    mutating func literal(_ string: String, column: Int) {
        append("|")
        let lines = string.split(separator: "\n", omittingEmptySubsequences: false)
        // Leading white space would be taken for the indentation.
        let firstText = lines.first { !$0.isEmpty }
        if firstText?.utf8.first == .space { append(String(indent)) }
        if !string.hasSuffix("\n") {
            append("-")
        } else if string.hasSuffix("\n\n") || string.allSatisfy({ $0 == "\n" }) {
            append("+")
        }
        for line in string.hasSuffix("\n") ? lines.dropLast() : lines[...] {
            newLine()
            if !line.isEmpty {
                pad(column)
                append(String(line))
            }
        }
    }

    private mutating func append(_ string: String) { bytes.append(contentsOf: string.utf8) }
    private mutating func newLine() { bytes.append(.lineFeed) }
    private mutating func pad(_ count: Int) { bytes.append(contentsOf: repeatElement(.space, count: count)) }
}
