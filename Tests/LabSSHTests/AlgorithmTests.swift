import LabTransport
import Testing

@testable import LabSSH

extension OpenSSHTests {
    /// KexAlgorithms and its like, as ssh takes them.
    @Suite struct Algorithms {
        @Test(arguments: [
            ("KexAlgorithms", "-curve25519*"), ("KexAlgorithms", "^ecdh-sha2-nistp256"),
            ("KexAlgorithms", "+diffie-hellman-group14-sha1"), ("KexAlgorithms", "ecdh-sha2-nistp384"),
            ("Ciphers", "-aes128*,chacha20*"), ("Ciphers", "^aes256-ctr"), ("Ciphers", "+aes128-cbc"),
            ("MACs", "-umac*"), ("MACs", "^hmac-sha2-512"), ("MACs", "+hmac-sha1"), ("HostKeyAlgorithms", "-ssh-rsa"),
            // Vagrant writes both of these into its ssh-config.
            ("HostKeyAlgorithms", "+ssh-rsa"), ("PubkeyAcceptedKeyTypes", "+ssh-rsa"),
            ("PubkeyAcceptedAlgorithms", "-ssh-rsa"), ("PubkeyAcceptedAlgorithms", "^ssh-ed25519"),
            ("PubkeyAcceptedAlgorithms", "ssh-ed25519*"),
        ])
        func connects(name: String, value: String) async throws {
            try await SSHServer.with { server in
                try shell(
                    "ssh -F none -o '\(name)=\(value)' -i \(server.keyFile) -o UserKnownHostsFile=\(server.knownHosts) "
                        + "-o GlobalKnownHostsFile=none -o BatchMode=yes -p \(server.port) 127.0.0.1 true 2>/dev/null")
                await (try server.connect(server.endpoint(options: [Endpoint.Option(name, value)]))).close()
            }
        }

        @Test(
            "what is taken away is not offered",
            arguments: [("KexAlgorithms", "-*"), ("Ciphers", "-*"), ("MACs", "-*")])
        func refused(name: String, value: String) async throws {
            try await SSHServer.with { server in
                let error = await #expect(throws: ConnectionError.self) {
                    try await server.connect(server.endpoint(options: [Endpoint.Option(name, value)]))
                }
                #expect(error?.kind == .configuration)
            }
        }
    }
}

@Suite struct AlgorithmListTests {
    @Test(arguments: [
        ("a,x,a", ["a", "x"]), ("+x,a", ["a", "b1", "b2", "x"]), ("-b*", ["a"]), ("-x", ["a", "b1", "b2"]),
        ("^b2,x", ["b2", "x", "a", "b1"]), ("b*,a", ["b1", "b2", "a"]), ("-*", []),
    ])
    func names(configured: String, expected: [String]) {
        #expect(AlgorithmList.names(configured, usual: ["a", "b1", "b2"]) == expected)
    }
}
