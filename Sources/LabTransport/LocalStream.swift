import Dispatch

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A TCP connection of the laptop's own.
///
/// Its calls block on a queue of their own, two at a time (one reads, one writes); `close` wakes them by shutting the
/// socket down.
final class LocalStream: ByteChannel {
    private let socket: Int32
    private let hostName: String
    private let reading = DispatchQueue(label: "labctl.local-stream.read")
    private let writing = DispatchQueue(label: "labctl.local-stream.write")

    private init(socket: Int32, hostName: String) {
        self.socket = socket
        self.hostName = hostName
    }

    deinit { systemClose(socket) }

    static func connect(host: String, port: Int, hostName: String) async throws -> LocalStream {
        let result: Result<Int32, ConnectionError> = await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: open(host, port, hostName)) }
        }
        return LocalStream(socket: try result.get(), hostName: hostName)
    }

    private static func open(_ host: String, _ port: Int, _ hostName: String) -> Result<Int32, ConnectionError> {
        var hints = addrinfo()
        #if canImport(Glibc)
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
            hints.ai_socktype = SOCK_STREAM
        #endif
        func refused(_ why: String) -> Result<Int32, ConnectionError> {
            .failure(
                ConnectionError(
                    .forwardRefused, hostName: hostName, "cannot connect to \(host):\(port)", notes: [why.lowercased()])
            )
        }
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, String(port), &hints, &list)
        guard result == 0 else { return refused(String(cString: gai_strerror(result))) }
        defer { freeaddrinfo(list) }
        var error: Int32 = ECONNREFUSED
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            let file = makeSocket(entry)
            guard file >= 0 else {
                error = errno
                continue
            }
            if connectSocket(file, entry) == 0 {
                var yes: Int32 = 1
                setsockopt(file, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
                return .success(file)
            }
            error = errno
            systemClose(file)
        }
        return refused(String(cString: strerror(error)))
    }

    func read() async throws -> [UInt8]? {
        let socket = socket
        let result: Result<[UInt8], ConnectionError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                reading.async {
                    var buffer = [UInt8](repeating: 0, count: 65_536)
                    var count = recv(socket, &buffer, buffer.count, 0)
                    while count < 0, errno == EINTR { count = recv(socket, &buffer, buffer.count, 0) }
                    continuation.resume(
                        returning: count < 0
                            ? .failure(self.lost(errno)) : .success(Array(buffer[..<count])))
                }
            }
        } onCancel: {
            shutdown(socket, Int32(SHUT_RDWR))
        }
        try Task.checkCancellation()
        let bytes = try result.get()
        return bytes.isEmpty ? nil : bytes
    }

    func write(_ bytes: [UInt8]) async throws {
        let socket = socket
        let result: Result<Void, ConnectionError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                writing.async { continuation.resume(returning: self.send(bytes)) }
            }
        } onCancel: {
            shutdown(socket, Int32(SHUT_RDWR))
        }
        try Task.checkCancellation()
        try result.get()
    }

    private func send(_ bytes: [UInt8]) -> Result<Void, ConnectionError> {
        #if canImport(Glibc)
            let flags = Int32(MSG_NOSIGNAL)
        #else
            let flags: Int32 = 0
        #endif
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { systemSend(socket, $0.baseAddress, $0.count, flags) }
            if count < 0 {
                if errno == EINTR { continue }
                return .failure(lost(errno))
            }
            rest = rest.dropFirst(count)
        }
        return .success(())
    }

    func closeWriting() async throws {
        let socket = socket
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            writing.async {
                shutdown(socket, Int32(SHUT_WR))
                continuation.resume()
            }
        }
    }

    func close() async { shutdown(socket, Int32(SHUT_RDWR)) }

    private func lost(_ error: Int32) -> ConnectionError {
        ConnectionError(
            .lost, hostName: hostName, "the stream broke off: \(String(cString: strerror(error)).lowercased())")
    }
}

// `LocalStream`'s own methods hide the system's functions of the same names.
private func systemClose(_ file: Int32) { _ = close(file) }

private func systemSend(_ file: Int32, _ bytes: UnsafeRawPointer?, _ count: Int, _ flags: Int32) -> Int {
    send(file, bytes, count, flags)
}

private func makeSocket(_ entry: addrinfo) -> Int32 {
    let file = socket(entry.ai_family, entry.ai_socktype, entry.ai_protocol)
    guard file >= 0 else { return file }
    _ = fcntl(file, F_SETFD, FD_CLOEXEC)
    #if canImport(Darwin)
        var yes: Int32 = 1
        setsockopt(file, SOL_SOCKET, SO_NOSIGPIPE, &yes, socklen_t(MemoryLayout<Int32>.size))
    #endif
    return file
}

private func connectSocket(_ file: Int32, _ entry: addrinfo) -> Int32 {
    connect(file, entry.ai_addr, entry.ai_addrlen)
}
