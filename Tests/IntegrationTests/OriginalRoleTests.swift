import Foundation
import LabTesting
import Testing

/// The role that labctl was made for, word for word, with a real kubectl on the node and its URL on loopback.
///
/// The name raw.githubusercontent.com is reached as behind a company's proxy: `HTTPS_PROXY`, and a CA of its own in
/// `SSL_CERT_FILE`, both on the laptop (labctl reads the manifest too) and on the node (kubectl does). The API server is
/// on loopback, which Go never goes through a proxy for.
@Suite(
    "The original role", .serialized, .enabled(if: RunningSandbox.isPossible, RunningSandbox.whyNot),
    .enabled(if: RealKubectl.path != nil, "needs kubectl in the PATH or in .venv/bin (Scripts/setup test)"),
    .enabled(if: SharedData.manifest != nil, "needs MetalLB's manifests of the shared data"),
    .enabled(if: RealKubectl.hasNamespaces, "needs root, for a node that has /home/vagrant"),
    .timeLimit(.minutes(5)))
struct OriginalRoleTests {
    private static let host = "raw.githubusercontent.com"

    let sandbox: RunningSandbox
    let site: SecureSite
    let proxy: ConnectProxy
    /// `HTTPS_PROXY` and `SSL_CERT_FILE`.
    let network: [String: String]
    let node: RunningProgram
    private let folder: URL

    init() async throws {
        sandbox = try RunningSandbox()
        let project = sandbox.project
        folder = project.folder.appending(path: "original")
        try FileManager.default.copyItem(
            at: Labctl.root.appending(path: "Tests/Fixtures/original").resolvingSymlinksInPath(), to: folder)

        let authority = try TestAuthority(name: "test-ca")
        let manifests = try #require(SharedData.manifest).deletingLastPathComponent()
        var files: [String: [UInt8]] = [:]
        for version in ["0.14.9", "0.15.3"] {
            files["/metallb/metallb/v\(version)/config/manifests/metallb-native.yaml"] = Array(
                try Data(contentsOf: manifests.appending(path: "metallb-native-v\(version).yaml")))
        }
        site = try await SecureSite(files, certificate: try authority.issue("s", names: [Self.host]))
        proxy = try await ConnectProxy(["\(Self.host):443": site.port])
        network = [
            "HTTPS_PROXY": "http://127.0.0.1:\(proxy.port)",
            "SSL_CERT_FILE": try project.write(try authority.pem, to: "ca.pem"),
        ]

        // A fourth sshd in a mount namespace of its own: there the kubeconfig is where the role has it.
        let port = try LocalPort.closed()
        let given = try project.read(".labctl/sandbox/nodes/cp1/sshd_config")
        let path = URL(filePath: try #require(RealKubectl.path)).deletingLastPathComponent().path
        let settings = network.map { "\"\($0.key)=\($0.value)\"" }.joined(separator: " ")
        let configuration = try project.write(
            given.replacing(#/Port \d+/#, with: "Port \(port)")
                .replacing(#/PidFile .*/#, with: "PidFile none")
                .replacing(
                    #/SetEnv .*/#,
                    with: "SetEnv HOME=/home/vagrant \"PATH=\(path):/usr/bin:/bin\" \(settings)"),
            to: "node/sshd_config")
        let script = """
            mount -t tmpfs tmpfs /home && mkdir -p /home/vagrant/.kube && cp "$1" /home/vagrant/.kube/config &&
            exec /usr/sbin/sshd -D -e -f "$2"
            """
        let node = try Tool.start(
            [
                "unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", sandbox.kubeconfig.path,
                configuration,
            ],
            in: project.folder, deadline: 280)
        self.node = node
        let listens = try Tool.wait { node.errors.contains("Server listening") }
        try #require(listens, "\(node.errors)")

        let inventory = try project.read(".labctl/sandbox/inventory.yml")
        let cp1 = try sandbox.port(of: "cp1")
        let key = try project.read(".labctl/sandbox/nodes/cp1/host_key.pub").split(separator: " ").prefix(2)
        let known = try project.read(".labctl/sandbox/known_hosts")
        try project.write(
            known + "[127.0.0.1]:\(port) \(key.joined(separator: " "))\n", to: ".labctl/sandbox/known_hosts")
        try project.write(
            inventory.replacing("ansible_port: \(cp1)", with: "ansible_port: \(port)"), to: "original/lab.yml")
    }

    private func provision(_ arguments: String...) throws -> Labctl.Outcome {
        try Labctl.run(
            ["provision", "metallb", "-i", "lab.yml", "-l", "cp1"] + arguments, in: folder,
            environment: network.merging(["HOME": sandbox.project.folder.appending(path: "home").path]) { $1 })
    }

    /// Waits until MetalLB's controller has written its own caBundle into the CRD.
    private func controllerHasWritten() throws -> Bool {
        try Tool.wait {
            let outcome = try Tool.run(
                [
                    try #require(RealKubectl.path), "get", "crd", "bgppeers.metallb.io", "--show-managed-fields", "-o",
                    #"jsonpath={.metadata.managedFields[?(@.manager=="MetalLB")].fieldsV1}"#,
                ], in: folder, ["KUBECONFIG": sandbox.kubeconfig.path])
            return outcome.output.contains("caBundle")
        }
    }

    private static let crd = "CustomResourceDefinition bgppeers.metallb.io"
    private static let field = ".spec.conversion.webhook.clientConfig.caBundle"

    @Test("0.14.9: changed each time, with the objects, the field, its two writers and what to do instead")
    func stock() throws {
        let first = try provision("--diff")
        first.expect(
            status: 0, "changed Install MetalLB", "24 created", "+ Namespace metallb-system", "+ \(Self.crd)",
            "1 changed 0 failed")
        // labctl for its own reading, and kubectl.
        let url = "\(Self.host)/metallb/metallb/v0.14.9/config/manifests/metallb-native.yaml"
        #expect(site.requests == [url, url])
        #expect(proxy.requests == ["\(Self.host):443", "\(Self.host):443"])

        try #require(try controllerHasWritten())
        let second = try provision("--diff")
        second.expect(
            status: 0, "changed Install MetalLB", "~ \(Self.crd)", Self.field, "(MetalLB (Update))",
            "kubectl wrote over \(Self.field) of \(Self.crd), which MetalLB (Update) had set",
            "not proved: the manifest fixes \(Self.field) of \(Self.crd), which its controller replaces (it writes as MetalLB)",
            "two writers of one field, so each apply writes it back",
            "applies the manifest with the k8s module instead, which leaves such a field to its controller",
            "1 changed 0 failed", "0 of 1 steps proved")
        #expect(second.count(of: "~ ") == 1, "\(second.everything)")

        try #require(try controllerHasWritten())
        let proving = try provision("--prove")
        proving.expectNot("every step proved")
        if proving.status == 3 {
            proving.expect(
                status: 3, "once more, to prove it", "unstable Install MetalLB", "changed again in the second run",
                "two writers of one field")
        } else {
            // The controller had not written between the two passes: then nothing was proved either.
            proving.expect(
                status: 0, "once more, to prove it", "ok Install MetalLB",
                "not proved: no object was written this time",
                "has not yet replaced \(Self.field) of \(Self.crd) again")
        }
    }

    @Test("0.15.3, which has no caBundle: changed, then ok and proved")
    func withoutBundle() throws {
        try provision("-e", "metallb_version=0.15.3").expect(
            status: 0, "changed Install MetalLB", "26 created", "1 changed 0 failed")
        // Whatever its controller writes is there before the second run.
        try #require(try controllerHasWritten())
        try provision("-e", "metallb_version=0.15.3", "--prove").expect(
            status: 0, "ok Install MetalLB", "once more, to prove it", "1 ok 0 changed 0 failed", "1 of 1 steps proved",
            "nothing to do, every step proved, and again with no change")
    }

    @Test("a URL that is not there fails, with kubectl's own words")
    func missing() throws {
        try provision("-e", "metallb_version=9.9.9").expect(
            status: 2, "failed Install MetalLB", "the command ended with status 1", "404 Not Found")
    }
}

/// What the original role needs on a node.
private enum RealKubectl {
    /// A real kubectl: of PyPI's package in .venv, or of the PATH.
    static let path = Tool.path.split(separator: ":").map { "\($0)/kubectl" }.first {
        FileManager.default.isExecutableFile(atPath: $0)
    }
    /// Whether a program may have mounts of its own.
    static let hasNamespaces =
        (try? Tool.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/home"], in: Labctl.root))?.status == 0
}
