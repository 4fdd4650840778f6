import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// An ssh-agent for the length of `body`.
func withAgent<T>(
    _ server: SSHServer, options: [String] = [], _ body: (String) async throws -> T
) async throws -> T {
    let socket = server.folder + "/agent.sock"
    let pid = try spawn(["ssh-agent", "-D", "-a", socket] + options, isQuiet: true)
    defer {
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }
    for _ in 0..<200 where access(socket, F_OK) != 0 { try await Task.sleep(for: .milliseconds(10)) }
    return try await body(socket)
}

/// A Unix socket that takes connections and says nothing.
final class SilentUnixServer: Sendable {
    let path: String
    private let listener: Int32

    init(path: String) throws {
        self.path = path
        listener = try listenAtSocket(path)
    }

    func stop() { close(listener) }
}

/// An SSH agent that takes its time for every answer: another one's, passed on late.
final class SlowAgent: Sendable {
    let path: String
    private let listener: Int32
    private let count = Atomic(0)

    /// How many answers it has passed on.
    var answers: Int { count.load(ordering: .relaxed) }

    init(path: String, agent: String, delay: Duration) throws {
        self.path = path
        listener = try listenAtSocket(path)
        let listener = listener
        DispatchQueue(label: "slow agent").async { [self] in
            while case let client = accept(listener, nil, nil), client >= 0 {
                DispatchQueue(label: "slow agent's client").async { [self] in
                    defer { close(client) }
                    guard let behind = try? connectToSocket(agent) else { return }
                    defer { close(behind) }
                    while pass(client, behind) {
                        usleep(useconds_t(delay.components.attoseconds / 1_000_000_000_000))
                        guard pass(behind, client) else { return }
                        count.add(1, ordering: .relaxed)
                    }
                }
            }
        }
    }

    /// Passes one message on (draft-miller-ssh-agent: a length, and so many bytes).
    private func pass(_ source: Int32, _ destination: Int32) -> Bool {
        func take(_ length: Int) -> [UInt8]? {
            var bytes = [UInt8](repeating: 0, count: length)
            var filled = 0
            while filled < length {
                let count = bytes[filled...].withUnsafeMutableBytes { read(source, $0.baseAddress, $0.count) }
                guard count > 0 else { return nil }
                filled += count
            }
            return bytes
        }
        guard let header = take(4), let body = take(header.reduce(0) { $0 << 8 | Int($1) }) else { return false }
        return write(destination, header + body, 4 + body.count) == 4 + body.count
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }
}

private func withSocketAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
}

private func makeUnixSocket() -> Int32 {
    #if canImport(Glibc)
        socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    #else
        socket(AF_UNIX, SOCK_STREAM, 0)
    #endif
}

private func listenAtSocket(_ path: String) throws -> Int32 {
    let listener = makeUnixSocket()
    guard withSocketAddress(path, { bind(listener, $0, $1) }) == 0, listen(listener, 4) == 0 else {
        throw FixtureError("cannot listen at \(path)")
    }
    return listener
}

private func connectToSocket(_ path: String) throws -> Int32 {
    let client = makeUnixSocket()
    guard withSocketAddress(path, { connect(client, $0, $1) }) == 0 else {
        throw FixtureError("cannot connect to \(path)")
    }
    return client
}
