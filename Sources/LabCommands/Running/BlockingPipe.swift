import Dispatch

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Reads and writes a descriptor of the process's own on a queue that may block, for tasks that may not.
final class BlockingPipe: Sendable {
    private let descriptor: Int32
    private let queue: DispatchQueue

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        queue = DispatchQueue(label: "labctl.descriptor.\(descriptor)")
    }

    /// The next bytes; nil at the end, or when it cannot be read. A read that is under way when the task is cancelled
    /// goes on.
    func read() async -> [UInt8]? {
        let descriptor = descriptor
        return await withCheckedContinuation { continuation in
            queue.async {
                var buffer = [UInt8](repeating: 0, count: 65_536)
                while true {
                    let count = systemRead(descriptor, &buffer, buffer.count)
                    if count > 0 { return continuation.resume(returning: Array(buffer[..<count])) }
                    if count < 0, errno == EINTR { continue }
                    if count < 0, errno == EAGAIN || errno == EWOULDBLOCK {
                        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                        _ = poll(&entry, 1, -1)
                        continue
                    }
                    return continuation.resume(returning: nil)
                }
            }
        }
    }

    /// Writes all bytes.
    ///
    /// - Returns: whether somebody takes them.
    func write(_ bytes: [UInt8]) async -> Bool {
        let stream = StandardStream(descriptor: descriptor)
        return await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: stream.write(bytes: bytes)) }
        }
    }
}

private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}
