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
    @Suite struct Identities {
        private func expectLogin(_ server: SSHServer, _ endpoint: Endpoint, _ settings: SSHSettings) async throws {
            let connection = try await server.connect(endpoint, settings: settings)
            let result = try await connection.run(Command(.arguments(["true"])))
            #expect(result.exitStatus == 0)
            await connection.close()
        }

        @Test(arguments: ["ed25519", "ecdsa", "rsa"])
        func keyTypes(type: String) async throws {
            try await SSHServer.with { server in
                let key = server.folder + "/typed"
                try shell(
                    "ssh-keygen -q -t \(type) -N '' -f \(key) && cat \(key).pub >> \(server.folder)/authorized_keys")
                try await expectLogin(server, server.endpoint(identities: [key]), server.settings())
            }
        }

        @Test func defaultKeyIsFound() async throws {
            try await SSHServer.with { server in
                try shell("mkdir \(server.folder)/.ssh && cp \(server.keyFile) \(server.folder)/.ssh/id_ed25519")
                try await expectLogin(server, server.endpoint(identities: []), server.settings())
            }
        }

        @Test func agentSigns() async throws {
            try await SSHServer.with { server in
                try await withAgent(server) { socket in
                    // Two keys that the server does not know come first.
                    for name in ["x", "y"] {
                        try shell("ssh-keygen -q -t ed25519 -N '' -C \(name) -f \(server.folder)/\(name)")
                        try shell("SSH_AUTH_SOCK=\(socket) ssh-add -q \(server.folder)/\(name)")
                    }
                    let settings = server.settings(environment: ["SSH_AUTH_SOCK": socket])
                    let denied = await #expect(throws: ConnectionError.self) {
                        try await server.connect(server.endpoint(identities: []), settings: settings)
                    }
                    #expect(denied?.kind == .authenticationDenied)
                    #expect(denied?.notes.contains("agent's key x (ssh-ed25519): not accepted") == true)
                    try shell("SSH_AUTH_SOCK=\(socket) ssh-add -q \(server.keyFile)")
                    try await expectLogin(server, server.endpoint(identities: []), settings)
                    // Only the named key, which is known by its public half alone.
                    try shell("mv \(server.keyFile) \(server.folder)/hidden")
                    let only = [Endpoint.Option("IdentitiesOnly", "yes")]
                    try await expectLogin(server, server.endpoint(options: only), settings)
                    let other = await #expect(throws: ConnectionError.self) {
                        try await server.connect(
                            server.endpoint(identities: [server.folder + "/x"], options: only), settings: settings)
                    }
                    #expect(other?.kind == .authenticationDenied)
                }
            }
        }

        @Test func agentThatDoesNotAnswerIsPassedOver() async throws {
            try await SSHServer.with { server in
                let agent = try SilentUnixServer(path: server.folder + "/agent")
                defer { agent.stop() }
                let settings = server.settings(environment: ["SSH_AUTH_SOCK": agent.path])
                try await expectLogin(server, server.endpoint(timeout: .seconds(2)), settings)
            }
        }

        @Test func passphraseIsAskedForOnce() async throws {
            try await SSHServer.with { server in
                let key = server.folder + "/locked"
                try shell(
                    "ssh-keygen -q -t ed25519 -N 'open sesame' -f \(key) && cat \(key).pub >> \(server.folder)/authorized_keys"
                )
                let questions = Mutex<[SSHSettings.Question]>([])
                let settings = server.settings { question in
                    let count = questions.withLock {
                        $0.append(question)
                        return $0.count
                    }
                    return Secret(count == 1 ? "wrong" : "open sesame")
                }
                let transport = SSHTransport(configuration: settings)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<4 {
                        group.addTask {
                            let connection = try await transport.connect(to: server.endpoint(identities: [key]))
                            await connection.close()
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(questions.withLock { $0 } == [.passphrase(keyFile: key), .passphrase(keyFile: key)])
            }
        }

        @Test func passphraseNobodyKnowsIsTold() async throws {
            try await SSHServer.with { server in
                let key = server.folder + "/locked"
                try shell(
                    "ssh-keygen -q -t ed25519 -N 'open sesame' -f \(key) && cat \(key).pub >> \(server.folder)/authorized_keys"
                )
                let error = await #expect(throws: ConnectionError.self) {
                    try await server.connect(server.endpoint(identities: [key]))
                }
                #expect(error?.notes.first == "key \(key): needs a passphrase, and nobody can be asked")
            }
        }

        @Test func certificateFileOfTheConfiguration() async throws {
            try await SSHServer.with(options: ["TrustedUserCAKeys ca.pub"]) { server in
                try shell(
                    """
                    cd \(server.folder) && ssh-keygen -q -t ecdsa -N '' -f plain \
                    && ssh-keygen -q -s ca -I id -n \(currentUser) plain.pub && mv plain-cert.pub elsewhere.pub
                    """)
                let key = server.folder + "/plain"
                let error = await #expect(throws: ConnectionError.self) {
                    try await server.connect(server.endpoint(identities: [key]), settings: server.settings())
                }
                #expect(error?.notes.first == "key \(key): not accepted")
                let option = Endpoint.Option("CertificateFile", server.folder + "/elsewhere.pub")
                try await expectLogin(
                    server, server.endpoint(identities: [key], options: [option]), server.settings())
                // One that is for somebody else is told.
                try shell("cd \(server.folder) && ssh-keygen -q -s ca -I id -n somebody plain.pub")
                let other = await #expect(throws: ConnectionError.self) {
                    try await server.connect(server.endpoint(identities: [key]), settings: server.settings())
                }
                #expect(other?.notes.first == "certificate \(key)-cert.pub: not accepted")
            }
        }

        @Test func agentsCertificateIsUsed() async throws {
            try await SSHServer.with(options: ["TrustedUserCAKeys ca.pub", "AuthorizedKeysFile none"]) { server in
                try shell(
                    """
                    cd \(server.folder) && ssh-keygen -q -t ed25519 -N '' -f held \
                    && ssh-keygen -q -s ca -I id -n \(currentUser) held.pub
                    """)
                try await withAgent(server) { socket in
                    try shell("SSH_AUTH_SOCK=\(socket) ssh-add -q \(server.folder)/held")
                    try await expectLogin(
                        server, server.endpoint(identities: []), server.settings(environment: ["SSH_AUTH_SOCK": socket])
                    )
                }
            }
        }

        @Test(arguments: [false, true])
        func certificateForAKeyThatOnlyTheAgentHas(isNamed: Bool) async throws {
            try await SSHServer.with(options: ["TrustedUserCAKeys ca.pub", "AuthorizedKeysFile none"]) { server in
                try shell(
                    """
                    cd \(server.folder) && ssh-keygen -q -t ed25519 -N '' -f held \
                    && ssh-keygen -q -s ca -I id -n \(currentUser) held.pub && mv held-cert.pub certificate.pub
                    """)
                try await withAgent(server) { socket in
                    try shell("cd \(server.folder) && SSH_AUTH_SOCK=\(socket) ssh-add -q held && rm held")
                    let settings = server.settings(environment: ["SSH_AUTH_SOCK": socket])
                    let plain = await #expect(throws: ConnectionError.self) {
                        try await server.connect(server.endpoint(identities: []), settings: settings)
                    }
                    #expect(plain?.kind == .authenticationDenied)
                    if isNamed {
                        let option = Endpoint.Option("CertificateFile", server.folder + "/certificate.pub")
                        try await expectLogin(server, server.endpoint(identities: [], options: [option]), settings)
                    } else {
                        try shell("cd \(server.folder) && mv certificate.pub held-cert.pub")
                        try await expectLogin(
                            server, server.endpoint(identities: [server.folder + "/held"]), settings)
                        // One that is for somebody else is told, by its name.
                        try shell("cd \(server.folder) && ssh-keygen -q -s ca -I id -n somebody held.pub")
                        let other = await #expect(throws: ConnectionError.self) {
                            try await server.connect(
                                server.endpoint(identities: [server.folder + "/held"]), settings: settings)
                        }
                        #expect(
                            other?.notes.first
                                == "certificate \(server.folder)/held-cert.pub with the agent's key: not accepted")
                    }
                }
            }
        }

        @Test func slowAgentIsWaitedFor() async throws {
            try await SSHServer.with { server in
                try await withAgent(server) { socket in
                    try shell("SSH_AUTH_SOCK=\(socket) ssh-add -q \(server.keyFile)")
                    let slow = try SlowAgent(path: server.folder + "/slow", agent: socket, delay: .milliseconds(700))
                    defer { slow.stop() }
                    let settings = server.settings(environment: ["SSH_AUTH_SOCK": slow.path])
                    try await expectLogin(server, server.endpoint(identities: []), settings)
                    #expect(slow.answers >= 2, "the list of keys and a signature")
                }
            }
        }

        @Test func forwardedAgentSigns() async throws {
            try await SSHServer.with(options: ["AllowAgentForwarding yes"]) { server in
                try await withAgent(server) { socket in
                    try shell("SSH_AUTH_SOCK=\(socket) ssh-add -q \(server.keyFile)")
                    // Somebody logs in with ssh -A and runs labctl there: its agent is on the machine before.
                    let place = server.folder + "/place"
                    let login = try spawn(
                        [
                            "env", "SSH_AUTH_SOCK=\(socket)", "ssh", "-A", "-F", "none", "-p", String(server.port),
                            "-o",
                            "UserKnownHostsFile=\(server.knownHosts)", server.address,
                            "echo $SSH_AUTH_SOCK >\(place).new && mv \(place).new \(place) && exec sleep 60",
                        ], isQuiet: true)
                    defer {
                        kill(login, SIGKILL)
                        var status: Int32 = 0
                        waitpid(login, &status, 0)
                    }
                    for _ in 0..<1_000 where access(place, F_OK) != 0 { try await Task.sleep(for: .milliseconds(10)) }
                    let text = String(decoding: try readFile(place), as: UTF8.self)
                    let path = String(try #require(text.split(whereSeparator: \.isNewline).first))
                    #expect(path != socket)
                    try shell("mv \(server.keyFile) \(server.folder)/hidden")
                    let settings = server.settings(environment: ["SSH_AUTH_SOCK": path])
                    try await expectLogin(server, server.endpoint(identities: []), settings)
                }
            }
        }

        /// OpenSSH's own stand-in for a security key, of Debian's openssh-tests.
        static let securityKey = ["/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so"]
            .first { (path: String) in access(path, R_OK) == 0 }

        @Test(
            .enabled(if: securityKey != nil, "needs the stand-in for a security key of openssh-tests"),
            arguments: ["ed25519-sk", "ecdsa-sk"])
        func securityKeyOfTheAgent(type: String) async throws {
            let provider = try #require(Self.securityKey)
            try await SSHServer.with { server in
                let key = server.folder + "/fido"
                try shell(
                    """
                    SSH_SK_PROVIDER=\(provider) ssh-keygen -q -t \(type) -N '' -f \(key) \
                    && cat \(key).pub >> \(server.folder)/authorized_keys
                    """)
                // From the file alone it cannot be used, and that is told.
                let denied = await #expect(throws: ConnectionError.self) {
                    try await server.connect(server.endpoint(identities: [key]), settings: server.settings())
                }
                #expect(denied?.notes.first == "key \(key): a FIDO key is used through the agent: ssh-add \(key)")
                try await withAgent(server, options: ["-P", "/usr/lib/*"]) { socket in
                    try shell("SSH_SK_PROVIDER=\(provider) SSH_AUTH_SOCK=\(socket) ssh-add -q \(key)")
                    let settings = server.settings(environment: ["SSH_AUTH_SOCK": socket])
                    try await expectLogin(server, server.endpoint(identities: [key]), settings)
                    try await expectLogin(server, server.endpoint(identities: []), settings)
                }
            }
        }

        @Test func tooManyKeysAreTold() async throws {
            try await SSHServer.with(options: ["MaxAuthTries 3"]) { server in
                try await withAgent(server) { socket in
                    for number in 0..<8 {
                        try shell("ssh-keygen -q -t ed25519 -N '' -C k\(number) -f \(server.folder)/k\(number)")
                        try shell("SSH_AUTH_SOCK=\(socket) ssh-add -q \(server.folder)/k\(number)")
                    }
                    try shell("SSH_AUTH_SOCK=\(socket) ssh-add -q \(server.keyFile)")
                    let settings = server.settings(environment: ["SSH_AUTH_SOCK": socket])
                    let error = await #expect(throws: ConnectionError.self) {
                        try await server.connect(server.endpoint(identities: []), settings: settings)
                    }
                    #expect(error?.kind == .authenticationDenied)
                    #expect(error?.notes.first?.hasPrefix("agent's keys k0 (ssh-ed25519), k1") == true)
                    #expect(error?.notes.first?.hasSuffix("and 3 more: the server ended the connection") == true)
                    #expect(error?.hint?.contains("MaxAuthTries") == true, "\(error?.notes ?? [])")
                    // A key that is named comes first, wherever it is.
                    try await expectLogin(server, server.endpoint(), settings)
                    try shell("mv \(server.keyFile) \(server.folder)/hidden")
                    try await expectLogin(server, server.endpoint(), settings)
                }
            }
        }

        @Test func everythingThatWasTriedIsTold() async throws {
            try await SSHServer.with(options: ["PasswordAuthentication yes", "KbdInteractiveAuthentication no"]) {
                server in
                try shell(
                    """
                    cd \(server.folder) && ssh-keygen -q -t ed25519 -N '' -f other && ssh-keygen -q -t rsa -N '' -f open \
                    && chmod 644 open && echo nonsense > junk && chmod 600 junk
                    """)
                var endpoint = server.endpoint(
                    identities: ["other", "open", "junk", "missing"].map { server.folder + "/" + $0 })
                endpoint.password = Secret("wrong")
                endpoint.overruledUser = "vagrant"
                let error = await #expect(throws: ConnectionError.self) { try await server.connect(endpoint) }
                #expect(
                    error?.notes == [
                        "key \(server.folder)/other: not accepted",
                        "key \(server.folder)/open: others may read it (mode 644); chmod 600 it",
                        "key \(server.folder)/junk: no private key in a format that is known",
                        "key \(server.folder)/missing: no such file", "password: not accepted",
                        "the server accepts publickey, password",
                        "the inventory's user goes before -u vagrant; -e ansible_user=vagrant goes before the inventory's",
                    ])
            }
        }

        @Test(
            .enabled(if: PrivateUsers.isPossible, "needs root, mount namespaces and openssl"), arguments: [true, false])
        func passwordsByEitherMethod(isInteractive: Bool) async throws {
            let options = [
                "UsePAM yes", "PasswordAuthentication \(isInteractive ? "no" : "yes")",
                "KbdInteractiveAuthentication \(isInteractive ? "yes" : "no")",
            ]
            try await SSHServer.with(options: options, launcher: PrivateUsers().launcher) { server in
                var endpoint = server.endpoint(identities: ["/nowhere"])
                endpoint.user = "labuser"
                let questions = Mutex<[SSHSettings.Question]>([])
                let asking = server.settings { question in
                    let count = questions.withLock {
                        $0.append(question)
                        return $0.count
                    }
                    return Secret(count == 1 ? "wrong" : "login secret")
                }
                // Known beforehand, then asked for: the first answer is wrong.
                endpoint.password = Secret("login secret")
                try await expectLogin(server, endpoint, server.settings())
                endpoint.password = nil
                try await expectLogin(server, endpoint, asking)
                #expect(questions.withLock { $0.count } == 2)
                endpoint.password = Secret("wrong")
                let error = await #expect(throws: ConnectionError.self) { try await server.connect(endpoint) }
                #expect(error?.kind == .authenticationDenied)
                let method = isInteractive ? "keyboard-interactive" : "password"
                #expect(error?.notes.contains("\(method): not accepted") == true)
                #expect(error?.notes.contains("the server accepts publickey, \(method)") == true)
                // BatchMode asks nobody.
                endpoint.password = nil
                endpoint.options.append(Endpoint.Option("BatchMode", "yes"))
                await #expect(throws: ConnectionError.self) { try await server.connect(endpoint, settings: asking) }
                #expect(questions.withLock { $0.count } == 2)
            }
        }

        @Test func certificateIsUsed() async throws {
            try await SSHServer.with(options: ["TrustedUserCAKeys ca.pub"]) { server in
                let key = server.folder + "/certified"
                try shell(
                    """
                    cd \(server.folder) && ssh-keygen -q -t ed25519 -N '' -f certified \
                    && ssh-keygen -q -s ca -I id -n \(currentUser) certified.pub
                    """)
                try await expectLogin(server, server.endpoint(identities: [key]), server.settings())
            }
        }
    }
}
