import Foundation
import LabCore
import LabTesting
import LabTransport
import Testing

@testable import LabKube

/// A kubeconfig for a server on loopback.
func kubeconfig(
    port: Int, ca: String?, host: String = "127.0.0.1", serverName: String? = nil, verified: Bool = true,
    user: Kubeconfig.User = .init(name: "admin", certificate: nil, key: nil, token: nil)
) -> Kubeconfig {
    Kubeconfig(
        context: "test",
        cluster: .init(
            name: "test", host: host, port: port, basePath: "", authority: ca, serverName: serverName,
            isVerified: verified),
        user: user, namespace: "default", path: "/home/u/.kube/config", warnings: [])
}

/// What a body fails with, or nil.
func failure(_ body: () async throws -> Void) async -> KubeError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? KubeError ?? KubeError(.server, "another error: \(error)")
    }
}

private func expectSuccess(_ client: KubeClient, _ path: String) async throws {
    let response = try await client.send(HTTPRequest(.get, path))
    #expect(response.status == 200)
}

private let loopback: [UInt8] = [127, 0, 0, 1]

private func client(
    _ config: Kubeconfig, port: Int, timeout: Duration = .seconds(20)
) throws -> KubeClient {
    try KubeClient(config, timeout: timeout) { _, _ in try await DirectChannel.open(host: "127.0.0.1", port: port) }
}

/// Runs a body with a server and a client of it, and stops both.
func withServer(
    protocols: [String] = ["h2", "http/1.1"], timeout: Duration = .seconds(60),
    handler: @escaping TestServer.Handler, _ body: (KubeClient, TestServer) async throws -> Void
) async throws {
    let authority = try TestAuthority()
    let server = try await TestServer.start(
        try authority.issue("kube-apiserver", addresses: [loopback]), protocols: protocols, handler: handler)
    let client = try client(kubeconfig(port: server.port, ca: try authority.pem), port: server.port, timeout: timeout)
    do {
        try await body(client, server)
    } catch {
        await client.close()
        await server.stop()
        throw error
    }
    await client.close()
    await server.stop()
}

@Suite(.timeLimit(.minutes(2)))
struct KubeClientTests {
    @Test(arguments: [["h2", "http/1.1"], ["http/1.1"]])
    func `requests are answered over the protocol that the server picks`(protocols: [String]) async throws {
        try await withServer(protocols: protocols) { request in
            .answer(
                status: 200, headers: [("content-type", "application/json")],
                body:
                    #"{"method":"\#(request.method)","path":"\#(request.path)","body":\#(request.body.isEmpty ? "null" : String(decoding: request.body, as: UTF8.self))}"#
            )
        } _: { client, server in
            let got = try await client.send(HTTPRequest(.get, "/version"))
            #expect(got.status == 200)
            #expect(try Value(json: got.body)["path"] == "/version")
            let patched = try await client.send(
                HTTPRequest(
                    .patch, "/api/v1/namespaces/a?x=1", contentType: "application/apply-patch+yaml",
                    body: Array(#"{"a":1}"#.utf8)))
            #expect(try Value(json: patched.body)["body"] == ["a": 1])
            try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<60 {
                    group.addTask {
                        let response = try await client.send(HTTPRequest(.get, "/n/\(index)"))
                        let path = try Value(json: response.body)["path"]?.string ?? ""
                        #expect(path == "/n/\(index)")
                        return response.status
                    }
                }
                for try await status in group { #expect(status == 200) }
            }
            if protocols.contains("h2") { #expect(server.count.value == 1) }
        }
    }

    @Test(arguments: [["h2"], ["http/1.1"]])
    func `a large body arrives whole`(protocols: [String]) async throws {
        let large = String(repeating: "x", count: 600_000)
        try await withServer(protocols: protocols) { request in
            .answer(status: 200, body: "\(request.body.count) \(large)")
        } _: { client, _ in
            let body = [UInt8](repeating: 65, count: 200_000)
            let response = try await client.send(HTTPRequest(.put, "/x", contentType: "application/json", body: body))
            #expect(response.body.count == large.utf8.count + 7)
        }
    }

    @Test(arguments: [["h2"], ["http/1.1"]])
    func `a lost connection is replaced and the request sent again once`(protocols: [String]) async throws {
        let tries = Counter()
        try await withServer(protocols: protocols) { request in
            if request.path == "/dead" { return .hangUp }
            return tries.add() == 2 ? .hangUp : .answer(status: 200, body: "{}")
        } _: { client, server in
            try await expectSuccess(client, "/a")
            try await expectSuccess(client, "/b")
            #expect(server.count.value == 2)
            #expect(await failure { _ = try await client.send(HTTPRequest(.get, "/dead")) }?.kind == .lost)
            // What may have happened already is not sent a second time.
            let before = server.count.value
            #expect(await failure { _ = try await client.send(HTTPRequest(.post, "/dead", body: [1])) }?.kind == .lost)
            #expect(server.count.value == before + 1)
        }
    }

    @Test func `429 is waited out as the server asks`() async throws {
        let tries = Counter()
        try await withServer { _ in
            tries.add() < 3
                ? .answer(status: 429, headers: [("retry-after", "0")], body: "slow down")
                : .answer(status: 200, body: "{}")
        } _: { client, _ in
            try await expectSuccess(client, "/a")
            #expect(tries.value == 3)
        }
    }

    @Test func `warnings are given once`() async throws {
        try await withServer { _ in
            .answer(status: 200, headers: [("warning", #"299 - "v1beta1 BGPPeer is \"old\"""#)], body: "{}")
        } _: { client, _ in
            for _ in 0..<3 { _ = try await client.send(HTTPRequest(.get, "/a")) }
            #expect(client.takeWarnings() == [#"v1beta1 BGPPeer is "old""#])
            #expect(client.takeWarnings() == [])
        }
    }

    @Test(arguments: [["h2"], ["http/1.1"]])
    func `silence ends at the deadline and the client stays usable`(protocols: [String]) async throws {
        try await withServer(protocols: protocols) { request in
            request.path == "/silent" ? .silence : .answer(status: 200, body: "{}")
        } _: { client, _ in
            #expect(
                await failure {
                    _ = try await client.send(HTTPRequest(.get, "/silent"), timeout: .milliseconds(200))
                }?.kind == .timedOut)
            try await expectSuccess(client, "/a")
        }
    }

    @Test func `cancelling ends a request at once`() async throws {
        try await withServer { _ in
            .silence
        } _: { client, _ in
            let task = Task { try await client.send(HTTPRequest(.get, "/silent")) }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test func `a watch gives events as they come, across the pieces in which they come`() async throws {
        let events = [
            #"{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"5"}}}"# + "\n" + #"{"type":"MODI"#,
            #"FIED","object":{"metadata":{"name":"a","resourceVersion":"6"}}}"# + "\n",
            #"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}"# + "\n",
            #"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"# + "\n",
        ]
        try await withServer { _ in
            .pieces(events, thenClose: false)
        } _: { client, _ in
            let resource = APIResource(group: "", version: "v1", kind: "Pod", plural: "pods", isNamespaced: true)
            var versions: [String] = []
            let error = await failure {
                for try await event in try await client.watch(resource, namespace: "d", from: "1", timeout: 5) {
                    versions.append(event.resourceVersion ?? "")
                }
            }
            #expect(error?.kind == .expired)
            #expect(versions == ["5", "6", "9"])
        }
    }

    @Test func `nothing listening is told as unreachable`() async throws {
        let authority = try TestAuthority()
        let server = try await TestServer.start(try authority.issue("x", addresses: [loopback])) { _ in .silence }
        await server.stop()
        let client = try client(kubeconfig(port: server.port, ca: try authority.pem), port: server.port)
        let error = await failure { _ = try await client.send(HTTPRequest(.get, "/a")) }
        #expect(error?.kind == .unreachable)
        #expect(error?.message == "the API server at 127.0.0.1:\(server.port) cannot be reached")
        #expect(error?.diagnostics[0].notes.map(\.message) == ["nothing listens there"])
    }
}

@Suite(.timeLimit(.minutes(1)))
struct CertificateTests {
    private func message(
        server leaf: TestAuthority.Leaf, config: (Int) throws -> Kubeconfig, clientCA: String? = nil
    ) async throws -> (kind: KubeError.Kind?, text: String) {
        let server = try await TestServer.start(leaf, clientCA: clientCA) { _ in .answer(status: 200, body: "{}") }
        var result: (KubeError.Kind?, String) = (nil, "")
        do {
            let client = try client(try config(server.port), port: server.port)
            do {
                _ = try await client.send(HTTPRequest(.get, "/a"))
            } catch let error as KubeError {
                let diagnostic = error.diagnostics[0]
                let texts = [diagnostic.message] + diagnostic.notes.map(\.message) + [diagnostic.hint].compactMap { $0 }
                result = (error.kind, texts.joined(separator: "\n"))
            }
            await client.close()
        } catch let error as KubeError {
            result = (error.kind, error.message)
        }
        await server.stop()
        return result
    }

    @Test func `an address is verified against the address of the certificate`() async throws {
        let ca = try TestAuthority()
        let good = try await message(server: ca.issue("s", addresses: [loopback])) {
            kubeconfig(port: $0, ca: try ca.pem)
        }
        #expect(good.kind == nil)
        let bad = try await message(server: ca.issue("s", names: ["kubernetes"], addresses: [[10, 96, 0, 1]])) {
            kubeconfig(port: $0, ca: try ca.pem)
        }
        #expect(bad.kind == .certificate)
        #expect(bad.text.contains("not valid for 127.0.0.1"))
        #expect(bad.text.contains("kubernetes, 10.96.0.1"))
    }

    @Test func `tls-server-name replaces the address`() async throws {
        let ca = try TestAuthority()
        let leaf = try ca.issue("s", names: ["kubernetes"])
        let good = try await message(server: leaf) { kubeconfig(port: $0, ca: try ca.pem, serverName: "kubernetes") }
        #expect(good.kind == nil)
    }

    @Test func `the certificate of another CA is refused`() async throws {
        let ca = try TestAuthority()
        let other = try TestAuthority(name: "other-ca")
        let bad = try await message(server: other.issue("s", addresses: [loopback])) {
            kubeconfig(port: $0, ca: try ca.pem)
        }
        #expect(bad.kind == .certificate)
        #expect(bad.text.contains("not issued by the CA of the kubeconfig"))
        #expect(bad.text.contains("other-ca"))
        // The same name with another key is another CA.
        let impostor = try TestAuthority()
        let forged = try await message(server: impostor.issue("s", addresses: [loopback])) {
            kubeconfig(port: $0, ca: try ca.pem)
        }
        #expect(forged.kind == .certificate)
        let skipped = try await message(server: other.issue("s", addresses: [loopback])) {
            kubeconfig(port: $0, ca: try ca.pem, verified: false)
        }
        #expect(skipped.kind == nil)
    }

    @Test func `dates are named`() async throws {
        let ca = try TestAuthority(from: Date(timeIntervalSince1970: 1_500_000_000))
        let expired = try await message(
            server: ca.issue(
                "s", addresses: [loopback], from: Date(timeIntervalSince1970: 1_600_000_000),
                to: Date(timeIntervalSince1970: 1_660_000_000))
        ) { kubeconfig(port: $0, ca: try ca.pem) }
        #expect(expired.text.hasPrefix("the API server's certificate expired on 2022-08-08 23:06:40 UTC\n"))
        let early = try await message(
            server: ca.issue(
                "s", addresses: [loopback], from: Date(timeIntervalSince1970: 4_000_000_000),
                to: Date(timeIntervalSince1970: 4_100_000_000))
        ) { kubeconfig(port: $0, ca: try ca.pem) }
        #expect(early.text.hasPrefix("the API server's certificate is not valid before 2096-10-02 07:06:40 UTC\n"))
        let old = try TestAuthority(
            name: "old-ca", from: Date(timeIntervalSince1970: 1_500_000_000),
            to: Date(timeIntervalSince1970: 1_660_000_000))
        let expiredCA = try await message(server: old.issue("s", addresses: [loopback])) {
            kubeconfig(port: $0, ca: try old.pem)
        }
        #expect(
            expiredCA.text.hasPrefix("the CA certificate CN=old-ca expired on 2022-08-08 23:06:40 UTC\n"),
            "\(expiredCA.text)")
    }

    @Test func `client certificates are sent, and dates of theirs are named`() async throws {
        let ca = try TestAuthority()
        let server = try ca.issue("s", addresses: [loopback])
        func user(_ leaf: TestAuthority.Leaf) -> Kubeconfig.User {
            .init(name: "admin", certificate: leaf.certificate, key: Secret(leaf.key), token: nil)
        }
        let good = try await message(
            server: server,
            config: { kubeconfig(port: $0, ca: try ca.pem, user: user(try ca.issue("kubernetes-admin"))) },
            clientCA: try ca.pem)
        #expect(good.kind == nil)
        let expired = try await message(
            server: server,
            config: {
                kubeconfig(
                    port: $0, ca: try ca.pem,
                    user: user(
                        try ca.issue(
                            "a", from: Date(timeIntervalSince1970: 1_600_000_000),
                            to: Date(timeIntervalSince1970: 1_660_000_000))))
            })
        #expect(
            expired.text.contains(
                "the client certificate of user 'admin' in /home/u/.kube/config expired on 2022-08-08"))
        let early = try await message(
            server: server,
            config: {
                kubeconfig(
                    port: $0, ca: try ca.pem,
                    user: user(
                        try ca.issue(
                            "a", from: Date(timeIntervalSince1970: 4_000_000_000),
                            to: Date(timeIntervalSince1970: 4_100_000_000))))
            })
        #expect(
            early.text.contains(
                "the client certificate of user 'admin' in /home/u/.kube/config is not valid before 2096-10-02"))
        let foreign = try await message(
            server: server,
            config: { kubeconfig(port: $0, ca: try ca.pem, user: user(try TestAuthority(name: "z").issue("a"))) },
            clientCA: try ca.pem)
        #expect(foreign.kind == .certificate)
        let address = try #require(foreign.text.firstMatch(of: /127\.0\.0\.1:\d+/)).output
        let dates = try #require(foreign.text.firstMatch(of: /it is valid from [-0-9: ]+UTC to [-0-9: ]+UTC/)).output
        #expect(
            foreign.text == """
                the API server at \(address) refuses the client certificate of the kubeconfig
                the server does not know the CA that issued it
                \(dates)
                the kubeconfig may be of another or an earlier cluster; fetch the current one
                """)
    }

    @Test(arguments: [
        (
            "handshakeFailed(sslError([Error: 268436504 error:10000418:SSL routines:TLSV1_ALERT_UNKNOWN_CA at a.cc:1]))",
            "the server does not know the CA that issued it"
        ),
        ("uncleanShutdown", "the other side ended the connection"),
        (
            "sslError([Error: 1 error:1:SSL routines:OPENSSL_internal:SOMETHING_NEW at CNIOBoringSSL/a.cc:1])",
            "TLS failed"
        ),
    ])
    func `what TLS reports is told without its names`(text: String, sentence: String) {
        #expect(tlsReason(text) == sentence)
    }
}
