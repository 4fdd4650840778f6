import LabCore

/// The state and the behaviour of the simulated cluster behind the sandbox's API server.
///
/// One actor: every request and every step of a simulated controller is one turn of it, so that reads and writes of
/// one request are never torn apart.
package actor Cluster {
    let options: ClusterOptions
    var store: ObjectStore
    var definitions = CustomDefinitions()
    var metalLB = SimulatedMetalLB()
    var addresses = ServiceAddresses()
    var watchers: [Int: Watcher] = [:]
    /// Deleted objects that finalizers, or what is in them, still hold.
    var terminating: Set<ObjectKey> = []
    private var nextWatcher = 0
    private var faults: [Fault] = []
    private var pending: [Int: Task<Void, Never>] = [:]
    private var nextAction = 0
    private var isStopped = false
    /// The latest requests, the last one last: at most 1000.
    package private(set) var requests: [RequestRecord] = []
    /// How many requests came so far, or since `forgetRequests`.
    package private(set) var requestCount = 0

    package init(options: ClusterOptions = ClusterOptions()) {
        self.options = options
        store = ObjectStore(historyLimit: options.historyLimit)
    }

    /// Makes the objects that a new cluster has: namespaces, nodes and the API server's own Service.
    package func start() {
        guard store.list("/namespaces", namespace: nil).isEmpty else { return }
        seed()
    }

    /// Ends all watches and everything that simulated controllers still have before them.
    package func stop() {
        isStopped = true
        for task in pending.values { task.cancel() }
        pending = [:]
        for watcher in watchers.values { watcher.continuation.finish() }
        watchers = [:]
    }

    var now: Timestamp { options.now() }

    /// Starts counting requests anew.
    package func forgetRequests() {
        requests = []
        requestCount = 0
    }

    /// Lets coming requests fail.
    package func inject(_ fault: Fault) { faults.append(fault) }

    /// Ends all faults.
    package func heal() { faults = [] }

    /// Lets watches from earlier revisions fail with 410, as after etcd's compaction.
    package func compact() { store.compact() }

    /// The stored object of a key, for tests.
    package func object(_ resource: String, namespace: String = "", name: String) -> Value? {
        store[ObjectKey(resource: resource, namespace: namespace, name: name)]
    }

    /// Waits until the simulated controllers have nothing before them.
    package func settled() async {
        while let task = pending.values.first { await task.value }
    }

    /// Lets `action` run after `delay`, unless the cluster is stopped before.
    func schedule(after delay: Duration, _ action: @escaping @Sendable (isolated Cluster) -> Void) {
        guard !isStopped else { return }
        nextAction += 1
        let id = nextAction
        pending[id] = Task { [sleep = options.sleep] in
            try? await sleep(delay)
            self.run(id, action)
        }
    }

    private func run(_ id: Int, _ action: @Sendable (isolated Cluster) -> Void) {
        guard pending[id] != nil, !isStopped else { return }
        action(self)
        pending[id] = nil
    }

    func addWatcher(_ watcher: Watcher) -> Int {
        nextWatcher += 1
        watchers[nextWatcher] = watcher
        return nextWatcher
    }

    /// Stores an object and lets everybody know who watches.
    @discardableResult
    func commit(_ object: Value, at key: ObjectKey) -> Value {
        let change = store.write(object, at: key)
        publish(change)
        return change.object
    }

    func discard(_ key: ObjectKey) -> Value? {
        guard let change = store.remove(key) else { return nil }
        publish(change)
        return change.object
    }

    private func publish(_ change: Change) {
        definitions.note(change)
        for watcher in watchers.values { watcher.note(change) }
        controllers(note: change)
    }

    /// Answers one request.
    package func answer(_ request: APIRequest) async -> APIResponse {
        requestCount += 1
        if requests.count == 1000 { requests.removeFirst(500) }
        requests.append(RequestRecord(method: request.method, path: request.path, query: request.query))
        if let index = faults.firstIndex(where: { $0.concerns(request) }) {
            let fault = faults[index]
            faults[index].remaining -= 1
            if faults[index].remaining <= 0 { faults.remove(at: index) }
            switch fault.effect {
            case .status(let code, let reason, let message, let retryAfter):
                var status = APIStatus(code, reason, message)
                if let retryAfter { status.headers.append(("Retry-After", String(retryAfter))) }
                return .failure(status)
            case .cutConnection:
                return APIResponse(status: 0, headers: [], body: .cut)
            case .delay(let duration):
                try? await Task.sleep(for: duration)
            case .precededBy(let others):
                for other in others(request) { _ = try? route(other) }
            }
        }
        do {
            return try route(request)
        } catch {
            return .failure(error)
        }
    }
}

/// A request that was received.
package struct RequestRecord: Sendable {
    package let method: String
    package let path: String
    package let query: [(name: String, value: String)]
}

/// A failure that a test orders for coming requests.
package struct Fault: Sendable {
    /// What happens to a request that the fault concerns.
    package enum Effect: Sendable {
        case status(code: Int, reason: String?, message: String, retryAfter: Int?)
        case cutConnection
        case delay(Duration)
        /// Other requests come in between, just before this one is carried out: another writer, or a restart that a
        /// test begins.
        case precededBy(@Sendable (APIRequest) -> [APIRequest])
    }

    package var effect: Effect
    /// How many requests it still concerns.
    package var remaining: Int
    /// Only requests with this method; nil for all.
    package var method: String?
    /// Only requests whose path holds this text; nil for all.
    package var pathPart: String?
    /// Only requests that the store would have to write something for: no reads and no dry runs.
    package var onlyWrites: Bool

    package init(
        _ effect: Effect, times: Int = 1, method: String? = nil, pathPart: String? = nil, onlyWrites: Bool = false
    ) {
        self.onlyWrites = onlyWrites
        self.effect = effect
        remaining = times
        self.method = method
        self.pathPart = pathPart
    }

    func concerns(_ request: APIRequest) -> Bool {
        (method == nil || method == request.method) && (pathPart.map { request.path.contains($0) } ?? true)
            && (!onlyWrites || (request.method != "GET" && request.parameter("dryRun") == nil))
    }
}
