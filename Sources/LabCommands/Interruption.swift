import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Runs `body` so that Ctrl-C (or SIGTERM, SIGHUP) cancels it: the first one lets it close cleanly and tell what is
/// known, the second one ends the process at once with 130.
///
/// - Parameter onInterruption: called once, at the first signal, on a queue of its own.
func withInterruption<Result: Sendable>(
    onInterruption: @escaping @Sendable () -> Void = {}, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    let task = Task { try await body() }
    let queue = DispatchQueue(label: "labctl.signals")
    let wasInterrupted = Mutex(false)
    let interrupt: @Sendable () -> Void = {
        let isSecond = wasInterrupted.withLock { flag in
            defer { flag = true }
            return flag
        }
        if isSecond { _exit(130) }
        task.cancel()
        onInterruption()
    }
    let sources = [SIGINT, SIGTERM, SIGHUP].map { number in
        // The default action would end the process before the source sees the signal.
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
        source.setEventHandler(handler: interrupt)
        source.resume()
        return source
    }
    defer {
        for source in sources { source.cancel() }
    }
    return try await task.value
}
