import LabCore

extension YAML {
    /// A stream written again from its nodes: anchors, aliases, tags and documents stay, and every scalar stays plain or
    /// quoted as it was, so that any schema reads the same from it. Collections are written in block style; comments are
    /// not kept (`YAMLEditor` keeps them).
    package static func emit(_ tree: SyntaxTree) -> String {
        var emitter = TreeEmitter(tree: tree)
        for document in tree.documents { emitter.document(document) }
        return String(decoding: emitter.bytes, as: UTF8.self)
    }
}

/// Writes nodes in block style.
struct TreeEmitter {
    let tree: SyntaxTree
    var bytes: [UInt8] = []

    init(tree: SyntaxTree) { self.tree = tree }

    mutating func document(_ index: Int) {
        append("---")
        if let root = tree.children(of: index).first(where: { _ in true }) { node(root, column: -2) }
        if tree.nodes[index].hasExplicitEnd { append("...\n") }
    }

    /// Writes a node after an indicator of a parent at `column`, up to and with the last line break.
    private mutating func node(_ index: Int, column: Int) {
        let node = tree.nodes[index]
        let isEmpty = node.kind == .scalar && node.style == .plain && node.textStart == node.textEnd
        properties(of: node)
        switch node.kind {
        case .sequence, .mapping:
            guard Int(node.next) > index + 1 else {
                append(node.kind == .sequence ? " []\n" : " {}\n")
                return
            }
            append("\n")
            if node.kind == .sequence {
                sequence(index, column: column + 2)
            } else {
                mapping(index, column: column + 2)
            }
        case .alias:
            append(" *" + tree.text(node) + "\n")
        default:
            if !isEmpty {
                append(" ")
                scalar(node, column: max(column + 2, 2))
            }
            append("\n")
        }
    }

    private mutating func sequence(_ index: Int, column: Int) {
        for item in tree.children(of: index) {
            pad(column)
            append("-")
            node(item, column: column)
        }
    }

    private mutating func mapping(_ index: Int, column: Int) {
        var children = tree.children(of: index)
        while let key = children.next(), let value = children.next() {
            pad(column)
            if isSimple(key) {
                let start = bytes.count
                properties(of: tree.nodes[key])
                // The space before an anchor or a tag is the indentation's.
                if bytes.count > start { bytes.remove(at: start) }
                if bytes.count > start { append(" ") }
                if tree.nodes[key].kind == .alias {
                    append("*" + tree.text(tree.nodes[key]) + " ")
                } else {
                    scalar(tree.nodes[key], column: nil)
                }
            } else {
                append("?")
                node(key, column: column)
                pad(column)
            }
            append(":")
            node(value, column: column)
        }
    }

    /// Whether a node can stand before its colon on one line.
    private func isSimple(_ index: Int) -> Bool {
        let node = tree.nodes[index]
        switch node.kind {
        case .alias: return true
        case .scalar:
            return node.textEnd > node.textStart && node.textEnd - node.textStart < 200
                || node.textEnd == node.textStart && node.style != .plain
        default: return false
        }
    }

    private mutating func properties(of node: SyntaxTree.Node) {
        guard let properties = tree.properties(of: node) else { return }
        if let anchor = tree.anchor(of: node) { append(" &" + anchor) }
        if let tag = properties.tag { append(" " + Self.tagText(tag)) }
    }

    /// A tag as a shorthand where it has one, else verbatim.
    static func tagText(_ tag: String) -> String {
        if tag == "!" { return "!" }
        if tag.hasPrefix(Tag.prefix), tag.utf8.count > Tag.prefix.utf8.count {
            return "!!" + escapeTag(tag.dropFirst(Tag.prefix.count))
        }
        if tag.hasPrefix("!") { return "!" + escapeTag(tag.dropFirst()) }
        return "!<" + escapeTag(tag[...], isVerbatim: true) + ">"
    }

    private static func escapeTag(_ text: Substring, isVerbatim: Bool = false) -> String {
        var result = ""
        for byte in text.utf8 {
            let isFree =
                byte.isWord
                || (isVerbatim ? "#;/?:@&=+$,_.!~*'()[]" : "#;/?:@&=+$_.~*'()").utf8.contains(byte)
            if isFree {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return result
    }

    /// A scalar in its own style where the text allows it on this place; `column` is nil for a key.
    private mutating func scalar(_ node: SyntaxTree.Node, column: Int?) {
        let text = tree.text(node)
        switch node.style {
        case .plain where ScalarText.canStayPlain(text):
            append(text)
        case .literal, .folded:
            if let column, ScalarText.isLiteral(text) {
                var emitter = Emitter(indent: 2, indentsLists: true)
                emitter.literal(text, column: column)
                bytes += emitter.bytes
            } else {
                append(ScalarText.doubleQuoted(text))
            }
        case .singleQuoted where ScalarText.isPrintableLine(text):
            append(ScalarText.singleQuoted(text))
        default:
            append(ScalarText.doubleQuoted(text))
        }
    }

    private mutating func append(_ string: String) { bytes.append(contentsOf: string.utf8) }
    private mutating func pad(_ count: Int) { bytes.append(contentsOf: repeatElement(.space, count: count)) }
}
