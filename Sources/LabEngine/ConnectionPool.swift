import LabCore
import LabModel
import LabTransport

/// The connections of a run: one per host and way of reaching it, made at the first use, closed at the end.
actor ConnectionPool {
    private enum Key: Hashable {
        case local(host: String)
        case ssh(Endpoint)
    }

    private let transport: any Transport
    private let local: any Transport
    private let connected: @Sendable (_ host: String, _ address: String, _ duration: Duration) -> Void
    private var making: [Key: _Concurrency.Task<any Connection, any Error>] = [:]

    init(
        transport: any Transport, local: any Transport,
        connected: @escaping @Sendable (_ host: String, _ address: String, _ duration: Duration) -> Void
    ) {
        self.transport = transport
        self.local = local
        self.connected = connected
    }

    /// The connection to a host, shared by all who ask for the same.
    ///
    /// - Throws: `ConnectionError`. A failure is kept: a host that could not be reached is not tried again.
    func connection(to access: HostAccess, host: String) async throws -> any Connection {
        let key: Key =
            switch access {
            case .local: .local(host: host)
            case .ssh(let endpoint): .ssh(endpoint)
            }
        if let task = making[key] { return try await value(of: task) }
        let (transport, local, connected) = (transport, local, connected)
        // Unstructured, because the connection outlives the task that asks first.
        let task = _Concurrency.Task<any Connection, any Error> {
            switch access {
            case .local:
                return try await local.connect(to: Endpoint(hostName: host, address: "localhost"))
            case .ssh(let endpoint):
                let start = ContinuousClock.now
                let connection = try await transport.connect(to: endpoint)
                connected(host, endpoint.address, ContinuousClock.now - start)
                return connection
            }
        }
        making[key] = task
        return try await value(of: task)
    }

    private func value(
        of task: _Concurrency.Task<any Connection, any Error>
    ) async throws -> any Connection {
        // Whoever is cancelled (a task's timeout) stops waiting; the connection is made for the others all the same, and
        // `close` ends what nobody waits for.
        let (results, result) = AsyncThrowingStream<any Connection, any Error>.makeStream()
        _Concurrency.Task {
            do {
                result.yield(try await task.value)
                result.finish()
            } catch {
                result.finish(throwing: error)
            }
        }
        for try await connection in results { return connection }
        throw CancellationError()
    }

    /// Forgets a connection that was lost, so that the next use makes it anew (`meta: reset_connection`).
    func discard(_ host: String) async {
        for (key, task) in making {
            let isOfHost =
                switch key {
                case .local: false
                case .ssh(let endpoint): endpoint.hostName == host
                }
            guard isOfHost else { continue }
            making[key] = nil
            if let connection = try? await task.value { await connection.close() }
        }
    }

    /// Ends all connections.
    func close() async {
        let all = making.values
        making = [:]
        await withTaskGroup(of: Void.self) { group in
            for task in all {
                task.cancel()
                group.addTask {
                    if let connection = try? await task.value { await connection.close() }
                }
            }
        }
    }
}
