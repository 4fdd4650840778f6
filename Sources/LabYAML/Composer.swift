import LabCore

/// Turns the nodes of a document into values: follows aliases, resolves scalars, merges maps, refuses duplicate keys.
struct Composer {
    let tree: SyntaxTree
    let schema: Schema
    let limits: Limits
    var diagnostics: [Diagnostic] = []
    private var places: PlaceCursor

    /// The anchored nodes of the document so far; an anchor may be given anew.
    private var anchorsByName: [String: Int] = [:]
    /// What the anchored nodes became. Their values share storage, so that an alias costs nothing to make.
    private var anchored: [Int: Composed] = [:]
    private var openAnchors: Set<Int> = []
    /// Entries that were merged in the document so far.
    var merged = 0

    /// A value and how many nodes it has after its aliases were followed.
    struct Composed {
        var value: SourceValue
        var size: Int
        /// An alias that led nowhere; what becomes of it is no second mistake.
        var isBroken = false
    }

    /// - Parameter bytes: those of the tree's file, which outlive the composer.
    init(tree: SyntaxTree, bytes: UnsafeBufferPointer<UInt8>, schema: Schema, limits: Limits) {
        self.tree = tree
        places = PlaceCursor(tree.file, bytes)
        self.schema = schema
        self.limits = limits
    }

    /// The values of all documents; `diagnostics` has what was wrong.
    mutating func compose() -> [SourceValue] {
        var values: [SourceValue] = []
        for document in tree.documents {
            anchorsByName.removeAll()
            anchored.removeAll()
            merged = 0
            guard let root = tree.children(of: document).first(where: { _ in true }) else { continue }
            let composed = self.compose(root)
            let written = Int(tree.nodes[document].next) - document
            if merged <= limits.expandedNodes, composed.size > max(limits.expandedNodes, 10 * written) {
                refuseExpansion(document)
            }
            values.append(composed.value)
            if diagnostics.count >= limits.mistakes { break }
        }
        return values
    }

    /// A sum that stays far below overflow: aliases of aliases multiply.
    static func add(_ size: Int, _ other: Int) -> Int { min(size + other, 1 << 50) }

    var isFull: Bool { diagnostics.count >= limits.mistakes }

    mutating func note(_ diagnostic: Diagnostic) {
        if !isFull { diagnostics.append(diagnostic) }
    }

    /// A candidate near `name`; names of hostile length or number are not compared.
    static func nearest(_ name: String, among candidates: some Collection<String>) -> String? {
        name.utf8.count <= 60 && candidates.count <= 200 ? nearestName(to: name, among: candidates) : nil
    }

    // MARK: Places

    @inline(never)
    mutating func position(_ offset: UInt32) -> SourcePosition { places.position(at: Int(offset)) }

    /// Where a scalar or an alias stands. Of a collection, take the start before and the end after what is in it.
    mutating func span(of node: SyntaxTree.Node) -> SourceSpan {
        let start = position(node.start)
        return SourceSpan(file: tree.file, start: start, end: position(node.end))
    }

    // MARK: Nodes

    mutating func compose(_ index: Int) -> Composed {
        let node = tree.nodes[index]
        if node.kind == .alias { return composeAlias(node) }
        let properties = tree.properties(of: node)
        let anchor = properties?.anchor == nil ? nil : tree.anchor(of: node)
        if let anchor {
            anchorsByName[anchor] = index
            openAnchors.insert(index)
        }
        var composed: Composed
        switch node.kind {
        case .sequence: composed = composeSequence(index, properties)
        case .mapping: composed = composeMapping(index, properties)
        default: composed = Composed(value: composeScalar(node, properties), size: 1)
        }
        if anchor != nil {
            openAnchors.remove(index)
            anchored[index] = composed
        }
        return composed
    }

    @inline(never)
    private mutating func composeAlias(_ node: SyntaxTree.Node) -> Composed {
        let name = tree.text(node)
        let span = span(of: node)
        let failed = Composed(value: SourceValue(.null, span: span), size: 1, isBroken: true)
        guard let target = anchorsByName[name] else {
            let nearest = Self.nearest(name, among: anchorsByName.keys.sorted())
            note(
                Diagnostic(
                    "no anchor `&\(Self.cut(name))` stands before this alias", span: span,
                    hint: nearest.map { "did you mean `*\($0)`?" }
                        ?? "put `&\(Self.cut(name))` before the value that it stands for, or quote a text that starts with *"
                ))
            return failed
        }
        guard !openAnchors.contains(target), let composed = anchored[target] else {
            note(
                Diagnostic(
                    "the alias stands for a value that it is itself a part of", span: span,
                    notes: [Diagnostic.Note("the value starts here", span: tree.span(of: tree.nodes[target]))],
                    hint: "write the part out that is meant"))
            return failed
        }
        // The alias is where the value stands; what is in it keeps its places.
        return Composed(
            value: SourceValue(composed.value.content, span: span, tag: composed.value.tag), size: composed.size)
    }

    @inline(never)
    private mutating func composeSequence(_ index: Int, _ properties: SyntaxTree.Properties?) -> Composed {
        let node = tree.nodes[index]
        let start = position(node.start)
        var items: [SourceValue] = []
        var size = 1
        let isPairs = schema == .ansible && (properties?.tag == Tag.orderedMap || properties?.tag == Tag.pairs)
        for child in tree.children(of: index) {
            let item = compose(child)
            items.append(isPairs ? Self.pair(item.value) : item.value)
            size = Self.add(size, item.size)
        }
        let tag = localTag(properties, for: node)
        let span = SourceSpan(file: tree.file, start: start, end: position(node.end))
        return Composed(value: SourceValue(.list(items), span: span, tag: tag), size: size)
    }

    /// The items of `!!omap` and `!!pairs` are tuples to PyYAML.
    private static func pair(_ item: SourceValue) -> SourceValue {
        guard let entry = item.entries?.first, item.entries?.count == 1 else { return item }
        return SourceValue(.list([SourceValue(.string(entry.key), span: entry.keySpan), entry.value]), span: item.span)
    }

    /// Whether merging may go on: `<<` copies the entries of a map, so that many merges of a large map cost their product.
    @inline(never)
    mutating func countMerged(_ count: Int, at key: SyntaxTree.Node) -> Bool {
        let limit = max(limits.expandedNodes, 10 * tree.nodes.count)
        let wasBelow = merged <= limit
        merged = Self.add(merged, count)
        if merged > limit, wasBelow {
            note(
                Diagnostic(
                    "the merges of this document add up to more than \(limit) entries", span: tree.span(of: key),
                    hint: "merge smaller maps"))
        }
        return merged <= limit
    }

    @inline(never)
    private mutating func refuseExpansion(_ document: Int) {
        note(
            Diagnostic(
                "the aliases of this document expand to more than \(limits.expandedNodes) values",
                span: tree.file.span(tree.nodes[document].range.lowerBound..<tree.nodes[document].range.lowerBound),
                hint: "aliases of aliases multiply; write less of them"))
    }
}
