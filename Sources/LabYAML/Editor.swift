import LabCore

/// Changes values in a YAML file and leaves everything else as it was written: comments, order, quotes, empty lines.
///
///     var editor = try YAMLEditor(file, schema: .ansible)
///     try editor.set(["all", "vars", "metallb_version"], to: "0.15.3")
///     editor.text
///
/// A path leads through maps by key and through lists by index (`["tasks", "0", "name"]`), in the first document. Each
/// change edits the text and reads it again, so that a change that would break the file is refused.
package struct YAMLEditor: Sendable {
    package private(set) var file: SourceFile
    package let schema: Schema
    private var tree: SyntaxTree

    /// - Throws: what is wrong in the file.
    package init(_ file: SourceFile, schema: Schema) throws(YAMLError) {
        self.schema = schema
        self.tree = try YAML.parse(file, schema: schema)
        self.file = tree.file
    }

    /// The file with its changes.
    package var text: String { String(decoding: file.bytes, as: UTF8.self) }

    /// Sets the value at a path. The last key of the path is added when it is missing, at the end of its map.
    ///
    /// - Throws: an error without a place when the path leads nowhere; with one when the place cannot be edited.
    package mutating func set(_ path: [String], to value: Value) throws(YAMLError) {
        guard let root = root() else {
            guard path.isEmpty || path.count == 1 else { throw nowhere(path) }
            let whole: Value = path.first.map { .map([$0: value]) } ?? value
            let lineBreak = file.bytes.isEmpty || file.bytes.last == .lineFeed ? "" : "\n"
            return try replace(file.bytes.count..<file.bytes.count, by: lineBreak + YAML.emit(whole))
        }
        if let node = find(path, from: root) { return try replaceValue(node, by: value) }
        guard let key = path.last, let parent = find(Array(path.dropLast()), from: root) else { throw nowhere(path) }
        try insert(key, value, into: parent, path)
    }

    /// Removes the entry or item at a path with the comment on its line.
    ///
    /// - Throws: an error when the path leads nowhere or the place cannot be edited.
    package mutating func remove(_ path: [String]) throws(YAMLError) {
        guard let root = root(), !path.isEmpty, let parent = find(Array(path.dropLast()), from: root),
            let node = find(path, from: root)
        else { throw nowhere(path) }
        let parentNode = tree.nodes[parent]
        let isMap = parentNode.kind == .mapping
        let children = Array(tree.children(of: parent))
        guard let position = children.firstIndex(of: node) else { throw nowhere(path) }
        if children.count == (isMap ? 2 : 1) {
            return try replace(parentNode.range, by: isMap ? "{}" : "[]")
        }
        let first = isMap ? position - 1 : position
        let start = entryStart(children[first], in: parentNode)
        if parentNode.style == .flow {
            let isLast = position == children.count - 1
            let from = isLast ? Int(tree.nodes[children[first - 1]].end) : start
            let to = isLast ? Int(tree.nodes[node].end) : entryStart(children[position + 1], in: parentNode)
            return try replace(from..<to, by: "")
        }
        if position + 1 < children.count, !isAloneOnLine(start) {
            // The first entry stands after a dash: what follows moves into its place.
            return try replace(start..<entryStart(children[position + 1], in: parentNode), by: "")
        }
        let from = lineStart(start)
        try replace(from..<afterLine(max(Int(tree.nodes[node].end), start)), by: "")
    }

    // MARK: Finding

    private func root() -> Int? {
        guard let document = tree.documents.first(where: { _ in true }),
            let root = tree.children(of: document).first(where: { _ in true })
        else { return nil }
        let node = tree.nodes[root]
        return node.kind == .scalar && node.textStart == node.textEnd && node.style == .plain ? nil : root
    }

    private func find(_ path: [String], from root: Int) -> Int? {
        var index = root
        for step in path {
            guard let next = child(step, of: index) else { return nil }
            index = next
        }
        return index
    }

    private func child(_ step: String, of index: Int) -> Int? {
        let node = tree.nodes[index]
        switch node.kind {
        case .mapping:
            var children = tree.children(of: index)
            while let key = children.next(), let value = children.next() {
                if tree.nodes[key].kind == .scalar, tree.text(tree.nodes[key]) == step { return value }
            }
            return nil
        case .sequence:
            guard let position = Int(step), position >= 0 else { return nil }
            return tree.children(of: index).dropFirst(position).first { _ in true }
        default:
            return nil
        }
    }

    private func nowhere(_ path: [String]) -> YAMLError {
        YAMLError([Diagnostic("\(file.path) has nothing at `\(path.joined(separator: "."))`")])
    }

    // MARK: Editing

    private mutating func replaceValue(_ index: Int, by value: Value) throws(YAMLError) {
        let node = tree.nodes[index]
        let start = tree.properties(of: node)?.start ?? Int(node.start)
        let isEmpty = start == Int(node.end)
        if isInFlow(index) || isScalar(value) {
            let text = flow(value)
            if node.style == .block, node.kind != .scalar, file.bytes[start] != .openBracket {
                // A block collection becomes a scalar on the line of its key.
                return try replace(afterIndicator(start)..<Int(node.end), by: " " + text)
            }
            return try replace(start..<Int(node.end), by: isEmpty ? " " + text : text)
        }
        let column = entryColumn(index)
        var block = indented(YAML.emit(value), by: column + 2)
        block.removeLast()
        try replace(afterIndicator(start)..<Int(node.end), by: "\n" + block)
    }

    private mutating func insert(_ key: String, _ value: Value, into parent: Int, _ path: [String]) throws(YAMLError) {
        let node = tree.nodes[parent]
        guard node.kind == .mapping else { throw nowhere(path) }
        let children = Array(tree.children(of: parent))
        if node.style == .flow {
            let comma = children.isEmpty ? "" : ", "
            let at = children.isEmpty ? Int(node.end) - 1 : Int(tree.nodes[children[children.count - 1]].end)
            return try replace(at..<at, by: comma + flow(.string(key)) + ": " + flow(value))
        }
        guard let first = children.first, let last = children.last else { throw nowhere(path) }
        let column = tree.file.position(at: entryStart(first, in: node)).column - 1
        let at = afterLine(max(Int(tree.nodes[last].end), Int(tree.nodes[children[children.count - 2]].end)))
        let entry = indented(YAML.emit(.map([key: value])), by: column)
        let needsBreak = at > 0 && !file.bytes[at - 1].isBreak
        try replace(at..<at, by: (needsBreak ? "\n" : "") + entry)
    }

    private mutating func replace(_ range: Range<Int>, by text: String) throws(YAMLError) {
        var bytes = file.bytes
        bytes.replaceSubrange(range, with: text.utf8)
        let edited = SourceFile(path: file.path, bytes: bytes)
        let tree = try YAML.parse(edited, schema: schema)
        self.tree = tree
        file = edited
    }

    // MARK: Places

    private func isScalar(_ value: Value) -> Bool {
        switch value {
        case .list(let items): items.isEmpty
        case .map(let entries): entries.isEmpty
        default: true
        }
    }

    /// A value on one line: scalars as the emitter writes them, collections as in JSON.
    private func flow(_ value: Value) -> String {
        switch value {
        case .string(let text):
            if ScalarText.isPlain(text), !text.utf8.contains(where: { $0.isFlowIndicator }) { return text }
            return ScalarText.isPrintableLine(text) ? ScalarText.singleQuoted(text) : ScalarText.doubleQuoted(text)
        case .list(let items): return "[" + items.map(flow).joined(separator: ", ") + "]"
        case .map(let entries):
            return "{" + entries.map { flow(.string($0.key)) + ": " + flow($0.value) }.joined(separator: ", ") + "}"
        default:
            return String(YAML.emit(value).dropLast())
        }
    }

    private func indented(_ text: String, by column: Int) -> String {
        let margin = String(repeating: " ", count: column)
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : margin + $0 }
            .joined(separator: "\n")
    }

    /// Where an entry starts: its key, its `? `, or its dash.
    private func entryStart(_ index: Int, in parent: SyntaxTree.Node) -> Int {
        let node = tree.nodes[index]
        var start = tree.properties(of: node)?.start ?? Int(node.start)
        if parent.style == .block {
            let indicator: UInt8 = parent.kind == .sequence ? .dash : .question
            var before = start - 1
            while before >= 0, file.bytes[before].isBlank || file.bytes[before].isBreak { before -= 1 }
            if before >= 0, file.bytes[before] == indicator { start = before }
        }
        return start
    }

    private func isAloneOnLine(_ offset: Int) -> Bool {
        file.bytes[lineStart(offset)..<offset].allSatisfy(\.isBlank)
    }

    private func lineStart(_ offset: Int) -> Int {
        var start = offset
        while start > 0, !file.bytes[start - 1].isBreak { start -= 1 }
        return start
    }

    /// Just past the break of the line that `offset` is on.
    private func afterLine(_ offset: Int) -> Int {
        var end = offset
        while end < file.bytes.count, file.bytes[end] != .lineFeed, file.bytes[end] != .carriageReturn { end += 1 }
        if end < file.bytes.count, file.bytes[end] == .carriageReturn { end += 1 }
        if end < file.bytes.count, file.bytes[end] == .lineFeed { end += 1 }
        return end
    }

    /// The end of the indicator (colon or dash) before a value.
    private func afterIndicator(_ start: Int) -> Int {
        var index = start
        while index > 0, file.bytes[index - 1].isBlank || file.bytes[index - 1].isBreak { index -= 1 }
        return index
    }

    private func isInFlow(_ index: Int) -> Bool {
        tree.nodes[..<index].indices.contains { outer in
            let node = tree.nodes[outer]
            return node.style == .flow && Int(node.next) > index && node.kind != .scalar
        }
    }

    /// The column of the entry that a value belongs to, counted from 0.
    private func entryColumn(_ index: Int) -> Int {
        var parent = index - 1
        while parent > 0, Int(tree.nodes[parent].next) <= index || tree.nodes[parent].kind == .scalar { parent -= 1 }
        let node = tree.nodes[max(parent, 0)]
        guard node.kind == .mapping || node.kind == .sequence else { return -2 }
        return tree.file.position(at: Int(node.start)).column - 1
    }
}
