import LabCore
import LabTransport

/// Connections over libssh. All connections of one transport share configuration, keys and jump hosts.
package struct SSHTransport: Transport {
    private let owner: Owner

    /// Lets go of the jump hosts when the transport goes.
    private final class Owner: Sendable {
        let shared: SharedState
        init(_ shared: SharedState) { self.shared = shared }
        deinit { shared.jumps.clear() }
    }

    package init(configuration settings: SSHSettings) {
        BrokenPipes.becomeErrors()
        DescriptorLimit.raise()
        owner = Owner(SharedState(settings))
    }

    package func connect(to endpoint: Endpoint) async throws -> any Connection {
        try await open(endpoint)
    }

    /// Connects and logs in, for what only SSH has: terminals, streams of any length, forwarding to sockets.
    ///
    /// - Throws: `ConnectionError`, or `CancellationError`.
    package func open(_ endpoint: Endpoint) async throws -> SSHConnection {
        let session = try await Session.make(endpoint, owner.shared)
        try await session.open()
        return SSHConnection(session)
    }
}

/// A host that is logged in to.
package final class SSHConnection: Connection {
    private let session: Session

    init(_ session: Session) { self.session = session }

    deinit {
        let session = session
        Task { await session.close() }
    }

    package var isUp: Bool { get async { await session.isUp } }

    package var hostName: String { session.hostName }

    package func run(_ command: Command) async throws -> CommandResult {
        try await session.run(command)
    }

    package func openForward(host: String, port: Int) async throws -> any ByteChannel {
        try await session.forward(host: host, port: port)
    }

    /// What the user's configuration says of interactive logins to this host.
    package var interactive: InteractiveSettings { session.route.interactive }

    /// Starts a program on a channel of its own; the caller moves its input and output.
    ///
    /// - Throws: `ConnectionError`; kind `becomeDenied` when `become` refused.
    package func start(_ request: ProcessRequest) async throws -> RemoteProcess {
        RemoteProcess(connection: self, session: session, process: try await session.start(request))
    }

    /// Opens a byte stream to a Unix socket on the node (OpenSSH's PROTOCOL, "direct-streamlocal@openssh.com").
    ///
    /// - Throws: `ConnectionError` with kind `forwardRefused` when the node cannot reach it.
    package func openForward(socketPath: String) async throws -> any ByteChannel {
        try await session.forward(socketPath: socketPath)
    }

    /// Waits for the end of the link, and gives why it is over; `CancellationError` when the task is cancelled.
    package func loss() async -> any Error { await session.loss() }

    package func writeFile(
        _ bytes: [UInt8], to path: String, attributes: FileAttributes, become: Become?
    ) async throws {
        let result = try await run(FileScripts.write(bytes, to: path, attributes: attributes, become: become))
        guard result.exitStatus == 0 else { throw FileScripts.refusal(result, "write", path, hostName: hostName) }
    }

    package func readFile(_ path: String, become: Become?) async throws -> [UInt8] {
        let result = try await run(FileScripts.read(path, become: become))
        guard result.exitStatus == 0 else { throw FileScripts.refusal(result, "read", path, hostName: hostName) }
        return result.standardOutput
    }

    package func close() async { await session.close() }
}
