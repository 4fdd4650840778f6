import Foundation
import LabTesting
import Testing

/// As whom and by which way labctl comes to a cluster, and that nobody else learns how.
@Suite(
    "Access to the cluster", .serialized, .enabled(if: RunningSandbox.isPossible, RunningSandbox.whyNot), .sandbox,
    .timeLimit(.minutes(5)))
struct AccessTests {
    let sandbox: RunningSandbox
    let project: Project

    init() throws {
        sandbox = try #require(RunningSandbox.current)
        project = sandbox.project
    }

    /// `labctl plan metallb --sandbox` of the manifest, with further arguments.
    private func plan(_ arguments: String...) throws -> Labctl.Outcome {
        try Labctl.run(
            ["plan", "metallb", "--sandbox", "-t", "manifest", "-e", sandbox.manifest] + arguments, in: project.folder,
            environment: ["HOME": project.folder.appending(path: "home").path])
    }

    /// The sandbox's kubeconfig with `changes` made to its text, in a file of the laptop's.
    private func kubeconfig(_ name: String, _ changes: (String) -> String) throws -> String {
        let text = try String(contentsOf: sandbox.kubeconfig, encoding: .utf8)
        let changed = changes(text)
        try #require(changed != text)
        return try project.write(changed, to: "kubeconfigs/\(name)")
    }

    /// The sandbox's kubeconfig with another user's entry.
    private func kubeconfig(_ name: String, user entry: String, server: Int? = nil) throws -> String {
        try kubeconfig(name) { text in
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            let kept = lines.filter { !$0.contains("client-certificate-data:") && !$0.contains("client-key-data:") }
            var changed = kept.joined(separator: "\n").replacing(#/(?m)^( *)user: *$/#) { "\($0.1)user: \(entry)" }
            if let server {
                changed = changed.replacing(#/https://127.0.0.1:\d+/#, with: "https://127.0.0.1:\(server)")
            }
            return changed
        }
    }

    private static let goes = "to change Manifest applied"

    // MARK: Files, contexts and ways

    @Test("a kubeconfig of this machine, through the node and directly")
    func ownFile() throws {
        let path = try kubeconfig("own") { $0 + "\n# mine\n" }
        try plan("--kubeconfig", path).expect(status: 1, Self.goes)
        try plan("--kubeconfig", path, "--kube-direct").expect(status: 1, Self.goes)
        try plan("--kube-direct").expect(status: 1, Self.goes)
        try plan("--kubeconfig", "kubeconfigs/own", "--kube-direct").expect(status: 1, Self.goes)
    }

    @Test("directly means not through the node")
    func direct() throws {
        let port = try LocalPort.closed()
        let path = try kubeconfig("closed") {
            $0.replacing(#/https://127.0.0.1:\d+/#, with: "https://127.0.0.1:\(port)")
        }
        try plan("--kubeconfig", path).expect(
            status: 4, "the API server at 127.0.0.1:\(port) cannot be reached from cp1")
        let direct = try plan("--kubeconfig", path, "--kube-direct")
        direct.expect(status: 4, "127.0.0.1:\(port)")
        direct.expectNot("cannot be reached from cp1")
    }

    @Test("a kubeconfig that is not there is a mistake on the command line")
    func missingFile() throws {
        try plan("--kubeconfig", "/nonexistent/config").expect(
            status: 64, "--kubeconfig /nonexistent/config: no such file or directory")
    }

    @Test("one of several contexts")
    func contexts() throws {
        let path = try kubeconfig("contexts") {
            $0.replacing("current-context: sandbox", with: "current-context: elsewhere")
                .replacing("- name: sandbox\n", with: "- name: lab\n")
                .replacing(
                    "contexts:\n", with: "contexts:\n- name: elsewhere\n  context: {cluster: nowhere, user: nobody}\n")
        }
        try plan("--kubeconfig", path).expect(status: 2, "has no cluster 'nowhere'", "--> \(path):")
        try plan("--kubeconfig", path, "--kube-context", "lab").expect(status: 1, Self.goes)
        try plan("--kubeconfig", path, "--kube-context", "elsewher").expect(
            status: 2, "has no context 'elsewher'", "did you mean 'elsewhere'?")
    }

    // MARK: Plugins

    /// A plugin that gives the sandbox's own client certificate, and a kubeconfig that names it.
    private func plugin() throws -> String {
        let text = try String(contentsOf: sandbox.kubeconfig, encoding: .utf8)
        func pem(_ key: String) throws -> String {
            let data = try #require(text.split(separator: "\n").first { $0.contains("\(key):") })
                .split(separator: " ").last.map(String.init)
            let bytes = Data(base64Encoded: try #require(data))
            return String(decoding: try #require(bytes), as: UTF8.self)
        }
        let credential: [String: Any] = [
            "kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
            "status": [
                "clientCertificateData": try pem("client-certificate-data"),
                "clientKeyData": try pem("client-key-data"),
            ],
        ]
        let json = try JSONSerialization.data(withJSONObject: credential)
        try project.write(String(decoding: json, as: UTF8.self), to: "kubeconfigs/credential.json")
        let script = try project.write(
            "#!/bin/sh\necho using the cache >&2\ncat \"$(dirname \"$0\")/credential.json\"\n",
            to: "kubeconfigs/lab-login")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script)
        return try kubeconfig(
            "plugin",
            user: "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./lab-login, interactiveMode: Never}}")
    }

    @Test("a program for credentials is run on request only")
    func exec() throws {
        let path = try plugin()
        try plan("--kubeconfig", path).expect(
            status: 2, "gets its credentials from a program (exec)", "--> \(path):",
            "labctl runs no program that a kubeconfig names unless you say so", "--kube-exec")
        try plan("--kubeconfig", path, "--kube-exec").expect(
            status: 1, Self.goes, "./lab-login: using the cache")
        try plan("--kubeconfig", path, "--kube-direct", "-e", "labctl_kube_exec=true").expect(status: 1, Self.goes)
    }

    @Test("a program for credentials that is missing or fails")
    func brokenExec() throws {
        let missing = try kubeconfig(
            "missing",
            user:
                "{exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-login, interactiveMode: Never, installHint: install the lab's login}}"
        )
        try plan("--kubeconfig", missing, "--kube-exec").expect(
            status: 2, "the program 'no-such-login', which gives the credentials of user", "is not there",
            "install the lab's login")
    }

    // MARK: Dates

    @Test(
        "certificates that have expired or are not valid yet are named with their dates",
        arguments: [
            (1_600_000_000.0, 1_660_000_000.0, "expired on 2022-08-08 23:06:40 UTC"),
            (4_000_000_000.0, 4_100_000_000.0, "is not valid before 2096-10-02 07:06:40 UTC"),
        ])
    func dates(from: Double, to: Double, words: String) async throws {
        let authority = try TestAuthority(from: Date(timeIntervalSince1970: 1_500_000_000))
        let (from, to) = (Date(timeIntervalSince1970: from), Date(timeIntervalSince1970: to))
        let client = try authority.issue("admin", from: from, to: to)
        let certificate = Data(client.certificate.utf8).base64EncodedString()
        let key = Data(client.key.utf8).base64EncodedString()
        let own = try kubeconfig(
            "dates", user: "{client-certificate-data: \(certificate), client-key-data: \(key)}")
        try plan("--kubeconfig", own).expect(status: 2, "the client certificate of user", words)

        let site = try await SecureSite(
            [:], certificate: try authority.issue("s", addresses: [[127, 0, 0, 1]], from: from, to: to))
        let pem = Data(try authority.pem.utf8).base64EncodedString()
        let server = try kubeconfig("dates-server") {
            $0.replacing(#/https://127.0.0.1:\d+/#, with: "https://127.0.0.1:\(site.port)")
                .replacing(#/certificate-authority-data: .*/#, with: "certificate-authority-data: \(pem)")
        }
        for way in [[], ["--kube-direct"]] {
            let outcome = try Labctl.run(
                ["plan", "metallb", "--sandbox", "-t", "manifest", "-e", sandbox.manifest, "--kubeconfig", server]
                    + way,
                in: project.folder)
            outcome.expect(status: 2, "the API server's certificate \(words)")
        }
        await site.stop()
    }

    // MARK: Secrecy

    private static let token = "eyJhbGciOiJSUzI1NiJ9-very-secret-token"

    @Test("a token is in no output, whatever goes wrong")
    func token() throws {
        let port = try LocalPort.closed()
        let refused = try kubeconfig("token", user: "{token: \(Self.token)}")
        let broken = try project.write(
            try String(contentsOfFile: refused, encoding: .utf8).replacing(
                "{token: \(Self.token)}", with: "{token: \(Self.token)"), to: "kubeconfigs/token-broken")
        let listed = try kubeconfig("token-list", user: "{token: [\(Self.token)]}")
        let away = try kubeconfig("token-away", user: "{token: \(Self.token)}", server: port)
        let base64 = try kubeconfig("key", user: "{client-key-data: \"\(Self.token)\", client-certificate-data: x}")
        let playbook = try project.write(
            """
            - hosts: cp1
              tasks:
                - name: look
                  kubernetes.core.k8s_info: {kind: Namespace, host: "https://127.0.0.1:\(port)", api_key: \(Self.token)}
            """, to: "look.yml")
        var outcomes: [Labctl.Outcome] = []
        let forms = [["-v", "--diff"], ["--output", "json"], ["--output", "junit"]]
        for (index, file) in [refused, broken, listed, away, base64].enumerated() {
            for (number, form) in forms.enumerated() {
                // In turn from this machine and from the node.
                let isOwn = (index + number).isMultiple(of: 2)
                let way = isOwn ? ["--kubeconfig", file] : ["-e", "metallb_kubeconfig=\(file)"]
                let base = ["provision", "metallb", "--sandbox", "-t", "manifest", "-e", sandbox.manifest]
                outcomes.append(try Labctl.run(base + form + way, in: project.folder))
            }
        }
        for form in [["-v"], ["--output", "json"], ["--output", "junit"]] {
            outcomes.append(try Labctl.run(["play", playbook, "--sandbox"] + form, in: project.folder))
        }
        for outcome in outcomes {
            #expect(outcome.status != 0)
            #expect(!outcome.everything.contains("very-secret-token"), "\(outcome.everything)")
            #expect(!outcome.everything.contains("eyJhbGci"), "\(outcome.everything)")
        }
    }

    /// Aborts a labctl that has the token and waits for a server; returns how many core files have the token in them.
    private func abort(in name: String, _ environment: [String: String]) throws -> (cores: Int, withToken: Int) {
        let silent = try LocalPort()
        let file = try kubeconfig("silent", user: "{token: \(Self.token)}", server: silent.number)
        let folder = project.folder.appending(path: name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let play = try project.write(
            """
            - hosts: localhost
              connection: local
              tasks:
                - name: look
                  kubernetes.core.k8s_info: {kind: Namespace}
            """, to: "\(name)/look.yml")
        let run = try RunningProgram(
            URL(filePath: "/bin/sh"),
            [
                "-c", "ulimit -c unlimited; exec \"$@\"", "sh", Labctl.binary.path, "play", play, "-i", "localhost,",
                "--kubeconfig", file, "--kube-direct",
            ], in: folder,
            environment: ProcessInfo.processInfo.environment.merging(environment) { $1 }, deadline: 60)
        let connected = try Tool.wait { silent.wasUsed }
        try #require(connected, "\(run.output) \(run.errors)")
        run.send(SIGABRT)
        #expect(run.wait().status == 128 + SIGABRT)
        let cores = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix("core") }
        let found = try cores.count { core in
            try Tool.run(["grep", "-q", "-a", Self.token, core], in: folder).status == 0
        }
        for core in cores { try FileManager.default.removeItem(at: folder.appending(path: core)) }
        return (cores.count, found)
    }

    @Test(
        "a labctl that is aborted leaves no core with the token, unless somebody asks for one",
        .enabled(if: Cores.areFiles, "needs a core_pattern that is a file of the working folder"))
    func coreFiles() throws {
        let usual = try abort(in: "usual", [:])
        #expect(usual.cores == 0 && usual.withToken == 0)
        // Without the protection there is one, with the token in it: so the test can fail.
        let asked = try abort(in: "asked", ["LABCTL_CORE_DUMPS": "1"])
        #expect(asked.cores == 1 && asked.withToken == 1)
    }
}

private enum Cores {
    /// Where a process that is aborted leaves its core: only where the kernel writes it into the working folder can a
    /// test look for it.
    static let areFiles: Bool = {
        guard let text = try? String(contentsOfFile: "/proc/sys/kernel/core_pattern", encoding: .utf8) else {
            return false
        }
        return !text.hasPrefix("|") && !text.hasPrefix("/")
    }()
}
