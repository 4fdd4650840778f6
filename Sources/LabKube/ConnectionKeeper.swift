import LabCore
import LabTransport
import NIOCore

/// Keeps the connections of one client: one for all requests under HTTP/2, a few that take turns under HTTP/1.1. A
/// connection that ended, or whose server said that it goes away, is replaced at the next request.
actor ConnectionKeeper {
    private let openChannel: KubeClient.ChannelOpener
    private let host: String
    private let port: Int
    private let settings: @Sendable (CredentialKeeper.Issue) throws -> TLSSettings
    private let group: any EventLoopGroup
    private let timeout: Duration

    private var shared: HTTPConnection?
    private var idle: [HTTPConnection] = []
    private var retired: [HTTPConnection] = []
    private var opening: Task<Void, any Error>?
    private var speaksHTTP1 = false
    private var isClosed = false

    init(
        openChannel: @escaping KubeClient.ChannelOpener, host: String, port: Int, group: any EventLoopGroup,
        timeout: Duration, settings: @escaping @Sendable (CredentialKeeper.Issue) throws -> TLSSettings
    ) {
        self.openChannel = openChannel
        self.host = host
        self.port = port
        self.settings = settings
        self.group = group
        self.timeout = timeout
    }

    /// A connection to send one request on, made with the user's certificate; give it back with `release` when it is not
    /// multiplexed.
    func acquire(as issue: CredentialKeeper.Issue) async throws -> HTTPConnection {
        while true {
            guard !isClosed else { throw KubeError(.lost, "the connection to the API server was closed") }
            if let shared {
                if shared.isUsable, shared.certificateNumber >= issue.certificateNumber { return shared }
                // What still runs on it may finish.
                retired.append(shared)
                self.shared = nil
            }
            if let connection = idle.popLast() {
                if connection.isUsable, connection.certificateNumber >= issue.certificateNumber { return connection }
                await connection.close()
                continue
            }
            if speaksHTTP1 { return try await open(issue) }
            try await openFirst(issue)
        }
    }

    /// Gives back a connection after its answer was read whole.
    func release(_ connection: HTTPConnection) {
        if isClosed || !connection.isUsable { retired.append(connection) } else { idle.append(connection) }
    }

    /// Takes a connection that failed out of use.
    func discard(_ connection: HTTPConnection) async {
        if shared === connection { shared = nil }
        await connection.close()
    }

    func close() async {
        isClosed = true
        opening?.cancel()
        let all = idle + retired + (shared.map { [$0] } ?? [])
        idle = []
        retired = []
        shared = nil
        for connection in all { await connection.close() }
    }

    /// Opens the connection that tells which protocol the server speaks; callers that come meanwhile wait for it.
    private func openFirst(_ issue: CredentialKeeper.Issue) async throws {
        let task: Task<Void, any Error>
        if let opening {
            task = opening
        } else {
            task = Task { try await self.store(self.open(issue)) }
            opening = task
        }
        do {
            try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch {
            if opening == task { opening = nil }
            // Another waiter's cancellation is not ours: try again.
            if error is CancellationError, !Task.isCancelled, !isClosed { return }
            throw error
        }
    }

    private func store(_ connection: HTTPConnection) async {
        opening = nil
        if isClosed {
            await connection.close()
        } else if connection.isMultiplexed {
            shared = connection
        } else {
            speaksHTTP1 = true
            idle.append(connection)
        }
    }

    private func open(_ issue: CredentialKeeper.Issue) async throws -> HTTPConnection {
        let settings = try settings(issue)
        let stream: any ByteChannel
        do {
            stream = try await openChannel(host, port)
        } catch let error as ConnectionError where error.kind == .forwardRefused {
            throw KubeError(
                .unreachable, "the API server at \(settings.authority) cannot be reached from \(error.hostName)",
                notes: [Diagnostic.Note(error.message)] + error.notes.map { Diagnostic.Note($0) },
                hint: error.hint ?? "is kube-apiserver running, and is the server of the kubeconfig right?")
        }
        return try await HTTPConnection.open(
            over: stream, settings: settings, group: group, timeout: timeout,
            certificateNumber: issue.certificateNumber)
    }
}
