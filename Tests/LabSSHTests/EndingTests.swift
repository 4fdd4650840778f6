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
    /// What breaks off on the way, and what is left of it: nothing.
    @Suite struct Endings {
        @Test func aLoginThatStallsAnywhereEndsAtItsDeadline() async throws {
            try await SSHServer.with { server in
                var stages: Set<String> = []
                // The key exchange takes the first flights, the login the later ones.
                for flight in 1...5 {
                    let counter = try FlightCounter(to: server.port, silentAfter: flight)
                    defer { counter.stop() }
                    let endpoint = try server.endpoint(through: counter.port, timeout: .milliseconds(800))
                    do {
                        let connection = try await server.connect(endpoint)
                        await connection.close()
                        // Pieces that arrive together make fewer flights: then the login was over before the silence.
                        #expect(counter.flights <= flight, "a login cannot go through a silent server")
                    } catch let error as ConnectionError {
                        #expect(error.kind == .timedOut)
                        #expect(error.message == "no answer within 800ms")
                        stages.formUnion(error.notes)
                    }
                }
                #expect(stages.contains { $0.hasPrefix("it was the SSH handshake with 127.0.0.1:") }, "\(stages)")
                #expect(stages.contains("it was logging in as \(currentUser)"), "\(stages)")
            }
        }

        @Test func aNodeThatIsStartedAgainIsReachedAgain() async throws {
            try await SSHServer.with { server in
                let connection = try await server.connect()
                let mark = "36\(server.port)"
                let error = await #expect(throws: ConnectionError.self) {
                    try await connection.run(Command(.shell("echo on; sleep \(mark)")) { _ in try? server.crash() })
                }
                #expect(error?.kind == .lost)
                #expect(await !connection.isUp)
                await connection.close()
                let refused = await #expect(throws: ConnectionError.self) { try await server.connect() }
                #expect(refused?.kind == .refused)
                try await server.start()
                try await server.withConnection { connection in
                    let result = try await connection.run(Command(.arguments(["echo", "back"])))
                    #expect(result.outputText == "back\n")
                }
                try await expectNoProcess("sleep \(mark)")
            }
        }

        #if os(Linux)
            @Test func faultsLeaveNoDescriptorThreadOrProcess() async throws {
                try await SSHServer.with { server in
                    let mark = "37\(server.port)"
                    func everyFault() async throws {
                        var nobody = server.endpoint()
                        nobody.port = 1
                        _ = try? await server.connect(nobody)
                        _ = try? await server.connect(server.endpoint(identities: []))
                        let connection = try await server.connect()
                        _ = try? await connection.run(
                            Command(.shell("sleep \(mark)"), timeout: .milliseconds(100)))
                        let task = Task { try await connection.run(Command(.shell("exec sleep \(mark)"))) }
                        try await Task.sleep(for: .milliseconds(20))
                        task.cancel()
                        _ = try? await task.value
                        _ = try? await connection.openForward(host: "127.0.0.1", port: 1)
                        await connection.close()
                        // What runs when its sshd is killed is not told: it ends by itself.
                        let lost = try await server.connect()
                        _ = try? await lost.run(
                            Command(.shell("echo on; sleep 1")) { _ in try? server.signalConnections("KILL") })
                        await lost.close()
                    }
                    // The I/O and helper threads start with the first uses and stay.
                    for _ in 0..<2 { try await everyFault() }
                    try await expectNoProcess("sleep \(mark)")
                    let (descriptors, threads) = (openDescriptors(), threadCount())
                    for _ in 0..<3 { try await everyFault() }
                    try await expectNoProcess("sleep \(mark)")
                    for _ in 0..<200 where threadCount() > threads { try await Task.sleep(for: .milliseconds(50)) }
                    #expect(threadCount() <= threads)
                    #expect(openDescriptors() == descriptors)
                }
            }

            @Test func aStoppedServerLeavesNoProcess() async throws {
                // What is left of a server would hold the descriptors of the test run, which then never ends.
                let server = try await SSHServer()
                let connection = try await server.connect()
                let task = Task {
                    try await connection.run(
                        Command(.shell("echo on; sleep 38\(server.port)")) { _ in
                            try? server.signalConnections("STOP")
                        })
                }
                for _ in 0..<500 where !server.hasStoppedProcess { try await Task.sleep(for: .milliseconds(10)) }
                #expect(server.hasStoppedProcess)
                let processes = try server.processes()
                #expect(processes.count > 1)
                try server.stop()
                task.cancel()
                _ = try? await task.value
                await connection.close()
                try await expectNoProcess("sleep 38\(server.port)")
                for process in processes {
                    for _ in 0..<200 where isRunning(process) { try await Task.sleep(for: .milliseconds(10)) }
                    #expect(!isRunning(process), "\(process) is left")
                }
            }
        #endif
    }
}

#if os(Linux)
    /// How many threads this process has.
    func threadCount() -> Int {
        guard let folder = opendir("/proc/self/task") else { return 0 }
        defer { closedir(folder) }
        var count = -2  // . and ..
        while readdir(folder) != nil { count += 1 }
        return count
    }

    /// The state of a process as in proc_pid_stat(5): `S`, `T`, `Z`; nil for none.
    private func state(of process: pid_t) -> Character? {
        guard let bytes = try? readFile("/proc/\(process)/stat") else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        return text[(text.lastIndex(of: ")") ?? text.startIndex)...].dropFirst(2).first
    }

    private func isRunning(_ process: pid_t) -> Bool { state(of: process).map { $0 != "Z" } ?? false }

    extension SSHServer {
        /// The listener and everything below it.
        fileprivate func processes() throws -> [pid_t] {
            let file = folder + "/processes"
            try shell(
                """
                tree() { echo "$1"; for p in $(pgrep -P "$1"); do tree "$p"; done; }
                tree \(pid) > \(file); :
                """)
            return String(decoding: try readFile(file), as: UTF8.self).split(separator: "\n").compactMap { pid_t($0) }
        }

        fileprivate var hasStoppedProcess: Bool {
            ((try? processes()) ?? []).contains { state(of: $0) == "T" }
        }
    }
#endif
