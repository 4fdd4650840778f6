import LabCore

extension SyntaxTree {
    /// The stream as events in the notation of the yaml-test-suite (`test.event`), one a line.
    package func events() -> String {
        var text = "+STR\n"
        var open: [Int] = []
        for index in nodes.indices {
            closeEvents(before: index, &open, into: &text)
            let node = nodes[index]
            switch node.kind {
            case .document:
                text += node.hasExplicitStart ? "+DOC ---" : "+DOC"
                open.append(index)
            case .sequence:
                text += node.style == .flow ? "+SEQ []" : "+SEQ"
                open.append(index)
            case .mapping:
                text += node.style == .flow ? "+MAP {}" : "+MAP"
                open.append(index)
            case .scalar: text += "=VAL"
            case .alias: text += "=ALI *" + self.text(node)
            }
            if let properties = properties(of: node) {
                if let anchor = anchor(of: node) { text += " &" + anchor }
                if let tag = properties.tag { text += " <" + tag + ">" }
            }
            if node.kind == .scalar {
                text += " " + node.style.eventIndicator
                text += withText(node) { Self.escape($0) }
            }
            text += "\n"
        }
        closeEvents(before: nodes.count, &open, into: &text)
        return text + "-STR\n"
    }

    private func closeEvents(before index: Int, _ open: inout [Int], into text: inout String) {
        while let last = open.last, Int(nodes[last].next) <= index {
            open.removeLast()
            switch nodes[last].kind {
            case .document: text += nodes[last].hasExplicitEnd ? "-DOC ...\n" : "-DOC\n"
            case .sequence: text += "-SEQ\n"
            default: text += "-MAP\n"
            }
        }
    }

    private static func escape(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        var escaped: [UInt8] = []
        for byte in bytes {
            switch byte {
            case .backslash: escaped += Array("\\\\".utf8)
            case 0x00: escaped += Array("\\0".utf8)
            case 0x07: escaped += Array("\\a".utf8)
            case 0x08: escaped += Array("\\b".utf8)
            case 0x09: escaped += Array("\\t".utf8)
            case 0x0A: escaped += Array("\\n".utf8)
            case 0x0B: escaped += Array("\\v".utf8)
            case 0x0C: escaped += Array("\\f".utf8)
            case 0x0D: escaped += Array("\\r".utf8)
            case 0x1B: escaped += Array("\\e".utf8)
            default: escaped.append(byte)
            }
        }
        return String(decoding: escaped, as: UTF8.self)
    }
}

extension SyntaxTree.Style {
    /// How the test suite's notation marks the style of a scalar.
    fileprivate var eventIndicator: String {
        switch self {
        case .singleQuoted: "'"
        case .doubleQuoted: "\""
        case .literal: "|"
        case .folded: ">"
        default: ":"
        }
    }
}
