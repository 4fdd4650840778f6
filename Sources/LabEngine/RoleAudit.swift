import LabCore
import LabModel
import Synchronization

/// What speaks against pruning the left-overs of roles in a pass of a run.
///
/// Left-overs are what a role's set has and the run did not apply. That is right only when the run applied everything that
/// the role wants. So whenever the engine leaves something out that may apply objects, it is noted here, unless the
/// user's variables alone rule it out (`Foresight`).
final class RoleAudit: Sendable {
    /// Where a role was first seen to apply objects.
    struct Use: Sendable {
        let role: String
        let play: PlayContext
        let host: String
    }

    private struct State {
        var uses: [Use] = []
        var handled: Set<String> = []
        var doubts: [String: String] = [:]
        var generalDoubt: String?
        var names: Set<String>
        var includedHandlers: [TaskNode] = []
    }

    private let state: Mutex<State>

    init(_ plays: [Play]) {
        let handlers = plays.flatMap(\.handlers)
        var names: Set<String> = []
        for play in plays {
            let roles = play.roles.flatMap { $0.tasks + $0.preflight }
            Foresight.gatherNames(play.preTasks + roles + play.tasks + play.postTasks + handlers, into: &names)
        }
        state = Mutex(State(names: names))
    }

    // MARK: what the engine notes

    /// A task of the role applies objects.
    func noteUse(of role: String, in play: PlayContext, host: String) {
        state.withLock { state in
            guard !state.uses.contains(where: { $0.role == role }) else { return }
            state.uses.append(Use(role: role, play: play, host: host))
        }
    }

    /// It is not certain that everything was applied that the role wants; the first reason is kept, a clause.
    func doubt(_ role: String, _ reason: String) {
        state.withLock { $0.doubts[role] = $0.doubts[role] ?? reason }
    }

    /// The same for every role.
    func doubtAll(_ reason: String) {
        state.withLock { $0.generalDoubt = $0.generalDoubt ?? reason }
    }

    /// Left-overs of the role were looked for, or it was told why not.
    func noteHandled(_ role: String) { state.withLock { _ = $0.handled.insert(role) } }

    /// What an include brought, or would bring.
    func note(_ content: Include.Content) {
        state.withLock { state in
            Foresight.gatherNames(content.nodes + content.handlers, into: &state.names)
            state.includedHandlers += content.handlers
        }
    }

    // MARK: what it knows

    /// Why left-overs of a role must not be looked for, a clause.
    func doubt(about role: String) -> String? { state.withLock { $0.doubts[role] ?? $0.generalDoubt } }

    /// The roles whose left-overs nobody has looked for yet, in the order in which they were first seen.
    var unhandled: [Use] {
        state.withLock { state in state.uses.filter { !state.handled.contains($0.role) } }
    }

    /// The variables that tasks register or define, as far as tasks were read yet.
    var names: Set<String> { state.withLock { $0.names } }

    /// The handlers that includes brought.
    var includedHandlers: [TaskNode] { state.withLock { $0.includedHandlers } }
}
