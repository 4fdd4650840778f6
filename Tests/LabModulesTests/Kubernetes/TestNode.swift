import Foundation
import LabCore
import LabKube
import LabModules
import LabSandbox
import LabTransport

/// A node that is this machine with a home of its own: commands run here, and the API server is reached directly.
struct TestNode: Connection {
    let hostName = "cp1"
    let home: URL
    let port: Int
    private let local = LocalConnection()

    init(home: URL, port: Int) {
        self.home = home
        self.port = port
    }

    func run(_ command: Command) async throws -> CommandResult {
        var command = command
        command.environment = [("HOME", home.path)] + command.environment
        return try await local.run(command)
    }

    func openForward(host: String, port: Int) async throws -> any ByteChannel {
        guard self.port != 0 else {
            throw ConnectionError(.forwardRefused, hostName: hostName, "connection refused by \(host):\(port)")
        }
        return try await DirectChannel.open(host: "127.0.0.1", port: self.port)
    }

    func readFile(_ path: String, become: Become?) async throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ConnectionError(.fileRefused, hostName: hostName, "\(path) does not exist")
        }
        return Array(data)
    }

    func writeFile(_ bytes: [UInt8], to path: String, attributes: FileAttributes, become: Become?) async throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    func close() async {}
}

/// A simulated cluster, a node that has its kubeconfig, and a run's storage.
struct TestLab {
    let server: SandboxAPIServer
    let node: TestNode
    let shared = RunStorage()

    /// Runs a body with a lab and clears everything away.
    static func with(
        kubeconfigAt path: String? = ".kube/config", isDirect: Bool = false, delays: Duration = .milliseconds(20),
        isReachable: Bool = true,
        _ body: (TestLab) async throws -> Void
    ) async throws {
        var options = ClusterOptions()
        options.delays = .each(delays)
        let server = try await SandboxAPIServer.start(options: options)
        let home = FileManager.default.temporaryDirectory.appendingPathComponent("labctl-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: home.appendingPathComponent(".kube"), withIntermediateDirectories: true)
        if let path {
            let file = home.appendingPathComponent(path)
            try Data(server.kubeconfig(server: isDirect ? nil : "https://192.168.56.10:6443").utf8).write(to: file)
        }
        let lab = TestLab(server: server, node: TestNode(home: home, port: isReachable ? server.port : 0))
        var failure: (any Error)?
        do { try await body(lab) } catch { failure = error }
        await lab.shared.close()
        await server.stop()
        try? FileManager.default.removeItem(at: home)
        if let failure { throw failure }
    }

    func context(
        environment: [(name: String, value: String)] = [], checkMode: Bool = false, searchPaths: [String] = [],
        insight: (any CommandInsight)? = nil, progress: @escaping @Sendable (String) -> Void = { _ in }
    ) -> ModuleContext {
        let node = node
        return ModuleContext(
            hostName: "cp1", connection: { node }, controller: node, environment: environment,
            searchPaths: searchPaths, shared: shared, progress: progress, insight: insight, checkMode: checkMode)
    }

    func call(_ module: any Module, _ arguments: ValueMap) throws -> ModuleCall {
        let converted = try module.specification.convert(arguments)
        return ModuleCall(arguments: converted, source: SourceValue(.map(arguments)))
    }

    /// Plans and, where the plan is not empty, applies; the module's outcome as the engine sees it.
    func run(
        _ module: any Module, _ arguments: ValueMap, environment: [(name: String, value: String)] = []
    ) async throws -> (changed: Bool, values: ValueMap, notes: [String]) {
        let call = try call(module, arguments)
        let context = context(environment: environment)
        let plan = try await module.plan(call, in: context)
        if case .nothing = plan.verdict { return (false, plan.values, plan.notes) }
        let result = try await module.apply(plan, for: call, in: context)
        return (result.changed ?? true, result.values, result.notes)
    }
}
