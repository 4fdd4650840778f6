import LabCore

/// The tags that have a meaning to a schema (YAML 1.2.2, 10.1 to 10.3; https://yaml.org/type/).
enum Tag {
    static let prefix = "tag:yaml.org,2002:"
    static let merge = prefix + "merge"
    static let string = prefix + "str"
    static let map = prefix + "map"
    static let sequence = prefix + "seq"
    static let set = prefix + "set"
    static let orderedMap = prefix + "omap"
    static let pairs = prefix + "pairs"
    static let integer = prefix + "int"
    static let float = prefix + "float"
    static let boolean = prefix + "bool"
    static let null = prefix + "null"
    static let binary = prefix + "binary"
}

extension Composer {
    /// The explicit tag as it was written, when it is the file's own (`!vault`) and no type of YAML's.
    @inline(never)
    mutating func localTag(_ properties: SyntaxTree.Properties?, for node: SyntaxTree.Node) -> String? {
        guard let tag = properties?.tag, tag != "!" else { return nil }
        if tag.hasPrefix(Tag.prefix) {
            checkCollectionTag(tag, node)
            return nil
        }
        checkKnownTag(tag, properties)
        return tag
    }

    private mutating func checkCollectionTag(_ tag: String, _ node: SyntaxTree.Node) {
        let expected: Set<String> =
            node.kind == .mapping
            ? [Tag.map, Tag.set, Tag.orderedMap]
            : node.kind == .sequence
                ? [Tag.sequence, Tag.orderedMap, Tag.pairs] : [tag]
        let known: Set<String> = [Tag.string, Tag.integer, Tag.float, Tag.boolean, Tag.null, Tag.map, Tag.sequence]
        if !expected.contains(tag), known.contains(tag) {
            note(
                Diagnostic(
                    "the tag `!!\(Self.cut(tag.dropFirst(Tag.prefix.count)))` is not one of a \(node.kind == .mapping ? "map" : "list")",
                    span: tree.span(of: node), hint: "remove the tag, or write the value that it promises"))
        }
    }

    /// Ansible knows three tags of its own and refuses others.
    private mutating func checkKnownTag(_ tag: String, _ properties: SyntaxTree.Properties?) {
        let known = ["!vault", "!unsafe", "!vault-encrypted"]
        guard schema == .ansible, !known.contains(tag) else { return }
        note(
            Diagnostic(
                "Ansible knows no tag `\(Self.cut(tag))`", span: properties?.tagRange.map(tree.file.span),
                hint: Self.nearest(tag, among: known).map { "did you mean `\($0)`?" }
                    ?? "quote the text when it is meant to start with !"))
    }

    @inline(never)
    mutating func composeScalar(_ node: SyntaxTree.Node, _ properties: SyntaxTree.Properties?) -> SourceValue {
        let span = span(of: node)
        guard let tag = properties?.tag else {
            if node.style == .plain, let value = tree.withText(node, { schema.resolve($0) }) {
                if schema == .kubernetes, let double = value.double, !double.isFinite { refuseNotFinite(span) }
                return SourceValue(Self.content(value), span: span)
            }
            return SourceValue(.string(tree.text(node)), span: span)
        }
        let text = tree.text(node)
        if tag == "!" {
            // Not a plain scalar any more (YAML 1.2.2, 3.3.2); libyaml resolves what it stands before, quoted or not.
            let isEmpty = text.isEmpty && node.style == .plain
            let value = schema == .ansible && !isEmpty ? schema.resolve(text) : nil
            return SourceValue(value.map(Self.content) ?? .string(text), span: span)
        }
        if tag.hasPrefix(Tag.prefix) {
            return SourceValue(taggedContent(tag, text, node), span: span)
        }
        checkKnownTag(tag, properties)
        // Ansible resolves what `!unsafe` and `!vault` stand before as if neither tag nor quotes were there.
        if schema == .ansible, let value = schema.resolve(text) {
            return SourceValue(Self.content(value), span: span, tag: tag)
        }
        return SourceValue(.string(text), span: span, tag: tag)
    }

    private mutating func refuseNotFinite(_ span: SourceSpan) {
        note(
            Diagnostic(
                "the number is not finite, and the API server's JSON has no such numbers", span: span,
                hint: "quote it when the text itself is meant"))
    }

    /// The content of a scalar with a tag of YAML's own.
    private mutating func taggedContent(
        _ tag: String, _ text: String, _ node: SyntaxTree.Node
    ) -> SourceValue.Content {
        let resolved = schema.resolve(text)
        switch (tag, resolved) {
        case (Tag.string, _): return .string(text)
        case (Tag.integer, .int(let value)): return .int(value)
        case (Tag.float, .float(let value)): return .float(value)
        case (Tag.float, .int(let value)): return schema == .kubernetes ? .int(value) : .float(Double(value))
        case (Tag.float, nil):
            if let value = Double(text), text.utf8.first.map({ $0.isDigit || $0 == .dash || $0 == .dot }) == true {
                return .float(value)
            }
        case (Tag.boolean, .bool(let value)): return .bool(value)
        case (Tag.null, .null): return .null
        case (Tag.null, _) where schema == .ansible: return .null
        case (Tag.binary, _): return .string(schema == .kubernetes ? binary(text, node) : text)
        case (Tag.integer, _), (Tag.boolean, _), (Tag.null, _): break
        case (Tag.map, _), (Tag.sequence, _):
            if text.isEmpty, node.style == .plain { return tag == Tag.map ? .map([]) : .list([]) }
        default: return .string(text)
        }
        note(
            Diagnostic(
                "`\(Self.cut(text))` is no \(Self.typeName(tag))", span: tree.span(of: node),
                hint: "remove the tag `!!\(tag.dropFirst(Tag.prefix.count))`, or write the value that it promises"))
        return .null
    }

    private static func typeName(_ tag: String) -> String {
        switch tag {
        case Tag.integer: "integer"
        case Tag.float: "number"
        case Tag.boolean: "boolean"
        case Tag.null: "null"
        case Tag.map: "map"
        default: "list"
        }
    }

    /// What go-yaml decodes a `!!binary` to, which JSON can hold as text only.
    private mutating func binary(_ text: String, _ node: SyntaxTree.Node) -> String {
        if let bytes = decodeBase64(text), let decoded = String(validating: bytes, as: UTF8.self) { return decoded }
        note(
            Diagnostic(
                "the binary value is no base64 of a text", span: tree.span(of: node),
                hint: "remove the tag; Kubernetes fields for binary data take base64 as it is"))
        return text
    }

    private func decodeBase64(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        var padding = 0
        for byte in text.utf8 where !byte.isBlank && !byte.isBreak {
            let value: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - 65
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - 71
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte + 4
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            case UInt8(ascii: "="):
                padding += 1
                value = 0
            default: return nil
            }
            if padding > 0, byte != UInt8(ascii: "=") { return nil }
            bits = bits << 6 | UInt32(value)
            count += 1
            if count % 4 == 0 {
                bytes.append(UInt8(truncatingIfNeeded: bits >> 16))
                bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
                bytes.append(UInt8(truncatingIfNeeded: bits))
                bits = 0
            }
        }
        guard count % 4 == 0, padding <= 2 else { return nil }
        return bytes.dropLast(padding)
    }

    /// A text as it is shown in a message: the first characters.
    static func cut(_ text: some StringProtocol) -> String {
        text.unicodeScalars.count > 60
            ? String(String.UnicodeScalarView(text.unicodeScalars.prefix(59))) + "…" : String(text)
    }

    static func content(_ value: Value) -> SourceValue.Content {
        switch value {
        case .null: .null
        case .bool(let value): .bool(value)
        case .int(let value): .int(value)
        case .float(let value): .float(value)
        case .string(let text): .string(text)
        case .list, .map: SourceValue(value).content
        }
    }
}
