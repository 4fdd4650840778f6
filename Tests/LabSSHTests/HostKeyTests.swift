import LabCore
import LabSSH
import LabTransport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension OpenSSHTests {
    /// known_hosts against a real server, and what OpenSSH makes of what labctl writes.
    @Suite struct HostKeys {
        private func hostKey(_ server: SSHServer) throws -> String {
            String(decoding: try readFile(server.folder + "/host_key.pub"), as: UTF8.self)
                .split(separator: " ").prefix(2).joined(separator: " ")
        }

        private func otherKey(_ server: SSHServer) throws -> String {
            String(decoding: try readFile(server.folder + "/ca.pub"), as: UTF8.self)
                .split(separator: " ").prefix(2).joined(separator: " ")
        }

        private func connects(_ server: SSHServer, _ endpoint: Endpoint? = nil) async throws {
            let connection = try await server.connect(endpoint)
            await connection.close()
        }

        @Test(arguments: [
            "[127.0.0.1]:PORT KEY", "[127.0.0.*]:PORT KEY", "* KEY", "[127.0.0.1]:1,[127.0.0.1]:PORT KEY comment",
            "*,![10.0.0.1]:PORT KEY", "@revoked * OLD\n[127.0.0.1]:PORT KEY",
            "@cert-authority * OLD\n[127.0.0.1]:PORT KEY",
            "[127.0.0.1]:PORT OLD\n[127.0.0.1]:PORT KEY", "127.0.0.1 KEY",
        ])
        func accepted(text: String) async throws {
            try await SSHServer.with { server in
                let lines = text.replacing("PORT", with: "\(server.port)").replacing("KEY", with: try hostKey(server))
                    .replacing("OLD", with: try otherKey(server))
                try writeFile(lines + "\n", to: server.knownHosts)
                try await connects(server)
                // OpenSSH is of the same opinion.
                try shell(
                    "ssh -F none -i \(server.keyFile) -o UserKnownHostsFile=\(server.knownHosts) -o GlobalKnownHostsFile=none "
                        + "-o StrictHostKeyChecking=yes -o BatchMode=yes -p \(server.port) 127.0.0.1 true 2>/dev/null")
            }
        }

        @Test(arguments: [
            ("[127.0.0.1]:PORT,!* KEY", ConnectionError.Kind.hostKeyUnknown), ("[127.0.0.1]:1 KEY", .hostKeyUnknown),
            ("@revoked * KEY\n[127.0.0.1]:PORT KEY", .hostKeyRevoked), ("[127.0.0.1]:PORT OLD", .hostKeyChanged),
            ("@cert-authority * OLD", .hostKeyUnknown), ("127.0.0.1 OLD", .hostKeyUnknown), ("", .hostKeyUnknown),
        ])
        func refused(text: String, kind: ConnectionError.Kind) async throws {
            try await SSHServer.with { server in
                let lines = text.replacing("PORT", with: "\(server.port)").replacing("KEY", with: try hostKey(server))
                    .replacing("OLD", with: try otherKey(server))
                try writeFile(lines + "\n", to: server.knownHosts)
                let error = await #expect(throws: ConnectionError.self) { try await server.connect() }
                #expect(error?.kind == kind)
                try shell(
                    "! ssh -F none -i \(server.keyFile) -o UserKnownHostsFile=\(server.knownHosts) -o GlobalKnownHostsFile=none "
                        + "-o StrictHostKeyChecking=yes -o BatchMode=yes -p \(server.port) 127.0.0.1 true 2>/dev/null")
            }
        }

        /// Whoever trusts an authority for a host does not mean any key that comes, also where new keys are taken.
        @Test(arguments: [HostKeyPolicy.strict, .acceptNew])
        func authorityAloneIsNotEnough(policy: HostKeyPolicy) async throws {
            try await SSHServer.with { server in
                let line = "@cert-authority [127.0.0.1]:\(server.port) \(try otherKey(server))\n"
                try writeFile(line, to: server.knownHosts)
                let error = await #expect(throws: ConnectionError.self) {
                    try await server.connect(server.endpoint(policy: policy))
                }
                #expect(error?.kind == .hostKeyUnknown)
                #expect(
                    error?.notes.last
                        == "\(server.knownHosts):1 trusts a certificate authority for it, but the server has no host certificate"
                )
                #expect(error?.hint?.contains("-n 127.0.0.1 KEY.pub), or record the key itself") == true)
                #expect(try String(decoding: readFile(server.knownHosts), as: UTF8.self) == line)
                // The command of the hint makes it work.
                let command = try #require(error?.hint?.split(separator: ": ", maxSplits: 1).last)
                try shell("\(command) 2>/dev/null")
                try await connects(server)
            }
        }

        @Test(arguments: [false, true])
        func newKeysAreWrittenAsConfigured(isHashed: Bool) async throws {
            try await SSHServer.with(knownHost: false) { server in
                let options = [Endpoint.Option("HashKnownHosts", isHashed ? "yes" : "no")]
                try await connects(server, server.endpoint(policy: .acceptNew, options: options))
                let written = String(decoding: try readFile(server.knownHosts), as: UTF8.self)
                #expect(written.hasPrefix(isHashed ? "|1|" : "[127.0.0.1]:\(server.port) ssh-ed25519 "))
                #expect(written.hasSuffix(" \(try hostKey(server))\n"))
                // OpenSSH finds it, and so does labctl, which writes nothing more.
                try shell("ssh-keygen -F '[127.0.0.1]:\(server.port)' -f \(server.knownHosts) >/dev/null")
                try await connects(server, server.endpoint(policy: .acceptNew, options: options))
                #expect(try String(decoding: readFile(server.knownHosts), as: UTF8.self) == written)
            }
        }

        @Test func aliasIsTheWholeName() async throws {
            try await SSHServer.with(knownHost: false) { server in
                let options = [Endpoint.Option("HostKeyAlias", "the-box")]
                try await connects(server, server.endpoint(policy: .acceptNew, options: options))
                // As ssh has it: without the port.
                #expect(
                    try String(decoding: readFile(server.knownHosts), as: UTF8.self)
                        == "the-box \(try hostKey(server))\n")
                try writeFile("the-box \(try otherKey(server))\n", to: server.knownHosts)
                let error = await #expect(throws: ConnectionError.self) {
                    try await server.connect(server.endpoint(policy: .acceptNew, options: options))
                }
                #expect(error?.kind == .hostKeyChanged)
                #expect(error?.hint?.contains("-R the-box;") == true)
            }
        }

        /// A machine that was built anew: the message names the stale line, and its command is all that it takes.
        @Test(arguments: [
            "[127.0.0.1]:PORT OLD", "other KEY\n[127.0.0.1]:PORT,box OLD", "HASHED OLD", "* OLD",
            "# c\n[127.*]:PORT OLD",
        ])
        func staleEntryIsNamedWithItsCommand(text: String) async throws {
            try await SSHServer.with { server in
                var lines = text.replacing("PORT", with: "\(server.port)").replacing("KEY", with: try hostKey(server))
                    .replacing("OLD", with: try otherKey(server))
                if lines.contains("HASHED") {
                    lines = lines.replacing("HASHED", with: "[127.0.0.1]:\(server.port)")
                    try writeFile(lines + "\n", to: server.knownHosts)
                    try shell("ssh-keygen -q -H -f \(server.knownHosts) >/dev/null 2>&1")
                } else {
                    try writeFile(lines + "\n", to: server.knownHosts)
                }
                let error = await #expect(throws: ConnectionError.self) { try await server.connect() }
                #expect(error?.kind == .hostKeyChanged)
                let number = lines.split(separator: "\n", omittingEmptySubsequences: false).count
                #expect(error?.notes.last?.hasPrefix("\(server.knownHosts):\(number) has ssh-ed25519 SHA256:") == true)
                let hint = try #require(error?.hint)
                let command = try #require(
                    hint.firstMatch(of: /remove the old key: (.*); if not, somebody may be in between/)?.output.1)
                try shell("\(command) >/dev/null 2>&1")
                try await connects(server, server.endpoint(policy: .acceptNew))
            }
        }
    }
}
