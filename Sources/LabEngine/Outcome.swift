import LabCore
import LabModules

/// How a task ended on a host.
package enum Outcome: String, Sendable, Hashable, CaseIterable {
    /// The host already was as the task wants it.
    case ok
    /// Something was changed; in check mode, would be.
    case changed
    /// Nothing was done: a condition did not hold, or there was nothing to loop over.
    case skipped
    case failed
    /// The host could not be reached, or the link to it was lost.
    case unreachable
    /// The task was carried out, and planning it again finds that it would change something again.
    case unstable
}

/// What is known of a step's idempotence: whether running it again would change anything.
package enum Proof: Sendable, Hashable {
    /// Nothing had to be proved: the step was skipped, failed, or only planned.
    case none
    /// A plan made after the step (or instead of it) was empty; or what the step does is known otherwise, and `by` says how.
    case proved(by: String?)
    /// Nobody knows; `reason` says why.
    case unproved(reason: String)
    /// The step would change these things again.
    case refuted([Change])

    package var isProved: Bool { if case .proved = self { true } else { false } }
}
