import LabCore
import LabTransport
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// All suites that need a real sshd, one test at a time: some count descriptors and processes.
@Suite(.serialized, .enabled(if: SSHServer.isInstalled, "sshd is not installed"), .timeLimit(.minutes(2)))
struct OpenSSHTests {}

extension OpenSSHTests {
    @Suite struct Commands {
        @Test func keepsOutputsAndStatusApart() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let result = try await connection.run(Command(.shell("echo out; echo err >&2; exit 7")))
                    #expect(result.outputText == "out\n")
                    #expect(result.errorText == "err\n")
                    #expect(result.exitStatus == 7)
                    #expect(result.signal == nil)
                }
            }
        }

        @Test func tellsTheSignalThatEndedACommand() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let result = try await connection.run(Command(.shell("kill -TERM $$")))
                    #expect(result.exitStatus == 128 + 15)
                }
            }
        }

        @Test func carriesFiveMegabytesBothWays() async throws {
            let bytes = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let result = try await connection.run(Command(.arguments(["cat"]), standardInput: bytes))
                    #expect(result.standardOutput == bytes)
                }
            }
        }

        @Test func passesWordsUnchanged() async throws {
            let words = [
                "", " ", "two words", "it's", "\"", "$HOME", "`id`", "$(id)", "a\nb", "\n", "tab\tbed", "*", "~", "!x",
                "\\",
                "\\n", "ä€😀", "-n", "--", ";", "&", "|", ">", "#", "%", "=", "a=b", "{a,b}", "[x]", "(", "'''",
                "\u{7F}",
                "\r", "ends in newline\n",
            ]
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let result = try await connection.run(Command(.arguments(["printf", "%s\\0"] + words)))
                    let echoed = result.standardOutput.split(separator: 0, omittingEmptySubsequences: false).dropLast()
                    #expect(echoed.map { String(decoding: $0, as: UTF8.self) } == words)
                    let shell = try await connection.run(
                        Command(.shell("printf '%s|' \"a  b\" 'it'\"'\"'s'\necho $((1+1))")))
                    #expect(shell.outputText == "a  b|it's|2\n")
                }
            }
        }

        @Test func setsEnvironmentAndDirectory() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let command = Command(
                        .shell("pwd; echo \"$A|$B\""), environment: [("A", "one 'two'"), ("B", "x\ny")],
                        workingDirectory: "/usr/share")
                    let result = try await connection.run(command)
                    #expect(result.outputText == "/usr/share\none 'two'|x\ny\n")
                    // dash passes no variable on that it could not assign itself.
                    let dotted = try await connection.run(Command(.arguments(["env"]), environment: [("C.D", "x y")]))
                    #expect(dotted.outputText.split(separator: "\n").contains("C.D=x y"))
                    let missing = try await connection.run(Command(.arguments(["true"]), workingDirectory: "/nowhere"))
                    #expect(missing.exitStatus != 0)
                    #expect(missing.errorText.contains("/nowhere"))
                }
            }
        }

        @Test func unknownProgramIsAnExitStatus() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let result = try await connection.run(Command(.arguments(["no-such-program-here"])))
                    #expect(result.exitStatus == 127)
                    #expect(result.errorText.contains("no-such-program-here"))
                }
            }
        }

        @Test func streamsOutputWhileTheCommandRuns() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    // The command ends only when the callback has seen its first line and made the file.
                    let file = server.folder + "/go"
                    let seen = Mutex<[String]>([])
                    let command = Command(
                        .shell("echo first; while [ ! -e \(file) ]; do sleep 0.05; done; echo second"),
                        timeout: .seconds(20)
                    ) { piece in
                        guard case .standardOutput(let bytes) = piece else { return }
                        let text = String(decoding: bytes, as: UTF8.self)
                        seen.withLock { $0.append(text) }
                        if text.contains("first") { try? writeFile("", to: file) }
                    }
                    let result = try await connection.run(command)
                    #expect(result.outputText == "first\nsecond\n")
                    #expect(seen.withLock { $0.joined() } == "first\nsecond\n")
                }
            }
        }

        @Test func timeoutKillsTheRemoteProcess() async throws {
            try await SSHServer.with { server in
                let connection = try await server.connect()
                let mark = "31\(server.port)"
                let error = await #expect(throws: ConnectionError.self) {
                    try await connection.run(
                        Command(.shell("sleep \(mark) & sleep \(mark)"), timeout: .milliseconds(500)))
                }
                #expect(error?.kind == .commandTimedOut)
                let after = try await connection.run(Command(.arguments(["echo", "alive"])))
                #expect(after.outputText == "alive\n")
                try await expectNoProcess("sleep \(mark)")
                await connection.close()
            }
        }

        @Test func cancellationKillsTheRemoteProcessAndKeepsTheConnection() async throws {
            try await SSHServer.with { server in
                let connection = try await server.connect()
                let mark = "32\(server.port)"
                let (started, signal) = AsyncStream.makeStream(of: Void.self)
                let task = Task {
                    try await connection.run(
                        Command(.shell("echo started; exec sleep \(mark)")) { _ in signal.yield() })
                }
                for await _ in started { break }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
                let after = try await connection.run(Command(.arguments(["echo", "alive"])))
                #expect(after.outputText == "alive\n")
                await connection.close()
                try await expectNoProcess("sleep \(mark)")
            }
        }

        @Test func aCommandMayLeaveItsInputUnread() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let input = [UInt8](repeating: 65, count: 4_000_000)
                    let result = try await connection.run(
                        Command(.shell("exec <&-; echo done"), standardInput: input, timeout: .seconds(20)))
                    #expect(result.outputText == "done\n")
                }
            }
        }

        @Test func aDaemonLeftBehindDoesNotHoldTheCommand() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let result = try await connection.run(
                        Command(.shell("sleep 33 & echo started"), timeout: .seconds(20)))
                    #expect(result.outputText == "started\n")
                    _ = try await connection.run(Command(.arguments(["pkill", "-f", "sleep 33"])))
                }
            }
        }

        @Test func aFloodIsCutOff() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let flood = "head -c 1073741824 /dev/zero; sleep 35\(server.port)"
                    let error = await #expect(throws: ConnectionError.self) {
                        try await connection.run(Command(.shell(flood)))
                    }
                    #expect(error?.kind == .outputTooLarge)
                    #expect(error?.isUnreachable == false)
                    try await expectNoProcess("sleep 35\(server.port)")
                    let after = try await connection.run(Command(.arguments(["echo", "on"])))
                    #expect(after.outputText == "on\n")
                }
            }
        }

        @Test func runsManyCommandsAtOnce() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let texts = try await withThrowingTaskGroup(of: (Int, String).self) { group in
                        for number in 0..<40 {
                            group.addTask {
                                (
                                    number,
                                    try await connection.run(Command(.arguments(["echo", "\(number)"]))).outputText
                                )
                            }
                        }
                        return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
                    }
                    #expect(texts == Dictionary(uniqueKeysWithValues: (0..<40).map { ($0, "\($0)\n") }))
                }
            }
        }

        @Test func aLongCommandDoesNotHoldUpOthers() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let file = server.folder + "/go"
                    async let long = connection.run(
                        Command(
                            .shell("while [ ! -e \(file) ]; do sleep 0.05; done; echo long"), timeout: .seconds(20)))
                    let short = try await connection.run(Command(.shell("echo short; touch \(file)")))
                    #expect(short.outputText == "short\n")
                    #expect(try await long.outputText == "long\n")
                }
            }
        }

        @Test func closeEndsRunningCommands() async throws {
            try await SSHServer.with { server in
                let connection = try await server.connect()
                let (started, signal) = AsyncStream.makeStream(of: Void.self)
                let task = Task {
                    try await connection.run(Command(.shell("echo started; sleep 34")) { _ in signal.yield() })
                }
                for await _ in started { break }
                await connection.close()
                let error = await #expect(throws: ConnectionError.self) { try await task.value }
                #expect(error?.kind == .closed)
                await connection.close()
                let late = await #expect(throws: ConnectionError.self) {
                    try await connection.run(Command(.arguments(["true"])))
                }
                #expect(late?.kind == .closed)
            }
        }
    }
}

/// Waits until no process has the text in its command line.
func expectNoProcess(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    for _ in 0..<100 {
        // The bracket keeps pgrep from finding the shell that runs it.
        let pattern = "[\(text.prefix(1))]\(text.dropFirst())"
        if (try? shell("pgrep -f '\(pattern)' >/dev/null")) == nil { return }
        try await Task.sleep(for: .milliseconds(50))
    }
    Issue.record("\(text) still runs", sourceLocation: sourceLocation)
}
