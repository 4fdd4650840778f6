import LabCore
import LabTransport
import Testing

@testable import LabSSH

@Suite struct KnownHostsTests {
    private let key = HostKey(type: "ssh-ed25519", blob: Self.blobs[0], fingerprint: "")
    /// Real public keys, because libssh reads them when it compares hashed names.
    private static let blobs = [
        "AAAAC3NzaC1lZDI1NTE5AAAAIG+8YyoFhFvSuHDhjBT4HmPhQXVaAXUIY3iBlzqRxn5k",
        "AAAAC3NzaC1lZDI1NTE5AAAAIKtkNo7vTtVIsiavYK0lKhEOQZKGxPhkAYcXkGjBhyVE",
    ]

    private func verdict(_ text: String, _ host: String, _ port: Int = 22) -> String {
        var known = KnownHosts()
        known.add(
            text.replacing("KEY", with: "ssh-ed25519 \(Self.blobs[0])")
                .replacing("OLD", with: "ssh-ed25519 \(Self.blobs[1])"), file: "f")
        switch known.host(host, port: port).verdict(on: key) {
        case .known: return "known"
        case .revoked(let entry): return "revoked \(entry.place)"
        case .changed(let entries): return "changed \(entries.map(\.place).joined(separator: " "))"
        case .unknown(let authority): return "unknown" + (authority.map { " \($0.place)" } ?? "")
        }
    }

    @Test(arguments: [
        ("a KEY", "a", 22, "known"), ("A KEY", "a", 22, "known"), ("a KEY", "A", 22, "known"),
        ("a,b KEY comment here", "b", 22, "known"), ("a KEY", "b", 22, "unknown"), ("*.lab KEY", "x.lab", 22, "known"),
        ("*.lab,!x.lab KEY", "x.lab", 22, "unknown"), ("192.168.56.1? KEY", "192.168.56.10", 22, "known"),
        ("[a]:2222 KEY", "a", 2222, "known"), ("[a]:2222 KEY", "a", 22, "unknown"), ("[a]:22 KEY", "a", 22, "known"),
        ("a KEY", "a", 2222, "known"), ("a OLD", "a", 2222, "unknown"), ("a OLD", "a", 22, "changed f:1"),
        ("# c\n\na OLD\na OLD", "a", 22, "changed f:3 f:4"), ("a OLD\na KEY", "a", 22, "known"),
        ("@revoked * KEY\na KEY", "a", 22, "revoked f:1"), ("@revoked * OLD\na KEY", "a", 22, "known"),
        ("@cert-authority *.lab OLD", "x.lab", 22, "unknown f:1"), ("@what a KEY", "a", 22, "unknown"),
        ("a ssh-ed25519", "a", 22, "unknown"), ("\ta\tKEY\r", "a", 22, "known"),
        ("[::1]:2222 KEY", "::1", 2222, "known"),
    ])
    func verdicts(text: String, host: String, port: Int, expected: String) {
        #expect(verdict(text, host, port) == expected)
    }

    @Test func hashesNamesAsOpenSSHDoes() throws {
        let name = HashedName.make("[127.0.0.1]:2222")
        #expect(verdict("\(name) KEY", "127.0.0.1", 2222) == "known")
        #expect(verdict("\(name) KEY", "127.0.0.1", 2223) == "unknown")
        #expect(name.split(separator: "|").map(\.count) == [1, 28, 28])
    }

    @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
    func base64OfRFC4648(text: String, expected: String) {
        #expect(Base64.encode(Array(text.utf8)) == expected)
    }

    @Test(arguments: [
        ("h", nil, "h", nil), ("u@h:22", "u", "h", 22), ("ssh://u@h:2", "u", "h", 2), ("[::1]:22", nil, "::1", 22),
        ("::1", nil, "::1", nil), ("a@b@h", "a@b", "h", nil),
    ])
    func readsJumpHosts(text: String, user: String?, host: String, port: Int?) throws {
        let endpoint = try #require(JumpHosts.jumpEndpoint(text, for: Endpoint(hostName: "x", address: "x")))
        #expect(endpoint.user == user)
        #expect(endpoint.address == host)
        #expect(endpoint.port == port)
    }

    @Test(arguments: ["", "u@", "h:x", "[::1]:x"])
    func refusesJumpHosts(text: String) {
        #expect(JumpHosts.jumpEndpoint(text, for: Endpoint(hostName: "x", address: "x")) == nil)
    }

    @Test func timersComeInOrder() {
        var timers = Timers()
        let now = ContinuousClock.now
        for (id, offset) in [(1, 30), (2, 10), (3, 20), (4, 10)] { timers.add(UInt64(id), at: now + .seconds(offset)) }
        timers.remove(3, at: now + .seconds(20))
        #expect(timers.takeDue(now: now + .seconds(9)) == [])
        #expect(timers.takeDue(now: now + .seconds(10)) == [2, 4])
        #expect(timers.millisecondsToNext(now: now + .seconds(29)) == 1001)
        #expect(timers.takeDue(now: now + .seconds(99)) == [1])
        #expect(timers.millisecondsToNext() == -1)
    }
}
