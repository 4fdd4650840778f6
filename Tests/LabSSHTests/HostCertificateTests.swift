import LabCore
import LabTransport
import Testing

@testable import LabSSH

extension OpenSSHTests {
    /// Host certificates of real sshds, each case beside what `ssh` makes of it.
    @Suite struct HostCertificates {
        struct Case: Sendable, CustomTestStringConvertible {
            /// What ssh-keygen gets to sign the key with, FOLDER being the server's.
            var signing = "-s ca -h -n 127.0.0.1"
            /// known_hosts; CA, OTHER and KEY are the keys of the authority, of another one and of the host.
            var known = "@cert-authority [127.0.0.1]:PORT CA"
            var options: [Endpoint.Option] = []
            /// What the message says, nil where the host is accepted.
            var refusal: String?
            var kind = ConnectionError.Kind.hostKeyUnknown
            /// The version of OpenSSH whose rule this is; older ones are not asked.
            var sinceVersion = 0.0

            var testDescription: String { "\(signing) \(known) \(options.map(\.value))" }
        }

        static let cases = [
            Case(), Case(known: "@cert-authority * CA"), Case(known: "@cert-authority 127.0.0.1 CA"),
            Case(known: "@cert-authority 10.0.0.1,[127.0.0.1]:* CA\n[127.0.0.1]:PORT OTHER"),
            Case(known: "@cert-authority * OTHER\n@cert-authority * CA"),
            Case(signing: "-s ca -h", refusal: "names no host that it is for", sinceVersion: 10.3),
            Case(signing: "-s ca -h -n a,127.0.0.1,b -z 7 -V +1d"),
            Case(signing: "-s ca -h -n node", refusal: "(serial 0) is for node and not for 127.0.0.1"),
            Case(
                signing: "-s ca -h -n node", known: "@cert-authority node CA",
                options: [Endpoint.Option("HostKeyAlias", "NODE")]),
            Case(
                signing: "-s ca -h -n 127.0.0.1 -z 12", known: "@cert-authority node CA",
                options: [Endpoint.Option("HostKeyAlias", "node")],
                refusal: "(serial 12) is for 127.0.0.1 and not for node"),
            Case(signing: "-s ca -h -n '127.0.?.*'", sinceVersion: 10.3),
            Case(
                signing: "-s ca -h -n '10.*,a,b,c,d'", refusal: "is for 10.*, a, b and 2 more and not for 127.0.0.1"),
            Case(
                signing: "-s ca -h -n 127.0.0.1 -V 20200101:20200102",
                refusal:
                    ":1 trusts a certificate authority for it, but the host's certificate `I` (serial 0) expired at 2020-01-"
            ),
            Case(
                signing: "-s ca -h -n 127.0.0.1 -V 20990101:21000101",
                refusal: "is not valid before 2098-12-31 or 2099-01-01"),
            Case(signing: "-s ca -n 127.0.0.1", refusal: "is not for hosts"),
            Case(signing: "-s ca -h -n 127.0.0.1 -O critical:x=y", refusal: "has critical options"),
            Case(known: "@cert-authority * OTHER", refusal: "is from another authority, SHA256:"),
            Case(known: "@cert-authority * OTHER\n[127.0.0.1]:PORT KEY"),
            Case(known: "@cert-authority 10.0.0.1 CA", refusal: "looked for [127.0.0.1]:"),
            Case(signing: "-s ca -h -n node", known: "@cert-authority * CA\n[127.0.0.1]:PORT KEY"),
            Case(
                signing: "-s ca -h -n node", known: "@cert-authority * CA\n[127.0.0.1]:PORT OTHER", refusal: "",
                kind: .hostKeyChanged),
            Case(known: "@cert-authority * CA\n@revoked * CA", refusal: "", kind: .hostKeyRevoked),
            Case(known: "@cert-authority * CA\n@revoked * KEY", refusal: "", kind: .hostKeyRevoked),
            Case(known: "@cert-authority 127.0.0.1 CA\n@revoked 127.0.0.1 CA", refusal: "", kind: .hostKeyRevoked),
            Case(known: "@cert-authority 127.*.1 CA\n@revoked 127.0.*.1 KEY", refusal: "", kind: .hostKeyRevoked),
            Case(
                known: "@cert-authority * OTHER\n@revoked * CA\n[127.0.0.1]:PORT KEY", refusal: "",
                kind: .hostKeyRevoked),
            Case(
                known: "@cert-authority * CA", options: [Endpoint.Option("RevokedHostKeys", "FOLDER/ca.pub")],
                refusal: "", kind: .hostKeyRevoked),
            Case(
                known: "@cert-authority * OTHER\n[127.0.0.1]:PORT KEY",
                options: [Endpoint.Option("RevokedHostKeys", "FOLDER/ca.pub")], refusal: "", kind: .hostKeyRevoked),
            Case(options: [Endpoint.Option("HostKeyAlgorithms", "-ssh-rsa*")]),
            Case(options: [Endpoint.Option("HostKeyAlgorithms", "^rsa-sha2-512")]),
            Case(options: [Endpoint.Option("HostKeyAlgorithms", "+ssh-rsa")]),
            Case(options: [Endpoint.Option("HostKeyAlgorithms", "ssh-ed25519-cert*")]),
            Case(
                options: [Endpoint.Option("HostKeyAlgorithms", "-*-cert-v01@openssh.com")],
                refusal: "but HostKeyAlgorithms allows no certificates"),
            Case(
                known: "@cert-authority * CA\n[127.0.0.1]:PORT KEY",
                options: [Endpoint.Option("HostKeyAlgorithms", "-*-cert-v01@openssh.com")]),
            Case(
                options: [Endpoint.Option("HostKeyAlgorithms", "ssh-ed25519")],
                refusal: "but HostKeyAlgorithms allows no certificates"),
            Case(options: [
                Endpoint.Option("HostKeyAlgorithms", "ssh-ed25519-cert-v01@openssh.com,ssh-ed25519")
            ]),
            Case(
                options: [Endpoint.Option("CASignatureAlgorithms", "rsa-sha2-512,ecdsa*")],
                refusal: "is signed with ssh-ed25519, which CASignatureAlgorithms does not allow"),
            Case(
                options: [Endpoint.Option("CASignatureAlgorithms", "-ssh-ed25519")],
                refusal: "which CASignatureAlgorithms does not allow"),
            Case(options: [Endpoint.Option("CASignatureAlgorithms", "ssh-ed25519")]),
        ]

        @Test("what ssh accepts is accepted, and what it refuses is refused with the reason", arguments: cases)
        func agreesWithSSH(_ table: Case) async throws {
            try await SSHServer.with(options: ["HostCertificate $FOLDER/host_key-cert.pub"]) { server in
                try sign(table.signing, server)
                try await restart(server)
                try writeKnownHosts(table.known, server)
                let options = table.options.map {
                    Endpoint.Option($0.name, $0.value.replacing("FOLDER", with: server.folder))
                }
                let endpoint = server.endpoint(options: options)
                let theirs = (try? ssh(server, options)) != nil
                if try version() >= table.sinceVersion { #expect(theirs == (table.refusal == nil)) }
                guard let refusal = table.refusal else {
                    return await (try server.connect(endpoint)).close()
                }
                let error = await #expect(throws: ConnectionError.self) { try await server.connect(endpoint) }
                #expect(error?.kind == table.kind)
                let notes = error?.notes.joined(separator: "\n") ?? ""
                #expect(refusal.split(separator: " or ").contains { notes.contains($0) } || refusal.isEmpty, "\(notes)")
            }
        }

        @Test(
            "every kind of authority's key, and of host's key",
            arguments: [
                ("-t ed25519", "", "ed25519", nil), ("-t rsa", "-t rsa-sha2-512", "ed25519", nil),
                ("-t rsa -b 3072", "-t rsa-sha2-256", "rsa", nil),
                ("-t rsa", "-t ssh-rsa", "ed25519", "is signed with ssh-rsa, which"),
                ("-t ecdsa -b 256", "", "ecdsa", nil), ("-t ecdsa -b 384", "", "ecdsa -b 384", nil),
                ("-t ecdsa -b 521", "", "ecdsa -b 521", nil), ("-t ed25519", "", "rsa", nil),
            ] as [(String, String, String, String?)])
        func keyTypes(authority: String, signing: String, key: String, refusal: String?) async throws {
            let options = ["HostCertificate $FOLDER/extra_key-cert.pub"]
            try await SSHServer.with(options: options, extraHostKey: key) { server in
                try shell("cd \(server.folder) && rm -f ca ca.pub && ssh-keygen -q \(authority) -N '' -f ca")
                // The host's first key has no certificate: the one that has is to be asked for.
                try sign("-s ca -h -n 127.0.0.1 \(signing)", key: "extra_key", server)
                try await restart(server)
                try writeKnownHosts("@cert-authority * CA", server)
                guard let refusal else {
                    try ssh(server)
                    return await (try server.connect()).close()
                }
                #expect(throws: FixtureError.self) { try ssh(server) }
                let error = await #expect(throws: ConnectionError.self) { try await server.connect() }
                #expect(error?.notes.last?.contains(refusal) == true)
            }
        }

        @Test(
            "an authority whose key is in a security key",
            .enabled(if: Identities.securityKey != nil, "needs Debian's openssh-tests"),
            arguments: ["ed25519-sk", "ecdsa-sk"])
        func securityKeys(type: String) async throws {
            let provider = try #require(Identities.securityKey)
            try await SSHServer.with(options: ["HostCertificate $FOLDER/host_key-cert.pub"]) { server in
                try shell(
                    """
                    cd \(server.folder) && rm -f ca ca.pub
                    export SSH_SK_PROVIDER=\(provider)
                    ssh-keygen -q -t \(type) -N '' -f ca && ssh-keygen -q -s ca -I I -h -n 127.0.0.1 host_key.pub
                    """)
                try await restart(server)
                try writeKnownHosts("@cert-authority * CA", server)
                try ssh(server)
                await (try server.connect()).close()
            }
        }

        @Test(
            "every exchange of keys",
            arguments: [
                "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
                "ecdh-sha2-nistp521", "diffie-hellman-group16-sha512", "diffie-hellman-group14-sha256",
                "diffie-hellman-group18-sha512", "diffie-hellman-group14-sha1",
            ])
        func keyExchanges(name: String) async throws {
            let options = ["KexAlgorithms \(name)"]
            try await withCertifiedServer(options) { server in
                let endpoint = server.endpoint(options: [Endpoint.Option("KexAlgorithms", name)])
                await (try server.connect(endpoint)).close()
            }
        }

        @Test("a server that shows the certificate of another host is refused")
        func borrowedCertificate() async throws {
            try await withCertifiedServer { server in
                try await SSHServer.with { impostor in
                    // The first connection reaches the real host, the second one the impostor.
                    let switchboard = try FlightCounter(to: server.port, later: impostor.port)
                    defer { switchboard.stop() }
                    var endpoint = server.endpoint()
                    endpoint.port = switchboard.port
                    let error = await #expect(throws: ConnectionError.self) { try await server.connect(endpoint) }
                    #expect(error?.kind == .hostKeyUnknown)
                    #expect(error?.notes.last?.hasSuffix("is for another key than the one it shows") == true)
                }
            }
        }

        @Test("through a jump host that has a certificate too")
        func throughJump() async throws {
            try await withCertifiedServer { server in
                let configuration = server.folder + "/ssh_config"
                try writeFile(
                    """
                    Host jump
                      HostName 127.0.0.1
                      Port \(server.port)
                    Host *
                      IdentityFile \(server.keyFile)
                      UserKnownHostsFile \(server.knownHosts)
                      GlobalKnownHostsFile none

                    """, to: configuration)
                let options = [
                    Endpoint.Option("ProxyJump", "jump"),
                    Endpoint.Option(SSHArguments.configurationFile, configuration),
                ]
                await (try server.connect(server.endpoint(options: options))).close()
            }
        }

        @Test("without an authority on record for the host, nobody is asked")
        func isAskedOnlyThen() async throws {
            try await SSHServer.with { server in
                for (authority, connections) in [
                    ("", 1), ("@cert-authority 10.0.0.1 CA\n", 1), ("@cert-authority * CA\n", 2),
                ] {
                    try writeKnownHosts(authority + "[127.0.0.1]:PORT KEY", server)
                    let before = server.log.split(whereSeparator: \.isNewline).count {
                        $0.contains("Remote protocol version")
                    }
                    await (try server.connect()).close()
                    let after = server.log.split(whereSeparator: \.isNewline).count {
                        $0.contains("Remote protocol version")
                    }
                    #expect(after - before == connections, "\(authority)")
                }
            }
        }

        @Test("a server that is silent when asked is given up at the deadline")
        func silence() async throws {
            try await SSHServer.with { server in
                try writeKnownHosts("@cert-authority * CA", server)
                let options = [Endpoint.Option("ProxyCommand", "sleep 100")]
                let error = await #expect(throws: ConnectionError.self) {
                    try await server.connect(server.endpoint(timeout: .milliseconds(500), options: options))
                }
                #expect(error?.kind == .timedOut)
                #expect(error?.notes == ["it was asking for the host certificate"])
            }
        }

        @Test(
            "what is no SSH is told by the connection", arguments: ["echo hello", "true", "head -c 100000 /dev/zero"])
        func noSSH(command: String) async throws {
            try await SSHServer.with { server in
                try writeKnownHosts("@cert-authority * CA", server)
                let options = [Endpoint.Option("ProxyCommand", command)]
                let error = await #expect(throws: ConnectionError.self) {
                    try await server.connect(server.endpoint(timeout: .seconds(3), options: options))
                }
                #expect(error?.kind == .protocolMismatch || error?.kind == .timedOut)
            }
        }

        @Test("a server that lets in one login at a time has room for the question and the login")
        func oneStartup() async throws {
            let options = ["MaxStartups 1:100:1"]
            try await withCertifiedServer(options) { server in
                for _ in 1...10 { await (try server.connect()).close() }
            }
        }

        @Test("many logins at sshd's default MaxStartups, each with its question")
        func manyLogins() async throws {
            let options = ["MaxStartups 10:30:100"]
            try await withCertifiedServer(options) { server in
                let transport = SSHTransport(configuration: server.settings())
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 1...30 {
                        group.addTask {
                            let endpoint = server.endpoint(name: "n\(number)", timeout: .seconds(30))
                            await (try transport.connect(to: endpoint)).close()
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }

        // MARK: What the cases are made of

        /// A server with a good certificate, of an authority that is on record for all hosts.
        private func withCertifiedServer(
            _ options: [String] = [], _ body: (SSHServer) async throws -> Void
        ) async throws {
            try await SSHServer.with(options: options + ["HostCertificate $FOLDER/host_key-cert.pub"]) { server in
                try sign("-s ca -h -n 127.0.0.1", server)
                try await restart(server)
                try writeKnownHosts("@cert-authority * CA", server)
                try await body(server)
            }
        }

        /// `OpenSSH_9.2p1 …` is 9.2.
        private func version() throws -> Double {
            let file = try temporaryFolder() + "/version"
            try shell("ssh -V 2>\(file)")
            let text = String(decoding: try readFile(file), as: UTF8.self).drop { !$0.isNumber }
            return Double(text.prefix { $0.isNumber || $0 == "." }) ?? 0
        }

        private func sign(_ arguments: String, key: String = "host_key", _ server: SSHServer) throws {
            try shell(
                """
                cd \(server.folder) && ssh-keygen -q -t ed25519 -N '' -f other
                ssh-keygen -q \(arguments) -I I \(key).pub
                """)
        }

        /// sshd reads its certificates when it starts.
        private func restart(_ server: SSHServer) async throws {
            try server.crash()
            try await server.start()
        }

        private func writeKnownHosts(_ text: String, _ server: SSHServer) throws {
            var text = text.replacing("PORT", with: "\(server.port)")
            for (word, file) in [("CA", "ca.pub"), ("OTHER", "other.pub"), ("KEY", "host_key.pub")] {
                let bytes = (try? readFile(server.folder + "/" + file)) ?? []
                let key = String(decoding: bytes, as: UTF8.self).split(separator: " ").prefix(2)
                text = text.replacing(" " + word, with: " " + key.joined(separator: " "))
            }
            try writeFile(text + "\n", to: server.knownHosts)
        }

        private func ssh(_ server: SSHServer, _ options: [Endpoint.Option] = []) throws {
            let more = options.map { "-o '\($0.name)=\($0.value)' " }.joined()
            try shell(
                "ssh -F none \(more)-i \(server.keyFile) -o UserKnownHostsFile=\(server.knownHosts) -o GlobalKnownHostsFile=none "
                    + "-o StrictHostKeyChecking=yes -o BatchMode=yes -p \(server.port) 127.0.0.1 true 2>/dev/null")
        }
    }
}

/// The parts that need no server.
@Suite struct HostCertificateFormatTests {
    @Test("a certificate of which one bit is another vouches for nothing", arguments: ["ed25519", "rsa", "ecdsa"])
    func changedBits(type: String) throws {
        let folder = try temporaryFolder()
        defer { try? shell("rm -rf \(folder)") }
        try shell(
            """
            cd \(folder) && ssh-keygen -q -t \(type) -N '' -f ca && ssh-keygen -q -t ed25519 -N '' -f host
            ssh-keygen -q -s ca -I I -h -n node -V always:forever host.pub
            """)
        let text = String(decoding: try readFile(folder + "/host-cert.pub"), as: UTF8.self)
        let blob = try #require(Base64.decode(String(text.split(separator: " ")[1])))
        let certificate = try #require(HostCertificate(blob))
        let algorithms = AuthoritySignature.algorithms
        #expect(certificate.flaw(for: "node", at: 1_800_000_000, algorithms: algorithms) == nil)
        for index in blob.indices {
            var changed = blob
            changed[index] ^= 1
            guard let other = HostCertificate(changed) else { continue }
            let flaw = other.flaw(for: "node", at: 1_800_000_000, algorithms: algorithms)
            #expect(flaw != nil, "byte \(index) of \(blob.count)")
        }
        for length in blob.indices { #expect(HostCertificate(Array(blob[..<length])) == nil) }
    }

    @Test(
        arguments: [
            (nil, AuthoritySignature.algorithms), ("+ssh-rsa", AuthoritySignature.algorithms), ("ssh-rsa", []),
            ("rsa-sha2-*,ssh-rsa", ["rsa-sha2-512", "rsa-sha2-256"]), ("^rsa-sha2-256", AuthoritySignature.algorithms),
            ("-ecdsa*,sk-*,rsa*", ["ssh-ed25519"]),
        ] as [(String?, [String])])
    func signatureAlgorithms(option: String?, allowed: [String]) {
        #expect(AuthoritySignature.algorithms(allowedBy: option) == allowed)
    }

    @Test(
        arguments: [
            (nil, nil, [], nil), ("ssh-rsa", nil, ["ssh-ed25519"], "ssh-rsa"),
            (
                "rsa-sha2-512,ssh-ed25519-cert-v01@openssh.com,ssh-ed25519", "ssh-ed25519", [],
                "ssh-ed25519,rsa-sha2-512"
            ),
            ("sk-ssh-ed25519-cert-v01@openssh.com", nil, [], "sk-ssh-ed25519@openssh.com"),
            (
                "-*ed25519*,ecdsa*", "ssh-rsa", ["ssh-rsa"],
                "rsa-sha2-512,rsa-sha2-256,sk-ecdsa-sha2-nistp256@openssh.com"
            ),
            (
                "^rsa-sha2-512", nil, ["ecdsa-sha2-nistp256"],
                "rsa-sha2-512,ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"
                    + "sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-256"
            ),
            (
                "+ssh-rsa", "ssh-rsa", ["ssh-ed25519", "ssh-rsa"],
                "rsa-sha2-512,rsa-sha2-256,ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"
                    + "sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,ssh-rsa"
            ),
        ] as [(String?, String?, [String], String?)])
    func offers(configured: String?, certified: String?, recorded: [String], offer: String?) {
        #expect(
            HostKeyAlgorithms.offer(configured: configured, certified: certified, recorded: recorded) == offer)
    }
}
