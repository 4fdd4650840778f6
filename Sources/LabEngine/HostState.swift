import LabCore
import LabModel
import LabModules
import OrderedCollections
import Synchronization

/// What a run knows of a host: the variables that tasks gave it, and how it fares.
final class HostState: Sendable {
    let host: Host

    private struct State {
        var facts = VariableLayer(.setFact)
        var included = VariableLayer(.includeVars)
        var files: [VariableLayer]?
        var isFailed = false
        var isUnreachable = false
        var hasEnded = false
        var notified: OrderedSet<String> = []
    }

    private let state = Mutex(State())
    private let changes: ChangeCount

    /// - Parameter changes: counts whenever the host fails, is lost or comes back.
    init(_ host: Host, changes: ChangeCount) {
        self.host = host
        self.changes = changes
    }

    /// The layers of what tasks defined: facts, registered results, included variables.
    var layers: [VariableLayer] {
        state.withLock { [$0.included, $0.facts] + ($0.files ?? []) }
    }

    /// The names of what tasks found out and defined.
    var namesFromTasks: [String] {
        state.withLock { $0.included.variables.keys.map(\.self) + $0.facts.variables.keys.map(\.self) }
    }

    func set(_ name: String, _ value: Value, span: SourceSpan?) {
        state.withLock { $0.facts.set(name, value: value, span: span) }
    }

    func define(_ effect: ModuleResult.VariableEffect, span: SourceSpan?) {
        state.withLock { state in
            switch effect {
            case .facts(let facts):
                for (name, value) in facts { state.facts.set(name, value: value, span: span) }
            case .included(let entries):
                for entry in entries {
                    state.included.set(
                        entry.key, .template(entry.value),
                        origin: Origin(.includeVars, span: entry.keySpan ?? entry.value.span))
                }
            }
        }
    }

    func clearFacts() { state.withLock { $0.facts = VariableLayer(.setFact) } }

    /// The `vars_files` of the play under way whose names depend on the host.
    var fileLayers: [VariableLayer]? {
        get { state.withLock { $0.files } }
        set { state.withLock { $0.files = newValue } }
    }

    /// Whether tasks still run on the host.
    var isActive: Bool { state.withLock { !$0.isFailed && !$0.isUnreachable && !$0.hasEnded } }
    var isFailed: Bool {
        get { state.withLock { $0.isFailed } }
        set {
            state.withLock { $0.isFailed = newValue }
            changes.add()
        }
    }
    var isUnreachable: Bool {
        get { state.withLock { $0.isUnreachable } }
        set {
            state.withLock { $0.isUnreachable = newValue }
            changes.add()
        }
    }
    var hasEnded: Bool {
        get { state.withLock { $0.hasEnded } }
        set { state.withLock { $0.hasEnded = newValue } }
    }

    func notify(_ names: [String]) { state.withLock { $0.notified.append(contentsOf: names) } }
    var notified: [String] { state.withLock { Array($0.notified) } }
    func clearNotified(_ names: [String]) { state.withLock { $0.notified.subtract(names) } }
}

/// How often any host of a run failed, was lost or came back: what was computed from that is good until it moves.
final class ChangeCount: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .acquiring) }
    func add() { count.add(1, ordering: .acquiringAndReleasing) }
}
