import LabCore
import LabTransport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite(.timeLimit(.minutes(1))) struct LocalConnectionTests {
    let connection = LocalConnection()

    @Test func keepsOutputsAndStatusApart() async throws {
        let result = try await connection.run(Command(.shell("echo out; echo err >&2; exit 3")))
        #expect(result.outputText == "out\n")
        #expect(result.errorText == "err\n")
        #expect(result.exitStatus == 3)
    }

    @Test func carriesBinaryBothWays() async throws {
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
        let result = try await connection.run(Command(.arguments(["cat"]), standardInput: bytes))
        #expect(result.standardOutput == bytes)
    }

    @Test func tellsTheSignal() async throws {
        let result = try await connection.run(Command(.shell("kill -TERM $$")))
        #expect(result.exitStatus == 143)
        #expect(result.signal == "TERM")
    }

    @Test func killsAtTheTimeout() async throws {
        let error = await #expect(throws: ConnectionError.self) {
            try await connection.run(Command(.shell("sleep 60 & sleep 60"), timeout: .milliseconds(200)))
        }
        #expect(error?.kind == .commandTimedOut)
    }

    @Test func isCancelled() async throws {
        let (started, signal) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            try await connection.run(Command(.shell("echo on; sleep 60")) { _ in signal.yield() })
        }
        for await _ in started { break }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func aCommandMayLeaveItsInputUnread() async throws {
        let result = try await connection.run(
            Command(.arguments(["true"]), standardInput: [UInt8](repeating: 65, count: 1_000_000)))
        #expect(result.exitStatus == 0)
    }

    @Test func aDaemonLeftBehindDoesNotHoldTheCommand() async throws {
        let result = try await connection.run(Command(.shell("sleep 600 & echo started"), timeout: .seconds(60)))
        #expect(result.outputText == "started\n")
    }

    @Test func writesAndReadsFiles() async throws {
        let path = "/tmp/labctl-local-\(getpid())"
        try await connection.writeFile([1, 0, 2], to: path, attributes: FileAttributes(mode: 0o600), become: nil)
        #expect(try await connection.readFile(path, become: nil) == [1, 0, 2])
        unlink(path)
        let error = await #expect(throws: ConnectionError.self) { try await connection.readFile(path, become: nil) }
        #expect(error?.kind == .fileRefused)
        #expect(error?.notes.first?.contains("No such file") == true)
    }

    @Test func forwardsToNobody() async throws {
        let error = await #expect(throws: ConnectionError.self) {
            try await connection.openForward(host: "127.0.0.1", port: 1)
        }
        #expect(error?.kind == .forwardRefused)
    }
}
