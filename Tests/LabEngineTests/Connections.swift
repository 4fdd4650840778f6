import LabTransport
import Synchronization

/// A connection that passes everything on, for tests that meddle with single calls.
protocol PassingConnection: Connection {
    var inner: any Connection { get }
}

extension PassingConnection {
    var hostName: String { inner.hostName }
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

/// Breaks after some commands.
final class LosingConnection: PassingConnection {
    let inner: any Connection
    private let runsLeft: Mutex<Int>

    init(inner: any Connection, runsLeft: Int) {
        self.inner = inner
        self.runsLeft = Mutex(runsLeft)
    }

    func run(_ command: Command) async throws -> CommandResult {
        let isLost = runsLeft.withLock { left in
            left -= 1
            return left < 0
        }
        if isLost { throw ConnectionError(.lost, hostName: hostName, "the connection was lost") }
        return try await inner.run(command)
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
