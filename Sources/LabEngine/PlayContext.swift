import LabCore
import LabModel
import LabModules
import Synchronization

/// A play under way on a batch of hosts.
final class PlayContext: Sendable {
    let run: RunState
    let play: Play
    /// The hosts of the play.
    let allHosts: [String]
    /// The hosts that run together (`serial`).
    let batch: [String]
    private let roleDefaults: [VariableLayer]
    private let roleVariables: [VariableLayer]
    private let addedHandlers: Mutex<[TaskNode]>
    private let isOver = Mutex(false)
    private let living = Mutex<(count: Int, hosts: [String])>((-1, []))
    private let bases = Mutex<[String: VariableLayers]>([:])
    /// What a role looks at before anything is changed.
    let preflight = PreflightGate()
    private let endedRoles = Mutex<[String: [RoleContext]]>([:])

    init(run: RunState, play: Play, allHosts: [String], batch: [String], handlers: [TaskNode]) {
        self.run = run
        self.play = play
        self.allHosts = allHosts
        self.batch = batch
        // Ansible shows the defaults and variables of every role of a play to all of it (DEFAULT_PRIVATE_ROLE_VARS).
        let roles = play.roles.map(\.context) + play.exposedRoles
        roleDefaults = roles.flatMap(\.defaults)
        roleVariables = roles.flatMap(\.variables)
        addedHandlers = Mutex(handlers)
    }

    /// The handlers of the play and those that includes brought.
    var handlers: [TaskNode] { addedHandlers.withLock { $0 } }

    func add(handlers: [TaskNode]) {
        addedHandlers.withLock { known in
            let places = Set(known.compactMap { $0.task?.span })
            known += handlers.filter { node in node.task?.span.map { !places.contains($0) } ?? true }
        }
    }

    /// Whether the play ended early (`meta: end_play`, `any_errors_fatal`).
    var hasEnded: Bool { isOver.withLock { $0 } }
    func end() { isOver.withLock { $0 = true } }

    /// Leaves out the rest of a role for a host (`meta: end_role`).
    func endRole(_ role: RoleContext?, on host: String) {
        guard let role else { return }
        endedRoles.withLock { $0[host, default: []].append(role) }
    }

    /// Whether a task is part of a role that ended for the host, or of one that this role includes.
    func hasEnded(_ role: RoleContext?, on host: String) -> Bool {
        guard let role else { return false }
        let ended = endedRoles.withLock { $0[host] ?? [] }
        guard !ended.isEmpty else { return false }
        var current: RoleContext? = role
        while let context = current {
            if ended.contains(where: { $0 === context }) { return true }
            current = context.parent
        }
        return false
    }

    /// The hosts of a list that tasks still run on.
    func active(_ hosts: [String]) -> [String] { hosts.filter { run.host($0).isActive } }

    /// The variables of a host at a task.
    func scope(_ hostName: String, task: LabModel.Task? = nil, loop: ValueMap = [:]) -> LabModel.VariableScope {
        let state = run.host(hostName)
        var layers = lasting(state.host)
        layers.add(state.layers)
        if let task {
            if let role = task.role {
                layers.add(role.defaults)
                layers.add(role.variables)
                layers.add(role.parameters)
            }
            layers.add(task.directives.variables)
            layers.add(task.includeParameters)
        }
        if !loop.isEmpty { layers.add(VariableLayer(.loop, values: loop)) }
        return LabModel.VariableScope(layers: layers, magic: magic(hostName, role: task?.role))
    }

    /// The variables of a host that no task changes.
    private func lasting(_ host: Host) -> VariableLayers {
        bases.withLock { bases in
            if let known = bases[host.name] { return known }
            var layers = VariableLayers(roleDefaults)
            layers.add(run.inventory.layers(for: host))
            layers.add(play.variables)
            layers.add(roleVariables)
            layers.add(run.options.extraVariables)
            bases[host.name] = layers
            return layers
        }
    }

    /// The hosts of the play that neither failed nor were lost. Every scope has them, so they are computed once per change.
    private var livingHosts: [String] {
        let count = run.hostChanges.value
        return living.withLock { living in
            if living.count != count {
                let hosts = allHosts.filter { !run.host($0).isFailed && !run.host($0).isUnreachable }
                living = (count, hosts)
            }
            return living.hosts
        }
    }

    private func magic(_ hostName: String, role: RoleContext?) -> MagicVariables {
        let run = run
        var magic = MagicVariables(inventory: run.inventory, hostName: hostName) { name in
            guard run.inventory.host(name) != nil || RunState.isLocal(name) else { return nil }
            let state = run.host(name)
            var layers = VariableLayers(run.inventory.layers(for: state.host))
            layers.add(state.layers)
            layers.add(run.options.extraVariables)
            return layers
        }
        let options = run.options
        magic.playName = play.name
        magic.playHosts = livingHosts
        magic.allPlayHosts = allHosts
        magic.batch = batch
        magic.playRoleNames = play.roles.map(\.name)
        magic.role = role
        magic.playbookDirectory = play.directory
        magic.isCheckMode = options.isCheck
        magic.isDiffMode = options.isDiff
        magic.forks = options.forks
        magic.limit = options.limit
        magic.tags = options.tags.only.isEmpty ? ["all"] : options.tags.only
        magic.skippedTags = options.tags.skip
        magic.verbosity = options.verbosity
        magic.processEnvironment = options.environment
        magic.digest = Checksum.named
        magic.searchPaths = role.map { [$0.path] } ?? []
        return magic
    }

    /// Variables under which a delegated task reaches its host: the connection variables of that host in place of the
    /// task's own.
    func connectionScope(for delegate: String, in scope: LabModel.VariableScope) -> LabModel.VariableScope {
        let other = self.scope(delegate)
        var overlay = VariableLayer(.loop)
        for name in Set(scope.layers.names).union(other.layers.names) where Self.isConnectionVariable(name) {
            if let variable = other.layers[name] {
                overlay.set(name, variable.content, origin: variable.origin)
            } else {
                overlay.set(name, value: .null)
            }
        }
        return scope.adding([overlay])
    }

    private static func isConnectionVariable(_ name: String) -> Bool {
        guard name.hasPrefix("ansible_") else { return false }
        let rest = name.dropFirst("ansible_".count)
        return ["ssh_", "become", "sudo_", "su_"].contains { rest.hasPrefix($0) }
            || ["connection", "host", "port", "user", "password", "private_key_file", "timeout", "host_key_checking"]
                .contains(String(rest))
    }
}
