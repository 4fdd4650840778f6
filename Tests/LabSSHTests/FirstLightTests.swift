import LabTransport
import Testing

@Suite(.serialized, .enabled(if: SSHServer.isInstalled, "sshd is not installed"))
struct FirstLightTests {
    @Test func runsACommand() async throws {
        try await SSHServer.with { server in
            try await server.withConnection { connection in
                let result = try await connection.run(Command(.arguments(["echo", "hello world"])))
                #expect(result.outputText == "hello world\n")
                #expect(result.exitStatus == 0)
            }
        }
    }
}
