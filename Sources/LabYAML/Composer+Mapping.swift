import LabCore

extension Composer {
    /// Where the maps that `<<` merges go among the entries.
    private struct Entries {
        var list: [SourceValue.Entry] = []
        var positions: [String: Int] = [:]
        /// Above so many entries keys are looked up by hash.
        static let linear = 8

        mutating func position(of key: String) -> Int? {
            if list.count <= Self.linear { return list.firstIndex { $0.key == key } }
            if positions.count != list.count {
                for index in positions.count..<list.count { positions[list[index].key] = index }
            }
            return positions[key]
        }

        mutating func set(_ entry: SourceValue.Entry) {
            if let position = position(of: entry.key) { list[position] = entry } else { list.append(entry) }
        }
    }

    @inline(never)
    mutating func composeMapping(_ index: Int, _ properties: SyntaxTree.Properties?) -> Composed {
        let start = position(tree.nodes[index].start)
        var written = Entries()
        var merged: [SourceValue.Entry] = []
        var size = 1
        var children = tree.children(of: index)
        while let keyIndex = children.next(), let valueIndex = children.next() {
            if isMerge(tree.nodes[keyIndex]) {
                merge(compose(valueIndex), key: keyIndex, written: &written, merged: &merged, size: &size)
            } else {
                let key = composeKey(keyIndex)
                add(compose(valueIndex), key: key, of: start.offset, to: &written, size: &size)
            }
        }
        return finish(index, properties, start: start, written: written, merged: merged, size: size)
    }

    @inline(never)
    private mutating func merge(
        _ value: Composed, key: Int, written: inout Entries, merged: inout [SourceValue.Entry], size: inout Int
    ) {
        size = Self.add(size, value.size)
        let entries = value.isBroken ? [] : mergeEntries(value.value, key: tree.nodes[key])
        if schema == .kubernetes {
            // go-yaml 2 merges in place: what is merged overrides the keys before it.
            for entry in entries { written.set(entry) }
        } else {
            merged += entries
        }
    }

    @inline(never)
    private mutating func add(
        _ value: Composed, key: (text: String, span: SourceSpan), of start: Int, to written: inout Entries,
        size: inout Int
    ) {
        size = Self.add(size, value.size + 1)
        let entry = SourceValue.Entry(key: key.text, keySpan: key.span, value: value.value)
        guard let position = written.position(of: key.text) else {
            written.list.append(entry)
            return
        }
        // A key that was merged is overridden; one that is written twice in this map is a mistake.
        if let first = written.list[position].keySpan, first.start.offset >= start,
            first.start.offset < key.span.start.offset, !isFull
        {
            note(.duplicateKey(key.text, span: key.span, first: first))
        }
        written.list[position] = entry
    }

    @inline(never)
    private mutating func finish(
        _ index: Int, _ properties: SyntaxTree.Properties?, start: SourcePosition, written: Entries,
        merged: [SourceValue.Entry], size: Int
    ) -> Composed {
        let node = tree.nodes[index]
        var entries = written.list
        if !merged.isEmpty {
            // As PyYAML: merged entries come first, and an entry of the map's own replaces a merged one in its place.
            var all = Entries()
            for entry in merged { all.set(entry) }
            for entry in entries { all.set(entry) }
            entries = all.list
        }
        let tag = localTag(properties, for: node)
        let span = SourceSpan(file: tree.file, start: start, end: position(node.end))
        return Composed(value: SourceValue(.map(entries), span: span, tag: tag), size: size)
    }

    // MARK: Merging

    private func isMerge(_ node: SyntaxTree.Node) -> Bool {
        guard schema.mergesMaps, node.kind == .scalar, node.textEnd - node.textStart == 2 else { return false }
        let tag = tree.properties(of: node)?.tag
        guard tag == nil && node.style == .plain || tag == Tag.merge else { return false }
        return tree.withText(node) { $0[0] == UInt8(ascii: "<") && $0[1] == UInt8(ascii: "<") }
    }

    /// The entries that `<<` brings in; of several maps the first one wins (https://yaml.org/type/merge.html).
    @inline(never)
    private mutating func mergeEntries(_ value: SourceValue, key: SyntaxTree.Node) -> [SourceValue.Entry] {
        let count = value.entries?.count ?? value.list?.reduce(0) { $0 + 1 + ($1.entries?.count ?? 0) } ?? 0
        guard countMerged(count, at: key) else { return [] }
        switch value.content {
        case .map(let entries):
            return entries
        case .list(let items):
            var result: [SourceValue.Entry] = []
            for item in items.reversed() {
                if case .map(let entries) = item.content {
                    result += entries
                } else {
                    refuseMerge(item, key: key)
                }
            }
            return result
        default:
            refuseMerge(value, key: key)
            return []
        }
    }

    @inline(never)
    private mutating func refuseMerge(_ value: SourceValue, key: SyntaxTree.Node) {
        note(
            Diagnostic(
                "`<<` merges maps, but this is \(value.typeName)", span: value.span,
                notes: [Diagnostic.Note("the merge is here", span: tree.span(of: key))],
                hint: value.string.map { $0.utf8.count > 60 } ?? true
                    ? "give it the alias of a map, `<<: *name`, or a list of such aliases"
                    : "an alias starts with *: `<<: *\(value.string ?? "")`"))
    }

    // MARK: Keys

    /// The text of a key; a key of another type is held by its canonical text.
    @inline(never)
    private mutating func composeKey(_ index: Int) -> (text: String, span: SourceSpan) {
        let node = tree.nodes[index]
        let start = position(node.start)
        let text = keyText(index, node)
        return (text, SourceSpan(file: tree.file, start: start, end: position(node.end)))
    }

    private mutating func keyText(_ index: Int, _ node: SyntaxTree.Node) -> String {
        if node.kind == .scalar, node.properties == 0 {
            if node.style != .plain { return tree.text(node) }
            guard let value = tree.withText(node, { schema.resolve($0, isKey: true) }) else { return tree.text(node) }
            return keyText(value, node)
        }
        let value = compose(index)
        if value.isBroken { return "" }
        switch value.value.content {
        // Not turned into a plain value first: behind an alias it may be of any size.
        case .list: return keyText(.list([]), node)
        case .map: return keyText(.map([:]), node)
        default: return keyText(value.value.value, node)
        }
    }

    @inline(never)
    private mutating func keyText(_ value: Value, _ node: SyntaxTree.Node) -> String {
        if let text = schema.keyText(value) { return text }
        let span = tree.span(of: node)
        switch value {
        case .null:
            note(
                Diagnostic(
                    "a key cannot be null: the API server's JSON has no such keys", span: span,
                    hint: "quote it when the text itself is meant"))
        case .map where node.style == .flow && isTemplate(node):
            let range = Int(node.start) - 1..<min(Int(node.end) + 1, tree.file.bytes.count)
            let text = String(decoding: tree.file.bytes[range], as: UTF8.self)
            note(
                Diagnostic(
                    "a value that starts with `{{` must be quoted", span: tree.file.span(range),
                    notes: [Diagnostic.Note("without quotes, `{` starts a map")],
                    hint: "put the whole value into double quotes" + (range.count < 60 ? ": \"\(text)\"" : "")))
        default:
            note(
                Diagnostic(
                    "a key must be a text, but this is \(value.typeName)", span: span,
                    hint: "quote it when the text itself is meant"))
        }
        return tree.file.bytes[node.range].isEmpty ? "" : String(decoding: tree.file.bytes[node.range], as: UTF8.self)
    }

    /// Whether the map is the inner one of an unquoted `{{ … }}`.
    private func isTemplate(_ node: SyntaxTree.Node) -> Bool {
        node.start > 0 && tree.file.bytes[Int(node.start) - 1] == .openBrace
    }
}

extension Diagnostic {
    static func duplicateKey(_ key: String, span: SourceSpan, first: SourceSpan) -> Diagnostic {
        Diagnostic(
            "the key `\(Composer.cut(key))` stands twice in one map",
            span: span,
            notes: [Diagnostic.Note("the first one is here", span: first)],
            hint: "remove or rename one of the two; YAML readers would silently use the last one")
    }
}
