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
                #expect(error?.notes.contains("sudo: a password is required") == true)
                #expect(error?.hint?.contains("--ask-become-pass") == true)
            }
        }

        /// One that waits for a fingerprint or a key's touch, with a big input and with a small one.
        @Test(arguments: [1, 2 << 20])
        func becomeThatNeverStartsIsTold(size: Int) async throws {
            let folder = try temporaryFolder()
            defer { try? shell("rm -rf \(folder)") }
            try writeFile("#!/bin/sh\necho 'Touch the key.' >&2; exec sleep 100\n", to: folder + "/sudo")
            chmod(folder + "/sudo", 0o755)
            try await SSHServer.with(options: ["SetEnv PATH=\(folder):/usr/bin:/bin"]) { server in
                var settings = server.settings()
                settings.becomeTimeout = .seconds(1)
                let connection = try await server.connect(settings: settings)
                let error = await #expect(throws: ConnectionError.self) {
                    try await connection.run(
                        Command(
                            .arguments(["cat"]), standardInput: [UInt8](repeating: 1, count: size),
                            become: Become(password: Secret("x"))))
                }
                #expect(error?.kind == .becomeDenied)
                #expect(error?.message == "sudo has not started a shell within 1s")
                #expect(error?.notes == ["Touch the key."])
                await connection.close()
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
}

extension OpenSSHTests {
    /// The real sudo, su and doas, for a login user without rights.
    @Suite(.enabled(if: PrivateUsers.isPossible, "needs root, mount namespaces and openssl"))
    struct RealBecoming {
        private func with(
            _ users: PrivateUsers, _ body: (any Connection) async throws -> Void
        ) async throws {
            // Opened to the user, who is not whoever runs the tests.
            try await SSHServer.with(launcher: users.launcher) { server in
                try shell("chmod 755 \(server.folder)")
                var endpoint = server.endpoint()
                endpoint.user = "labuser"
                try await server.withConnection(endpoint) { try await body($0) }
            }
        }

        /// What every way to another user must do.
        private func works(_ connection: any Connection, _ become: Become) async throws {
            let result = try await connection.run(
                Command(.shell("id -un; cat; echo e >&2; exit 3"), standardInput: Array("in".utf8), become: become))
            #expect(result.outputText.hasPrefix("\(become.user)\nin"))
            #expect(result.exitStatus == 3)
            #expect((result.outputText + result.errorText).contains("e\n"))
            let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let path = "/tmp/labctl-become-\(UInt32.random(in: 0 ... .max))"
            try await connection.writeFile(bytes, to: path, attributes: FileAttributes(mode: 0o600), become: become)
            let read = try await connection.readFile(path, become: become)
            #expect(read == bytes)
            _ = try await connection.run(Command(.arguments(["rm", path]), become: become))
        }

        private func denied(_ connection: any Connection, _ become: Become) async -> ConnectionError? {
            let error = await #expect(throws: ConnectionError.self) {
                try await connection.run(Command(.arguments(["true"]), become: become))
            }
            #expect(error?.kind == .becomeDenied)
            // And the connection is still good.
            let after = try? await connection.run(Command(.arguments(["echo", "still"])))
            #expect(after?.outputText == "still\n")
            return error
        }

        @Test(
            .enabled(if: PrivateUsers.has("sudo"), "sudo is not installed"),
            arguments: [
                "labuser ALL=(ALL) NOPASSWD: ALL", "labuser ALL=(ALL) ALL",
                "Defaults lecture=always\nlabuser ALL=(ALL) ALL",
                // sudo's own prompt in place of ours, in another language.
                "Defaults passprompt_override, passprompt=\"Passwort von %u bitte: \"\nlabuser ALL=(ALL) ALL",
                "Defaults passprompt_override, lecture=always, passprompt=\"密码：\"\nlabuser ALL=(ALL) ALL",
            ])
        func sudo(sudoers: String) async throws {
            try await with(PrivateUsers(sudoers: sudoers)) { connection in
                let password = Secret("login secret")
                try await works(connection, Become(user: "root", password: password))
                try await works(connection, Become(user: "admin", password: password))
                if sudoers.contains("NOPASSWD") {
                    try await works(connection, Become(user: "root"))
                } else {
                    let none = await denied(connection, Become(user: "root"))
                    #expect(none?.hint?.contains("--ask-become-pass") == true)
                    let wrong = await denied(connection, Become(user: "root", password: Secret("wrong")))
                    #expect(wrong?.message == "sudo refused the password for becoming root")
                }
            }
        }

        @Test(.enabled(if: PrivateUsers.has("sudo"), "sudo is not installed"))
        func sudoThatWantsATerminal() async throws {
            let users = PrivateUsers(sudoers: "Defaults requiretty\nlabuser ALL=(ALL) NOPASSWD: ALL")
            try await with(users) { connection in
                let error = await denied(connection, Become(user: "root"))
                #expect(error?.hint == "remove requiretty from the node's sudoers for this user")
            }
        }

        @Test(.enabled(if: PrivateUsers.has("sudo"), "sudo is not installed"))
        func userThatSudoersDoNotKnow() async throws {
            try await with(PrivateUsers(sudoers: "root ALL=(ALL) ALL")) { connection in
                let error = await denied(connection, Become(user: "root", password: Secret("login secret")))
                #expect(error?.notes.contains { $0.contains("sudoers") } == true)
            }
        }

        @Test func su() async throws {
            try await with(PrivateUsers()) { connection in
                try await works(connection, Become(method: .su, user: "admin", password: Secret("admin secret")))
                let wrong = await denied(connection, Become(method: .su, user: "admin", password: Secret("wrong")))
                #expect(wrong?.message == "su refused the password for becoming admin")
                let none = await denied(connection, Become(method: .su, user: "admin"))
                #expect(none?.hint?.contains("--ask-become-pass") == true)
            }
        }

        @Test(.enabled(if: PrivateUsers.has("doas"), "doas is not installed"))
        func doas() async throws {
            try await with(PrivateUsers(doas: "permit nopass labuser as admin\npermit labuser as root")) { connection in
                try await works(connection, Become(method: .doas, user: "admin"))
                // doas asks at a terminal, and with a terminal there is one output.
                try await works(connection, Become(method: .doas, user: "root", password: Secret("login secret")))
                let wrong = await denied(connection, Become(method: .doas, user: "root", password: Secret("wrong")))
                #expect(wrong?.message == "doas refused the password for becoming root")
                let none = await denied(connection, Become(method: .doas, user: "root"))
                #expect(none?.hint?.contains("--ask-become-pass") == true)
            }
        }
    }
}
