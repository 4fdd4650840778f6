import LabCore
import Synchronization

/// What a verification found, step by step. What could not be checked is a step of its own, never left out.
package struct VerificationStep: Sendable, Hashable {
    /// How a step ended.
    package enum Result: String, Sendable, Hashable { case passed, failed, unchecked }

    /// What was looked at: `address`, `TLS`.
    package let name: String
    package let result: Result
    /// What was seen, or why nothing was.
    package let detail: String
    /// Further lines about a failure.
    package let notes: [String]
    package let hint: String?

    package init(_ name: String, _ result: Result, _ detail: String, notes: [String] = [], hint: String? = nil) {
        self.name = name
        self.result = result
        self.detail = detail
        self.notes = notes
        self.hint = hint
    }

    /// The step as a line of the report.
    package var line: String {
        switch result {
        case .passed: "\(name): \(detail)"
        case .failed: "\(name): FAILED: \(detail)"
        case .unchecked: "\(name): not checked: \(detail)"
        }
    }
}

/// Gathers the steps of one verification and shows each as it comes.
final class VerificationLog: Sendable {
    private let steps = Mutex<[VerificationStep]>([])
    private let progress: @Sendable (String) -> Void

    init(progress: @escaping @Sendable (String) -> Void) { self.progress = progress }

    var all: [VerificationStep] { steps.withLock { $0 } }

    func add(_ step: VerificationStep) {
        steps.withLock { $0.append(step) }
        progress(step.line)
    }

    func passed(_ name: String, _ detail: String) { add(VerificationStep(name, .passed, detail)) }

    func failed(_ name: String, _ detail: String, notes: [String] = [], hint: String? = nil) {
        add(VerificationStep(name, .failed, detail, notes: notes, hint: hint))
    }

    func unchecked(_ name: String, _ reason: String) { add(VerificationStep(name, .unchecked, reason)) }

    /// Says what is being waited for, without making it a step.
    func waiting(_ text: String) { progress(text) }
}
