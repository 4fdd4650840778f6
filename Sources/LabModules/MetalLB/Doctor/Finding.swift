import LabCore

/// What a check of the lab found: something that keeps MetalLB from working, or that could not be looked at.
package struct Finding: Sendable, Hashable {
    /// How bad it is for MetalLB.
    package enum Severity: String, Sendable, Hashable, CaseIterable {
        /// MetalLB does not work this way.
        case error
        /// MetalLB may not work, or stops working when something happens.
        case warning
        /// Worth knowing.
        case note
        /// Not looked at, and why; never passed over in silence.
        case unchecked
    }

    /// The check's number in `MetalLBDoctor.checks`.
    package let number: Int
    package let severity: Severity
    /// What is wrong, in one lower-case line.
    package let sentence: String
    /// What to do about it.
    package let fix: String?

    package init(_ number: Int, _ severity: Severity, _ sentence: String, fix: String? = nil) {
        self.number = number
        self.severity = severity
        self.sentence = sentence
        self.fix = fix
    }

    /// The finding as the report tells it.
    package var diagnostic: Diagnostic {
        let severity: Diagnostic.Severity =
            switch self.severity {
            case .error: .error
            case .warning: .warning
            case .note, .unchecked: .note
            }
        let message = self.severity == .unchecked ? "not checked: \(sentence)" : sentence
        return Diagnostic(message, hint: fix, severity: severity)
    }
}
