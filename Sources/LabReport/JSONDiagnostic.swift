import LabCore

/// Diagnostics for programs.
package enum JSONDiagnostic {
    /// `severity`, `message`, and where known `file`, `line`, `column`, `notes` (each with its own place) and `hint`.
    package static func object(_ diagnostic: Diagnostic) -> Value {
        var fields: ValueMap = [
            "severity": .string(diagnostic.severity.rawValue), "message": .string(diagnostic.message),
        ]
        fields.merge(place(diagnostic.span)) { $1 }
        if !diagnostic.notes.isEmpty {
            fields["notes"] = .list(
                diagnostic.notes.map { note in
                    var entry: ValueMap = ["message": .string(note.message)]
                    entry.merge(place(note.span)) { $1 }
                    return .map(entry)
                })
        }
        if let hint = diagnostic.hint { fields["hint"] = .string(hint) }
        return .map(fields)
    }

    private static func place(_ span: SourceSpan?) -> ValueMap {
        guard let span else { return [:] }
        return [
            "file": .string(span.file.path), "line": .int(span.start.line), "column": .int(span.start.column),
        ]
    }
}
