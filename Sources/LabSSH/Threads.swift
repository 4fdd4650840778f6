import LabTransport
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The system's words for an error number.
func systemError(_ number: Int32) -> String {
    String(cString: strerror(number)).lowercased()
}

/// Starts a detached thread that runs `body`.
///
/// - Throws: `configuration` when the system gives no more threads.
func startThread(_ body: @escaping @Sendable () -> Void) throws(ConnectionError) {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let box = Unmanaged.passRetained(Box(body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    // Enough for libssh's crypto, and little enough that threads do not show in the memory of a run.
    pthread_attr_setstacksize(&attributes, 1 << 20)
    #if canImport(Darwin)
        var thread: pthread_t?
        let result = pthread_create(
            &thread, &attributes,
            { pointer in
                Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue().body()
                return nil
            }, box.toOpaque())
    #else
        var thread = pthread_t()
        let result = pthread_create(
            &thread, &attributes,
            { pointer in
                if let pointer { Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue().body() }
                return nil
            }, box.toOpaque())
    #endif
    guard result == 0 else {
        box.release()
        throw ConnectionError(
            .configuration, hostName: "localhost", "cannot start a thread: \(systemError(result))")
    }
}

/// The I/O threads of the process: as many as cores, at most four, started when they are first needed.
enum IOThreads {
    private struct State {
        var threads: [IOThread] = []
        var next = 0
    }

    private static let state = Mutex(State())

    /// The thread for a new session, in turn.
    static func next() throws(ConnectionError) -> IOThread {
        let limit = max(1, min(4, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
        return try state.withLock { state throws(ConnectionError) in
            let index = state.next % limit
            state.next += 1
            if index >= state.threads.count { state.threads.append(try IOThread()) }
            return state.threads[index]
        }
    }
}

/// A few threads for calls that block: name resolution, files, the SSH agent.
///
/// At most eight, started on demand; one that was idle is used again. A call that its caller no longer waits for goes on
/// until the system returns.
final class BlockingThreads: Sendable {
    static let shared = BlockingThreads(limit: 8)
    /// For libssh's own blocking calls; apart from the others, because such a call waits for one of these.
    static let lent = BlockingThreads(limit: 4)

    private struct State {
        var queue: [@Sendable () -> Void] = []
        var threads = 0
        var idle = 0
    }

    private let limit: Int
    private let state = Mutex(State())
    private let wakeUp = Semaphore()

    init(limit: Int) { self.limit = limit }

    /// Runs `work` on such a thread, in the order of the calls.
    func submit(_ work: @escaping @Sendable () -> Void) {
        let mustStart = state.withLock { state in
            state.queue.append(work)
            guard state.idle < state.queue.count, state.threads < limit else { return false }
            state.threads += 1
            return true
        }
        if mustStart {
            do {
                try startThread { self.loop() }
            } catch {
                // With no thread at all the work is done here rather than never.
                let alone = state.withLock { state in
                    state.threads -= 1
                    return state.threads == 0 ? state.queue.removeLast() : nil
                }
                alone?()
            }
        }
        wakeUp.signal()
    }

    private func loop() {
        while true {
            let work: (@Sendable () -> Void)? = state.withLock { state in
                if state.queue.isEmpty {
                    state.idle += 1
                    return nil
                }
                return state.queue.removeFirst()
            }
            if let work {
                work()
            } else {
                wakeUp.wait()
                state.withLock { $0.idle -= 1 }
            }
        }
    }
}

/// A counting semaphore; `Synchronization` has none.
private final class Semaphore: @unchecked Sendable {
    // At one address for its whole life, as POSIX asks.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var count = 0

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func signal() {
        pthread_mutex_lock(mutex)
        count += 1
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    func wait() {
        pthread_mutex_lock(mutex)
        while count == 0 { pthread_cond_wait(condition, mutex) }
        count -= 1
        pthread_mutex_unlock(mutex)
    }
}
