import LabCore
import LabModules
import LabTransport

/// An error of a step, ready for a record.
struct FailureDescription {
    var outcome: Outcome
    var diagnostics: [Diagnostic]
    var failureClass: FailureClass
    /// What `register` gets besides `failed` and `msg`.
    var values: ValueMap = [:]
    /// Whether a link that was there is there no more.
    var isLinkLost = false

    /// - Parameter span: where the task stands, for errors that do not know a better place.
    init(_ error: any Error, span: SourceSpan?) {
        switch error {
        case let error as ConnectionError:
            outcome = error.isUnreachable ? .unreachable : .failed
            diagnostics = error.diagnostics
            failureClass = error.failureClass
            isLinkLost = error.kind == .lost || error.kind == .closed
        case let error as ModuleError:
            outcome = .failed
            diagnostics = error.diagnostics.map { $0.located(span) }
            failureClass = error.failureClass
            values = error.values
        case let error as any DiagnosticError:
            outcome = .failed
            diagnostics = error.diagnostics.map { $0.located(span) }
            failureClass = error.failureClass
        case is CancellationError:
            outcome = .failed
            diagnostics = [Diagnostic("the step was broken off", span: span)]
            failureClass = .failed
        default:
            outcome = .failed
            diagnostics = [Diagnostic(String(describing: error), span: span)]
            failureClass = .failed
        }
    }

    var message: String { diagnostics.map(\.message).joined(separator: "; ") }
}

extension Diagnostic {
    /// The diagnostic with a place, where it has none.
    func located(_ place: SourceSpan?) -> Diagnostic {
        guard span == nil, let place else { return self }
        var diagnostic = self
        diagnostic.span = place
        return diagnostic
    }
}
