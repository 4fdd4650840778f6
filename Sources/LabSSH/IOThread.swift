import LabTransport
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A thread that waits for many sockets at once and is the executor of the actors that own them.
///
/// libssh allows different sessions in different threads but one session, with its channels, only in one thread at a
/// time (libssh's doc/threading.dox). So every `Session` actor has such a thread as its serial executor, and its C
/// handles are touched from nowhere else. The threads live as long as the process; there are few of them.
///
/// Each session has an `ssh_event` of its own and this thread polls all sockets itself: in a shared `ssh_event` every
/// non-blocking call of one session polls the sockets of all, and an error of one is reported to another (libssh 0.10.6,
/// `ssh_poll_ctx_dopoll`, `ssh_handle_packets`).
final class IOThread: SerialExecutor, @unchecked Sendable {
    /// What other threads may touch, under the lock.
    private struct Inbox {
        var jobs: [UnownedJob] = []
        var closures: [@Sendable () -> Void] = []
        var isAwake = true
    }

    private let inbox = Mutex(Inbox())
    private let wakeReader: Int32
    private let wakeWriter: Int32

    // Everything below is touched on the thread only.
    private var sources: [ObjectIdentifier: any IOSource] = [:]
    private var thread = pthread_self()
    private var timers = Timers()
    private var waiters: [UInt64: Waiter] = [:]
    private var nextWaiter: UInt64 = 0

    private struct Waiter {
        let continuation: CheckedContinuation<Wake, Never>
        let condition: Condition
        let deadline: ContinuousClock.Instant?
    }

    init() throws(ConnectionError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw ConnectionError(.configuration, hostName: "localhost", "cannot make a pipe: \(systemError(errno))")
        }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        (wakeReader, wakeWriter) = (ends[0], ends[1])
        try startThread { self.loop() }
    }

    // MARK: Executor

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        post { $0.jobs.append(job) }
    }

    func isSameExclusiveExecutionContext(other: IOThread) -> Bool { self === other }

    func checkIsolated() {
        precondition(pthread_equal(pthread_self(), thread) != 0, "not on the session's thread")
    }

    /// Runs `body` on the thread soon, after everything that was enqueued before.
    func perform(_ body: @escaping @Sendable () -> Void) {
        post { $0.closures.append(body) }
    }

    private func post(_ change: (inout Inbox) -> Void) {
        let mustWake = inbox.withLock { inbox in
            change(&inbox)
            defer { inbox.isAwake = true }
            return !inbox.isAwake
        }
        guard mustWake else { return }
        var byte: UInt8 = 1
        // A full pipe means that the thread has been woken already.
        _ = write(wakeWriter, &byte, 1)
    }

    // MARK: Sources

    func add(_ source: some IOSource) { sources[ObjectIdentifier(source)] = source }
    func remove(_ source: some IOSource) { sources[ObjectIdentifier(source)] = nil }

    // MARK: Waiting

    /// Suspends the caller until the condition is signalled, the deadline passes or the task is cancelled.
    ///
    /// Only for callers that run on this thread.
    func wait(
        for condition: Condition, until deadline: ContinuousClock.Instant?,
        isolation: isolated (any Actor)? = #isolation
    ) async -> Wake {
        checkIsolated()
        let id = makeWaiterID()
        // A closure runs in the isolation of a parameter only if it captures it (SE-0420).
        return await withTaskCancellationHandler {
            _ = isolation
            return await withCheckedContinuation { continuation in
                _ = isolation
                checkIsolated()
                if Task.isCancelled { return continuation.resume(returning: .cancelled) }
                waiters[id] = Waiter(continuation: continuation, condition: condition, deadline: deadline)
                condition.waiters.append(id)
                if let deadline { timers.add(id, at: deadline) }
            }
        } onCancel: {
            perform { self.resume(id, .cancelled) }
        }
    }

    private func makeWaiterID() -> UInt64 {
        nextWaiter += 1
        return nextWaiter
    }

    private func resume(_ id: UInt64, _ wake: Wake) {
        guard let waiter = waiters.removeValue(forKey: id) else { return }
        waiter.condition.waiters.removeAll { $0 == id }
        if let deadline = waiter.deadline { timers.remove(id, at: deadline) }
        waiter.continuation.resume(returning: wake)
    }

    /// Wakes everyone who waits for the condition. Only on this thread.
    func signal(_ condition: Condition) {
        guard !condition.waiters.isEmpty else { return }
        let ids = condition.waiters
        condition.waiters = []
        for id in ids { resume(id, .signalled) }
    }

    // MARK: Loop

    private func loop() {
        thread = pthread_self()
        var polled: [pollfd] = []
        var owners: [any IOSource] = []
        while true {
            drain()
            for source in sources.values { source.settle() }
            polled.removeAll(keepingCapacity: true)
            owners.removeAll(keepingCapacity: true)
            polled.append(pollfd(fd: wakeReader, events: Int16(POLLIN), revents: 0))
            for source in sources.values {
                let interest = source.interest
                guard interest.descriptor >= 0 else { continue }
                polled.append(pollfd(fd: interest.descriptor, events: interest.events, revents: 0))
                owners.append(source)
            }
            let canSleep = inbox.withLock { inbox in
                guard inbox.jobs.isEmpty, inbox.closures.isEmpty else { return false }
                inbox.isAwake = false
                return true
            }
            let count = poll(&polled, nfds_t(polled.count), canSleep ? timers.millisecondsToNext() : 0)
            if canSleep { inbox.withLock { $0.isAwake = true } }
            if count > 0 {
                if polled[0].revents != 0 { emptyWakePipe() }
                for (entry, owner) in zip(polled.dropFirst(), owners) where entry.revents != 0 {
                    // A source that an earlier one removed in this round is not called any more.
                    if sources[ObjectIdentifier(owner)] != nil { owner.ready(entry.revents) }
                }
            }
            for id in timers.takeDue() { resume(id, .timedOut) }
        }
    }

    private func drain() {
        let (jobs, closures) = inbox.withLock { inbox in
            defer {
                inbox.jobs = []
                inbox.closures = []
            }
            return (inbox.jobs, inbox.closures)
        }
        for closure in closures { closure() }
        for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
    }

    private func emptyWakePipe() {
        var buffer = (UInt64(0), UInt64(0))
        _ = withUnsafeMutableBytes(of: &buffer) { read(wakeReader, $0.baseAddress, $0.count) }
    }
}

/// Something with a descriptor that an `IOThread` polls. All of it is called on that thread.
protocol IOSource: AnyObject {
    /// What to wait for now; a negative descriptor for nothing.
    var interest: (descriptor: Int32, events: Int16) { get }
    /// The descriptor has one of the events.
    func ready(_ events: Int16)
    /// Jobs ran on the thread since the last round: tell waiters what these changed.
    func settle()
}

/// Something that tasks wait for on an `IOThread`, which is the only thread that touches it.
final class Condition {
    fileprivate(set) var waiters: [UInt64] = []
}

/// Why a wait ended.
enum Wake: Sendable { case signalled, timedOut, cancelled }
