import Crypto
import LabCore

/// `etcd` and `kube-apiserver` of a folder (envtest's `KUBEBUILDER_ASSETS`), as a sandbox's API server.
struct RealControlPlane: Sendable {
    private let etcd: String
    private let server: String
    private let directory: SandboxDirectory

    /// - Throws: when one of the programs is not in the folder.
    init(assets: String, directory: SandboxDirectory) throws(SandboxError) {
        etcd = assets + "/etcd"
        server = assets + "/kube-apiserver"
        self.directory = directory
        for program in [etcd, server] where !Files.isExecutable(program) {
            throw SandboxError(
                "KUBEBUILDER_ASSETS names \(assets), but there is no program \(program)",
                hint: "unset KUBEBUILDER_ASSETS to use labctl's own simulation")
        }
    }

    func start(_ record: inout SandboxRecord, deadline: ContinuousClock.Instant) async throws {
        let certificates = try SandboxCertificates()
        let identity = try certificates.server(
            names: ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"],
            addresses: ["127.0.0.1", "10.96.0.1"])
        let administrator = try certificates.client(user: "kubernetes-admin", groups: ["system:masters"])
        let accounts = P256.Signing.PrivateKey()
        try Files.write(certificates.authorityPEM, to: directory.api + "/ca.crt")
        try Files.write(identity.certificatePEM, to: directory.api + "/server.crt")
        try Files.write(identity.privateKeyPEM, to: directory.api + "/server.key")
        try Files.write(accounts.pemRepresentation + "\n", to: directory.api + "/accounts.key")
        try Files.write(accounts.publicKey.pemRepresentation + "\n", to: directory.api + "/accounts.pub")

        let (client, peer, port) = (try Loopback.freePort(), try Loopback.freePort(), try Loopback.freePort())
        let store = try ProcessSpawn.detached(
            etcd,
            [
                "--name=labctl-sandbox", "--data-dir=\(directory.api)/etcd",
                "--listen-client-urls=http://127.0.0.1:\(client)",
                "--advertise-client-urls=http://127.0.0.1:\(client)",
                "--listen-peer-urls=http://127.0.0.1:\(peer)",
                "--initial-advertise-peer-urls=http://127.0.0.1:\(peer)",
                "--initial-cluster=labctl-sandbox=http://127.0.0.1:\(peer)", "--unsafe-no-fsync",
            ], log: directory.api + "/etcd.log")
        record.processes.append(.init(role: "etcd", identity: store, port: client))
        try record.save(directory)
        try await wait("etcd", store, port: client, log: directory.api + "/etcd.log", deadline: deadline)

        let process = try ProcessSpawn.detached(
            server,
            [
                "--etcd-servers=http://127.0.0.1:\(client)", "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1", "--secure-port=\(port)",
                "--tls-cert-file=\(directory.api)/server.crt", "--tls-private-key-file=\(directory.api)/server.key",
                "--client-ca-file=\(directory.api)/ca.crt", "--cert-dir=\(directory.api)/certs",
                "--service-account-key-file=\(directory.api)/accounts.pub",
                "--service-account-signing-key-file=\(directory.api)/accounts.key",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC", "--allow-privileged=true",
                "--disable-admission-plugins=ServiceAccount",
            ], log: directory.serverLog)
        record.processes.append(.init(role: "kube-apiserver", identity: process, port: port))
        record.apiPort = port
        try record.save(directory)
        try await wait("kube-apiserver", process, port: port, log: directory.serverLog, deadline: deadline)
        try Files.write(
            Kubeconfig.text(
                server: "https://127.0.0.1:\(port)", authorityPEM: certificates.authorityPEM, client: administrator),
            to: directory.kubeconfig)
        try await waitUntilReady(certificates, administrator, process, port: port, deadline: deadline)
    }

    private func wait(
        _ name: String, _ process: ProcessIdentity, port: Int, log: String, deadline: ContinuousClock.Instant
    ) async throws {
        while !Loopback.accepts(port) {
            guard process.isAlive else {
                throw SandboxError("\(name) ended at once", notes: Files.tail(log))
            }
            guard ContinuousClock.now < deadline else {
                throw SandboxError("\(name) did not start in time", notes: Files.tail(log))
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// A kube-apiserver listens before it can answer: `/readyz` says when.
    private func waitUntilReady(
        _ certificates: SandboxCertificates, _ administrator: SandboxIdentity, _ process: ProcessIdentity, port: Int,
        deadline: ContinuousClock.Instant
    ) async throws {
        while true {
            let status = try? await ReadinessProbe.status(
                port: port, path: "/readyz", authorityPEM: certificates.authorityPEM, client: administrator)
            if status == 200 { return }
            guard process.isAlive, ContinuousClock.now < deadline else {
                throw SandboxError("kube-apiserver did not become ready", notes: Files.tail(directory.serverLog))
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
