import Foundation
import LabCore
import LabEngine
import LabKube
import LabModel
import LabModules
import LabSandbox
import LabTransport
import Testing

/// A lab with a simulated cluster that every host reaches, and roles that apply objects to it.
final class ClusterLab: Sendable {
    let lab: Lab
    let server: SandboxAPIServer

    /// Runs a body with a lab and clears everything away.
    static func with(_ body: (ClusterLab) async throws -> Void) async throws {
        var options = ClusterOptions()
        options.delays = .each(.milliseconds(5))
        let server = try await SandboxAPIServer.start(options: options)
        let lab = try ClusterLab(Lab(), server)
        var failure: (any Error)?
        do { try await body(lab) } catch { failure = error }
        await server.stop()
        if let failure { throw failure }
    }

    private init(_ lab: Lab, _ server: SandboxAPIServer) throws {
        self.lab = lab
        self.server = server
        lab.write("kubeconfig", server.kubeconfig())
        lab.write("inventory.yml", "all:\n  hosts:\n    one:\n    two:\n")
    }

    /// Writes a role that applies ConfigMaps of these names, in a task of its own each.
    func role(_ role: String = "app", maps: [String], prunes: Bool = true, tasks: String = "") {
        lab.write(
            "Roles/\(role)/meta/main.yml", "galaxy_info: {labctl: {hosts: one, prune: \(prunes)}}\ndependencies: []\n")
        lab.write("Roles/\(role)/tasks/main.yml", maps.map { task($0) }.joined() + tasks)
    }

    /// A task that applies a ConfigMap; `keywords` are further lines of it.
    func task(_ name: String, _ keywords: String...) -> String {
        """
        - name: \(name) applied
          kubernetes.core.k8s:
            apply: true
            server_side_apply: {field_manager: labctl, force_conflicts: true}
            kubeconfig: \(lab.folder)/kubeconfig
            definition:
              apiVersion: v1
              kind: ConfigMap
              metadata: {name: \(name), namespace: default}
              data: {a: "1"}

        """ + keywords.map { "  \($0)\n" }.joined()
    }

    /// Runs roles as `labctl provision` does, or takes them away as `labctl remove` does.
    func run(_ roles: String..., configure: (inout RunOptions) -> Void = { _ in }) async throws -> Report {
        var options = RunOptions()
        options.environment = ["HOME": lab.folder]
        configure(&options)
        let registry = ModuleRegistry.complete(environment: [:])
        let loader = RoleLoader(catalog: registry, finder: RoleFinder(directory: lab.folder))
        let plays = options.removes ? try loader.removalPlays(for: roles) : try loader.plays(for: roles)
        return try await run(roles.joined(), plays, registry, options)
    }

    /// Verifies a role as `labctl verify` does.
    func verify(_ role: String) async throws -> Report {
        var options = RunOptions()
        options.environment = ["HOME": lab.folder]
        let registry = ModuleRegistry.complete(environment: [:])
        let loader = RoleLoader(catalog: registry, finder: RoleFinder(directory: lab.folder))
        return try await run(role, loader.verifyPlays(for: [role]), registry, options)
    }

    /// Runs a playbook as `labctl play` does.
    func play(_ playbook: String, configure: (inout RunOptions) -> Void = { _ in }) async throws -> Report {
        var options = RunOptions()
        options.environment = ["HOME": lab.folder]
        configure(&options)
        lab.write("play.yml", playbook)
        let registry = ModuleRegistry.complete(environment: [:])
        let loader = PlaybookLoader(catalog: registry, finder: RoleFinder(directory: lab.folder))
        return try await run("play.yml", loader.load(["\(lab.folder)/play.yml"]), registry, options)
    }

    private func run(
        _ title: String, _ plays: [Play], _ registry: ModuleRegistry, _ options: RunOptions
    ) async throws -> Report {
        let inventory = try InventoryLoader(workingDirectory: lab.folder).load(["\(lab.folder)/inventory.yml"])
        let transport = DirectTransport()
        let engine = Engine(registry: registry, transport: transport, local: transport)
        return await engine.run(
            RunPlan(title: title, inventory: inventory, plays: plays, options: options)
        ) { _ in }
    }

    func remove(_ roles: String..., check: Bool = false) async throws -> Report {
        try await run(roles[0]) {
            $0.removes = true
            $0.isCheck = check
            $0.removalTimeout = .seconds(2)
        }
    }

    func map(_ name: String, namespace: String = "default") async -> Value? {
        await server.cluster.object("/configmaps", namespace: namespace, name: name)
    }

    /// The names of the ConfigMaps in the namespace `default`.
    func maps() async -> [String] {
        var found: [String] = []
        for name in ["a", "b", "c", "d"] where await map(name) != nil { found.append(name) }
        return found
    }

    /// What the record of a role says of its kinds; nil when there is none.
    func recorded(_ role: String = "app") async -> String? {
        await map("labctl-\(role)", namespace: "kube-system")?[
            ["metadata", "annotations", "applyset.kubernetes.io/contains-group-kinds"]]?.string
    }

    /// How many requests wrote something, dry runs aside.
    func writes() async -> Int {
        await server.cluster.requests.count { request in
            request.method != "GET" && !request.query.contains { $0.name == "dryRun" }
        }
    }

    /// Sends something to the API server as another person's tool would.
    func send(_ method: String, _ path: String, _ body: Value, type: String = "application/merge-patch+json") async {
        let request = APIRequest(
            method: method, target: path, contentType: type, body: body.jsonBytes(),
            user: APIUser(name: "admin", groups: ["system:masters"]))
        let response = await server.cluster.answer(request)
        #expect(response.status < 300)
    }
}

/// Reaches every host on the machine itself, and opens ways to its own ports.
private struct DirectTransport: Transport {
    struct Direct: PassingConnection {
        let inner: any Connection
        func openForward(host: String, port: Int) async throws -> any ByteChannel {
            try await DirectChannel.open(host: host, port: port)
        }
    }

    func connect(to endpoint: Endpoint) async throws -> any Connection {
        Direct(inner: LocalConnection(hostName: endpoint.hostName))
    }
}
