import LabCore

/// A template that cannot be read or rendered.
package struct TemplateError: DiagnosticError {
    /// What is wrong with the template.
    package enum Kind: Sendable, Hashable {
        /// The text is no Jinja.
        case syntax
        /// A variable, attribute or item that is used does not exist; the name as it was written.
        case undefined(String)
        /// There is no such filter.
        case unknownFilter(String)
        /// There is no such test.
        case unknownTest(String)
        /// An operation failed: unlike types, division by zero, a limit, a lookup.
        case evaluation
    }

    package let kind: Kind
    /// What is told: the place is in the file that the template came from, when that is known.
    package var diagnostic: Diagnostic

    package var diagnostics: [Diagnostic] { [diagnostic] }
    package var failureClass: FailureClass { .input }

    package init(_ kind: Kind, _ diagnostic: Diagnostic) {
        self.kind = kind
        self.diagnostic = diagnostic
    }
}

/// What goes wrong inside a template, before the place in the user's file is known.
struct Failure: Error {
    var kind: TemplateError.Kind = .evaluation
    var message: String
    var notes: [Diagnostic.Note] = []
    var hint: String?
    /// In bytes of the template's text.
    var range: Range<Int>?
    /// An error of the scope (of another template, of a lookup) that is passed on as it is.
    var underlying: (any Error)?

    init(
        _ message: String, kind: TemplateError.Kind = .evaluation, hint: String? = nil, range: Range<Int>? = nil
    ) {
        self.kind = kind
        self.message = message
        self.hint = hint
        self.range = range
    }

    init(passingOn error: any Error) {
        self.message = ""
        self.underlying = error
    }
}
