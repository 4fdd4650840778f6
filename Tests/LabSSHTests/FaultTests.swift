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
    @Suite struct Faults {
        /// Expects that connecting fails, and gives the error.
        private func failure(
            _ server: SSHServer, _ endpoint: Endpoint, settings: SSHSettings? = nil
        ) async throws -> ConnectionError {
            let error = await #expect(throws: ConnectionError.self) {
                let connection = try await server.connect(endpoint, settings: settings)
                await connection.close()
            }
            return try #require(error)
        }

        @Test func wrongKeyIsDeniedAndNamed() async throws {
            try await SSHServer.with { server in
                let key = server.folder + "/other"
                try shell("ssh-keygen -q -t ed25519 -N '' -f \(key)")
                let error = try await failure(
                    server, server.endpoint(identities: [server.folder + "/missing", key]))
                #expect(error.kind == .authenticationDenied)
                #expect(error.message == "login as \(currentUser) was denied")
                #expect(error.notes.contains("key \(key): not accepted"))
                #expect(error.notes.contains("key \(server.folder)/missing: no such file"))
                #expect(error.notes.last?.hasPrefix("the server accepts publickey") == true)
            }
        }

        @Test func openKeyFileIsRefused() async throws {
            try await SSHServer.with { server in
                chmod(server.keyFile, 0o644)
                let error = try await failure(server, server.endpoint())
                #expect(error.kind == .authenticationDenied)
                #expect(error.notes.contains { $0.contains("chmod 600") })
            }
        }

        @Test func unknownHostKeyIsRefused() async throws {
            try await SSHServer.with(knownHost: false) { server in
                let error = try await failure(server, server.endpoint())
                #expect(error.kind == .hostKeyUnknown)
                #expect(error.notes.contains { $0.hasPrefix("the server shows ssh-ed25519 SHA256:") })
                #expect(access(server.knownHosts, F_OK) != 0)
            }
        }

        @Test func changedHostKeyShowsBothFingerprintsAndTheLine() async throws {
            try await SSHServer.with(knownHost: false) { server in
                try shell("ssh-keygen -q -t ed25519 -N '' -f \(server.folder)/old")
                let old = String(decoding: try readFile(server.folder + "/old.pub"), as: UTF8.self)
                    .split(separator: " ").prefix(2).joined(separator: " ")
                try writeFile("# comment\n[127.0.0.1]:\(server.port) \(old)\n", to: server.knownHosts)
                let error = try await failure(server, server.endpoint())
                #expect(error.kind == .hostKeyChanged)
                #expect(error.notes.contains { $0.hasPrefix("the server shows ssh-ed25519 SHA256:") })
                #expect(error.notes.contains { $0.hasPrefix("\(server.knownHosts):2 has ssh-ed25519 SHA256:") })
                let command = "ssh-keygen -f \(server.knownHosts) -R '[127.0.0.1]:\(server.port)'"
                #expect(error.hint?.contains(command) == true)
                // The command does fix it: after it the key is merely unknown.
                try shell(command + " 2>/dev/null >/dev/null")
                let after = try await failure(server, server.endpoint())
                #expect(after.kind == .hostKeyUnknown)
                // A changed key is no unknown key: accept-new does not take it.
                try writeFile("[127.0.0.1]:\(server.port) \(old)\n", to: server.knownHosts)
                let acceptNew = try await failure(server, server.endpoint(policy: .acceptNew))
                #expect(acceptNew.kind == .hostKeyChanged)
            }
        }

        @Test func hashedEntryIsFound() async throws {
            try await SSHServer.with { server in
                try shell("ssh-keygen -q -H -f \(server.knownHosts) >/dev/null 2>&1")
                #expect(String(decoding: try readFile(server.knownHosts), as: UTF8.self).hasPrefix("|1|"))
                try await server.withConnection { connection in
                    let result = try await connection.run(Command(.arguments(["true"])))
                    #expect(result.exitStatus == 0)
                }
            }
        }

        @Test func revokedKeyIsRefusedEvenWithoutChecking() async throws {
            try await SSHServer.with { server in
                let known = String(decoding: try readFile(server.knownHosts), as: UTF8.self)
                try writeFile(
                    known + "@revoked * " + known.split(separator: " ").dropFirst().joined(separator: " "),
                    to: server.knownHosts)
                for policy in HostKeyPolicy.allCases {
                    let error = try await failure(server, server.endpoint(policy: policy))
                    #expect(error.kind == .hostKeyRevoked)
                    #expect(error.message.contains("\(server.knownHosts):2"))
                }
            }
        }

        @Test func certificateAuthorityIsRefusedClearly() async throws {
            try await SSHServer.with { server in
                let known = String(decoding: try readFile(server.knownHosts), as: UTF8.self)
                try writeFile("@cert-authority " + known, to: server.knownHosts)
                let error = try await failure(server, server.endpoint())
                #expect(error.kind == .hostKeyUnknown)
                #expect(error.notes.contains { $0.contains("\(server.knownHosts):1 trusts a certificate authority") })
            }
        }

        @Test func recordedTypeIsAskedForFirst() async throws {
            // The server has two keys; only the one that OpenSSH would not prefer is on record.
            try await SSHServer.with(extraHostKey: "ecdsa") { server in
                let key = String(decoding: try readFile(server.folder + "/extra_key.pub"), as: UTF8.self)
                    .split(separator: " ").prefix(2).joined(separator: " ")
                try writeFile("[127.0.0.1]:\(server.port) \(key)\n", to: server.knownHosts)
                try await server.withConnection { connection in
                    let result = try await connection.run(Command(.arguments(["true"])))
                    #expect(result.exitStatus == 0)
                }
            }
        }

        @Test func acceptNewRecordsOnceUnderConcurrency() async throws {
            try await SSHServer.with(knownHost: false) { server in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<12 {
                        group.addTask { try await server.withConnection(server.endpoint(policy: .acceptNew)) { _ in } }
                    }
                    try await group.waitForAll()
                }
                let lines = String(decoding: try readFile(server.knownHosts), as: UTF8.self).split(separator: "\n")
                #expect(lines.count == 1)
                // ssh-keygen reads what we wrote, and strict checking is content with it.
                try shell("ssh-keygen -F '[127.0.0.1]:\(server.port)' -f \(server.knownHosts) >/dev/null")
                try await server.withConnection { _ in }
            }
        }

        @Test func refusedConnection() async throws {
            try await SSHServer.with { server in
                var endpoint = server.endpoint()
                endpoint.port = try freePort()
                let error = try await failure(server, endpoint)
                #expect(error.kind == .refused)
                #expect(error.message == "connection refused by 127.0.0.1:\(endpoint.port ?? 0)")
            }
        }

        @Test func nameWithoutAddress() async throws {
            try await SSHServer.with { server in
                var endpoint = server.endpoint()
                endpoint.address = "no-such-host.invalid"
                let error = try await failure(server, endpoint)
                #expect(error.kind == .unresolved)
            }
        }

        @Test func serverThatNeverSaysAnything() async throws {
            let (listener, port) = try listenOnLoopback()
            defer { close(listener) }
            try await SSHServer.with { server in
                var endpoint = server.endpoint(timeout: .milliseconds(300))
                endpoint.port = port
                let error = try await failure(server, endpoint)
                #expect(error.kind == .timedOut)
                #expect(error.message == "no answer within 300ms")
                #expect(error.notes == ["it was the SSH handshake with 127.0.0.1:\(port)"])
            }
        }

        @Test func serverThatIsNoSSHServer() async throws {
            let echo = try EchoServer(floodBytes: 4096)
            defer { echo.stop() }
            try await SSHServer.with { server in
                var endpoint = server.endpoint(timeout: .seconds(5))
                endpoint.port = echo.port
                let error = try await failure(server, endpoint)
                #expect(error.kind == .protocolMismatch)
            }
        }

        @Test func connectingIsCancelledAtOnce() async throws {
            let (listener, port) = try listenOnLoopback()
            defer { close(listener) }
            try await SSHServer.with { server in
                var endpoint = server.endpoint(timeout: .seconds(100))
                endpoint.port = port
                let task = Task { [endpoint] in try await server.connect(endpoint) }
                try await Task.sleep(for: .milliseconds(50))
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
            }
        }

        @Test func serverKilledInMidCommand() async throws {
            try await SSHServer.with { server in
                let connection = try await server.connect()
                let error = await #expect(throws: ConnectionError.self) {
                    try await connection.run(
                        Command(.shell("echo on; sleep 30")) { _ in try? server.signalConnections("KILL") })
                }
                #expect(error?.kind == .lost)
                await connection.close()
            }
        }

        /// It takes several questions, one after the other, to see that each of them is asked and answered.
        @Test func silenceOfACommandIsNoLostConnection() async throws {
            try await SSHServer.with { server in
                let connection = try await server.connect(
                    settings: server.settings(keepaliveInterval: .milliseconds(100), keepaliveTimeout: .seconds(2)))
                let result = try await connection.run(Command(.shell("sleep 5; echo there")))
                #expect(result.outputText == "there\n")
                await connection.close()
            }
        }

        @Test func frozenServerIsFoundByKeepalives() async throws {
            try await SSHServer.with { server in
                let connection = try await server.connect(
                    settings: server.settings(
                        keepaliveInterval: .milliseconds(100), keepaliveTimeout: .milliseconds(400)))
                // The connection's process is stopped: the socket stays open and says nothing any more.
                let error = await #expect(throws: ConnectionError.self) {
                    try await connection.run(
                        Command(.shell("echo on; sleep 30")) { _ in try? server.signalConnections("STOP") })
                }
                #expect(error?.kind == .lost)
                #expect(error?.notes.first?.hasPrefix("the server has not answered for") == true)
                await connection.close()
            }
        }

        @Test func fiftyConnectionsAtOnceLeakNothing() async throws {
            try await SSHServer.with { server in
                // The I/O and helper threads start with the first connections and stay.
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<10 { group.addTask { try await server.withConnection { _ in } } }
                    try await group.waitForAll()
                }
                let before = openDescriptors()
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for number in 0..<50 {
                        group.addTask {
                            try await server.withConnection(server.endpoint(name: "n\(number)", timeout: .seconds(60)))
                            {
                                try await $0.run(Command(.shell("exit \(number)"))).exitStatus
                            }
                        }
                    }
                    let statuses = try await group.reduce(into: Set<Int>()) { $0.insert($1) }
                    #expect(statuses == Set(0..<50))
                }
                #expect(openDescriptors() == before)
            }
        }

        @Test func crowdedServerIsAskedAgain() async throws {
            // The third login under way is dropped before the server says a word.
            try await SSHServer.with(options: ["MaxStartups 2:100:3"]) { server in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<12 {
                        group.addTask {
                            try await server.withConnection(server.endpoint(name: "n\(number)", timeout: .seconds(60)))
                            { _ in }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(server.acceptedLogins == 12)
            }
        }

        @Test func revokedKeysFileIsHonoured() async throws {
            try await SSHServer.with { server in
                let options = [Endpoint.Option("RevokedHostKeys", server.folder + "/revoked")]
                // Without the file nothing can be trusted.
                let missing = try await failure(server, server.endpoint(options: options))
                #expect(missing.kind == .configuration)
                try shell("cp \(server.folder)/user_key.pub \(server.folder)/revoked")
                try await server.withConnection(server.endpoint(options: options)) { _ in }
                try shell("cp \(server.folder)/host_key.pub \(server.folder)/revoked")
                let revoked = try await failure(server, server.endpoint(options: options))
                #expect(revoked.kind == .hostKeyRevoked)
            }
        }

        @Test func hashedNamesAreReadByOpenSSH() async throws {
            try await SSHServer.with(knownHost: false) { server in
                let options = [Endpoint.Option("HashKnownHosts", "yes")]
                try await server.withConnection(server.endpoint(policy: .acceptNew, options: options)) { _ in }
                #expect(String(decoding: try readFile(server.knownHosts), as: UTF8.self).hasPrefix("|1|"))
                try shell("ssh-keygen -F '[127.0.0.1]:\(server.port)' -f \(server.knownHosts) >/dev/null")
                try await server.withConnection { _ in }
            }
        }

        @Test func failedLoginsLeakNothing() async throws {
            try await SSHServer.with { server in
                _ = try await failure(server, server.endpoint(identities: []))
                let before = openDescriptors()
                for _ in 0..<5 {
                    _ = try await failure(server, server.endpoint(identities: []))
                    var endpoint = server.endpoint()
                    endpoint.port = 1
                    _ = try await failure(server, endpoint)
                }
                #expect(openDescriptors() == before)
            }
        }
    }
}

/// How many descriptors this process has open.
func openDescriptors() -> Int {
    (0..<1024).count { fcntl(Int32($0), F_GETFD) >= 0 }
}
