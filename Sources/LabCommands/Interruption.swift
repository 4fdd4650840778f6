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
/// - Parameters:
///   - onInterruption: called once, at the first signal, on a queue of its own.
///   - onAbandon: called at the second signal, before the end of the process.
func withInterruption<Result: Sendable>(
    onInterruption: @escaping @Sendable () -> Void = {}, onAbandon: @escaping @Sendable () -> Void = {},
    _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    let task = Task { try await body() }
    let count = Mutex(0)
    let source = DispatchSource.makeReadSource(
        fileDescriptor: SignalPipe.shared.readEnd, queue: DispatchQueue(label: "labctl.signals"))
    source.setEventHandler {
        for _ in 0..<SignalPipe.shared.drain() {
            let number = count.withLock { count in
                count += 1
                return count
            }
            if number > 1 {
                onAbandon()
                _exit(130)
            }
            task.cancel()
            onInterruption()
        }
    }
    source.resume()
    for number in [SIGINT, SIGTERM, SIGHUP] {
        signal(number) { _ in SignalPipe.shared.note() }
    }
    defer { source.cancel() }
    return try await task.value
}

/// Keeps signals until somebody reads them. (A dispatch source for signals loses those that come before it listens.)
private struct SignalPipe {
    /// Made before the first handler is set, so that a handler only reads two numbers.
    static let shared = SignalPipe()

    let readEnd: Int32
    private let writeEnd: Int32

    private init() {
        var ends: [Int32] = [-1, -1]
        _ = pipe(&ends)
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    /// Notes a signal; does only what signal-safety(7) allows.
    func note() {
        var byte: UInt8 = 1
        _ = write(writeEnd, &byte, 1)
    }

    /// How many signals were noted since the last call.
    func drain() -> Int {
        var bytes = [UInt8](repeating: 0, count: 16)
        return max(0, read(readEnd, &bytes, bytes.count))
    }
}
