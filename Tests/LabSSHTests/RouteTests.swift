import LabCore
import LabTransport
import Testing

@testable import LabSSH

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension OpenSSHTests {
    @Suite struct Routes {
        /// Settings that read a configuration file of the given text.
        private func settings(_ server: SSHServer, _ text: String) throws -> SSHSettings {
            let path = server.folder + "/config"
            try writeFile(text, to: path)
            return SSHSettings(configurationFiles: [path], environment: ["HOME": server.folder, "USER": currentUser])
        }

        @Test func configurationAloneIsEnough() async throws {
            try await SSHServer.with { server in
                let settings = try settings(
                    server,
                    """
                    Host *.lab
                      HostName 127.0.0.1
                      Port \(server.port)
                      UserKnownHostsFile ~/known_hosts
                    Match host 127.0.0.1 exec "true"
                      IdentityFile %d/user_key
                    """)
                let connection = try await server.connect(
                    Endpoint(hostName: "cp1", address: "cp1.lab"), settings: settings)
                let result = try await connection.run(Command(.arguments(["echo", "in"])))
                #expect(result.outputText == "in\n")
                await connection.close()
            }
        }

        @Test func brokenConfigurationIsLocated() async throws {
            try await SSHServer.with { server in
                let settings = try settings(server, "Host x\n  Prot 22\n")
                let error = await #expect(throws: InputError.self) {
                    try await server.connect(server.endpoint(), settings: settings)
                }
                #expect(error?.diagnostics.first?.span?.description == "\(server.folder)/config:2:3")
                #expect(error?.diagnostics.first?.message == "unknown keyword `Prot`")
            }
        }

        @Test func hostsBehindAJumpShareIt() async throws {
            try await SSHServer.with { jump in
                try await SSHServer.with { server in
                    let settings = try settings(
                        server,
                        """
                        Host bastion
                          HostName 127.0.0.1
                          Port \(jump.port)
                          IdentityFile \(jump.keyFile)
                          UserKnownHostsFile \(jump.knownHosts)
                        Host node
                          HostName 127.0.0.1
                          Port \(server.port)
                          IdentityFile \(server.keyFile)
                          UserKnownHostsFile \(server.knownHosts)
                          ProxyJump bastion
                        """)
                    let transport = SSHTransport(configuration: settings)
                    let outputs = try await withThrowingTaskGroup(of: String.self) { group in
                        for number in 0..<5 {
                            group.addTask {
                                let connection = try await transport.connect(
                                    to: Endpoint(hostName: "n\(number)", address: "node"))
                                let result = try await connection.run(
                                    Command(.shell("echo $SSH_CONNECTION | cut -d' ' -f4")))
                                await connection.close()
                                return result.outputText
                            }
                        }
                        return try await group.reduce(into: Set<String>()) { $0.insert($1) }
                    }
                    #expect(outputs == ["\(server.port)\n"])
                    #expect(jump.acceptedLogins == 1)
                    #expect(server.acceptedLogins == 5)
                }
            }
        }

        @Test func chainOfJumpsIsOpenedOnceAndAgainWhenItIsLost() async throws {
            try await SSHServer.with { first in
                try await SSHServer.with { second in
                    try await SSHServer.with { server in
                        func entry(_ name: String, _ server: SSHServer) -> String {
                            """
                            Host \(name)
                              HostName 127.0.0.1
                              Port \(server.port)
                              IdentityFile \(server.keyFile)
                              UserKnownHostsFile \(server.knownHosts)

                            """
                        }
                        let settings = try settings(
                            server, entry("first", first) + entry("second", second) + entry("node", server))
                        let transport = SSHTransport(configuration: settings)
                        @Sendable func ask(_ number: Int) async throws -> String {
                            let connection = try await transport.connect(
                                to: Endpoint(
                                    hostName: "n\(number)", address: "node",
                                    options: [Endpoint.Option("ProxyJump", "first,second")]))
                            let result = try await connection.run(Command(.arguments(["echo", "in"])))
                            await connection.close()
                            return result.outputText
                        }
                        try await withThrowingTaskGroup(of: String.self) { group in
                            for number in 0..<4 { group.addTask { try await ask(number) } }
                            for try await text in group { #expect(text == "in\n") }
                        }
                        #expect([first, second, server].map(\.acceptedLogins) == [1, 1, 4])
                        // The second jump is behind the first, so it is lost with it.
                        try first.signalConnections("KILL")
                        for _ in 0..<500 {
                            if (try? await ask(9)) == "in\n", first.acceptedLogins == 2 { break }
                            try await Task.sleep(for: .milliseconds(10))
                        }
                        #expect([first, second].map(\.acceptedLogins) == [2, 2])
                    }
                }
            }
        }

        @Test func jumpThatIsDownIsNamed() async throws {
            try await SSHServer.with { server in
                let settings = try settings(server, "Host bastion\n HostName 127.0.0.1\n Port \(try freePort())\n")
                let error = await #expect(throws: ConnectionError.self) {
                    try await server.connect(
                        server.endpoint(options: [Endpoint.Option("ProxyJump", "bastion")]), settings: settings)
                }
                #expect(error?.kind == .refused)
                #expect(error?.message.hasPrefix("through the jump host bastion: connection refused by") == true)
            }
        }

        #if os(Linux)
            /// As the programs that a shell starts; else SIGTERM would not end them.
            @Test func programsOfTheConfigurationBlockNoSignal() {
                #expect(runMatchCommand("grep -qE '^SigBlk:[[:space:]]+0+$' /proc/self/status"))
            }
        #endif

        @Test func proxyCommandCarriesTheConnection() async throws {
            try await SSHServer.with { jump in
                try await SSHServer.with { server in
                    let command =
                        "ssh -F none -i \(jump.keyFile) -o UserKnownHostsFile=\(jump.knownHosts) -p \(jump.port) "
                        + "-o IdentitiesOnly=yes -W %h:%p 127.0.0.1"
                    try await server.withConnection(
                        server.endpoint(options: [Endpoint.Option("ProxyCommand", command)])
                    ) { connection in
                        let result = try await connection.run(Command(.arguments(["echo", "in"])))
                        #expect(result.outputText == "in\n")
                    }
                }
            }
        }
    }
}
