import LabCore

/// A mistake in the text, in byte offsets: what the parser throws inside of itself.
struct Failure: Error {
    /// On the heap, so that a throwing function returns one word.
    final class Details: Sendable {
        let message: String
        let range: Range<Int>
        let notes: [(message: String, range: Range<Int>?)]
        let hint: String?
        let resumable: Bool

        init(
            _ message: String, _ range: Range<Int>, notes: [(message: String, range: Range<Int>?)], hint: String?,
            resumable: Bool
        ) {
            self.message = message
            self.range = range
            self.notes = notes
            self.hint = hint
            self.resumable = resumable
        }
    }

    let details: Details

    /// - Parameter resumable: whether what follows can still be read without inventing further mistakes.
    init(
        _ message: String, at range: Range<Int>, notes: [(message: String, range: Range<Int>?)] = [],
        hint: String? = nil, resumable: Bool = true
    ) {
        details = Details(message, range, notes: notes, hint: hint, resumable: resumable)
    }

    func diagnostic(in file: SourceFile) -> Diagnostic {
        Diagnostic(
            details.message, span: file.span(details.range),
            notes: details.notes.map { Diagnostic.Note($0.message, span: $0.range.map(file.span)) },
            hint: details.hint)
    }
}

/// A YAML file that cannot be read: at least one mistake, in the order of the file.
package struct YAMLError: DiagnosticError {
    package let diagnostics: [Diagnostic]
    package var failureClass: FailureClass { .input }

    package init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }
}
