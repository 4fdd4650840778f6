import CLibSSH
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A numeric address and port to connect to.
struct SocketAddress: Sendable {
    /// A `sockaddr` of the family's size.
    let bytes: [UInt8]
    let family: Int32
    /// `192.168.56.10:22`, `[::1]:22`.
    let text: String
}

/// Name resolution and the TCP handshake, without blocking an I/O thread.
enum Dialer {
    /// The addresses of a host, in the order of RFC 6724 but with the families taking turns (RFC 8305).
    ///
    /// - Throws: `unresolved`; `Abandoned.timedOut`; `CancellationError`.
    static func resolve(
        _ host: String, port: Int, family: Int32 = AF_UNSPEC, hostName: String,
        until deadline: ContinuousClock.Instant
    ) async throws -> [SocketAddress] {
        // A literal address needs no resolver, so no helper thread either.
        var found = lookUp(host, port, family, flags: AI_NUMERICHOST)
        if case .failure = found {
            found = try await abandonable(until: deadline) { lookUp(host, port, family, flags: AI_ADDRCONFIG) }
        }
        switch found {
        case .success(let addresses): return alternate(addresses)
        case .failure(let error):
            throw ConnectionError(
                .unresolved, hostName: hostName, "the name \(host) has no address", notes: [error.text],
                hint: "set ansible_host to an address, or add a Host entry to ~/.ssh/config")
        }
    }

    /// Gives a socket its own address, which must be numeric.
    static func bind(_ socket: Int32, to source: String, _ family: Int32) -> Bool {
        guard case .success(let found) = lookUp(source, 0, family, flags: AI_NUMERICHOST), let address = found.first
        else {
            errno = EADDRNOTAVAIL
            return false
        }
        return address.bytes.withUnsafeBytes { raw in
            raw.withMemoryRebound(to: sockaddr.self) { systemBind(socket, $0.baseAddress, socklen_t(raw.count)) == 0 }
        }
    }

    private struct ResolutionError: Error { let text: String }

    private static func lookUp(
        _ host: String, _ port: Int, _ family: Int32, flags: Int32
    ) -> Result<[SocketAddress], ResolutionError> {
        var hints = addrinfo()
        hints.ai_family = family
        hints.ai_flags = flags | AI_NUMERICSERV
        hints.ai_socktype = labctl_stream_socket()
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, String(port), &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard result == 0 else {
            return .failure(ResolutionError(text: String(cString: gai_strerror(result)).lowercasedFirst))
        }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            guard let address = entry.ai_addr else { continue }
            addresses.append(
                SocketAddress(
                    bytes: Array(UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen))),
                    family: entry.ai_family, text: numericText(address, entry.ai_addrlen, port)))
        }
        return .success(addresses)
    }

    private static func numericText(_ address: UnsafePointer<sockaddr>, _ length: socklen_t, _ port: Int) -> String {
        var host = [CChar](repeating: 0, count: 256)
        getnameinfo(address, length, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
        let text = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.contains(":") ? "[\(text)]:\(port)" : "\(text):\(port)"
    }

    private static func alternate(_ addresses: [SocketAddress]) -> [SocketAddress] {
        guard let first = addresses.first else { return [] }
        var preferred = addresses.filter { $0.family == first.family }[...]
        var others = addresses.filter { $0.family != first.family }[...]
        var result: [SocketAddress] = []
        while let address = preferred.popFirst() {
            result.append(address)
            if let other = others.popFirst() { result.append(other) }
        }
        return result + others
    }

    /// Connects to the first address that answers; a further attempt starts when one fails or after 250 ms (RFC 8305).
    ///
    /// Runs on the I/O thread. Gives a non-blocking socket with `TCP_NODELAY`.
    /// - Throws: `refused`, `unreachable`; `Abandoned.timedOut`; `CancellationError`.
    static func connect(
        _ addresses: [SocketAddress], from source: String? = nil, on thread: IOThread, hostName: String,
        until deadline: ContinuousClock.Instant,
        isolation: isolated (any Actor)? = #isolation
    ) async throws -> Int32 {
        let done = Condition()
        var waiting = addresses[...]
        var attempts: [ConnectAttempt] = []
        var failures: [(address: SocketAddress, error: Int32)] = []
        var nextStart = ContinuousClock.now
        defer { for attempt in attempts { attempt.abandon() } }
        while true {
            if attempts.isEmpty || .now >= nextStart, let address = waiting.popFirst() {
                attempts.append(ConnectAttempt(address, from: source, on: thread, done: done))
                nextStart = .now + .milliseconds(250)
            }
            for attempt in attempts {
                switch attempt.state {
                case .connected(let socket):
                    attempts.removeAll { $0 === attempt }
                    return socket
                case .failed(let error):
                    attempts.removeAll { $0 === attempt }
                    failures.append((attempt.address, error))
                    nextStart = .now
                case .pending: break
                }
            }
            if attempts.isEmpty {
                if waiting.isEmpty { throw failure(failures, hostName: hostName) }
                continue
            }
            let wake = await thread.wait(for: done, until: waiting.isEmpty ? deadline : min(deadline, nextStart))
            if wake == .cancelled { throw CancellationError() }
            if .now >= deadline { throw Abandoned.timedOut }
        }
    }

    private static func failure(_ failures: [(address: SocketAddress, error: Int32)], hostName: String)
        -> ConnectionError
    {
        guard let last = failures.last else {
            return ConnectionError(.unresolved, hostName: hostName, "the name has no address")
        }
        let notes = failures.count > 1 ? failures.map { "\($0.address.text): \(systemError($0.error))" } : []
        guard failures.allSatisfy({ $0.error == ECONNREFUSED }) else {
            let shown = failures.first { $0.error != ECONNREFUSED } ?? last
            return ConnectionError(
                .unreachable, hostName: hostName, "cannot reach \(shown.address.text): \(systemError(shown.error))",
                notes: notes, hint: "look whether the machine is up and the network route exists")
        }
        return ConnectionError(
            .refused, hostName: hostName, "connection refused by \(last.address.text)", notes: notes,
            hint: "look whether sshd runs on the host and listens on this port")
    }
}

/// One connection attempt under way.
private final class ConnectAttempt: IOSource {
    enum State {
        case pending
        case connected(Int32)
        case failed(Int32)
    }

    let address: SocketAddress
    private(set) var state = State.pending
    private var socket: Int32
    private let thread: IOThread
    private let done: Condition

    init(_ address: SocketAddress, from source: String?, on thread: IOThread, done: Condition) {
        self.address = address
        self.thread = thread
        self.done = done
        socket = makeSocket(address.family, labctl_stream_socket(), 0)
        guard socket >= 0 else {
            state = .failed(errno)
            return
        }
        prepare(socket)
        if let source, !Dialer.bind(socket, to: source, address.family) {
            fail(errno)
            return
        }
        let result = address.bytes.withUnsafeBytes { raw in
            raw.withMemoryRebound(to: sockaddr.self) { systemConnect(socket, $0.baseAddress, socklen_t(raw.count)) }
        }
        if result == 0 {
            succeed()
        } else if errno == EINPROGRESS {
            thread.add(self)
        } else {
            fail(errno)
        }
    }

    var interest: (descriptor: Int32, events: Int16) { (socket, Int16(POLLOUT)) }

    func ready(_ events: Int16) {
        thread.remove(self)
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        if getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0 { error = errno }
        if error == 0 { succeed() } else { fail(error) }
        thread.signal(done)
    }

    func settle() {}

    func abandon() {
        guard case .pending = state else { return }
        thread.remove(self)
        fail(ECANCELED)
    }

    private func succeed() {
        state = .connected(socket)
        socket = -1
    }

    private func fail(_ error: Int32) {
        state = .failed(error)
        close(socket)
        socket = -1
    }
}

/// Where a method named `socket` or `close` hides the system's function.
func makeSocket(_ family: Int32, _ type: Int32, _ flags: Int32) -> Int32 { socket(family, type, flags) }
func closeDescriptor(_ descriptor: Int32) { close(descriptor) }

func systemConnect(_ socket: Int32, _ address: UnsafePointer<sockaddr>?, _ length: socklen_t) -> Int32 {
    connect(socket, address, length)
}

/// The address at the other end of a socket, as `SocketAddress.bytes` has it.
func peerAddress(_ socket: Int32) -> [UInt8]? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(socket, $0, &length) }
    }
    guard result == 0 else { return nil }
    return withUnsafeBytes(of: &storage) { Array($0.prefix(Int(length))) }
}

private func systemBind(_ socket: Int32, _ address: UnsafePointer<sockaddr>?, _ length: socklen_t) -> Int32 {
    bind(socket, address, length)
}

/// Makes a socket non-blocking, closed in children, and without Nagle's delay.
func prepare(_ socket: Int32) {
    _ = fcntl(socket, F_SETFL, O_NONBLOCK)
    _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
    var yes: Int32 = 1
    setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    #if canImport(Darwin)
        setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &yes, socklen_t(MemoryLayout<Int32>.size))
    #endif
}
