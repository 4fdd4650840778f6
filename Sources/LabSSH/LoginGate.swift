import LabTransport
import Synchronization

/// Bounds how many logins are under way: an sshd drops connections at random while too many have not logged in yet
/// (sshd_config(5), MaxStartups, 10:30:100 unless set), and each costs this machine a key exchange.
///
/// At one place (an address and port) a few at a time; over all places as many as go well, fewer after a drop, since
/// several addresses may lead to one server. Whoever waits here has not begun to connect, so that no time runs out.
final class LoginGate: Sendable {
    /// Below the 10 at which sshd begins to drop, with room for others.
    static let placeLimit = 8
    private static let lowest = 8.0

    private struct Waiter {
        let id: UInt64
        let place: String
        let countsForAll: Bool
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var places: [String: Int] = [:]
        var total = 0
        var capacity: Double
        var waiters: [Waiter] = []
        var nextID: UInt64 = 0

        func hasRoom(_ place: String, countsForAll: Bool) -> Bool {
            places[place, default: 0] < LoginGate.placeLimit && (!countsForAll || Double(total) < capacity)
        }

        mutating func take(_ place: String, countsForAll: Bool) {
            places[place, default: 0] += 1
            if countsForAll { total += 1 }
        }
    }

    private let highest: Double
    private let state: Mutex<State>

    /// - Parameter limit: how many logins may be under way together, at all places.
    init(limit: Int = 48) {
        highest = max(Double(limit), Self.lowest)
        state = Mutex(State(capacity: highest))
    }

    /// Waits for room; `leave` gives it back.
    ///
    /// - Parameter countsForAll: false for what waits for another login itself (a host behind a jump host).
    /// - Throws: `CancellationError` alone.
    func enter(_ place: String, countsForAll: Bool) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Void, any Error>? = state.withLock { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    guard state.hasRoom(place, countsForAll: countsForAll) else {
                        state.waiters.append(
                            Waiter(id: id, place: place, countsForAll: countsForAll, continuation: continuation))
                        return nil
                    }
                    state.take(place, countsForAll: countsForAll)
                    return .success(())
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            waiter?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Gives the room back.
    ///
    /// - Parameter wentWell: whether the server let the login come to its end; then a little more is tried.
    func leave(_ place: String, countsForAll: Bool, wentWell: Bool) {
        let next = state.withLock { state in
            state.places[place, default: 1] -= 1
            if state.places[place] == 0 { state.places[place] = nil }
            if countsForAll { state.total -= 1 }
            if wentWell { state.capacity = min(highest, state.capacity + 1 / state.capacity) }
            var admitted: [Waiter] = []
            while let index = state.waiters.firstIndex(where: { state.hasRoom($0.place, countsForAll: $0.countsForAll) }
            ) {
                let waiter = state.waiters.remove(at: index)
                state.take(waiter.place, countsForAll: waiter.countsForAll)
                admitted.append(waiter)
            }
            return admitted
        }
        for waiter in next { waiter.continuation.resume() }
    }

    /// A server has dropped a connection before it said a word: it has too many.
    func noteDrop() {
        state.withLock { $0.capacity = max(Self.lowest, $0.capacity * 0.7) }
    }

    /// How many logins may be under way together now.
    var capacity: Int { state.withLock { Int($0.capacity) } }
}
