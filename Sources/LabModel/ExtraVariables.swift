import LabCore
import LabYAML

/// Reads `-e`: `name=value …`, a map in JSON or YAML, or `@FILE`.
package enum ExtraVariables {
    /// The variables of all `-e` options; later ones win.
    ///
    /// - Throws: `InputError` with every mistake of all options.
    package static func parse(_ options: [String]) throws(InputError) -> VariableLayer {
        var layer = VariableLayer(.extraVars)
        var collector = DiagnosticCollector()
        for option in options {
            if let parsed = collector.attempt({ try parse(option) }) { layer.merge(parsed) }
        }
        try collector.throwIfAny()
        return layer
    }

    private static func parse(_ option: String) throws -> VariableLayer {
        if option.hasPrefix("@") {
            let path = String(option.dropFirst())
            guard !path.isEmpty else { throw InputError("'-e @' names no file") }
            return try VariableFiles.load(path, level: .extraVars, owner: nil)
        }
        let file = SourceFile(path: "<command line>", text: option)
        let span = file.span(0..<file.bytes.count)
        if option.hasPrefix("{") || option.hasPrefix("[") || option.hasPrefix("/") || option.hasPrefix(".") {
            guard option.hasPrefix("{") else {
                throw InputError(
                    "'-e \(option)' is no variable", span: span,
                    hint: option.hasPrefix("[") ? "write a map, '{…}'" : "for a file write '-e @\(option)'")
            }
            let document = try YAMLFile.document(file)
            guard document.entries != nil else {
                throw InputError("extra variables are a map, not \(document.typeName)", span: span)
            }
            return VariableLayer(.extraVars, map: document)
        }
        let text = KeyValueText(option, isCommand: false)
        if let rest = text.rest {
            throw InputError(
                "'\(rest)' is no variable", span: span, hint: "write 'name=value', and quotes around values with spaces"
            )
        }
        var layer = VariableLayer(.extraVars)
        for pair in text.pairs {
            let place = file.span(pair.range)
            layer.set(
                pair.key, .template(SourceValue(.string(pair.value), span: place)),
                origin: Origin(.extraVars, span: place))
        }
        return layer
    }
}
