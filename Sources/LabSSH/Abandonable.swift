import Synchronization

/// How a wait for a blocking call ended.
enum Abandoned: Error { case timedOut }

/// Runs a blocking call on a helper thread and waits for it, but no longer than until the deadline or the cancellation of
/// the task: then the call is left to itself and its result is dropped.
///
/// - Throws: `Abandoned.timedOut`, or `CancellationError`.
func abandonable<T: Sendable>(
    until deadline: ContinuousClock.Instant?, _ body: @escaping @Sendable () -> T
) async throws -> T {
    let promise = Promise<T>()
    BlockingThreads.shared.submit { promise.resolve(.success(body())) }
    return try await promise.value(until: deadline)
}

/// A value that arrives once; whoever comes first decides.
final class Promise<T: Sendable>: Sendable {
    private enum State: Sendable {
        case open
        case waiting(CheckedContinuation<T, any Error>)
        case resolved(Result<T, any Error>)
        case over
    }

    private let state = Mutex(State.open)

    func resolve(_ result: Result<T, any Error>) {
        let continuation: CheckedContinuation<T, any Error>? = state.withLock { state in
            switch state {
            case .open:
                state = .resolved(result)
                return nil
            case .waiting(let continuation):
                state = .over
                return continuation
            case .resolved, .over: return nil
            }
        }
        continuation?.resume(with: result)
    }

    /// Waits; for one caller only.
    func value(until deadline: ContinuousClock.Instant?) async throws -> T {
        let timer = deadline.map { deadline in
            Task {
                try await Task.sleep(until: deadline, clock: .continuous)
                resolve(.failure(Abandoned.timedOut))
            }
        }
        defer { timer?.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<T, any Error>? = state.withLock { state in
                    switch state {
                    case .resolved(let result):
                        state = .over
                        return result
                    case .open, .waiting, .over:
                        state = .waiting(continuation)
                        return nil
                    }
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            resolve(.failure(CancellationError()))
        }
    }
}
