import LabCore

/// The nodes of a whole YAML stream in one flat array, in the order of their first byte, each before what it contains.
///
/// The array is the event stream and the tree at once: the children of a collection follow it, and `Node.next` leads
/// past a node's subtree to its next sibling. Offsets are in bytes of `file`; lines and columns are worked out when they
/// are asked for (`SourceFile.position(at:)`). A scalar is a slice of the file unless something in it was folded or
/// escaped; then it is a slice of `decoded`, one buffer for the whole stream.
package struct SyntaxTree: Sendable {
    /// The file that the offsets are about; a copy in UTF-8 when the input was UTF-16 or UTF-32.
    package let file: SourceFile
    package internal(set) var nodes: [Node]
    /// The texts of all scalars that are no slice of the file, one after the other, in UTF-8.
    package internal(set) var decoded: [UInt8]
    /// The anchors and tags of the nodes that have some; `Node.properties` counts from 1.
    package internal(set) var properties: [Properties]

    /// What a node is (YAML 1.2.2, 3.2.1.1; documents and aliases added).
    package enum Kind: UInt8, Sendable, BitwiseCopyable { case document, sequence, mapping, scalar, alias }

    /// How a node was written (YAML 1.2.2, 3.2.3.1).
    package enum Style: UInt8, Sendable, BitwiseCopyable {
        case block, flow, plain, singleQuoted, doubleQuoted, literal, folded
    }

    /// One node. 28 bytes, no references.
    package struct Node: Sendable, BitwiseCopyable {
        package let kind: Kind
        package let style: Style
        var flags: UInt8 = 0
        /// Where the node's own text starts, without its anchor and tag.
        package var start: UInt32
        /// Just past the node's last byte.
        package var end: UInt32
        var textStart: UInt32 = 0
        var textEnd: UInt32 = 0
        /// 1-based index into `properties`; 0 when the node has neither anchor nor tag.
        var properties: UInt32 = 0
        /// The index just past the node's subtree.
        package var next: UInt32 = 0

        static let isDecoded: UInt8 = 1
        static let hasExplicitStart: UInt8 = 2
        static let hasExplicitEnd: UInt8 = 4

        init(_ kind: Kind, _ style: Style, start: Int, end: Int) {
            self.kind = kind
            self.style = style
            self.start = UInt32(truncatingIfNeeded: start)
            self.end = UInt32(truncatingIfNeeded: end)
        }

        /// A scalar whose text is the slice of the file between two offsets.
        init(_ style: Style, start: Int, end: Int, text: Range<Int>) {
            self.init(.scalar, style, start: start, end: end)
            textStart = UInt32(truncatingIfNeeded: text.lowerBound)
            textEnd = UInt32(truncatingIfNeeded: text.upperBound)
        }

        /// A document that begins with `---`.
        package var hasExplicitStart: Bool { flags & Self.hasExplicitStart != 0 }
        /// A document that ends with `...`.
        package var hasExplicitEnd: Bool { flags & Self.hasExplicitEnd != 0 }
        package var range: Range<Int> { Int(start)..<Int(end) }
    }

    /// The anchor and the tag of a node (YAML 1.2.2, 6.9), resolved: a tag shorthand is expanded by its directive.
    package struct Properties: Sendable, Hashable {
        /// Without the `&`.
        package var anchor: Range<Int>?
        /// The full tag: `tag:yaml.org,2002:str`, `!local`, or `!` for the non-specific tag.
        package var tag: String?
        /// The tag as it was written.
        package var tagRange: Range<Int>?
        /// Where the first of the two starts.
        package var start: Int
    }

    /// The text of a scalar, or the name of an alias.
    package func text(_ node: Node) -> String {
        withText(node) { String(decoding: $0, as: UTF8.self) }
    }

    /// Hands out the bytes of a scalar's text, in UTF-8, without copying them.
    package func withText<R>(_ node: Node, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
        (node.flags & Node.isDecoded != 0 ? decoded : file.bytes).withUnsafeBufferPointer { bytes in
            body(UnsafeBufferPointer(rebasing: bytes[Int(node.textStart)..<Int(node.textEnd)]))
        }
    }

    /// The anchor and the tag of a node; nil when it has neither.
    package func properties(of node: Node) -> Properties? {
        node.properties == 0 ? nil : properties[Int(node.properties) - 1]
    }

    /// The anchor of a node, without the `&`.
    package func anchor(of node: Node) -> String? {
        guard let range = properties(of: node)?.anchor else { return nil }
        return String(decoding: file.bytes[range], as: UTF8.self)
    }

    /// Where a node stands in the file.
    package func span(of node: Node) -> SourceSpan { file.span(node.range) }

    /// The indices of the nodes just below the one at `index`: the items of a sequence; key, value, key, value … of a
    /// mapping; the one root of a document.
    package func children(of index: Int) -> ChildIndices {
        ChildIndices(nodes: nodes, index: index + 1, end: Int(nodes[index].next))
    }

    /// What the tree itself takes in memory, without the file, in bytes.
    package var byteCount: Int {
        nodes.capacity * MemoryLayout<Node>.stride + decoded.capacity + properties.capacity
            * MemoryLayout<Properties>.stride
    }

    /// The indices of the documents of the stream.
    package var documents: ChildIndices { ChildIndices(nodes: nodes, index: 0, end: nodes.count) }

    /// A walk over siblings by their indices in `nodes`.
    package struct ChildIndices: Sequence, IteratorProtocol {
        let nodes: [Node]
        var index: Int
        let end: Int

        package mutating func next() -> Int? {
            guard index < end else { return nil }
            defer { index = Int(nodes[index].next) }
            return index
        }
    }
}
