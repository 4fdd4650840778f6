import LabCore

/// Reads and writes YAML 1.2.2.
package enum YAML {
    /// Reads a stream into nodes with their places.
    ///
    /// - Parameter schema: decides where the syntax is laxer than YAML 1.2.2; `core` is strict.
    /// - Throws: every mistake that could be told apart, up to `limits.mistakes`.
    package static func parse(
        _ file: SourceFile, schema: Schema = .core, limits: Limits = Limits()
    ) throws(YAMLError) -> SyntaxTree {
        guard file.bytes.count <= limits.bytes else {
            throw YAMLError([Diagnostic("the file is larger than \(limits.bytes) bytes", span: file.span(0..<0))])
        }
        let file = try Encoding.decode(file)
        let result = file.bytes.withUnsafeBufferPointer { bytes -> Result<SyntaxTree, YAMLError> in
            let isLax = schema.dialect.isLax
            let inspection = Encoding.inspect(bytes, limit: limits.mistakes, isLax: isLax)
            guard inspection.failures.isEmpty else {
                return .failure(YAMLError(inspection.failures.prefix(limits.mistakes).map { $0.diagnostic(in: file) }))
            }
            var parser = Parser(bytes, dialect: schema.dialect, limits: limits)
            parser.readStream()
            parser.failures += inspection.misplaced(in: parser.nodes, isLax: isLax, bytes).prefix(limits.mistakes)
            guard parser.failures.isEmpty else {
                return .failure(YAMLError(parser.failures.prefix(limits.mistakes).map { $0.diagnostic(in: file) }))
            }
            return .success(
                SyntaxTree(file: file, nodes: parser.nodes, decoded: parser.decoded, properties: parser.properties))
        }
        return try result.get()
    }

    /// All documents of the stream as values with their places: scalars resolved under the schema, aliases followed,
    /// merge keys applied (not under `core`), duplicate keys refused. An empty document is null; a stream without
    /// documents has none.
    ///
    /// - Throws: every mistake that could be told apart, up to `limits.mistakes`.
    package static func load(
        _ file: SourceFile, schema: Schema, limits: Limits = Limits()
    ) throws(YAMLError) -> [SourceValue] {
        try compose(parse(file, schema: schema, limits: limits), schema: schema, limits: limits)
    }

    /// The values of a tree that was parsed before.
    ///
    /// - Throws: unknown aliases, duplicate keys, wrong tags, aliases that expand beyond `limits.expandedNodes`.
    package static func compose(
        _ tree: SyntaxTree, schema: Schema, limits: Limits = Limits()
    ) throws(YAMLError) -> [SourceValue] {
        let (values, diagnostics) = tree.file.bytes.withUnsafeBufferPointer { bytes in
            var composer = Composer(tree: tree, bytes: bytes, schema: schema, limits: limits)
            return (composer.compose(), composer.diagnostics)
        }
        guard diagnostics.isEmpty else { throw YAMLError(diagnostics) }
        return values
    }
}
