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
    @Suite struct Shells {
        @Test func twentyCommandsTakeOneChannel() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    for number in 0..<20 {
                        let result = try await connection.run(Command(.shell("exit \(number)")))
                        #expect(result.exitStatus == number)
                    }
                }
                #expect(server.startedSessions == 1)
            }
        }

        @Test(arguments: [
            ("exit 3", 3), ("cd /; trap 'echo x' EXIT; exit 4", 4), ("cat >/dev/null; exit 5", 5), ("exec false", 1),
            ("set -e; false; true", 1), ("kill -KILL $$", 137), ("umask 0; exit 6", 6), ("read x; exit 7", 7),
            ("exec 1>&- 2>&-; exit 8", 8), ("kill -INT $$", 130), ("printf '\\001labctl'; exit 9", 9),
            ("exec sh -c 'kill -TERM 0'", 143),
        ])
        func commandsDoNotDisturbTheNext(text: String, status: Int) async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let before = try await connection.run(Command(.shell("pwd; umask; echo \"[$-]\"")))
                    let result = try await connection.run(Command(.shell(text), timeout: .seconds(10)))
                    #expect(result.exitStatus == status)
                    let after = try await connection.run(Command(.shell("pwd; umask; echo \"[$-]\"")))
                    #expect(after.outputText == before.outputText)
                    #expect(after.errorText == "")
                }
            }
        }

        @Test func whatADaemonSaysLaterIsNobodysOutput() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let file = server.folder + "/go"
                    _ = try await connection.run(
                        Command(
                            .shell("(while [ ! -e \(file) ]; do sleep 0.02; done; echo late; touch \(file).done) &")))
                    try writeFile("", to: file)
                    for _ in 0..<200 where access(file + ".done", F_OK) != 0 {
                        try await Task.sleep(for: .milliseconds(10))
                    }
                    let result = try await connection.run(Command(.arguments(["echo", "mine"])))
                    #expect(result.outputText == "mine\n")
                }
            }
        }

        @Test func noisyStartUpFilesAreNotOutput() async throws {
            // bash reads BASH_ENV, and sshd's shell ~/.bashrc, before the command.
            try await SSHServer.with(options: ["SetEnv HOME=$FOLDER"]) { server in
                try writeFile("echo welcome; echo beware >&2\n", to: server.folder + "/.bashrc")
                try await server.withConnection { connection in
                    let result = try await connection.run(Command(.shell("echo out; echo err >&2")))
                    #expect(result.outputText == "out\n")
                    #expect(result.errorText == "err\n")
                }
            }
        }

        @Test func loginShellThatRunsNothingIsTold() async throws {
            try await SSHServer.with(options: ["ForceCommand echo This account is not available; exit 1"]) { server in
                try await server.withConnection { connection in
                    let error = await #expect(throws: ConnectionError.self) {
                        try await connection.run(Command(.arguments(["true"])))
                    }
                    #expect(error?.kind == .protocolMismatch)
                    #expect(error?.notes.contains("This account is not available") == true)
                }
            }
        }

        @Test func fewerSessionsThanWantedAreEnough() async throws {
            try await SSHServer.with(options: ["MaxSessions 2"]) { server in
                try await server.withConnection { connection in
                    try await withThrowingTaskGroup(of: Int.self) { group in
                        for number in 0..<12 {
                            group.addTask {
                                try await connection.run(Command(.shell("sleep 0.05; exit \(number)"))).exitStatus
                            }
                        }
                        let statuses = try await group.reduce(into: Set<Int>()) { $0.insert($1) }
                        #expect(statuses == Set(0..<12))
                    }
                }
            }
        }
    }
}
