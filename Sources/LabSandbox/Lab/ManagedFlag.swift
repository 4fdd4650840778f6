import Synchronization

/// A flag that a signal handler may set: lock-free, and made before the handler is installed.
final class ManagedFlag: Sendable {
    private let value = Atomic(false)

    func set() { value.store(true, ordering: .relaxed) }

    var isSet: Bool { value.load(ordering: .relaxed) }
}
