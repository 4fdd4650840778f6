import Foundation
import LabCore
import LabTesting
import LabTransport
import LabYAML
import Synchronization
import Testing

@testable import LabKube

/// A folder with a credential plugin: a shell script, as short as it may be.
private final class Plugin: Sendable {
    let folder: URL
    var path: String { folder.appending(path: "plugin").path }

    init(_ script: String) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "labctl-exec-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(("#!/bin/sh\n" + script + "\n").utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func read(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: folder.appending(path: name)), as: UTF8.self)
    }
}

private let version = "client.authentication.k8s.io/v1"
private let beta = "client.authentication.k8s.io/v1beta1"

/// A plugin's output.
private func printing(_ status: String, version: String = version) -> String {
    "echo '{\"kind\": \"ExecCredential\", \"apiVersion\": \"\(version)\", \"status\": \(status)}'"
}

private func resolve(
    exec: String, cluster: String = "", server: String = "https://127.0.0.1:6443", folder: String? = nil,
    timeout: Duration = .seconds(20), isAllowed: Bool = true, tell: @escaping @Sendable (String) -> Void = { _ in }
) async throws -> Kubeconfig {
    let text = """
        kind: Config
        clusters: [{name: c, cluster: {server: "\(server)"\(cluster)}}]
        contexts: [{name: x, context: {cluster: c, user: u}}]
        current-context: x
        users:
        - name: u
          user:
            exec: \(exec)
        """
    let document = try YAML.load(SourceFile(path: "config", text: text, isSecret: true), schema: .kubernetes)
    return try await Kubeconfig.resolve(
        document[0], path: "/home/u/.kube/config", readFile: { _ in [] },
        plugins: isAllowed
            ? Kubeconfig.PluginPermission(on: LocalConnection(), folder: folder, timeout: timeout, tell: tell) : nil)
}

@Suite(.timeLimit(.minutes(2)))
struct ExecPluginTests {
    @Test(arguments: [version, beta])
    func `a plugin gets its arguments, its environment and what there is to know of the cluster`(
        version: String
    ) async throws {
        let plugin = try Plugin(
            """
            printf '%s\\n' "$KUBERNETES_EXEC_INFO" > "$(dirname "$0")/info"
            printf '%s|' "$@" > "$(dirname "$0")/args"
            printf '%s' "$GREETING" > "$(dirname "$0")/env"
            \(printing("{\"token\": \"t-1\"}", version: version))
            """)
        let config = try await resolve(
            exec: """
                {apiVersion: \(version), command: \(plugin.path), args: [get token, "--x=1"], env: [{name: GREETING, value: hello}],
                       provideClusterInfo: true, interactiveMode: Never}
                """,
            cluster: """
                , tls-server-name: kubernetes, certificate-authority-data: UEVN, extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: lab}}]
                """)
        #expect(config.user.token?.reveal() == "t-1")
        #expect(try plugin.read("args") == "get token|--x=1|")
        #expect(try plugin.read("env") == "hello")
        let information = try Value(json: plugin.read("info"))
        #expect(information["kind"] == "ExecCredential" && information["apiVersion"] == .string(version))
        #expect(information[["spec", "interactive"]] == false)
        #expect(
            information[["spec", "cluster"]] == [
                "server": "https://127.0.0.1:6443", "tls-server-name": "kubernetes",
                "certificate-authority-data": "UEVN", "config": ["audience": "lab"],
            ])
        #expect("\(config)".contains("t-1") == false)
    }

    @Test func `without provideClusterInfo a plugin learns nothing of the cluster`() async throws {
        let plugin = try Plugin(
            "printf '%s' \"$KUBERNETES_EXEC_INFO\" > \"$(dirname \"$0\")/info\"\n" + printing("{\"token\": \"t\"}"))
        _ = try await resolve(
            exec: "{apiVersion: \(version), command: \(plugin.path), interactiveMode: IfAvailable}")
        #expect(try Value(json: plugin.read("info"))[["spec", "cluster"]] == nil)
    }

    @Test func `a command with a slash in it is beside the kubeconfig, on this machine only`() async throws {
        let plugin = try Plugin(printing("{\"token\": \"t\"}"))
        let exec = "{apiVersion: \(version), command: ./plugin, interactiveMode: Never}"
        #expect(try await resolve(exec: exec, folder: plugin.folder.path).user.token?.reveal() == "t")
        let error = await failure { _ = try await resolve(exec: exec, folder: nil) }
        #expect(error?.message.hasSuffix("is named relative to the kubeconfig, which is on a node") == true)
    }

    /// What a program does, and the end of the sentence about it.
    @Test(arguments: [
        ("echo out of luck >&2; exit 3", "failed with status 3", "out of luck"),
        ("exit 1", "failed with status 1", "it wrote nothing to its standard error"),
        ("kill -9 $$", "was ended by signal KILL", "it wrote nothing to its standard error"),
        ("exit 127", "failed with status 127", "it wrote nothing to its standard error"),
        ("true", "printed nothing", ""),
        ("echo hello there", "printed 12 bytes that are no JSON, not an ExecCredential", ""),
        ("echo '{\"kind\": \"Pod\"}'", "printed JSON that is no ExecCredential", ""),
        (
            printing("{\"token\": \"t\"}", version: beta),
            "printed an ExecCredential of apiVersion \(beta), and the kubeconfig says \(version)", ""
        ),
        (
            "echo '{\"kind\": \"ExecCredential\", \"apiVersion\": \"\(version)\"}'",
            "printed an ExecCredential without a status", ""
        ),
        (printing("{}"), "gave neither a token nor a certificate", ""),
        (printing("{\"clientCertificateData\": \"x\"}"), "gave a certificate but no key", ""),
        (printing("{\"clientKeyData\": \"x\"}"), "gave a key but no certificate", ""),
        (
            printing("{\"token\": \"t\", \"expirationTimestamp\": \"2020-01-02T03:04:05Z\"}"),
            "gave a credential that expired on 2020-01-02 03:04:05 UTC", ""
        ),
        (
            printing("{\"token\": \"t\", \"expirationTimestamp\": \"soon\"}"),
            "gave an expirationTimestamp that is no time", ""
        ),
    ])
    func `what goes wrong with a plugin is told`(script: String, end: String, note: String) async throws {
        let plugin = try Plugin(script)
        let error = await failure {
            _ = try await resolve(
                exec: "{apiVersion: \(version), command: \(plugin.path), interactiveMode: Never}")
        }
        #expect(error?.kind == .kubeconfig)
        #expect(
            error?.message
                == "the program '\(plugin.path)', which gives the credentials of user 'u' in /home/u/.kube/config, \(end)"
        )
        #expect(error?.diagnostics.first?.span?.description.hasPrefix("config:8:") == true)
        #expect(error?.diagnostics.first?.notes.first?.message ?? "" == note)
    }

    @Test func `a plugin that hangs is ended`() async throws {
        let plugin = try Plugin("exec sleep 600")
        let error = await failure {
            _ = try await resolve(
                exec: "{apiVersion: \(version), command: \(plugin.path), interactiveMode: Never}",
                timeout: .milliseconds(300))
        }
        #expect(error?.message.hasSuffix("did not answer within 0.3 s and was ended") == true)
    }

    @Test func `a plugin that is not there shows its installHint`() async throws {
        let exec = "{apiVersion: \(version), command: no-such-plugin, interactiveMode: Never"
        let hinted = await failure { _ = try await resolve(exec: exec + ", installHint: \"get it\\nfrom here\"}") }
        #expect(hinted?.message.hasSuffix("is not there") == true)
        #expect(hinted?.diagnostics.first?.notes.map(\.message) == ["get it", "from here"])
        let bare = await failure { _ = try await resolve(exec: exec + "}") }
        #expect(bare?.diagnostics.first?.hint?.hasPrefix("install it") == true)
    }

    @Test func `what a plugin writes to its standard error is shown, its token never`() async throws {
        let said = Mutex<[String]>([])
        let plugin = try Plugin(
            "echo 'debug: got very-secret-token from cache' >&2\n" + printing("{\"token\": \"very-secret-token\"}"))
        let exec = "{apiVersion: \(version), command: \(plugin.path), interactiveMode: Never}"
        _ = try await resolve(exec: exec) { line in said.withLock { $0.append(line) } }
        #expect(said.withLock { $0 } == ["\(plugin.path): debug: got <secret> from cache"])
        // Also when it fails after it has printed it.
        let failing = try Plugin(
            printing("{\"token\": \"very-secret-token\"}") + "\necho 'very-secret-token is refused' >&2; exit 1")
        let error = await failure {
            _ = try await resolve(
                exec: "{apiVersion: \(version), command: \(failing.path), interactiveMode: Never}")
        }
        #expect(error?.diagnostics.first?.notes.map(\.message) == ["<secret> is refused"])
    }

    @Test(arguments: [
        ("{apiVersion: \(version), interactiveMode: Never}", "names no command", "config:8:11"),
        ("{command: aws}", "has no apiVersion", "config:8:11"),
        (
            "{command: aws, apiVersion: client.authentication.k8s.io/v1alpha1}",
            "has apiVersion client.authentication.k8s.io/v1alpha1, which is not known", "config:8:38"
        ),
        ("{command: aws, apiVersion: \(version)}", "has no interactiveMode", "config:8:11"),
        (
            "{command: aws, apiVersion: \(version), interactiveMode: Always}", "labctl gives it no terminal",
            "config:8:88"
        ),
        (
            "{command: aws, apiVersion: \(version), interactiveMode: Never, env: [{value: x}]}", "has no name",
            "config:8:101"
        ),
    ])
    func `mistakes in an exec are told with their place`(exec: String, words: String, place: String) async throws {
        let error = await failure { _ = try await resolve(exec: exec) }
        #expect(error?.kind == .kubeconfig)
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        #expect(error?.diagnostics.first?.span?.description == place)
    }

    @Test func `nothing is run unless somebody says so, and the flag is named`() async throws {
        let plugin = try Plugin("touch \"$(dirname \"$0\")/ran\"\n" + printing("{\"token\": \"t\"}"))
        let error = await failure {
            _ = try await resolve(
                exec: "{apiVersion: \(version), command: \(plugin.path), interactiveMode: Never}", isAllowed: false)
        }
        #expect(
            error?.message
                == "user 'u' of the kubeconfig /home/u/.kube/config gets its credentials from a program (exec)")
        #expect(error?.diagnostics.first?.hint?.contains("--kube-exec") == true)
        #expect(!FileManager.default.fileExists(atPath: plugin.folder.appending(path: "ran").path))
    }
}

/// Credentials that change while a client lives, against a server that is strict about them.
@Suite(.timeLimit(.minutes(2)))
struct CredentialRenewalTests {
    private static let counting = """
        n=$(cat "$(dirname "$0")/n" 2>/dev/null || echo 0); n=$((n + 1)); echo $n > "$(dirname "$0")/n"
        """

    /// Runs a body with a server that takes only this token.
    private func withServer(
        taking token: @escaping @Sendable () -> String, _ body: (TestServer, String) async throws -> Void
    ) async throws {
        let authority = try TestAuthority()
        let server = try await TestServer.start(
            try authority.issue("kube-apiserver", addresses: [[127, 0, 0, 1]])
        ) { request in
            let given = request.headers.first { $0.name == "authorization" }?.value
            return given == "Bearer \(token())"
                ? .answer(status: 200, body: "{}")
                : .answer(
                    status: 401,
                    body:
                        "{\"kind\": \"Status\", \"code\": 401, \"reason\": \"Unauthorized\", \"message\": \"Unauthorized\"}"
                )
        }
        let pem = Data(try authority.pem.utf8).base64EncodedString()
        try await body(server, ", certificate-authority-data: \(pem)")
        await server.stop()
    }

    private func client(_ config: Kubeconfig) throws -> KubeClient {
        try KubeClient(config) { host, port in try await DirectChannel.open(host: host, port: port) }
    }

    @Test func `a token that the server refuses is asked for again, once`() async throws {
        try await withServer(taking: { "t-2" }) { server, cluster in
            let plugin = try Plugin(Self.counting + "\n" + printing("{\"token\": \"t-'$n'\"}"))
            let config = try await resolve(
                exec: "{apiVersion: \(version), command: \(plugin.path), interactiveMode: Never}", cluster: cluster,
                server: "https://127.0.0.1:\(server.port)")
            let client = try client(config)
            // At once, and still one renewal for all of them.
            let answers = try await concurrently(Array(0..<8), limit: 8) { _ in
                try await client.send(HTTPRequest(.post, "/a")).status
            }
            #expect(answers == Array(repeating: 200, count: 8))
            #expect(try plugin.read("n") == "2\n")
            #expect(server.count.value == 1)
            await client.close()
        }
    }

    @Test func `a server that refuses every token is believed`() async throws {
        try await withServer(taking: { "other" }) { server, cluster in
            let plugin = try Plugin(Self.counting + "\n" + printing("{\"token\": \"t-'$n'\"}"))
            let config = try await resolve(
                exec: "{apiVersion: \(version), command: \(plugin.path), interactiveMode: Never}", cluster: cluster,
                server: "https://127.0.0.1:\(server.port)")
            let client = try client(config)
            #expect(try await client.send(HTTPRequest(.get, "/a")).status == 401)
            #expect(try plugin.read("n") == "2\n")
            await client.close()
        }
    }

    @Test func `a credential that has expired is got anew before it is used`() async throws {
        let calls = Counter()
        let user = Kubeconfig.User(
            name: "u", certificate: nil, key: nil, token: Secret("old"), expires: Date(timeIntervalSinceNow: -1),
            renewal: CredentialRenewal {
                Credential(token: Secret("new-\(calls.add())"), expires: Date(timeIntervalSinceNow: 3600))
            })
        let keeper = CredentialKeeper(user)
        #expect(try await keeper.current().credential.token?.reveal() == "new-1")
        #expect(try await keeper.current().credential.token?.reveal() == "new-1")
        #expect(calls.value == 1)
    }

    @Test func `a token file is read again when it has changed`() async throws {
        let token = Mutex("t-1")
        try await withServer(taking: { token.withLock { $0 } }) { server, cluster in
            let reads = Counter()
            let text = """
                kind: Config
                clusters: [{name: c, cluster: {server: "https://127.0.0.1:\(server.port)"\(cluster)}}]
                contexts: [{name: x, context: {cluster: c, user: u}}]
                current-context: x
                users: [{name: u, user: {tokenFile: /var/token, token: ignored}}]
                """
            let document = try YAML.load(SourceFile(path: "config", text: text), schema: .kubernetes)
            let gone = Mutex(false)
            let config = try await Kubeconfig.resolve(document[0], path: "config") { path in
                reads.add()
                guard path == "/var/token", !gone.withLock({ $0 }) else {
                    throw ConnectionError(.fileRefused, hostName: "cp1", "\(path) does not exist")
                }
                return Array(token.withLock { $0 + "\n" }.utf8)
            }
            let client = try client(config)
            #expect(try await client.send(HTTPRequest(.get, "/a")).status == 200)
            #expect(reads.value == 1)
            token.withLock { $0 = "t-2" }
            #expect(try await client.send(HTTPRequest(.post, "/a")).status == 200)
            #expect(reads.value == 2)
            // One that cannot be read any more: the old token serves on, and the server's answer is told.
            gone.withLock { $0 = true }
            #expect(try await client.send(HTTPRequest(.get, "/a")).status == 200)
            token.withLock { $0 = "t-3" }
            #expect(try await client.send(HTTPRequest(.get, "/a")).status == 401)
            await client.close()
        }
    }

    @Test func `a token file that is old is read again before it is used`() async throws {
        let reads = Counter()
        let user = Kubeconfig.User(
            name: "u", certificate: nil, key: nil, token: Secret("t-0"),
            renewal: CredentialRenewal(maximumAge: .zero, keepsOld: true) {
                Credential(token: Secret("t-\(reads.add())"))
            })
        let keeper = CredentialKeeper(user)
        #expect(try await keeper.current().credential.token?.reveal() == "t-1")
        #expect(try await keeper.current().credential.token?.reveal() == "t-2")
    }

    @Test func `a plugin's certificate is used, and a new one needs a new connection`() async throws {
        let authority = try TestAuthority()
        let requests = Counter()
        let server = try await TestServer.start(
            try authority.issue("kube-apiserver", addresses: [[127, 0, 0, 1]]), clientCA: try authority.pem
        ) { _ in
            requests.add() == 1
                ? .answer(status: 401, body: "{\"kind\": \"Status\", \"code\": 401}") : .answer(status: 200, body: "{}")
        }
        let plugin = try Plugin(Self.counting + "\ncat \"$(dirname \"$0\")/credential-$n\"")
        for number in 1...2 {
            let leaf = try authority.issue("admin-\(number)")
            let printed: Value = [
                "kind": "ExecCredential", "apiVersion": .string(version),
                "status": [
                    "clientCertificateData": .string(leaf.certificate), "clientKeyData": .string(leaf.key),
                    "expirationTimestamp": "2096-10-02T07:06:40.123Z",
                ],
            ]
            try Data(printed.json().utf8).write(to: plugin.folder.appending(path: "credential-\(number)"))
        }
        let pem = Data(try authority.pem.utf8).base64EncodedString()
        let config = try await resolve(
            exec: "{apiVersion: \(version), command: \(plugin.path), interactiveMode: Never}",
            cluster: ", certificate-authority-data: \(pem)", server: "https://127.0.0.1:\(server.port)")
        #expect(config.user.expires != nil)
        let client = try client(config)
        #expect(try await client.send(HTTPRequest(.get, "/a")).status == 200)
        #expect(try plugin.read("n") == "2\n")
        #expect(server.count.value == 2)
        await client.close()
        await server.stop()
    }
}
