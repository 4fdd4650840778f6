import LabCore
import LabModel
import LabModules
import LabTransport
import Synchronization

/// What all parts of a run share.
final class RunState: Sendable {
    let plan: RunPlan
    let registry: ModuleRegistry
    let insight: (any CommandInsight)?
    let pool: ConnectionPool
    let storage: RunStorage
    let controller: any Connection
    let pass: Int
    let hostChanges = ChangeCount()
    private let emitEvent: @Sendable (Event) -> Void
    private let hosts = Mutex<[String: HostState]>([:])
    private let records = Mutex<[TaskRecord]>([])
    private let failures = Mutex<[Report.Failure]>([])
    private let inventories = Mutex<[String: RoleInventory]>([:])
    let audit: RoleAudit
    /// The hosts of each play.
    let playHosts: [[String]]
    private let taskCount: Atomic<Int>
    private let wasInterrupted = Atomic<Bool>(false)

    init(
        plan: RunPlan, playHosts: [[String]], registry: ModuleRegistry, insight: (any CommandInsight)?,
        pool: ConnectionPool,
        storage: RunStorage, controller: any Connection, pass: Int, firstTask: Int,
        events: @escaping @Sendable (Event) -> Void
    ) {
        self.plan = plan
        self.playHosts = playHosts
        audit = RoleAudit(plan.plays)
        self.registry = registry
        self.insight = insight
        self.pool = pool
        self.storage = storage
        self.controller = controller
        self.pass = pass
        self.taskCount = Atomic(firstTask)
        self.emitEvent = events
    }

    var options: RunOptions { plan.options }
    var inventory: Inventory { plan.inventory }

    /// What a role brings to clusters in this pass.
    func inventory(of role: String) -> RoleInventory {
        inventories.withLock { inventories in
            if let known = inventories[role] { return known }
            let inventory = RoleInventory(role: role)
            inventories[role] = inventory
            return inventory
        }
    }

    func emit(_ event: Event) { emitEvent(event) }

    func nextTaskNumber() -> Int { taskCount.add(1, ordering: .relaxed).newValue }
    var lastTaskNumber: Int { taskCount.load(ordering: .relaxed) }

    /// The state of a host; one that no inventory names is reached by its name.
    func host(_ name: String) -> HostState {
        hosts.withLock { hosts in
            if let known = hosts[name] { return known }
            let host =
                inventory.host(name)
                ?? (Self.isLocal(name) ? Host.implicitLocalhost(name) : Host(name: name, isImplicit: true))
            let state = HostState(host, changes: hostChanges)
            hosts[name] = state
            return state
        }
    }

    static func isLocal(_ name: String) -> Bool { ["localhost", "127.0.0.1", "::1"].contains(name) }

    /// Keeps a record and tells of it.
    func finish(_ record: TaskRecord) {
        records.withLock { $0.append(record) }
        emit(.taskFinished(record))
    }

    var recordCount: Int { records.withLock { $0.count } }
    var allRecords: [TaskRecord] { records.withLock { $0 } }

    /// Marks the failures of a host since a point as taken care of.
    func markRescued(host: String, since index: Int) {
        records.withLock { records in
            for position in records.indices.dropFirst(index) where records[position].host == host {
                if records[position].isFatal { records[position].isRescued = true }
            }
        }
    }

    func fail(_ failure: Report.Failure) { failures.withLock { $0.append(failure) } }
    var allFailures: [Report.Failure] { failures.withLock { $0 } }

    /// Whether Ctrl-C was pressed (the run's task was cancelled).
    var isInterrupted: Bool { wasInterrupted.load(ordering: .relaxed) }
    func noteInterruption() { wasInterrupted.store(true, ordering: .relaxed) }

    /// Whether the calling task is to stop; remembers that it was.
    var mustStop: Bool {
        guard _Concurrency.Task.isCancelled else { return false }
        noteInterruption()
        return true
    }
}
