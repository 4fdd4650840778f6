import LabCore

/// What keeps the sandbox from starting, being found or going away.
package struct SandboxError: DiagnosticError {
    package let diagnostics: [Diagnostic]
    package var failureClass: FailureClass { .failed }

    init(_ message: String, notes: [String] = [], hint: String? = nil) {
        diagnostics = [Diagnostic(message, notes: notes.map { Diagnostic.Note($0) }, hint: hint)]
    }
}
