import LabTransport
import Synchronization

/// A connection that passes everything on, for tests that meddle with single calls.
protocol PassingConnection: Connection {
    var inner: any Connection { get }
}

extension PassingConnection {
    var hostName: String { inner.hostName }
    var isUp: Bool { get async { await inner.isUp } }
    func run(_ command: Command) async throws -> CommandResult { try await inner.run(command) }
    func openForward(host: String, port: Int) async throws -> any ByteChannel {
        try await inner.openForward(host: host, port: port)
    }
    func writeFile(_ bytes: [UInt8], to path: String, attributes: FileAttributes, become: Become?) async throws {
        try await inner.writeFile(bytes, to: path, attributes: attributes, become: become)
    }
    func readFile(_ path: String, become: Become?) async throws -> [UInt8] {
        try await inner.readFile(path, become: become)
    }
    func close() async { await inner.close() }
}

/// Loses connections where a test wants it, each place once.
final class Breaker: Sendable {
    enum Moment: Sendable { case before, after }

    private let places: Mutex<[(text: String, skip: Int, moment: Moment)]>

    /// - Parameter places: what the script of a command, or `write PATH`, has in it; how often it may pass before; and
    ///   whether the command has been carried out when the connection is lost.
    init(_ places: [(text: String, skip: Int, moment: Moment)]) { self.places = Mutex(places) }

    func moment(for what: String) -> Moment? {
        places.withLock { places in
            guard let index = places.firstIndex(where: { what.contains($0.text) }) else { return nil }
            if places[index].skip > 0 {
                places[index].skip -= 1
                return nil
            }
            return places.remove(at: index).moment
        }
    }
}

/// A connection that is lost where the breaker says.
final class BreakableConnection: PassingConnection {
    let inner: any Connection
    private let breaker: Breaker
    private let isDown = Mutex(false)

    init(_ inner: any Connection, _ breaker: Breaker) {
        self.inner = inner
        self.breaker = breaker
    }

    var isUp: Bool { get async { !isDown.withLock { $0 } } }

    func run(_ command: Command) async throws -> CommandResult {
        try await perform(CommandScript.text(for: command)) { try await inner.run(command) }
    }

    func writeFile(_ bytes: [UInt8], to path: String, attributes: FileAttributes, become: Become?) async throws {
        try await perform("write \(path)") {
            try await inner.writeFile(bytes, to: path, attributes: attributes, become: become)
        }
    }

    private func perform<T>(_ what: String, _ body: () async throws -> T) async throws -> T {
        if isDown.withLock({ $0 }) { throw lost }
        guard let moment = breaker.moment(for: what) else { return try await body() }
        if moment == .after { _ = try await body() }
        isDown.withLock { $0 = true }
        throw lost
    }

    private var lost: ConnectionError {
        ConnectionError(
            .lost, hostName: hostName, "the connection was lost", notes: ["the server closed the connection"])
    }
}

/// Counts connections, and refuses those that a test wants refused, by their number from 1.
final class CountingTransport: Transport {
    private let breaker: Breaker
    private let refuses: @Sendable (Int) -> ConnectionError.Kind?
    private let count = Mutex(0)

    init(_ breaker: Breaker, refuses: @escaping @Sendable (Int) -> ConnectionError.Kind? = { _ in nil }) {
        self.breaker = breaker
        self.refuses = refuses
    }

    var connections: Int { count.withLock { $0 } }

    func connect(to endpoint: Endpoint) async throws -> any Connection {
        let number = count.withLock { count in
            count += 1
            return count
        }
        if let kind = refuses(number) {
            throw ConnectionError(kind, hostName: endpoint.hostName, "connection \(number) was refused")
        }
        return BreakableConnection(LocalConnection(hostName: endpoint.hostName), breaker)
    }
}

/// Counts how many commands run at the same time.
final class Gauge: Sendable {
    private let state = Mutex((now: 0, highest: 0, total: 0))

    func enter() {
        state.withLock { state in
            state.now += 1
            state.total += 1
            state.highest = max(state.highest, state.now)
        }
    }
    func leave() { state.withLock { $0.now -= 1 } }
    var highest: Int { state.withLock { $0.highest } }
    var total: Int { state.withLock { $0.total } }
}

struct GaugedConnection: PassingConnection {
    let inner: any Connection
    let gauge: Gauge

    func run(_ command: Command) async throws -> CommandResult {
        gauge.enter()
        defer { gauge.leave() }
        return try await inner.run(command)
    }
}

/// Something that is waited for once.
final class Signal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }
    func send() { continuation.yield() }
    func wait() async { for await _ in stream { return } }
}

/// Tells when a command is about to run.
struct SignallingConnection: PassingConnection {
    let inner: any Connection
    let signal: Signal

    func run(_ command: Command) async throws -> CommandResult {
        signal.send()
        return try await inner.run(command)
    }
}
