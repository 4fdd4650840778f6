import LabCore
import LabEngine
import LabModel

/// One run of roles or playbooks, from the command line's options to its end.
struct RoleRun {
    private let hosts: InventoryOptions
    private let variables: VariableOptions
    private let cluster: ClusterAccessOptions
    private let sandbox: SandboxOptions
    private var running: Running

    init(
        hosts: InventoryOptions, variables: VariableOptions, connection: ConnectionOptions, output: OutputOptions,
        cluster: ClusterAccessOptions, sandbox: SandboxOptions
    ) {
        self.hosts = hosts
        self.variables = variables
        self.cluster = cluster
        self.sandbox = sandbox
        running = Running(output: output, connection: connection)
        running.options.limit = hosts.limit
    }

    init(
        shared: RoleRunOptions, run: RunOptions? = nil, forks: Int? = nil, preflight: PreflightOptions? = nil
    ) {
        self.init(
            hosts: shared.hosts, variables: shared.variables, connection: shared.connection, output: shared.output,
            cluster: shared.cluster, sandbox: shared.sandbox)
        if let run {
            running.options.isCheck = run.check
            running.options.isDiff = run.diff
            running.options.proves = run.prove
        }
        if let forks = forks ?? run?.forks { running.options.forks = forks }
        running.options.runsPreflight = preflight.map { !$0.skipPreflight } ?? false
        running.options.tags = TagSelection(
            only: Self.names(shared.selection.tags), skip: Self.names(shared.selection.skipTags))
    }

    func provision(_ roles: [String]) async throws {
        try await run(roles) { try $0.roles.plays(for: roles) }
    }

    func plan(_ roles: [String]) async throws {
        var planning = self
        planning.running.options.isCheck = true
        planning.running.options.isDiff = true
        planning.running.options.changesAreFindings = true
        try await planning.run(roles) { try $0.roles.plays(for: roles) }
    }

    /// - Parameter withFailover: whether the drill of `labctl.metallb.verify` is wanted, which the role's
    ///   `verify/main.yml` reads as the variable `labctl_failover`.
    func verify(_ roles: [String], withFailover: Bool = false) async throws {
        var verifying = self
        if withFailover {
            var layer = VariableLayer(.extraVars)
            layer.set("labctl_failover", value: true)
            verifying.running.options.extraVariables.append(layer)
        }
        try await verifying.run(roles, title: "verify") { project in
            let plays = try project.roles.verifyPlays(for: roles)
            for (role, play) in zip(roles, plays) where withFailover && !play.tasks.contains(where: \.isVerification) {
                throw UsageError("the role '\(role)' has no fail-over drill; metallb has one")
            }
            return plays
        }
    }

    func remove(_ roles: [String], _ options: RemovalOptions) async throws {
        var removing = self
        removing.running.options.removes = true
        removing.running.options.removalTimeout = .seconds(options.waitTimeout)
        removing.running.options.isCheck = options.check
        removing.running.options.isDiff = options.diff
        removing.running.listsChanges = true
        try await removing.run(roles, title: "remove") { try $0.roles.removalPlays(for: roles) }
    }

    func play(_ playbooks: [String]) async throws {
        let directory = playbooks.first.map(Self.folder) ?? "."
        try await run(playbooks, playbookDirectory: directory) { try $0.playbooks.load(playbooks) }
    }

    private func run(
        _ names: [String], title: String? = nil, playbookDirectory: String = ".",
        _ plays: (Project) throws -> [LabModel.Play]
    ) async throws {
        var running = running
        let sandbox = self.sandbox.sandbox ? try await SandboxUse.start(tell: running.tell) : nil
        let project = try await Project.load(
            hosts, variables, cluster: cluster, sandbox: sandbox, playbookDirectory: playbookDirectory)
        let loaded = try plays(project)
        try TagCheck(plays: loaded).check(running.options.tags.only)
        running.warnings += VariableCheck(plays: loaded, inventory: project.inventory)
            .warnings(for: project.extraVariables)
        if let sandbox {
            running.options.extraVariables += try await SandboxManifest.variables(
                for: loaded, in: project, sandbox, tell: running.tell)
        }
        let title = [title, names.joined(separator: ", ")].compactMap(\.self).joined(separator: " ")
        try await running.run(title, loaded, in: project)
    }

    /// The names of `-t a,b -t c`.
    private static func names(_ options: [String]) -> [String] {
        options.flatMap { $0.split(separator: ",").map { $0.trimmingSpaces } }
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

extension TaskNode {
    /// Whether the drill is in here.
    fileprivate var isVerification: Bool {
        switch self {
        case .task(let task): task.module.canonical == "labctl.metallb.verify"
        case .block(let block): (block.tasks + block.rescue + block.always).contains(where: \.isVerification)
        case .include: true
        case .meta: false
        }
    }
}

extension Substring {
    fileprivate var trimmingSpaces: String {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
