import LabCore
import LabSSH
import LabTransport
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A real sshd on a free loopback port, run as the current user, with fresh keys in a folder of its own.
final class SSHServer: Sendable {
    static let path = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/opt/homebrew/sbin/sshd"]
        .first { (path: String) in access(path, X_OK) == 0 }
    static var isInstalled: Bool { path != nil }

    let folder: String
    let address: String
    let port: Int
    private let words: [String]
    /// The listener's process; 0 when it does not run.
    private let process = Mutex<pid_t>(0)
    var pid: pid_t { process.withLock { $0 } }

    var keyFile: String { folder + "/user_key" }
    var knownHosts: String { folder + "/known_hosts" }
    var log: String { String(decoding: (try? readFile(folder + "/sshd.log")) ?? [], as: UTF8.self) }

    /// Starts a server and waits until it answers.
    init(
        options: [String] = [], knownHost: Bool = true, extraHostKey: String? = nil, launcher: [String] = [],
        address: String = "127.0.0.1"
    ) async throws {
        self.address = address
        folder = try temporaryFolder()
        port = try freePort()
        try shell("ssh-keygen -q -t ed25519 -N '' -f \(folder)/host_key")
        try shell("ssh-keygen -q -t ed25519 -N '' -f \(folder)/user_key")
        try shell("cp \(folder)/user_key.pub \(folder)/authorized_keys")
        var options = options
        if let extraHostKey {
            try shell("ssh-keygen -q -t \(extraHostKey) -N '' -f \(folder)/extra_key")
            options.append("HostKey \(folder)/extra_key")
        }
        try shell("ssh-keygen -q -t ed25519 -N '' -f \(folder)/ca")
        let folder = folder
        options = options.map { $0.replacing("ca.pub", with: folder + "/ca.pub").replacing("$FOLDER", with: folder) }
        let lines =
            options + [
                "Port \(port)", "ListenAddress \(address)", "HostKey \(folder)/host_key",
                "AuthorizedKeysFile \(folder)/authorized_keys", "StrictModes no", "UsePAM no",
                "PidFile none", "LogLevel DEBUG1", "PasswordAuthentication no",
            ]
            // Of this option sshd takes the last, where of all others it takes the first.
            + (options.contains { $0.hasPrefix("MaxStartups") } ? [] : ["MaxStartups 200:30:400"])
        try writeFile(lines.joined(separator: "\n") + "\n", to: folder + "/sshd_config")
        // sshd drops privileges into this folder when root starts it.
        if getuid() == 0 { mkdir("/run/sshd", 0o755) }
        words = launcher + [SSHServer.path ?? "sshd", "-D", "-f", folder + "/sshd_config", "-E", folder + "/sshd.log"]
        if knownHost {
            let key = String(decoding: try readFile(folder + "/host_key.pub"), as: UTF8.self)
                .split(separator: " ").prefix(2).joined(separator: " ")
            try writeFile("[\(address)]:\(port) \(key)\n", to: knownHosts)
        }
        do {
            try await start()
        } catch {
            try stop()
            throw error
        }
    }

    /// Starts the listener (again, after `crash`) and waits until it answers.
    func start() async throws {
        let started = try spawn(words, isQuiet: true)
        process.withLock { $0 = started }
        try await waitForPort(port, address)
    }

    /// Starts a server for the length of `body`, and cleans up.
    static func with<T>(
        options: [String] = [], knownHost: Bool = true, extraHostKey: String? = nil, launcher: [String] = [],
        address: String = "127.0.0.1", _ body: (SSHServer) async throws -> T
    ) async throws -> T {
        let server = try await SSHServer(
            options: options, knownHost: knownHost, extraHostKey: extraHostKey, launcher: launcher,
            address: address)
        do {
            let result = try await body(server)
            try server.stop()
            return result
        } catch {
            try server.stop()
            throw error
        }
    }

    /// Kills the server with all its connections and what runs in them, as a machine does that loses its power.
    func crash() throws {
        let listener = process.withLock { process in
            defer { process = 0 }
            return process
        }
        guard listener > 0 else { return }
        // sshd gives the process of each connection, and of each command, a session of its own: no process group has them
        // all, and a frozen one would stay for ever. The listener is stopped first, so that no more come.
        try shell(
            """
            tree() { for p in $(pgrep -P "$1"); do echo "$p"; tree "$p"; done; }
            kill -STOP \(listener); kill -KILL $(tree \(listener)) \(listener) 2>/dev/null; :
            """)
        var status: Int32 = 0
        waitpid(listener, &status, 0)
    }

    func stop() throws {
        try crash()
        // A process that serves a connection may write its last words into the folder while it is removed.
        try shell("rm -rf \(folder) 2>/dev/null || { sleep 1; rm -rf \(folder); }")
    }

    /// How many logins the server has accepted, and how many sessions were started in them.
    var acceptedLogins: Int { log.split(whereSeparator: \.isNewline).count { $0.contains("Accepted publickey for") } }
    var startedSessions: Int { log.split(whereSeparator: \.isNewline).count { $0.contains("Starting session:") } }

    /// Signals the processes that serve connections: the listener's children and, where privileges are separated, theirs.
    func signalConnections(_ signal: String) throws {
        try shell("for p in $(pgrep -P \(pid)); do kill -\(signal) $(pgrep -x sshd -P $p) $p; done")
    }

    func endpoint(
        name: String = "node", identities: [String]? = nil, policy: HostKeyPolicy = .strict,
        timeout: Duration = .seconds(10), options: [Endpoint.Option] = []
    ) -> Endpoint {
        Endpoint(
            hostName: name, address: address, port: port, user: currentUser, identityFiles: identities ?? [keyFile],
            options: [
                Endpoint.Option("UserKnownHostsFile", knownHosts), Endpoint.Option("GlobalKnownHostsFile", "none"),
            ]
                + options,
            hostKeyPolicy: policy, connectTimeout: timeout)
    }

    func settings(
        environment: [String: String] = [:], prompt: SSHSettings.Prompt? = nil,
        keepaliveInterval: Duration = .seconds(5),
        keepaliveTimeout: Duration = .seconds(10)
    ) -> SSHSettings {
        var variables = ["HOME": folder, "USER": currentUser]
        variables.merge(environment) { $1 }
        return SSHSettings(
            prompt: prompt, configurationFiles: [], environment: variables, keepaliveInterval: keepaliveInterval,
            keepaliveTimeout: keepaliveTimeout)
    }

    /// An endpoint that goes through another port of the loopback, with the server's own key.
    func endpoint(through port: Int, timeout: Duration = .seconds(10)) throws -> Endpoint {
        var endpoint = endpoint(timeout: timeout, options: [Endpoint.Option("HostKeyAlias", "alias")])
        endpoint.port = port
        let known = String(decoding: try readFile(knownHosts), as: UTF8.self)
        if !known.contains("alias ") {
            try writeFile(known + known.replacing("[\(address)]:\(self.port)", with: "alias"), to: knownHosts)
        }
        return endpoint
    }

    func connect(_ endpoint: Endpoint? = nil, settings: SSHSettings? = nil) async throws -> any Connection {
        try await SSHTransport(configuration: settings ?? self.settings()).connect(to: endpoint ?? self.endpoint())
    }

    /// Connects for the length of `body`.
    func withConnection<T>(_ endpoint: Endpoint? = nil, _ body: (any Connection) async throws -> T) async throws -> T {
        let connection = try await connect(endpoint)
        do {
            let result = try await body(connection)
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }
}

// MARK: What the fixture is made of

struct FixtureError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

var currentUser: String {
    guard let entry = getpwuid(getuid()) else { return "root" }
    return String(cString: entry.pointee.pw_name)
}

func temporaryFolder() throws -> String {
    var template = Array("/tmp/labctl-test-XXXXXX".utf8CString)
    guard let path = mkdtemp(&template) else { throw FixtureError("no temporary folder") }
    return String(cString: path)
}

func readFile(_ path: String) throws -> [UInt8] {
    guard let file = fopen(path, "r") else { throw FixtureError("cannot read \(path)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return bytes
}

func writeFile(_ text: String, to path: String) throws {
    guard let file = fopen(path, "w") else { throw FixtureError("cannot write \(path)") }
    defer { fclose(file) }
    fputs(text, file)
}

/// Starts a program in a process group of its own.
///
/// - Parameter isQuiet: whether it gets none of our own descriptors; whatever holds the pipe of a test run keeps
///   `swift test` waiting for its end.
func spawn(_ words: [String], isQuiet: Bool = false) throws -> pid_t {
    #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
    #else
        var actions = posix_spawn_file_actions_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if isQuiet {
        for descriptor in Int32(0)...2 {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
    }
    #if canImport(Darwin)
        var attributes: posix_spawnattr_t?
    #else
        var attributes = posix_spawnattr_t()
    #endif
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    var arguments = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid: pid_t = 0
    let result = posix_spawnp(&pid, words[0], &actions, &attributes, &arguments, environ)
    guard result == 0 else { throw FixtureError("cannot start \(words[0]): \(String(cString: strerror(result)))") }
    return pid
}

func shell(_ text: String) throws {
    let pid = try spawn(["/bin/sh", "-c", text])
    var status: Int32 = 0
    waitpid(pid, &status, 0)
    guard status == 0 else { throw FixtureError("failed with \(status): \(text)") }
}

private func loopback(_ port: Int, _ host: String = "127.0.0.1") -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    inet_pton(AF_INET, host, &address.sin_addr)
    return address
}

func withAddress<T>(
    _ port: Int, _ host: String = "127.0.0.1", _ body: (UnsafePointer<sockaddr>, socklen_t) -> T
) -> T {
    var address = loopback(port, host)
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
}

func makeSocket() -> Int32 {
    #if canImport(Glibc)
        socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #else
        socket(AF_INET, SOCK_STREAM, 0)
    #endif
}

/// A listening socket on a free loopback port, and the port.
func listenOnLoopback(backlog: Int32 = 16) throws -> (socket: Int32, port: Int) {
    let listener = makeSocket()
    guard listener >= 0, withAddress(0, "127.0.0.1", { bind(listener, $0, $1) }) == 0, listen(listener, backlog) == 0
    else {
        throw FixtureError("cannot listen")
    }
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
        _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &size) }
    }
    return (listener, Int(in_port_t(bigEndian: address.sin_port)))
}

func freePort() throws -> Int {
    let (listener, port) = try listenOnLoopback()
    close(listener)
    return port
}

func waitForPort(_ port: Int, _ host: String = "127.0.0.1") async throws {
    for _ in 0..<500 {
        let client = makeSocket()
        defer { close(client) }
        if withAddress(port, host, { connect(client, $0, $1) }) == 0 { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    throw FixtureError("nothing listens on port \(port)")
}
