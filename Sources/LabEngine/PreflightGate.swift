import Synchronization

/// Holds back every change of a play until what its roles look at first is done (`preflight/main.yml`).
final class PreflightGate: Sendable {
    /// Whether the calling task is the pre-flight itself, which must not wait for itself.
    @TaskLocal static var isInside = false

    private let underWay = Mutex<[Task<Void, Never>]>([])
    private let refused = Mutex(false)

    /// Lets changes wait for this task.
    func wait(for preflight: Task<Void, Never>) { underWay.withLock { $0.append(preflight) } }

    /// Lets no change pass any more.
    func refuse() { refused.withLock { $0 = true } }

    /// Whether something was found that keeps the run from changing anything.
    var isRefused: Bool { !Self.isInside && refused.withLock { $0 } }

    /// Waits for all that is under way.
    ///
    /// - Returns: whether anything may be changed.
    func mayChange() async -> Bool {
        guard !Self.isInside else { return true }
        for preflight in underWay.withLock({ $0 }) { await preflight.value }
        return !isRefused
    }
}
