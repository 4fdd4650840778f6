import CLibSSH
import LabCore
import LabTransport
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What all sessions of a transport have in common.
final class SharedState: Sendable {
    let settings: SSHSettings
    let keys: KeyRing
    let files: ConfigurationFiles
    let knownHosts = KnownHostsCache()
    let jumps = JumpHosts()
    let gate = LoginGate()

    init(_ settings: SSHSettings) {
        self.settings = settings
        keys = KeyRing(prompt: settings.prompt)
        files = ConfigurationFiles(home: settings.home)
    }
}

/// The jump hosts of a run, each logged in to once for all hosts behind it.
final class JumpHosts: Sendable {
    private let tasks = Mutex<[[String]: Task<SSHConnection, any Error>]>([:])

    /// The connection to the last of the hosts, through those before it.
    func connection(_ hosts: [String], for endpoint: Endpoint, _ shared: SharedState) async throws -> SSHConnection {
        while true {
            let task = tasks.withLock { tasks in
                if let task = tasks[hosts] { return task }
                let task = Task { try await Self.open(hosts, endpoint, shared) }
                tasks[hosts] = task
                return task
            }
            let promise = Promise<SSHConnection>()
            Task { promise.resolve(await task.result) }
            do {
                let connection = try await promise.value(until: nil)
                if await connection.isUp { return connection }
            } catch {
                forget(hosts, task)
                throw error
            }
            // It was lost in the meantime: log in again.
            forget(hosts, task)
        }
    }

    private func forget(_ hosts: [String], _ task: Task<SSHConnection, any Error>) {
        tasks.withLock { tasks in
            if tasks[hosts] == task { tasks[hosts] = nil }
        }
    }

    /// Lets go of all jump hosts; those that a connection still goes through stay.
    func clear() { tasks.withLock { $0 = [:] } }

    private static func open(_ hosts: [String], _ endpoint: Endpoint, _ shared: SharedState) async throws
        -> SSHConnection
    {
        let last = hosts.last ?? ""
        guard var jump = jumpEndpoint(last, for: endpoint) else {
            throw ConnectionError(.configuration, hostName: endpoint.hostName, "`\(last)` is no jump host")
        }
        if hosts.count > 1 {
            jump.options.insert(
                Endpoint.Option("ProxyJump", hosts.dropLast().joined(separator: ",")), at: 0)
        }
        try await checkForLoop(jump, for: endpoint, shared)
        let session = try await Session.make(jump, shared)
        try await session.open()
        return SSHConnection(session)
    }

    /// `[user@]host[:port]` or `ssh://…` as an endpoint. As with OpenSSH, a jump host is configured by the files and not by
    /// the options of the host behind it.
    static func jumpEndpoint(_ text: String, for endpoint: Endpoint) -> Endpoint? {
        var rest = text[...]
        if rest.hasPrefix("ssh://") { rest = rest.dropFirst(6) }
        var user: String?
        if let at = rest.lastIndex(of: "@") {
            user = String(rest[..<at])
            rest = rest[rest.index(after: at)...]
        }
        var port: Int?
        if rest.hasPrefix("["), let close = rest.firstIndex(of: "]") {
            let after = rest[rest.index(after: close)...]
            if after.hasPrefix(":") {
                guard let number = Int(after.dropFirst()) else { return nil }
                port = number
            }
            rest = rest[rest.index(after: rest.startIndex)..<close]
        } else if let colon = rest.lastIndex(of: ":"), rest.count(where: { $0 == ":" }) == 1 {
            guard let number = Int(rest[rest.index(after: colon)...]) else { return nil }
            port = number
            rest = rest[..<colon]
        }
        guard !rest.isEmpty else { return nil }
        return Endpoint(
            hostName: String(rest), address: String(rest), port: port, user: user,
            options: endpoint.options.filter { $0.name == SSHArguments.configurationFile },
            hostKeyPolicy: endpoint.hostKeyPolicy == .acceptNew ? .acceptNew : .strict,
            connectTimeout: endpoint.connectTimeout, span: endpoint.span)
    }
}

/// A child process whose input and output are a socket (ssh_config(5), ProxyCommand).
final class ProxyProcess: Sendable {
    private let pid: pid_t

    private init(pid: pid_t) { self.pid = pid }

    /// - Returns: the process, and the socket to it.
    static func start(_ command: String, hostName: String) throws(ConnectionError) -> (ProxyProcess, Int32) {
        let (ours, theirs) = try makeSocketPair(hostName)
        defer { close(theirs) }
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
        #else
            var actions = posix_spawn_file_actions_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, theirs, 0)
        posix_spawn_file_actions_adddup2(&actions, theirs, 1)
        var arguments: [UnsafeMutablePointer<CChar>?] =
            ["/bin/sh", "-c", "exec " + command].map { (word: String) in strdup(word) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let result = withOrdinarySignals { posix_spawn(&pid, "/bin/sh", &actions, $0, &arguments, environ) }
        guard result == 0 else {
            close(ours)
            throw ConnectionError(
                .configuration, hostName: hostName, "cannot start the proxy command: \(systemError(result))",
                notes: [command])
        }
        return (ProxyProcess(pid: pid), ours)
    }

    /// Without its socket the process has nothing to do; it is reaped in any case.
    deinit {
        kill(pid, SIGTERM)
        let pid = pid
        BlockingThreads.shared.submit {
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        }
    }
}

/// Two connected sockets, closed in children, the first one non-blocking.
func makeSocketPair(_ hostName: String) throws(ConnectionError) -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    let result = socketpair(AF_UNIX, labctl_stream_socket(), 0, &ends)
    guard result == 0 else {
        throw ConnectionError(.configuration, hostName: hostName, "cannot make a socket: \(systemError(errno))")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    return (ends[0], ends[1])
}

extension Session {
    /// Decides the route on a helper thread and makes a session for it.
    static func make(_ endpoint: Endpoint, _ shared: SharedState) async throws -> Session {
        let result: Result<Route, any Error>
        do {
            result = try await abandonable(until: .now + endpoint.connectTimeout) {
                Result { try Route(endpoint, shared.settings, shared.files) }
            }
        } catch is Abandoned {
            throw ConnectionError(
                .timedOut, hostName: endpoint.hostName, "the ssh configuration could not be read in time")
        }
        return try Session(endpoint: endpoint, route: result.get(), shared: shared)
    }

    /// A stream to the host from the last of the jump hosts; one that is found lost only now is logged in to again, once.
    private func goThrough(_ hosts: [String]) async throws -> (SSHConnection, any ByteChannel) {
        let connection = try await shared.jumps.connection(hosts, for: endpoint, shared)
        do {
            return (connection, try await connection.openForward(host: route.address, port: route.port))
        } catch {
            guard await !connection.isUp, !Task.isCancelled else { throw error }
        }
        let again = try await shared.jumps.connection(hosts, for: endpoint, shared)
        return (again, try await again.openForward(host: route.address, port: route.port))
    }

    /// A connected socket to the host's SSH server, by whatever way the route goes.
    func reach(until deadline: ContinuousClock.Instant) async throws -> Int32 {
        switch route.proxy {
        case .none:
            var addresses = try await Dialer.resolve(
                route.address, port: route.port, family: route.addressFamily, hostName: hostName, until: deadline)
            let vouched = addresses.filter { $0.bytes == vouchedAddress }
            if !vouched.isEmpty { addresses = vouched }
            if addresses.count == 1 { stage = "connecting to \(addresses[0].text)" }
            return try await Dialer.connect(
                addresses, from: route.bindAddress, on: thread, hostName: hostName, until: deadline)
        case .command(let command):
            stage = "connecting through the proxy command"
            let (process, socket) = try ProxyProcess.start(command, hostName: hostName)
            holds.append(process)
            return socket
        case .jump(let hosts):
            stage = "connecting through \(hosts.joined(separator: ", "))"
            let connection: SSHConnection
            let stream: any ByteChannel
            do {
                (connection, stream) = try await goThrough(hosts)
            } catch let error as ConnectionError {
                throw ConnectionError(
                    error.kind == .forwardRefused ? .unreachable : error.kind, hostName: hostName,
                    "through the jump host \(error.hostName): \(error.message)", notes: error.notes, hint: error.hint,
                    span: error.span)
            }
            holds.append(connection)
            let (ours, theirs) = try makeSocketPair(hostName)
            _ = fcntl(theirs, F_SETFL, O_NONBLOCK)
            let socket = SocketStream(socket: theirs, thread: thread, hostName: hostName)
            Task { await pump(socket, stream) }
            return ours
        }
    }
}
