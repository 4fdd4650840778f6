import LabTransport
import Testing

@Suite struct LocalConnectionTests {
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

    @Test func killsAtTheTimeout() async throws {
        let error = await #expect(throws: ConnectionError.self) {
            try await connection.run(Command(.arguments(["sleep", "60"]), timeout: .milliseconds(200)))
        }
        #expect(error?.kind == .commandTimedOut)
    }
}
