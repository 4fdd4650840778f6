import LabCore
import LabModel
import LabTransport

/// The connections of a run: one per host and way of reaching it, made at the first use, closed at the end, and made anew
/// when they were lost.
actor ConnectionPool {
    private enum Key: Hashable {
        case local(host: String)
        case ssh(Endpoint)
    }

    private typealias Making = _Concurrency.Task<any Connection, any Error>

    private let transport: any Transport
    private let local: any Transport
    private let reconnectLimit: Duration
    private let connected: @Sendable (_ host: String, _ address: String, _ duration: Duration) -> Void
    private var making: [Key: Making] = [:]
    /// The connections that were made, as far as somebody has got them.
    private var made: [Key: any Connection] = [:]
    private var reconnectionCounts: [String: Int] = [:]

    /// - Parameter reconnectLimit: how long a lost connection is tried to be made anew; zero never tries.
    init(
        transport: any Transport, local: any Transport, reconnectLimit: Duration,
        connected: @escaping @Sendable (_ host: String, _ address: String, _ duration: Duration) -> Void
    ) {
        self.transport = transport
        self.local = local
        self.reconnectLimit = reconnectLimit
        self.connected = connected
    }

    /// The connection to a host, shared by all who ask for the same; a lost one is made anew.
    ///
    /// - Throws: `ConnectionError`. A first failure is kept: a host that could not be reached is not tried again.
    func connection(to access: HostAccess, host: String) async throws -> any Connection {
        let key: Key =
            switch access {
            case .local: .local(host: host)
            case .ssh(let endpoint): .ssh(endpoint)
            }
        var lost: Making?
        for _ in 0..<3 {
            let task: Making
            if let current = making[key], current != lost {
                task = current
            } else {
                if lost != nil, reconnectLimit <= .zero { break }
                task = make(access, host: host, inPlaceOf: lost)
                making[key] = task
            }
            do {
                let connection = try await value(of: task)
                made[key] = connection
                if await connection.isUp { return connection }
            } catch {
                // Whoever comes later may find the host back.
                if lost != nil, !_Concurrency.Task.isCancelled, making[key] == task { making[key] = nil }
                throw error
            }
            lost = task
        }
        throw ConnectionError(.lost, hostName: host, "the connection was lost")
    }

    private func make(_ access: HostAccess, host: String, inPlaceOf lost: Making?) -> Making {
        let (transport, local, connected, limit) = (transport, local, connected, reconnectLimit)
        // Unstructured, because the connection outlives the task that asks first.
        return Making {
            switch access {
            case .local:
                return try await local.connect(to: Endpoint(hostName: host, address: "localhost"))
            case .ssh(let endpoint):
                if let lost {
                    try? await lost.value.close()
                    let connection = try await Self.reconnect(transport, endpoint, within: limit)
                    self.noteReconnection(of: host)
                    return connection
                }
                let start = ContinuousClock.now
                let connection = try await transport.connect(to: endpoint)
                connected(host, endpoint.address, ContinuousClock.now - start)
                return connection
            }
        }
    }

    /// Connects again and again, until it succeeds, cannot succeed by waiting, or the time is up.
    private static func reconnect(
        _ transport: any Transport, _ endpoint: Endpoint, within limit: Duration
    ) async throws -> any Connection {
        let start = ContinuousClock.now
        let deadline = start + limit
        var pause = Duration.milliseconds(250)
        for attempt in 1... {
            var endpoint = endpoint
            endpoint.connectTimeout = min(endpoint.connectTimeout, max(deadline - .now, .seconds(1)))
            do {
                return try await transport.connect(to: endpoint)
            } catch let error as ConnectionError {
                guard error.mayPass, .now + pause < deadline else {
                    let tries = attempt == 1 ? "" : " (\(attempt) tries in \((.now - start).components.seconds) s)"
                    throw ConnectionError(
                        .lost, hostName: endpoint.hostName, "the connection was lost",
                        notes: ["connecting again failed\(tries): \(error.message)"] + error.notes, hint: error.hint,
                        span: error.span)
                }
            }
            try await _Concurrency.Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(4))
        }
        throw CancellationError()
    }

    private func noteReconnection(of host: String) { reconnectionCounts[host, default: 0] += 1 }

    /// How often a lost connection to the host was made anew.
    func reconnections(of host: String) -> Int { reconnectionCounts[host] ?? 0 }

    /// Whether the host's connection is lost, and nobody has made it anew yet.
    func isLost(_ host: String) async -> Bool {
        for (key, connection) in made {
            guard case .ssh(let endpoint) = key, endpoint.hostName == host else { continue }
            if await !connection.isUp { return true }
        }
        return false
    }

    private func value(of task: Making) async throws -> any Connection {
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

    /// Forgets the host's connection, so that the next use makes it anew (`meta: reset_connection`).
    func discard(_ host: String) async {
        for (key, task) in making {
            let isOfHost =
                switch key {
                case .local: false
                case .ssh(let endpoint): endpoint.hostName == host
                }
            guard isOfHost else { continue }
            making[key] = nil
            made[key] = nil
            if let connection = try? await task.value { await connection.close() }
        }
    }

    /// Ends all connections.
    func close() async {
        let all = making.values
        making = [:]
        made = [:]
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
