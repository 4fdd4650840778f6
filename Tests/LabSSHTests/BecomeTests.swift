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
