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
            let inspection = Encoding.inspect(bytes, limit: limits.mistakes)
            guard inspection.failures.isEmpty else {
                return .failure(YAMLError(inspection.failures.map { $0.diagnostic(in: file) }))
            }
            var parser = Parser(bytes, dialect: schema.dialect, limits: limits)
            parser.readStream()
            guard parser.failures.isEmpty else {
                return .failure(YAMLError(parser.failures.map { $0.diagnostic(in: file) }))
            }
            return .success(
                SyntaxTree(file: file, nodes: parser.nodes, decoded: parser.decoded, properties: parser.properties))
        }
        return try result.get()
    }
}
