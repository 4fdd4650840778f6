import LabCore
import LabSSH
import LabTransport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

private let canChangePasswd = getuid() == 0 && (try? shell("unshare -m true 2>/dev/null")) != nil

extension OpenSSHTests {
    /// Login shells that are no POSIX shell, or no shell at all.
    @Suite(.enabled(if: canChangePasswd, "a passwd file of its own needs root and mount namespaces"))
    struct LoginShells {
        static func path(of name: String) -> String? {
            ["/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"].map { $0 + name }.first { access($0, X_OK) == 0 }
        }

        /// A server on whose machine the current user's login shell is another one.
        private func withLoginShell<T>(
            _ path: String, _ body: (SSHServer, any Connection) async throws -> T
        ) async throws -> T {
            let folder = try temporaryFolder()
            defer { try? shell("rm -rf \(folder)") }
            try shell("sed 's|^\\(\(currentUser):.*:\\)[^:]*$|\\1\(path)|' /etc/passwd > \(folder)/passwd")
            return try await SSHServer.with(
                launcher: [
                    "unshare", "-m", "sh", "-c", "mount --bind \(folder)/passwd /etc/passwd && exec \"$@\"", "sh",
                ]
            ) { server in
                try await server.withConnection { try await body(server, $0) }
            }
        }

        @Test(arguments: ["bash", "dash", "zsh", "fish", "tcsh", "csh"])
        func anyShellWillDo(name: String) async throws {
            guard let path = Self.path(of: name) else {
                // Scripts/setup test installs fish and tcsh.
                return print("LoginShells: \(name) is not installed, so it is not tested")
            }
            try await withLoginShell(path) { server, connection in
                let words = ["a b", "it's", "$HOME", "!x", "\\", "a\nb", "*", "`id`", "ä"]
                let echoed = try await connection.run(Command(.arguments(["printf", "%s|"] + words)))
                #expect(echoed.outputText == words.map { $0 + "|" }.joined())
                let result = try await connection.run(
                    Command(
                        .shell("cat; echo \"$A\" >&2; exit 7"), environment: [("A", "one 'two'")],
                        standardInput: [0, 255, 10]))
                #expect(result.standardOutput == [0, 255, 10])
                #expect(result.errorText == "one 'two'\n")
                #expect(result.exitStatus == 7)
                // Big input goes over a channel of its own.
                let bytes = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
                let big = try await connection.run(Command(.arguments(["cat"]), standardInput: bytes))
                #expect(big.standardOutput == bytes)
                #expect(server.startedSessions == 2)
            }
        }

        @Test func shellThatIsNoneIsTold() async throws {
            let path = try #require(Self.path(of: "nologin"))
            try await withLoginShell(path) { _, connection in
                let error = await #expect(throws: ConnectionError.self) {
                    try await connection.run(Command(.arguments(["true"]), timeout: .seconds(20)))
                }
                #expect(error?.kind == .protocolMismatch)
                #expect(error?.message == "the login shell runs no commands")
                #expect(error?.notes.contains { $0.contains("not available") } == true, "\(error?.notes ?? [])")
            }
        }
    }
}

extension OpenSSHTests.Shells {
    @Test func forcedCommandThatPassesTheCommandOnWillDo() async throws {
        try await SSHServer.with(options: ["ForceCommand /bin/sh -c \"$SSH_ORIGINAL_COMMAND\""]) { server in
            try await server.withConnection { connection in
                let result = try await connection.run(Command(.shell("echo out; echo err >&2; exit 3")))
                #expect(result.outputText == "out\n")
                #expect(result.errorText == "err\n")
                #expect(result.exitStatus == 3)
            }
        }
    }

    @Test func signalsAndTimeoutsAreOneCommandsOwn() async throws {
        try await SSHServer.with { server in
            try await server.withConnection { connection in
                let slow = Task {
                    try await connection.run(Command(.shell("sleep 39"), timeout: .milliseconds(300)))
                }
                let killed = try await connection.run(Command(.shell("kill -KILL $$"), timeout: .seconds(20)))
                #expect(killed.exitStatus == 137)
                let failure = await #expect(throws: ConnectionError.self) { try await slow.value }
                #expect(failure?.kind == .commandTimedOut)
                let after = try await connection.run(Command(.arguments(["echo", "on"])))
                #expect(after.outputText == "on\n")
            }
        }
    }
}
