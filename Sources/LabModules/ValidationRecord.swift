import LabCore
import OrderedCollections
import Synchronization

/// What the calls of one run have told before it starts, for the checks that need more than one call: a pool in one task
/// and its advertisement in another.
///
/// `Module.validate` adds to it; the engine asks `finish` for the verdict when it has shown it every call.
package final class ValidationRecord: Sendable {
    private let tallies = Mutex<OrderedDictionary<String, any ValidationTally>>([:])
    private let isIncomplete = Mutex(false)

    package init() {}

    /// Changes the tally under `key`, which starts as `initial`.
    package func update<Tally: ValidationTally>(_ key: String, initial: Tally, _ change: (inout Tally) -> Void) {
        tallies.withLock { tallies in
            var tally = tallies[key] as? Tally ?? initial
            change(&tally)
            tallies[key] = tally
        }
    }

    /// Says that a call could not be looked at: what is missing then is no mistake, for that call may bring it.
    package func markIncomplete() { isIncomplete.withLock { $0 = true } }

    /// The mistakes that show when all calls are taken together.
    package func finish() -> [Diagnostic] {
        let isComplete = isIncomplete.withLock { !$0 }
        return tallies.withLock { Array($0.values) }.flatMap { $0.finish(isComplete: isComplete) }
    }
}

/// What one kind of check has gathered from the calls of a run.
package protocol ValidationTally: Sendable {
    /// The mistakes; `isComplete` tells whether every call was looked at.
    func finish(isComplete: Bool) -> [Diagnostic]
}
