import LabCore
import LabTemplate

/// What the run knows by itself and offers as variables: `inventory_hostname`, `groups`, `ansible_check_mode` …
package struct MagicVariables: Sendable {
    /// The ansible-core level whose language labctl follows.
    package static let ansibleVersion = (major: 2, minor: 19, revision: 0)

    package var inventory: Inventory
    /// The host whose variables they are; after `delegate_to` still the one that the task was for.
    package var hostName: String?
    package var playName: String?
    /// The hosts of the play, without those that failed or were unreachable.
    package var playHosts: [String] = []
    /// The hosts of the play.
    package var allPlayHosts: [String] = []
    /// The hosts of the batch (`serial`) under way.
    package var batch: [String] = []
    package var playRoleNames: [String] = []
    package var role: RoleContext?
    /// The folder of the playbook or project.
    package var playbookDirectory = "."
    package var isCheckMode = false
    package var isDiffMode = false
    package var forks = 5
    package var limit: String?
    package var tags: [String] = ["all"]
    package var skippedTags: [String] = []
    package var verbosity = 0
    /// The environment of labctl itself, for `lookup('env', …)`.
    package var processEnvironment: [String: String] = [:]
    /// Folders in which `lookup('file', …)` and `lookup('template', …)` look, in this order.
    package var searchPaths: [String] = []
    /// The variables of any host, for `hostvars`; where it gives nil, what the inventory says.
    package var hostVariables: (@Sendable (String) -> VariableLayers?)?
    /// Digests of bytes in lower-case hexadecimal by Python's name of the algorithm, for `hash`; nil for an unknown one.
    package var digest: @Sendable (_ algorithm: String, _ bytes: [UInt8]) -> String? = { _, _ in nil }

    package init(
        inventory: Inventory, hostName: String?, hostVariables: (@Sendable (String) -> VariableLayers?)? = nil
    ) {
        self.inventory = inventory
        self.hostName = hostName
        self.hostVariables = hostVariables
    }

    /// Names of the variables that `value(of:)` may give.
    package static let names: Set<String> = [
        "inventory_hostname", "inventory_hostname_short", "group_names", "groups", "inventory_dir", "inventory_file",
        "ansible_play_hosts", "ansible_play_hosts_all", "ansible_play_batch", "play_hosts", "ansible_play_name",
        "ansible_play_role_names", "role_names", "role_name", "ansible_role_name", "role_path", "playbook_dir",
        "ansible_check_mode", "ansible_diff_mode", "ansible_forks", "ansible_limit", "ansible_run_tags",
        "ansible_skip_tags", "ansible_verbosity", "ansible_version", "ansible_inventory_sources",
    ]

    /// The value of a built-in variable other than `hostvars` and `vars`; nil when there is none of that name here.
    package func value(of name: String) -> Value? {
        switch name {
        case "inventory_hostname": hostName.map { .string($0) }
        case "inventory_hostname_short": hostName.map { .string(Self.shortName($0)) }
        case "group_names": hostName.map { list(inventory.groupNames(ofHost: $0)) }
        case "groups":
            .map(
                ValueMap(
                    inventory.groups.keys.map { ($0, list(inventory.hostNames(inGroup: $0))) },
                    uniquingKeysWith: { first, _ in first }))
        case "inventory_file": inventoryFile.map { .string($0) }
        case "inventory_dir": inventoryFile.map { .string(FileTree.absolute(Path.directory($0))) }
        case "ansible_inventory_sources": list(inventory.sources.map(FileTree.absolute))
        case "ansible_play_hosts": list(playHosts)
        case "ansible_play_hosts_all": list(allPlayHosts)
        case "ansible_play_batch", "play_hosts": list(batch.isEmpty ? playHosts : batch)
        case "ansible_play_name": playName.map { .string($0) }
        case "ansible_play_role_names", "role_names": list(playRoleNames)
        case "role_name", "ansible_role_name": role.map { .string($0.name) }
        case "role_path": role.map { .string(FileTree.absolute($0.path)) }
        case "playbook_dir": .string(FileTree.absolute(playbookDirectory))
        case "ansible_check_mode": .bool(isCheckMode)
        case "ansible_diff_mode": .bool(isDiffMode)
        case "ansible_forks": .int(forks)
        case "ansible_limit": limit.map { .string($0) }
        case "ansible_run_tags": list(tags)
        case "ansible_skip_tags": list(skippedTags)
        case "ansible_verbosity": .int(verbosity)
        case "ansible_version": Self.version
        default: nil
        }
    }

    private var inventoryFile: String? {
        guard let hostName, let file = inventory.host(hostName)?.inventoryFile else { return nil }
        return FileTree.absolute(file)
    }

    private static var version: Value {
        let (major, minor, revision) = ansibleVersion
        let full = "\(major).\(minor).\(revision)"
        return [
            "full": .string(full), "string": .string(full), "major": .int(major), "minor": .int(minor),
            "revision": .int(revision),
        ]
    }

    private static func shortName(_ name: String) -> String {
        String(name.prefix { $0 != "." })
    }

    private func list(_ names: some Sequence<String>) -> Value { .list(names.map { .string($0) }) }
}
