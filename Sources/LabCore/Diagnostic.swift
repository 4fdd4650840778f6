/// Something that a person has to be told: what is wrong, where, why, and what to try.
///
/// Messages are lower-case sentences without a full stop and without type names of the program. Rendering (colour,
/// excerpts with a caret) is LabReport's.
package struct Diagnostic: Error, Sendable, Hashable {
    /// How bad it is; a `note` is only worth knowing.
    package enum Severity: String, Sendable, Hashable { case error, warning, note }

    /// A further place that explains the first one ("the first definition is here").
    package struct Note: Sendable, Hashable {
        package let message: String
        package let span: SourceSpan?

        package init(_ message: String, span: SourceSpan? = nil) {
            self.message = message
            self.span = span
        }
    }

    package var severity: Severity
    /// What is wrong, in one line.
    package var message: String
    /// Where, when a file is to blame.
    package var span: SourceSpan?
    /// Why, or what was seen: further lines, each one sentence.
    package var notes: [Note]
    /// What to try, as an instruction; nil when there is nothing sensible to say.
    package var hint: String?

    package init(
        _ message: String, span: SourceSpan? = nil, notes: [Note] = [], hint: String? = nil,
        severity: Severity = .error
    ) {
        self.severity = severity
        self.message = message
        self.span = span
        self.notes = notes
        self.hint = hint
    }
}

/// An error that knows how it is told to a person. Every error type of every target conforms.
package protocol DiagnosticError: Error {
    /// At least one diagnostic; several when several mistakes were found together.
    var diagnostics: [Diagnostic] { get }
    /// Which exit code the error leads to when it ends the run.
    var failureClass: FailureClass { get }
}

/// What kind of failure ended a run; decides the exit code (design.md, "exit codes").
package enum FailureClass: Int32, Sendable, Hashable {
    /// A task failed, or something outside of the user's files went wrong.
    case failed = 2
    /// A host could not be reached or refused the login.
    case unreachable = 4
    /// The command line is wrong.
    case usage = 64
    /// A file of the user's is wrong: YAML, role, inventory, variable.
    case input = 65
    /// Ctrl-C.
    case interrupted = 130
}

/// Mistakes in the user's files.
package struct InputError: DiagnosticError {
    package let diagnostics: [Diagnostic]
    package var failureClass: FailureClass { .input }

    package init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

    package init(
        _ message: String, span: SourceSpan? = nil, notes: [Diagnostic.Note] = [], hint: String? = nil
    ) {
        self.init([Diagnostic(message, span: span, notes: notes, hint: hint)])
    }
}

/// A mistake on the command line.
package struct UsageError: DiagnosticError {
    package let diagnostics: [Diagnostic]
    package var failureClass: FailureClass { .usage }

    package init(_ message: String, hint: String? = nil) {
        self.diagnostics = [Diagnostic(message, hint: hint)]
    }

    package init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }
}
