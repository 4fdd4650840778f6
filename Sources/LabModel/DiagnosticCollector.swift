import LabCore

/// Gathers mistakes so that all of them are told together.
package struct DiagnosticCollector {
    package private(set) var diagnostics: [Diagnostic] = []

    package init() {}

    /// Adds an error, even one that is there already.
    package mutating func report(
        _ message: String, span: SourceSpan? = nil, notes: [Diagnostic.Note] = [], hint: String? = nil
    ) {
        diagnostics.append(Diagnostic(message, span: span, notes: notes, hint: hint))
    }

    /// Adds what an error has to tell, or its text when it is no `DiagnosticError`.
    package mutating func add(_ error: any Error) {
        guard let known = error as? any DiagnosticError else {
            diagnostics.append(Diagnostic("\(error)"))
            return
        }
        add(known.diagnostics)
    }

    /// Adds diagnostics that are not there yet: a file that is read for two purposes is wrong only once.
    package mutating func add(_ found: [Diagnostic]) {
        for diagnostic in found where !diagnostics.contains(where: { $0.isSame(as: diagnostic) }) {
            diagnostics.append(diagnostic)
        }
    }

    /// The result of the body, or nil when it threw; its error is kept.
    package mutating func attempt<Result>(_ body: () throws -> Result) -> Result? {
        do {
            return try body()
        } catch {
            add(error)
            return nil
        }
    }

    package var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

    /// - Throws: `InputError` with everything that was gathered, when there is an error among it.
    package func throwIfAny() throws(InputError) {
        if hasErrors { throw InputError(diagnostics) }
    }
}

extension Diagnostic {
    /// Whether two diagnostics tell the same of the same place, even when the file was read twice.
    fileprivate func isSame(as other: Diagnostic) -> Bool {
        message == other.message && span?.description == other.span?.description && severity == other.severity
    }
}
