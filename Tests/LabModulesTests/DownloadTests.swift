import Foundation
import LabCore
import LabModules
import LabTesting
import LabTransport
import Synchronization
import Testing

@Suite struct DownloadTests {
    static let digest = Checksum.of("manifest\n".utf8)

    @Test func downloadsOnceAndThenNeedsNoNetwork() async throws {
        let node = try Node()
        let server = try await WebServer(["/m.yaml": .init(body: "manifest\n")])
        let arguments: ValueMap = [
            "url": .string("http://127.0.0.1:\(server.port)/m.yaml"), "dest": "DIR/m.yaml",
            "checksum": .string("sha256:\(Self.digest)"), "mode": "0600",
        ]
        let first = try await node.call(GetURLModule(environment: [:]), arguments)
        #expect(first.summary == "changed")
        #expect(node.read("m.yaml") == "manifest\n")
        #expect(node.mode("m.yaml") == 0o600)
        #expect(first.values["status_code"] == 200 && first.values["size"] == 9)
        await server.stop()
        let second = try await node.call(GetURLModule(environment: [:]), arguments)
        #expect(second.summary == "ok")
        #expect(server.requests.count == 1)
    }

    @Test func anotherChecksumKeepsNothing() async throws {
        let node = try Node()
        let server = try await WebServer(["/m": .init(body: "evil\n")])
        let error = await #expect(throws: ModuleError.self) {
            try await node.call(
                GetURLModule(environment: [:]),
                [
                    "url": .string("http://127.0.0.1:\(server.port)/m"), "dest": "DIR/m",
                    "checksum": .string("sha256:\(Self.digest)"),
                ])
        }
        let notes = error?.diagnostics.first?.notes.map(\.message)
        #expect(notes == ["wanted SHA256 \(Self.digest)", "got    SHA256 \(Checksum.of("evil\n".utf8)) (5 bytes)"])
        #expect(node.sh("test -z \"$(ls)\"") == 0)
        await server.stop()
    }

    @Test func replacesAFileThatDoesNotFit() async throws {
        let node = try Node()
        node.write("m", "old")
        let server = try await WebServer(["/m": .init(body: "manifest\n")])
        let outcome = try await node.call(
            GetURLModule(environment: [:]),
            [
                "url": .string("http://127.0.0.1:\(server.port)/m"), "dest": "DIR/m", "backup": true,
                "checksum": .string("sha256:\(Self.digest)"),
            ])
        #expect(outcome.summary == "changed")
        #expect(node.read("m") == "manifest\n")
        #expect(node.sh("test \"$(cat m.*~)\" = old") == 0)
        await server.stop()
    }

    @Test func followsRedirectsAndKeepsCredentialsHome() async throws {
        let node = try Node()
        let target = try await WebServer(["/real": .init(body: "manifest\n")])
        let server = try await WebServer([
            "/a": .init(status: .found, headers: ["Location": "/b"]),
            "/b": .init(status: .movedPermanently, headers: ["Location": "http://localhost:\(target.port)/real"]),
            "/loop": .init(status: .found, headers: ["Location": "/loop"]),
        ])
        let base = "http://127.0.0.1:\(server.port)"
        let outcome = try await node.call(
            GetURLModule(environment: [:]),
            ["url": .string(base + "/a"), "dest": "DIR/m", "headers": ["X-Token": "secret"]])
        #expect(outcome.summary == "changed")
        #expect(node.read("m") == "manifest\n")
        #expect(server.requests.map(\.uri) == ["/a", "/b"])
        #expect(server.requests.allSatisfy { $0.headers.first(name: "X-Token") == "secret" })
        #expect(target.requests.first?.headers.first(name: "X-Token") == nil)
        await #expect(throws: ModuleError.self) {
            try await node.call(GetURLModule(environment: [:]), ["url": .string(base + "/loop"), "dest": "DIR/l"])
        }
        await server.stop()
        await target.stop()
    }

    @Test func goesThroughAProxyUnlessExcepted() async throws {
        let node = try Node()
        let proxy = try await WebServer([:])
        let server = try await WebServer(["/m": .init(body: "directly")])
        let environment = ["http_proxy": "http://127.0.0.1:\(proxy.port)", "no_proxy": "127.0.0.1"]
        let module = GetURLModule(environment: environment)
        await #expect(throws: ModuleError.self) {
            try await node.call(module, ["url": "http://lab.example/m", "dest": "DIR/p", "timeout": 5])
        }
        #expect(proxy.requests.map(\.uri) == ["lab.example:80"])
        _ = try await node.call(module, ["url": .string("http://127.0.0.1:\(server.port)/m"), "dest": "DIR/d"])
        #expect(node.read("d") == "directly")
        await proxy.stop()
        await server.stop()
    }

    /// A site behind a proxy, whose certificate a CA of the test's own has signed.
    private static func behindProxy(
        authorization: String? = nil,
        _ body: (_ environment: [String: String], ConnectProxy, SecureSite) async throws -> Void
    ) async throws {
        let authority = try TestAuthority(name: "test-ca")
        let site = try await SecureSite(
            ["/m.yaml": Array("manifest\n".utf8)], certificate: try authority.issue("s", names: ["lab.example"]))
        let proxy = try await ConnectProxy(["lab.example:443": site.port], authorization: authorization)
        let file = FileManager.default.temporaryDirectory.appending(path: "labctl-ca-\(UUID().uuidString).pem")
        try Data(authority.pem.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try await body(
            ["HTTPS_PROXY": "http://127.0.0.1:\(proxy.port)", "SSL_CERT_FILE": file.path], proxy, site)
        await proxy.stop()
        await site.stop()
    }

    @Test func goesThroughAProxyByConnectToTheEnd() async throws {
        try await Self.behindProxy { environment, proxy, site in
            let node = try Node()
            let outcome = try await node.call(
                GetURLModule(environment: environment),
                [
                    "url": "https://lab.example/m.yaml", "dest": "DIR/m",
                    "checksum": .string("sha256:\(Self.digest)"),
                ])
            #expect(outcome.summary == "changed")
            #expect(node.read("m") == "manifest\n")
            #expect(proxy.requests == ["lab.example:443"])
            #expect(site.requests == ["lab.example/m.yaml"])
            // A TLS handshake, the request and the answer.
            #expect(try #require(proxy.carried["lab.example:443"]) > 500)
        }
    }

    @Test(arguments: [
        ("https://other.example/m", "", "does not connect to other.example:443"),
        ("https://lab.example/m.yaml", "Basic dTpw", "wants a user and a password: http://USER:PASSWORD@HOST:PORT"),
    ])
    func aProxyThatRefusesIsNamed(url: String, authorization: String, sentence: String) async throws {
        try await Self.behindProxy(authorization: authorization.isEmpty ? nil : authorization) {
            environment, proxy, site in
            let node = try Node()
            let error = await #expect(throws: ModuleError.self) {
                try await node.call(
                    GetURLModule(environment: environment), ["url": .string(url), "dest": "DIR/m"])
            }
            #expect(error?.diagnostics.first?.notes.first?.message == "the proxy 127.0.0.1:\(proxy.port) \(sentence)")
            #expect(site.requests.isEmpty)
        }
    }

    @Test func credentialsOfTheProxyAreGivenToIt() async throws {
        try await Self.behindProxy(authorization: "Basic dTpw") { environment, proxy, site in
            let node = try Node()
            var environment = environment
            environment["HTTPS_PROXY"] = "http://u:p@127.0.0.1:\(proxy.port)"
            _ = try await node.call(
                GetURLModule(environment: environment), ["url": "https://lab.example/m.yaml", "dest": "DIR/m"])
            #expect(node.read("m") == "manifest\n")
        }
    }

    @Test func aCertificateThatNobodyTrustsIsRefused() async throws {
        try await Self.behindProxy { environment, _, site in
            let node = try Node()
            for (file, sentence) in [("", "is not trusted (the system's CAs)"), ("/dev/null", "holds no certificates")]
            {
                var environment = environment
                environment["SSL_CERT_FILE"] = file.isEmpty ? nil : file
                let error = await #expect(throws: ModuleError.self) {
                    try await node.call(
                        GetURLModule(environment: environment),
                        ["url": "https://lab.example/m.yaml", "dest": "DIR/m"])
                }
                let diagnostic = try #require(error?.diagnostics.first)
                #expect(
                    ([diagnostic.message] + diagnostic.notes.map(\.message)).joined(separator: " ").contains(sentence))
            }
            #expect(site.requests.isEmpty)
        }
    }

    @Test func failuresLeaveNothingBehind() async throws {
        let node = try Node()
        let server = try await WebServer(["/half": .init(body: "half", breaksOff: true), "/gone": .init(status: .gone)])
        for path in ["/half", "/gone", "/missing"] {
            await #expect(throws: ModuleError.self) {
                try await node.call(
                    GetURLModule(environment: [:]),
                    ["url": .string("http://127.0.0.1:\(server.port)\(path)"), "dest": "DIR/m"])
            }
        }
        await server.stop()
        let refused = await #expect(throws: ModuleError.self) {
            try await node.call(
                GetURLModule(environment: [:]), ["url": "http://127.0.0.1:1/x", "dest": "DIR/m"])
        }
        #expect(refused?.isTransient == true)
        #expect(node.sh("test -z \"$(ls)\"") == 0)
    }

    @Test func takesTheChecksumFromAList() async throws {
        let node = try Node()
        node.write("source", "manifest\n")
        node.write("sums", "\(Checksum.of("other".utf8))  other\n\(Self.digest)  source\n")
        let outcome = try await node.call(
            GetURLModule(environment: [:]),
            ["url": "file://DIR/source", "dest": "DIR/out", "checksum": "sha256:file://DIR/sums"])
        #expect(outcome.summary == "changed")
        await #expect(throws: ModuleError.self) {
            try await node.call(
                GetURLModule(environment: [:]),
                ["url": "file://DIR/source", "dest": "DIR/out2", "checksum": "md5:\(Self.digest)".asValue])
        }
    }

    @Test func forcedDownloadsCompareContents() async throws {
        let node = try Node()
        node.write("source", "same")
        node.write("out", "same")
        let module = GetURLModule(environment: [:])
        let same: ValueMap = ["url": "file://DIR/source", "dest": "DIR/out", "force": true]
        #expect(try await node.call(module, same).summary == "ok")
        node.write("source", "new")
        #expect(try await node.call(module, same).summary == "changed")
        #expect(node.read("out") == "new")
    }
}

extension String {
    fileprivate var asValue: Value { .string(self) }
}
