import Foundation
import Testing

/// What goes wrong between a node's shell and the cluster: kubeconfig, certificates, rights, and the manifest.
@Suite("Cluster failures", .serialized, .enabled(if: RunningSandbox.isPossible, RunningSandbox.whyNot), .sandbox)
struct ClusterFailureTests {
    let sandbox: RunningSandbox
    let project: Project

    init() throws {
        sandbox = try #require(RunningSandbox.current)
        project = sandbox.project
    }

    /// Applies the manifest with the kubeconfig at `path`.
    private func provision(kubeconfig path: String) throws -> Labctl.Outcome {
        let outcome = try project.labctl(
            "provision", "metallb", "--sandbox", "-t", "manifest", "-e", sandbox.manifest, "-e",
            "metallb_kubeconfig=\(path)")
        outcome.expectNot("changed Manifest applied", "ok Manifest applied")
        return outcome
    }

    /// The sandbox's kubeconfig with `changes` made to its text.
    private func kubeconfig(_ changes: (String) -> String) throws -> String {
        try project.write(
            changes(String(contentsOf: sandbox.kubeconfig, encoding: .utf8)), to: "kubeconfigs/changed")
    }

    @Test("a kubeconfig that is not there")
    func missing() throws {
        try provision(kubeconfig: "/nonexistent/config").expect(
            status: 2, "error: the kubeconfig /nonexistent/config on cp1 cannot be used",
            "--> Roles/metallb/tasks/main.yml:30:17", "/nonexistent/config does not exist",
            "set the task's kubeconfig parameter, or KUBECONFIG")
    }

    @Test("a kubeconfig that cannot be read")
    func unreadable() throws {
        // A folder, since root reads every file.
        try provision(kubeconfig: project.folder.path).expect(
            status: 2, "error: the kubeconfig \(project.folder.path) on cp1 cannot be used",
            "--> Roles/metallb/tasks/main.yml:30:17")
    }

    @Test(
        "a kubeconfig that is no YAML, or no kubeconfig",
        arguments: [
            ("apiVersion: v1\nclusters: [a\nkind: Config\n", "the list that is opened here is never closed", ":2:11"),
            ("hello", "is a string, not a map", ":1:1"),
            ("", "kubeconfig", ":1:1"),
        ])
    func broken(text: String, sentence: String, place: String) throws {
        let path = try project.write(text, to: "kubeconfigs/broken")
        try provision(kubeconfig: path).expect(
            status: 2, "error: ", sentence, "--> cp1:\(path)\(place)")
    }

    @Test("an API server that is away")
    func unreachable() throws {
        let port = try LocalPort.closed()
        let path = try kubeconfig {
            $0.replacing(#/server: https://127.0.0.1:\d+/#, with: "server: https://127.0.0.1:\(port)")
        }
        try provision(kubeconfig: path).expect(
            status: 4, "error: the API server at 127.0.0.1:\(port) cannot be reached from cp1",
            "--> Roles/metallb/tasks/main.yml:", "is kube-apiserver running")
    }

    /// A certificate that signs itself, with its key, both as a kubeconfig has them.
    private func certificate(name: String) throws -> (certificate: String, key: String) {
        let folder = project.folder
        let outcome = try Tool.run(
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "other.key", "-out",
                "other.crt", "-subj", "/CN=\(name)", "-days", "30",
            ], in: folder)
        try #require(outcome.status == 0, "\(outcome.everything)")
        return (
            try Data(contentsOf: folder.appending(path: "other.crt")).base64EncodedString(),
            try Data(contentsOf: folder.appending(path: "other.key")).base64EncodedString()
        )
    }

    @Test("a certificate of another CA", .enabled(if: Tool.isInstalled("openssl"), "needs openssl"))
    func otherAuthority() throws {
        let other = try certificate(name: "other-ca").certificate
        let path = try kubeconfig {
            $0.replacing(#/certificate-authority-data: .*/#, with: "certificate-authority-data: \(other)")
        }
        try provision(kubeconfig: path).expect(
            status: 2, "error: the API server's certificate was not issued by the CA of the kubeconfig",
            "presented: CN=kube-apiserver, issued by CN=labctl-sandbox", "trusted by \(path): CN=other-ca",
            "the kubeconfig may be of another or an earlier cluster")
    }

    @Test("a client certificate of another CA", .enabled(if: Tool.isInstalled("openssl"), "needs openssl"))
    func otherClient() throws {
        let other = try certificate(name: "somebody")
        let path = try kubeconfig {
            $0.replacing(#/client-certificate-data: .*/#, with: "client-certificate-data: \(other.certificate)")
                .replacing(#/client-key-data: .*/#, with: "client-key-data: \(other.key)")
        }
        let outcome = try provision(kubeconfig: path)
        outcome.expect(status: 2, "refuses the client certificate of the kubeconfig")
        outcome.expectNot("sslError", "tls_record.cc")
    }

    @Test("a user who may do nothing is told what is forbidden, not 24 times")
    func forbidden() throws {
        let path = try kubeconfig { $0.replacing(#/ *user: sandbox-user\n/#, with: "") }
        let outcome = try provision(kubeconfig: path)
        outcome.expect(
            status: 2, "error: the API server forbids to read Namespace metallb-system",
            "User \"system:anonymous\" cannot get resource \"namespaces\"",
            "use a kubeconfig whose user may do this")
        #expect(outcome.output.split(separator: "\n").count < 80, "\(outcome.everything)")
    }

    @Test("a user without credentials is shown in the kubeconfig")
    func withoutCredentials() throws {
        let path = try kubeconfig { $0.replacing(#/ *client-(certificate|key)-data: .*\n/#, with: "") }
        try provision(kubeconfig: path).expect(
            status: 2, "error: user 'sandbox-user' of the kubeconfig \(path) is empty", "--> cp1:\(path):")
    }
}

/// The download of the manifest, from a web server on loopback.
@Suite(
    "Manifest download", .serialized, .enabled(if: RunningSandbox.isPossible, RunningSandbox.whyNot),
    .enabled(if: Tool.isInstalled("python3"), "needs python3 as a web server"), .sandbox)
struct ManifestDownloadTests {
    let sandbox: RunningSandbox
    let project: Project
    let server: RunningProgram
    let url: String
    let sum: String

    init() throws {
        let sandbox = try #require(RunningSandbox.current)
        self.sandbox = sandbox
        project = sandbox.project
        let manifest = try project.read(".labctl/sandbox/metallb-miniature.yaml")
        try project.write(manifest, to: "web/manifest.yaml")
        let folder = project.folder.appending(path: "web")
        let server = try Tool.start(
            ["python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"], in: folder)
        self.server = server
        let answers = try Tool.wait { server.output.contains(#/ port \d+/#) }
        try #require(answers, "\(server.errors)")
        let port = try #require(server.output.firstMatch(of: #/ port (\d+)/#)).1
        url = "http://127.0.0.1:\(port)"
        let sums = try Tool.run(["openssl", "dgst", "-sha256", "-r", "manifest.yaml"], in: folder).output
        sum = String(try #require(sums.split(separator: " ").first))
        try? FileManager.default.removeItem(at: project.folder.appending(path: "home/.cache"))
    }

    private func provision(path: String, sum: String) throws -> Labctl.Outcome {
        // metallb_manifest as if nothing had been said, so that the sandbox's own manifest does not step in.
        try project.labctl(
            "provision", "metallb", "--sandbox", "-t", "manifest", "-e", "metallb_manifest=", "-e",
            "metallb_manifest_url=\(url)/\(path)", "-e", "metallb_manifest_sha256=\(sum)")
    }

    private var cached: Bool {
        FileManager.default.fileExists(
            atPath: project.folder.appending(path: "home/.cache/labctl/metallb-native-v0.14.9.yaml").path)
    }

    @Test("a manifest with another checksum is refused and not kept")
    func otherChecksum() throws {
        let wanted = String(repeating: "0", count: 64)
        let outcome = try provision(path: "manifest.yaml", sum: wanted)
        outcome.expect(
            status: 2, "error: \(url)/manifest.yaml has another checksum than it should have; nothing was kept",
            "--> Roles/metallb/tasks/main.yml:", "wanted SHA256 \(wanted)", "got SHA256 \(sum)")
        outcome.expectNot("Manifest applied")
        #expect(!cached)
    }

    @Test("the sandbox's own manifest does not hide that the user's has another checksum")
    func otherChecksumInTheSandbox() throws {
        try project.labctl(
            "provision", "metallb", "--sandbox", "-t", "manifest", "-e",
            "metallb_manifest_url=\(url)/manifest.yaml", "-e",
            "metallb_manifest_sha256=\(String(repeating: "0", count: 64))"
        ).expect(status: 2, "has another checksum than it should have")
    }

    @Test("a manifest that is not there")
    func notFound() throws {
        try provision(path: "none.yaml", sum: sum).expect(
            status: 2, "error: cannot download \(url)/none.yaml: the server answered 404",
            "--> Roles/metallb/tasks/main.yml:")
        #expect(!cached)
    }

    @Test("a manifest that was downloaded once is used without the server")
    func offline() throws {
        try provision(path: "manifest.yaml", sum: sum).expect(status: 0, "changed Manifest downloaded")
        #expect(cached)
        let gone = "127.0.0.1:\(try LocalPort.closed())"
        try project.labctl(
            "provision", "metallb", "--sandbox", "-t", "manifest", "-e", "metallb_manifest=", "-e",
            "metallb_manifest_url=http://\(gone)/manifest.yaml", "-e", "metallb_manifest_sha256=\(sum)"
        ).expect(status: 0, "ok Manifest downloaded", "ok Manifest applied")
    }
}
