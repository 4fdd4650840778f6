import LabCore

/// What is waited for.
package enum WaitCondition: Sendable {
    /// The kind's own readiness.
    case ready
    /// A condition of `status.conditions` (`wait_condition` of kubernetes.core).
    case condition(type: String, status: String, reason: String?)
    /// The object is gone.
    case absent

    /// How far an object is; nil stands for an object that does not exist.
    package func judge(_ object: Value?) -> Readiness {
        switch self {
        case .absent: return object == nil ? .ready : .waiting("it still exists")
        case .ready: return object.map { Readiness(of: $0) } ?? .waiting("it does not exist")
        case .condition(let type, let status, let reason):
            guard let object else { return .waiting("it does not exist") }
            let generation = object[["metadata", "generation"]]?.int
            if let seen = object[["status", "observedGeneration"]]?.int, let generation, seen < generation {
                return .waiting("the controller has not seen the latest change yet")
            }
            guard let found = Readiness.condition(type, of: object) else { return .waiting("\(type) is not known yet") }
            let matches = found.status.lowercased() == status.lowercased() && (reason == nil || reason == found.reason)
            return matches ? .ready : .waiting(found.text)
        }
    }
}

/// Waits until objects are as wanted, by watches; where a kind cannot be watched, by reading again.
package struct ReadinessWait: Sendable {
    package let client: KubeClient
    package let condition: WaitCondition
    package let timeout: Duration
    /// How often an object is read where watching does not work.
    package let pollInterval: Duration
    package let progress: @Sendable (String) -> Void

    package init(
        client: KubeClient, condition: WaitCondition = .ready, timeout: Duration,
        pollInterval: Duration = .seconds(2), progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.client = client
        self.condition = condition
        self.timeout = timeout
        self.pollInterval = pollInterval
        self.progress = progress
    }

    /// Waits for all of them at once and gives them as they are then; nil for one that is gone.
    ///
    /// - Parameter seen: The objects as a write has just answered them, in the same order: they need not be read again.
    /// - Throws: `KubeError` of kind `notReady` that says what is missing, in the cluster's words.
    package func wait(
        for objects: [(resource: APIResource, reference: ObjectReference)], seen: [Value?] = []
    ) async throws -> [Value?] {
        let deadline = ContinuousClock.now + timeout
        return try await withThrowingTaskGroup(of: (Int, Value?).self) { group in
            for (index, object) in objects.enumerated() {
                let seen = seen.indices.contains(index) ? seen[index] : nil
                group.addTask { (index, try await wait(object.resource, object.reference, seen, until: deadline)) }
            }
            var found = [Value?](repeating: nil, count: objects.count)
            for try await (index, value) in group { found[index] = value }
            return found
        }
    }

    private func wait(
        _ resource: APIResource, _ reference: ObjectReference, _ seen: Value?, until deadline: ContinuousClock.Instant
    ) async throws -> Value? {
        var last: (object: Value?, state: Readiness) = (nil, .waiting("it was not looked at yet"))
        do {
            return try await withDeadline(deadline) {
                try await follow(resource, reference, seen, until: deadline) { object, state in
                    progress("waiting for \(reference): \(state.text ?? "")")
                }
            }
        } catch is DeadlinePassed {
            last = try await lookAgain(resource, reference)
            if last.state.isReady { return last.object }
            throw await notReady(reference, last.object, last.state, waited: true)
        } catch let failure as FailedForGood {
            throw await notReady(reference, failure.object, failure.state, waited: false)
        }
    }

    /// The state at the deadline, read once more; the deadline must not make it fail.
    private func lookAgain(
        _ resource: APIResource, _ reference: ObjectReference
    ) async throws -> (object: Value?, state: Readiness) {
        do {
            let object = try await client.get(resource, namespace: reference.namespace, name: reference.name)
            return (object, condition.judge(object))
        } catch let error as KubeError {
            return (nil, .waiting(error.message))
        }
    }

    private struct FailedForGood: Error {
        let object: Value
        let state: Readiness
    }

    private func follow(
        _ resource: APIResource, _ reference: ObjectReference, _ seen: Value?, until deadline: ContinuousClock.Instant,
        _ report: (Value?, Readiness) -> Void
    ) async throws -> Value? {
        var told: Readiness?
        func isDone(_ object: Value?) throws -> Bool {
            let state = condition.judge(object)
            if case .failed = state, let object { throw FailedForGood(object: object, state: state) }
            if state.isReady { return true }
            if told != state { report(object, state) }
            told = state
            return false
        }
        var seen = seen
        while true {
            try Task.checkCancellation()
            let version: String
            do {
                let object =
                    if let seen {
                        seen
                    } else {
                        try await client.get(resource, namespace: reference.namespace, name: reference.name)
                    }
                seen = nil
                if try isDone(object) { return object }
                // Without an object to start from, the version of the list is where the watch starts.
                version = try await startVersion(object, resource, reference)
            } catch let error as KubeError where error.isTransient || error.kind == .unreachable {
                // The API server may be restarting; the deadline limits how long that is waited for.
                try await Task.sleep(for: pollInterval)
                continue
            }
            do {
                let left = max(1, Int((deadline - .now).components.seconds) + 1)
                let events = try await client.watch(
                    resource, namespace: reference.namespace, name: reference.name, from: version,
                    timeout: min(left, 300))
                for try await event in events {
                    switch event {
                    case .added(let object), .modified(let object): if try isDone(object) { return object }
                    case .deleted: if try isDone(nil) { return nil }
                    case .bookmark: break
                    }
                }
                // The server ended the watch, as it does every few minutes.
            } catch let error as KubeError where error.kind == .expired || error.kind == .lost {
                // Too old to resume from, or the link broke: read and watch anew.
            } catch is KubeError {
                try await Task.sleep(for: pollInterval)
            }
        }
    }

    private func startVersion(
        _ object: Value?, _ resource: APIResource, _ reference: ObjectReference
    ) async throws -> String {
        if let version = object?[["metadata", "resourceVersion"]]?.string { return version }
        let found = try await client.list(
            resource, namespace: reference.namespace, fieldSelector: "metadata.name=\(reference.name)")
        // It may have come in between: from before it, so that the watch reports it.
        return found.items.isEmpty ? found.resourceVersion : ""
    }

    private func notReady(
        _ reference: ObjectReference, _ object: Value?, _ state: Readiness, waited: Bool
    ) async -> KubeError {
        let what: String
        switch condition {
        case .absent: what = "\(reference) is not gone"
        default: what = "\(reference) is not ready"
        }
        let notes = await Explanation(client: client).notes(about: reference, object)
        return KubeError(
            .notReady, "\(what)\(waited ? " after \(timeout.text)" : ""): \(state.text ?? "")",
            notes: notes.map { Diagnostic.Note($0) })
    }
}

/// Thrown by `withDeadline` when the time is up.
struct DeadlinePassed: Error {}

/// Runs a body until a point in time, and then cancels it.
///
/// - Throws: `DeadlinePassed`, or what the body throws.
func withDeadline<Result: Sendable>(
    _ deadline: ContinuousClock.Instant, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(until: deadline, clock: .continuous)
            throw DeadlinePassed()
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw DeadlinePassed() }
        return first
    }
}
