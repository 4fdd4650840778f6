import LabCore
import LabSSH
import LabTransport
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension OpenSSHTests {
    /// Programs whose streams the caller moves.
    @Suite struct Processes {
        private func withLink(
            options: [String] = [], configuration: String = "", environment: [String: String] = [:],
            _ body: (SSHConnection, SSHServer) async throws -> Void
        ) async throws {
            try await SSHServer.with(options: options) { server in
                let path = server.folder + "/config"
                try writeFile(configuration, to: path)
                var variables = ["HOME": server.folder, "USER": currentUser]
                variables.merge(environment) { $1 }
                let settings = SSHSettings(configurationFiles: [path], environment: variables)
                let link = try await SSHTransport(configuration: settings).open(server.endpoint())
                do { try await body(link, server) } catch {
                    await link.close()
                    throw error
                }
                await link.close()
            }
        }

        /// Everything that a process prints, and its status.
        private func finish(_ process: RemoteProcess) async throws -> (output: String, errors: String, status: Int) {
            var output: [UInt8] = []
            var errors: [UInt8] = []
            while let pieces = try await process.read() {
                for piece in pieces {
                    switch piece {
                    case .standardOutput(let bytes): output += bytes
                    case .standardError(let bytes): errors += bytes
                    }
                }
            }
            let status = await process.exit.status
            await process.close()
            return (String(decoding: output, as: UTF8.self), String(decoding: errors, as: UTF8.self), status)
        }

        @Test func terminalHasTypeAndSize() async throws {
            try await withLink { link, _ in
                let process = try await link.start(
                    ProcessRequest(
                        .line("tty >/dev/null && echo $TERM; stty size; exit 9"),
                        terminal: ProcessRequest.Terminal(type: "vt220", columns: 101, rows: 33)))
                let result = try await finish(process)
                #expect(result.output == "vt220\r\n33 101\r\n")
                #expect(result.status == 9)
            }
        }

        @Test func resizeReachesTheProgram() async throws {
            try await withLink { link, _ in
                let process = try await link.start(
                    ProcessRequest(
                        .line("trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.1; done"),
                        terminal: ProcessRequest.Terminal(type: "vt220", columns: 80, rows: 24)))
                #expect(try await process.read()?.isEmpty == false)
                await process.resize(columns: 132, rows: 50)
                let result = try await finish(process)
                #expect(result.output.hasSuffix("50 132\r\n"))
            }
        }

        @Test func streamsAreApartAndBinary() async throws {
            try await withLink { link, _ in
                let process = try await link.start(ProcessRequest(.line("cat; echo done >&2; kill -KILL $$")))
                let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
                let writing = Task {
                    try await process.write(bytes)
                    await process.closeWriting()
                }
                var output: [UInt8] = []
                var errors: [UInt8] = []
                while let pieces = try await process.read() {
                    for piece in pieces {
                        switch piece {
                        case .standardOutput(let more): output += more
                        case .standardError(let more): errors += more
                        }
                    }
                }
                try await writing.value
                #expect(output == bytes)
                #expect(errors == Array("done\n".utf8))
                #expect(await process.exit.signal == "KILL")
                #expect(await process.exit.status == 137)
            }
        }

        /// What nobody reads stays on the node: libssh's window is the limit, whatever the size of the output.
        @Test func unreadOutputStaysOnTheNode() async throws {
            try await withLink { link, server in
                let counter = server.folder + "/count"
                let process = try await link.start(
                    ProcessRequest(
                        .line("for i in $(seq 400); do head -c 100000 /dev/zero; echo $i > \(counter); done")))
                var last = -1
                while true {
                    try await Task.sleep(for: .milliseconds(300))
                    let now = (try? readFile(counter)).flatMap {
                        Int(String(decoding: $0, as: UTF8.self).filter(\.isNumber))
                    }
                    if let now, now == last { break }
                    last = now ?? -1
                }
                #expect(last < 100, "the node has sent \(last) of 400 pieces")
                var count = 0
                while let pieces = try await process.read() {
                    for case .standardOutput(let bytes) in pieces { count += bytes.count }
                }
                #expect(count == 40_000_000)
                #expect(await process.exit.status == 0)
            }
        }

        @Test func commandsHaveTheirSurroundings() async throws {
            try await withLink { link, _ in
                let command = Command(
                    .shell("pwd; echo \"$A\"; cat; exit 4"), environment: [("A", "it's")], workingDirectory: "/usr")
                let process = try await link.start(ProcessRequest(.command(command)))
                try await process.write(Array("in".utf8))
                await process.closeWriting()
                let result = try await finish(process)
                #expect(result.output == "/usr\nit's\nin")
                #expect(result.status == 4)
            }
        }

        @Test func variablesGoAsTheConfigurationSays() async throws {
            let configuration = """
                SendEnv LANG LC_* OTHER
                SetEnv LC_LAB=two
                """
            try await withLink(
                options: ["AcceptEnv LANG LC_*"], configuration: configuration,
                environment: ["LANG": "de_DE.UTF-8", "LC_TIME": "C", "OTHER": "x", "SECRET": "x", "TERM": "x"]
            ) { link, _ in
                let environment = link.interactive.environment(from: [
                    "LANG": "de_DE.UTF-8", "LC_TIME": "C", "LC_LAB": "one", "OTHER": "x", "SECRET": "x", "TERM": "x",
                ])
                #expect(environment.map(\.name) == ["LANG", "LC_LAB", "LC_TIME", "OTHER"])
                let process = try await link.start(
                    ProcessRequest(.line("echo $LANG $LC_TIME $LC_LAB $OTHER $SECRET"), environment: environment))
                #expect(try await finish(process).output == "de_DE.UTF-8 C two\n")
            }
        }

        @Test func agentIsForwardedOnlyWhenAsked() async throws {
            try await SSHServer.with { server in
                try await withAgent(server) { socket in
                    try shell("SSH_AUTH_SOCK=\(socket) ssh-add -q \(server.keyFile)")
                    let link = try await SSHTransport(
                        configuration: server.settings(environment: ["SSH_AUTH_SOCK": socket])
                    ).open(server.endpoint())
                    let line = "echo \"${SSH_AUTH_SOCK:+sock}\"; ssh-add -l | cut -d' ' -f1; ssh-add -L | cut -d' ' -f1"
                    let without = try await link.start(ProcessRequest(.line(line)))
                    #expect(try await finish(without).output.hasPrefix("\n"))
                    let with = try await link.start(ProcessRequest(.line(line), forwardsAgent: true))
                    let result = try await finish(with)
                    #expect(result.output == "sock\n256\nssh-ed25519\n", "\(result.errors)")
                    await link.close()
                }
            }
        }

        @Test func refusedTerminalIsTold() async throws {
            try await withLink(options: ["PermitTTY no"]) { link, _ in
                let error = await #expect(throws: ConnectionError.self) {
                    try await link.start(
                        ProcessRequest(
                            .loginShell, terminal: ProcessRequest.Terminal(type: "x", columns: 80, rows: 24)))
                }
                #expect(error?.message == "the server refused to give a terminal")
            }
        }

        @Test func deniedBecomeIsTold() async throws {
            try await withLink(options: ["SetEnv PATH=/nowhere"]) { link, _ in
                let error = await #expect(throws: ConnectionError.self) {
                    try await link.start(
                        ProcessRequest(.command(Command(.arguments(["true"]), become: Become(method: .sudo)))))
                }
                #expect(error?.kind == .becomeDenied)
            }
        }
    }

    /// `labctl forward`, without the command line.
    @Suite struct PortForwards {
        private func withForward(
            to target: PortForward.Target, host: String = "127.0.0.1", options: [String] = [],
            _ body: (Int, SSHServer, @Sendable () -> [String]) async throws -> Void
        ) async throws {
            try await SSHServer.with(options: options) { server in
                let link = try await SSHTransport(configuration: server.settings()).open(server.endpoint())
                let listeners = try await LocalListener.open(host: host, port: 0)
                let port = try #require(listeners.first?.port)
                let forward = PortForward(listeners: listeners, target: target, connection: link)
                let refusals = Mutex<[String]>([])
                let serving = Task {
                    try await forward.serve { event in
                        if case .refused(_, let error) = event { refusals.withLock { $0.append(error.message) } }
                    }
                }
                do { try await body(port, server) { refusals.withLock { $0 } } } catch {
                    serving.cancel()
                    throw error
                }
                serving.cancel()
                await #expect(throws: CancellationError.self) { try await serving.value }
                await link.close()
                // The port is free again.
                let again = try await LocalListener.open(host: host, port: port)
                for listener in again { await listener.close() }
            }
        }

        /// Sends a text, closes that direction, and gives what comes back.
        private func exchange(_ text: String, _ port: Int) async throws -> String {
            let stream = try await LocalConnection().openForward(host: "127.0.0.1", port: port)
            try await stream.write(Array(text.utf8))
            try await stream.closeWriting()
            var answer: [UInt8] = []
            while let bytes = try await stream.read() { answer += bytes }
            await stream.close()
            return String(decoding: answer, as: UTF8.self)
        }

        @Test func manyConnectionsAndHalfClose() async throws {
            let echo = try EchoServer()
            defer { echo.stop() }
            try await withForward(to: .port(host: "127.0.0.1", port: echo.port)) { port, _, refusals in
                let answers = try await withThrowingTaskGroup(of: String.self) { group in
                    for number in 0..<20 {
                        group.addTask {
                            try await exchange("\(number) " + String(repeating: "x", count: 100_000), port)
                        }
                    }
                    return try await group.reduce(into: Set<Int>()) { $0.insert($1.count) }
                }
                #expect(answers == [100_002, 100_003])
                #expect(refusals().isEmpty)
            }
        }

        @Test func refusalEndsOneConnectionAlone() async throws {
            let closed = try freePort()
            try await withForward(to: .port(host: "127.0.0.1", port: closed)) { port, _, refusals in
                for count in 1...2 {
                    _ = try? await exchange("x", port)
                    // The end of the connection may be seen before the refusal is told.
                    for _ in 0..<500 where refusals().count < count { try await Task.sleep(for: .milliseconds(10)) }
                    #expect(refusals().count == count)
                }
                #expect(refusals().first == "the node cannot connect to 127.0.0.1:\(closed)")
            }
        }

        @Test func unixSocketOnTheNode() async throws {
            var template = Array("/tmp/labctl-sock-XXXXXX".utf8CString)
            let folder = String(cString: try #require(mkdtemp(&template)))
            defer { try? shell("rm -rf \(folder)") }
            let script = """
                import socket
                u = socket.socket(socket.AF_UNIX); u.bind('\(folder)/s'); u.listen(4)
                while True:
                    c, _ = u.accept(); data = b''
                    while True:
                        d = c.recv(4096)
                        if not d: break
                        data += d
                    c.sendall(data[::-1]); c.close()
                """
            let server = try spawn(["python3", "-c", script])
            defer {
                kill(server, SIGKILL)
                var status: Int32 = 0
                waitpid(server, &status, 0)
            }
            for _ in 0..<500 where access(folder + "/s", F_OK) != 0 { try await Task.sleep(for: .milliseconds(10)) }
            try await withForward(to: .socket(folder + "/s")) { port, _, _ in
                let answer = try await exchange("abc", port)
                #expect(answer == "cba")
            }
        }

        @Test func localhostIsBothFamilies() async throws {
            let listeners = try await LocalListener.open(host: "localhost", port: 0)
            #expect(
                listeners.first?.address.hasPrefix("127.0.0.1:") == true
                    || listeners.first?.address.hasPrefix("[::1]:") == true)
            #expect(Set(listeners.map(\.port)).count == 1)
            let error = await #expect(throws: ConnectionError.self) {
                try await LocalListener.open(host: "127.0.0.1", port: listeners[0].port)
            }
            #expect(error?.message == "cannot listen on 127.0.0.1:\(listeners[0].port): address already in use")
            for listener in listeners { await listener.close() }
        }

        @Test func lostLinkEndsIt() async throws {
            try await SSHServer.with { server in
                let link = try await SSHTransport(configuration: server.settings()).open(server.endpoint())
                let forward = PortForward(
                    listeners: try await LocalListener.open(host: "127.0.0.1", port: 0),
                    target: .port(host: "127.0.0.1", port: server.port), connection: link)
                let serving = Task { try await forward.serve { _ in } }
                try server.signalConnections("KILL")
                let error = await #expect(throws: ConnectionError.self) { try await serving.value }
                #expect(error?.kind == .lost)
            }
        }
    }
}
