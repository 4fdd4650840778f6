import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A byte stream over a non-blocking socket, served by an I/O thread.
actor SocketStream: ByteChannel {
    private nonisolated let thread: IOThread
    private let hostName: String
    private let watcher: SocketWatcher

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// - Parameter socket: owned by the stream from here on.
    init(socket: Int32, thread: IOThread, hostName: String) {
        self.thread = thread
        self.hostName = hostName
        watcher = SocketWatcher(socket: socket, thread: thread)
    }

    func read() async throws -> [UInt8]? {
        while true {
            guard watcher.socket >= 0 else { return nil }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(watcher.socket, &buffer, buffer.count, 0)
            if count > 0 {
                buffer.removeLast(buffer.count - count)
                return buffer
            }
            if count == 0 { return nil }
            try await wait(Int16(POLLIN))
        }
    }

    func write(_ bytes: [UInt8]) async throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard watcher.socket >= 0 else { throw closed }
            let count = rest.withUnsafeBytes { sendWithoutSignal(watcher.socket, $0) }
            if count >= 0 { rest = rest.dropFirst(count) } else { try await wait(Int16(POLLOUT)) }
        }
    }

    func closeWriting() async throws {
        if watcher.socket >= 0 { shutdown(watcher.socket, Int32(SHUT_WR)) }
    }

    func close() async { watcher.end() }

    private func wait(_ event: Int16) async throws {
        switch errno {
        case EINTR: return
        case EAGAIN, EWOULDBLOCK: break
        case let error:
            throw ConnectionError(.lost, hostName: hostName, "the stream broke off: \(systemError(error))")
        }
        if await watcher.wait(for: event) == .cancelled { throw CancellationError() }
    }

    private var closed: ConnectionError { ConnectionError(.closed, hostName: hostName, "the stream was closed") }

    deinit {
        let watcher = watcher
        thread.perform { watcher.end() }
    }
}

/// Tells when a socket can be read or written. Lives on its I/O thread.
final class SocketWatcher: IOSource, @unchecked Sendable {
    // Sendable so that a stream's deinit can send it back to its thread, the only one that looks inside.
    private(set) var socket: Int32
    private let thread: IOThread
    private var wanted: Int16 = 0
    private let readable = Condition()
    private let writable = Condition()

    init(socket: Int32, thread: IOThread) {
        self.socket = socket
        self.thread = thread
    }

    var interest: (descriptor: Int32, events: Int16) { wanted == 0 ? (-1, 0) : (socket, wanted) }

    func wait(for event: Int16, isolation: isolated (any Actor)? = #isolation) async -> Wake {
        thread.add(self)
        wanted |= event
        return await thread.wait(for: event == Int16(POLLIN) ? readable : writable, until: nil)
    }

    func ready(_ events: Int16) {
        if events & ~Int16(POLLOUT) != 0 {
            wanted &= ~Int16(POLLIN)
            thread.signal(readable)
        }
        if events & ~Int16(POLLIN) != 0 {
            wanted &= ~Int16(POLLOUT)
            thread.signal(writable)
        }
    }

    func settle() {}

    func end() {
        guard socket >= 0 else { return }
        thread.remove(self)
        close(socket)
        socket = -1
        thread.signal(readable)
        thread.signal(writable)
    }
}

/// Moves bytes between two streams, each end passed on by itself, until both have ended or one breaks.
func pump(_ a: any ByteChannel, _ b: any ByteChannel) async {
    await withTaskGroup(of: Bool.self) { group in
        for (source, target) in [(a, b), (b, a)] {
            group.addTask {
                do {
                    while let bytes = try await source.read() { try await target.write(bytes) }
                    try await target.closeWriting()
                    return true
                } catch {
                    return false
                }
            }
        }
        for await isWhole in group where !isWhole {
            await a.close()
            await b.close()
            group.cancelAll()
        }
    }
    await a.close()
    await b.close()
}
