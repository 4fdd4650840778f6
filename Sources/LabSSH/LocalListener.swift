import CLibSSH
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A TCP port of the laptop on which connections are taken, served by an I/O thread.
package actor LocalListener {
    private nonisolated let thread: IOThread
    private let watcher: SocketWatcher
    /// `127.0.0.1:8443`, `[::1]:8443`.
    package nonisolated let address: String
    package nonisolated let port: Int

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private init(socket: Int32, thread: IOThread, address: String, port: Int) {
        self.thread = thread
        self.address = address
        self.port = port
        watcher = SocketWatcher(socket: socket, thread: thread)
    }

    /// Listens on every address of a name: `localhost` has two, `*` means those of all interfaces.
    ///
    /// - Parameter port: 0 for a free one, the same on all addresses.
    /// - Throws: `configuration` when none of them can be listened on.
    package static func open(host: String, port: Int) async throws -> [LocalListener] {
        let found = try await abandonable(until: .now + .seconds(10)) { addresses(of: host, port) }
        guard case .success(let addresses) = found else {
            throw ConnectionError(.configuration, hostName: "localhost", "\(host) is no address of this machine")
        }
        // A port that is free on one address may be somebody's on the other: then another one is asked for.
        var triesLeft = port == 0 ? 20 : 0
        while true {
            do {
                return try await listen(on: addresses, port)
            } catch let error as PortInUse {
                guard triesLeft > 0 else { throw error.told }
                triesLeft -= 1
            }
        }
    }

    private struct PortInUse: Error {
        let told: ConnectionError
    }

    private static func listen(on addresses: [Address], _ port: Int) async throws -> [LocalListener] {
        var listeners: [LocalListener] = []
        var failure: (address: String, number: Int32)?
        for address in addresses {
            let wanted = listeners.first?.port ?? port
            switch listen(address, wanted) {
            case .success(let socket):
                listeners.append(
                    LocalListener(
                        socket: socket.descriptor, thread: try IOThreads.next(), address: socket.text,
                        port: socket.port))
            case .failure(let error):
                // A machine without IPv6 has no ::1, and that is fine as long as 127.0.0.1 is there. A port that somebody
                // else has on one of the two is not: half of the clients would reach the wrong program.
                if error.number == EADDRINUSE || failure == nil { failure = (address.text(wanted), error.number) }
            }
        }
        if let failure, listeners.isEmpty || failure.number == EADDRINUSE {
            for listener in listeners { await listener.close() }
            let error = ConnectionError(
                .configuration, hostName: "localhost",
                "cannot listen on \(failure.address): \(systemError(failure.number))",
                hint: failure.number == EADDRINUSE
                    ? "choose another port, or 0 for a free one"
                    : failure.number == EACCES && port < 1024
                        ? "ports below 1024 are root's: choose another one" : nil)
            throw failure.number == EADDRINUSE ? PortInUse(told: error) : error as any Error
        }
        return listeners
    }

    /// The next connection; nil once the listener is closed.
    ///
    /// - Throws: `CancellationError`; `configuration` when the system gives no more sockets.
    package func accept() async throws -> (stream: any ByteChannel, peer: String)? {
        while true {
            guard watcher.socket >= 0 else { return nil }
            var storage = sockaddr_storage()
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let socket = withUnsafeMutablePointer(to: &storage) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { acceptSocket(watcher.socket, $0, &size) }
            }
            if socket >= 0 {
                LabSSH.prepare(socket)
                let peer = withUnsafePointer(to: &storage) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { numericAddress($0, size).text }
                }
                return (SocketStream(socket: socket, thread: thread, hostName: "localhost"), peer)
            }
            switch errno {
            case EAGAIN, EWOULDBLOCK:
                if await watcher.wait(for: Int16(POLLIN)) == .cancelled { throw CancellationError() }
            // The client has gone already.
            case EINTR, ECONNABORTED: continue
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                // Others will close theirs.
                try await Task.sleep(for: .milliseconds(100))
            case let number:
                throw ConnectionError(
                    .configuration, hostName: "localhost",
                    "cannot take connections on \(address): \(systemError(number))"
                )
            }
        }
    }

    /// Gives the port back; an `accept` that waits then gives nil, and a second call does nothing.
    package func close() { watcher.end() }

    deinit {
        let watcher = watcher
        thread.perform { watcher.end() }
    }

    // MARK: Sockets

    private struct Address: Sendable {
        let family: Int32
        let bytes: [UInt8]

        func text(_ port: Int) -> String {
            let text = bytes.withUnsafeBytes { raw in
                raw.withMemoryRebound(to: sockaddr.self) { addresses in
                    addresses.baseAddress.map { numericAddress($0, socklen_t(raw.count)).host } ?? "?"
                }
            }
            return text.contains(":") ? "[\(text)]:\(port)" : "\(text):\(port)"
        }
    }

    private static func addresses(of host: String, _ port: Int) -> Result<[Address], SystemError> {
        var hints = addrinfo()
        // No name stands for all addresses, or, without AI_PASSIVE, for the two of loopback: /etc/hosts often has only one.
        hints.ai_flags = AI_NUMERICSERV | (host == "*" ? AI_PASSIVE : 0)
        hints.ai_socktype = labctl_stream_socket()
        var list: UnsafeMutablePointer<addrinfo>?
        let name = host == "*" || host == "localhost" ? nil : host
        let result = getaddrinfo(name, String(port), &hints, &list)
        guard result == 0 else { return .failure(SystemError(number: EADDRNOTAVAIL)) }
        defer { freeaddrinfo(list) }
        var addresses: [Address] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            guard let address = entry.ai_addr else { continue }
            addresses.append(
                Address(
                    family: entry.ai_family,
                    bytes: Array(UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen)))))
        }
        return .success(addresses)
    }

    private static func listen(
        _ address: Address, _ port: Int
    ) -> Result<(descriptor: Int32, text: String, port: Int), SystemError> {
        let socket = makeSocket(address.family, labctl_stream_socket(), 0)
        guard socket >= 0 else { return .failure(SystemError(number: errno)) }
        LabSSH.prepare(socket)
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        if address.family == AF_INET6 {
            // The IPv4 addresses have a socket of their own.
            setsockopt(socket, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &yes, socklen_t(MemoryLayout<Int32>.size))
        }
        var bytes = address.bytes
        // `sin_port` and `sin6_port` stand at the same place.
        bytes[2] = UInt8(port >> 8)
        bytes[3] = UInt8(port & 255)
        let result = bytes.withUnsafeBytes { raw in
            raw.withMemoryRebound(to: sockaddr.self) { bindSocket(socket, $0.baseAddress, socklen_t(raw.count)) }
        }
        guard result == 0, listenSocket(socket, 128) == 0 else {
            let number = errno
            closeDescriptor(socket)
            return .failure(SystemError(number: number))
        }
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let name = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                getsockname(socket, pointer, &size)
                return numericAddress(pointer, size)
            }
        }
        return .success((descriptor: socket, text: name.text, port: name.port))
    }
}

/// A socket address for people.
private func numericAddress(
    _ address: UnsafePointer<sockaddr>, _ size: socklen_t
) -> (host: String, port: Int, text: String) {
    var host = [CChar](repeating: 0, count: 256)
    var service = [CChar](repeating: 0, count: 32)
    getnameinfo(
        address, size, &host, socklen_t(host.count), &service, socklen_t(service.count), NI_NUMERICHOST | NI_NUMERICSERV
    )
    func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    let (name, port) = (text(host), text(service))
    return (name, Int(port) ?? 0, name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)")
}

// Where the listener's own methods hide the system's functions.
private func acceptSocket(_ socket: Int32, _ address: UnsafeMutablePointer<sockaddr>, _ size: inout socklen_t) -> Int32
{
    accept(socket, address, &size)
}
private func bindSocket(_ socket: Int32, _ address: UnsafePointer<sockaddr>?, _ size: socklen_t) -> Int32 {
    bind(socket, address, size)
}
private func listenSocket(_ socket: Int32, _ backlog: Int32) -> Int32 { listen(socket, backlog) }
