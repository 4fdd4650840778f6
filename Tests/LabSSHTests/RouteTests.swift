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

    @Suite struct Becoming {
        /// A stand-in for sudo that asks for a password as the real one does, where the real one is not at hand.
        private static let fakeSudo = """
            #!/bin/sh
            ask=1; prompt=Password:
            while [ $# -gt 0 ]; do
              case $1 in
                -H|-S) shift;; -n) ask=0; shift;; -p) prompt=$2; shift 2;; -u) user=$2; shift 2;; --) shift; break;;
              esac
            done
            if [ "$user" = nopasswd ]; then exec "$@"; fi
            [ $ask = 1 ] || { echo 'sudo: a password is required' >&2; exit 1; }
            echo 'We trust you have received the usual lecture.' >&2
            for _ in 1 2 3; do
              printf '%s' "$prompt" >&2
              IFS= read -r password
              if [ "$password" = secret ]; then BECOME_USER=$user exec "$@"; fi
              echo 'Leider falsch, bitte nochmals versuchen.' >&2
            done
            echo 'sudo: 3 incorrect password attempts' >&2
            exit 1
            """

        private func withSudo(_ body: (any Connection) async throws -> Void) async throws {
            let folder = try temporaryFolder()
            defer { try? shell("rm -rf \(folder)") }
            try writeFile(Self.fakeSudo, to: folder + "/sudo")
            chmod(folder + "/sudo", 0o755)
            try await SSHServer.with(options: ["SetEnv PATH=\(folder):/usr/bin:/bin"]) { server in
                try await server.withConnection { try await body($0) }
            }
        }

        @Test func passwordIsGivenWhenAskedFor() async throws {
            try await withSudo { connection in
                let become = Become(user: "admin", password: Secret("secret"))
                for text in ["one", "two words"] {
                    let result = try await connection.run(
                        Command(
                            .shell("echo \"$BECOME_USER\"; cat; echo e >&2"), standardInput: Array(text.utf8),
                            become: become))
                    #expect(result.outputText == "admin\n\(text)")
                    #expect(result.errorText == "e\n")
                }
                // A password that nobody asks for does no harm.
                let result = try await connection.run(
                    Command(.shell("cat"), become: Become(user: "nopasswd", password: Secret("echo hurt"))))
                #expect(result.outputText == "")
            }
        }

        @Test func wrongPasswordIsDetected() async throws {
            try await withSudo { connection in
                let error = await #expect(throws: ConnectionError.self) {
                    try await connection.run(
                        Command(.arguments(["true"]), become: Become(user: "admin", password: Secret("wrong"))))
                }
                #expect(error?.kind == .becomeDenied)
                #expect(error?.message == "sudo refused the password for becoming admin")
                #expect(error?.notes.contains { $0.contains("wrong") && !$0.contains("Leider") } == false)
                let after = try await connection.run(Command(.arguments(["true"])))
                #expect(after.exitStatus == 0)
            }
        }

        @Test func missingPasswordIsTold() async throws {
            try await withSudo { connection in
                let error = await #expect(throws: ConnectionError.self) {
                    try await connection.run(Command(.arguments(["true"]), become: Become(user: "admin")))
                }
                #expect(error?.kind == .becomeDenied)
                #expect(error?.notes == ["sudo: a password is required"])
                #expect(error?.hint?.contains("--ask-become-pass") == true)
            }
        }

        @Test func missingMethodIsTold() async throws {
            try await SSHServer.with(options: ["SetEnv PATH=/nowhere"]) { server in
                try await server.withConnection { connection in
                    let error = await #expect(throws: ConnectionError.self) {
                        try await connection.run(Command(.arguments(["true"]), become: Become(method: .doas)))
                    }
                    #expect(error?.kind == .becomeDenied)
                    #expect(error?.hint?.hasPrefix("install doas on the node") == true)
                }
            }
        }

        @Test(.enabled(if: getuid() == 0, "becoming another user without a password needs root"))
        func suRunsAsTheOtherUser() async throws {
            try await SSHServer.with { server in
                try await server.withConnection { connection in
                    let become = Become(method: .su, user: "nobody")
                    let result = try await connection.run(Command(.arguments(["id", "-un"]), become: become))
                    #expect(result.outputText == "nobody\n")
                    let path = "/tmp/labctl-su-\(server.port)"
                    try await connection.writeFile(
                        Array("theirs".utf8), to: path, attributes: FileAttributes(mode: 0o600), become: become)
                    let owner = try await connection.run(Command(.arguments(["stat", "-c", "%U %a", path])))
                    #expect(owner.outputText == "nobody 600\n")
                    #expect(try await connection.readFile(path, become: become) == Array("theirs".utf8))
                    _ = try await connection.run(Command(.arguments(["rm", path])))
                    let unknown = await #expect(throws: ConnectionError.self) {
                        try await connection.run(
                            Command(.arguments(["true"]), become: Become(method: .su, user: "no-such-user")))
                    }
                    #expect(unknown?.kind == .becomeDenied)
                }
            }
        }
    }

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
                    #expect(error?.notes.first == "This account is not available")
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
