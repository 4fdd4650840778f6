import LabCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Which API server a sandbox has.
package enum SandboxKind: String, Sendable, Hashable {
    /// labctl's own, that answers as a recorded real one.
    case simulated
    /// `kube-apiserver` and `etcd` of `KUBEBUILDER_ASSETS`.
    case real

    /// What a person has to know about a run against it; said on every run.
    package var sentence: String {
        switch self {
        case .simulated:
            "sandbox: three real sshd on loopback; the API server is labctl's simulation of a recorded "
                + "kube-apiserver 1.36, and MetalLB is simulated with it: no pod runs"
        case .real:
            "sandbox: three real sshd on loopback; kube-apiserver and etcd are the real ones of KUBEBUILDER_ASSETS, "
                + "without controllers: no pod runs and nothing becomes ready"
        }
    }
}

/// A node of a sandbox: an sshd on loopback.
package struct SandboxNode: Sendable, Hashable {
    package var name: String
    /// On 127.0.0.1.
    package var port: Int
    package var user: String
    /// The home that commands on the node see.
    package var home: String
    /// The address that the node has in the (simulated) cluster.
    package var clusterAddress: String
    /// The inventory's group: `control_plane` or `workers`.
    package var group: String
}

/// A lab on loopback: three sshd as the current user, and an API server behind them.
package struct Sandbox: Sendable {
    package let kind: SandboxKind
    package let directory: SandboxDirectory
    package let nodes: [SandboxNode]
    /// On 127.0.0.1.
    package let apiPort: Int
    /// Whether it was already up before this call.
    package let wasRunning: Bool

    /// An inventory file for labctl and for Ansible: hosts, ports, key and known_hosts.
    package var inventoryPath: String { directory.inventory }
    package var knownHostsPath: String { directory.knownHosts }
    package var privateKeyPath: String { directory.clientKey }
    package var kubeconfigPath: String { directory.kubeconfig }
    /// labctl's miniature of MetalLB's manifest, for a sandbox with no network.
    package var manifestPath: String { directory.manifest }
    /// The miniature of MetalLB's FRR manifest.
    package var frrManifestPath: String { directory.frrManifest }
}

/// What is known of the sandbox of a project.
package enum SandboxStatus: Sendable {
    case down
    case running(Sandbox)
    /// Left behind by a crash, or damaged: what is wrong. `up` and `down` clean it up.
    case broken([String])
}

/// How a sandbox is started.
package struct SandboxOptions: Sendable {
    package var project: String
    /// The program that is run as `<program> sandbox serve --directory <dir>`: labctl itself.
    package var executable: String
    /// The folder with `etcd` and `kube-apiserver`; nil for the simulation.
    package var assets: String?
    /// How long starting may take in all.
    package var timeout: Duration = .seconds(60)
    /// Starts the simulated API server in another way, as tests do within their own process.
    package var startServer: (@Sendable (SandboxDirectory) async throws -> Void)?

    package init(project: String, executable: String, assets: String? = nil) {
        self.project = project
        self.executable = executable
        self.assets = assets
    }
}

extension Sandbox {
    /// Starts the sandbox of a project, or finds it running. One that a crash left behind is cleaned up first.
    ///
    /// - Throws: `SandboxError` when OpenSSH's server is not installed, a part does not start in time, or another
    ///   labctl is at it.
    package static func up(_ options: SandboxOptions) async throws -> Sandbox {
        let directory = SandboxDirectory(project: options.project)
        return try await SandboxLock.held(directory, within: options.timeout) {
            if let running = try find(project: options.project) { return running }
            try await cleanUp(directory)
            do {
                return try await start(options, directory)
            } catch {
                try? await cleanUp(directory)
                throw error
            }
        }
    }

    /// The sandbox of a project, when it is up and whole.
    package static func find(project: String) throws -> Sandbox? {
        if case .running(let sandbox) = status(project: project) { sandbox } else { nil }
    }

    /// Looks at what there is, and changes nothing.
    package static func status(project: String) -> SandboxStatus {
        let directory = SandboxDirectory(project: project)
        guard Files.exists(directory.root) else {
            let strays = ProcessIdentity.naming(directory.root)
            return strays.isEmpty
                ? .down : .broken(["\(strays.count) of its processes still run, though its folder is gone"])
        }
        guard let record = SandboxRecord.load(directory) else {
            return .broken(["\(directory.root) is there, but its state cannot be read"])
        }
        var faults: [String] = []
        if !record.isComplete { faults.append("its start did not come to an end") }
        for process in record.processes where !process.identity.isAlive {
            faults.append("\(process.role) (process \(process.identity.pid)) does not run any more")
        }
        if faults.isEmpty, !Loopback.accepts(record.apiPort) {
            faults.append("nothing listens on port \(record.apiPort) for the API server")
        }
        for path in [directory.inventory, directory.knownHosts, directory.clientKey, directory.kubeconfig]
        where !Files.exists(path) { faults.append("\(path) is missing") }
        guard faults.isEmpty else { return .broken(faults) }
        return .running(
            Sandbox(
                kind: record.kind, directory: directory, nodes: record.nodes, apiPort: record.apiPort,
                wasRunning: true))
    }

    /// Ends everything that belongs to the sandbox and removes its folder.
    ///
    /// - Returns: whether there was anything.
    @discardableResult
    package static func down(project: String) async throws -> Bool {
        let directory = SandboxDirectory(project: project)
        if case .down = status(project: project) { return false }
        try await SandboxLock.held(directory, within: .seconds(60)) { try await cleanUp(directory) }
        return true
    }

    /// Ends what the record, the pid files and the process list know of, and removes the folder.
    private static func cleanUp(_ directory: SandboxDirectory) async throws {
        var processes: [ProcessIdentity] = SandboxRecord.load(directory)?.processes.map(\.identity) ?? []
        processes += ProcessIdentity.naming(directory.root)
        let own = getpid()
        for process in Set(processes) where process.pid != own { await process.terminate() }
        try Files.remove(directory.root)
    }

    private static func start(_ options: SandboxOptions, _ directory: SandboxDirectory) async throws -> Sandbox {
        let ssh = try OpenSSH.find()
        let deadline = ContinuousClock.now + options.timeout
        try Files.makeDirectory(directory.root)
        try Files.makeDirectory(directory.api)
        var record = SandboxRecord(kind: options.assets == nil ? .simulated : .real)
        try record.save(directory)
        try Files.write(MiniatureManifest.text, to: directory.manifest, mode: 0o644)
        try Files.write(MiniatureManifest.frrText, to: directory.frrManifest, mode: 0o644)
        try ssh.makeKey(directory.clientKey, comment: "labctl-sandbox", log: directory.root + "/ssh-keygen.log")

        try await startServer(options, directory, &record, deadline: deadline)
        let kubeconfig = try requireKubeconfig(directory)
        var knownHosts: [String] = []
        for plan in ClusterOptions().nodes {
            let (node, process) = try await ssh.startNode(
                plan, directory, kubeconfig: kubeconfig, deadline: deadline
            ) { process, port throws(SandboxError) in
                record.processes.append(.init(role: "sshd of \(plan.name)", identity: process, port: port))
                try record.save(directory)
            }
            record.processes.removeAll { $0.role == "sshd of \(plan.name)" && $0.identity != process }
            record.nodes.append(node)
            let key = (Files.read(directory.hostKey(node.name) + ".pub") ?? "").split(separator: " ").prefix(2)
            knownHosts.append("[127.0.0.1]:\(node.port) \(key.joined(separator: " "))")
        }
        try Files.write(knownHosts.joined(separator: "\n") + "\n", to: directory.knownHosts)
        try Files.write(SandboxInventory.text(record, directory), to: directory.inventory, mode: 0o644)
        record.isComplete = true
        try record.save(directory)
        return Sandbox(
            kind: record.kind, directory: directory, nodes: record.nodes, apiPort: record.apiPort, wasRunning: false)
    }

    private static func requireKubeconfig(_ directory: SandboxDirectory) throws(SandboxError) -> String {
        guard let text = Files.read(directory.kubeconfig) else {
            throw SandboxError("the sandbox's API server wrote no kubeconfig", notes: Files.tail(directory.serverLog))
        }
        return text
    }

    private static func startServer(
        _ options: SandboxOptions, _ directory: SandboxDirectory, _ record: inout SandboxRecord,
        deadline: ContinuousClock.Instant
    ) async throws {
        if let assets = options.assets {
            let plane = try RealControlPlane(assets: assets, directory: directory)
            try await plane.start(&record, deadline: deadline)
            return
        }
        if let startServer = options.startServer {
            try await startServer(directory)
        } else {
            let process = try ProcessSpawn.detached(
                options.executable, ["sandbox", "serve", "--directory", directory.root], log: directory.serverLog)
            record.processes.append(.init(role: "API server", identity: process, port: 0))
            try record.save(directory)
        }
        let server = record.processes.last?.identity
        while true {
            if let text = Files.read(directory.ready), let port = (try? Value(json: text))?["port"]?.int {
                record.apiPort = port
                try record.save(directory)
                return
            }
            if let server, !server.isAlive {
                throw SandboxError("the sandbox's API server ended at once", notes: Files.tail(directory.serverLog))
            }
            guard ContinuousClock.now < deadline else {
                throw SandboxError(
                    "the sandbox's API server did not start in time", notes: Files.tail(directory.serverLog))
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
