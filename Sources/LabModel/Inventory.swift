import LabCore
import OrderedCollections

/// A machine that tasks run on.
package struct Host: Sendable {
    package let name: String
    /// What the inventory file itself says of the host.
    package var variables: VariableLayer
    /// The groups that name the host themselves.
    package var groups: OrderedSet<String>
    /// Where the inventory first names the host.
    package let span: SourceSpan?
    /// The inventory that first names the host: `inventory_file`.
    package let inventoryFile: String?
    /// Whether no inventory names it: the `localhost` that always is there.
    package let isImplicit: Bool

    package init(name: String, span: SourceSpan? = nil, inventoryFile: String? = nil, isImplicit: Bool = false) {
        self.name = name
        self.variables = VariableLayer(.inventoryFileHost)
        self.groups = []
        self.span = span
        self.inventoryFile = inventoryFile
        self.isImplicit = isImplicit
    }

    /// `localhost`, run on without SSH.
    package static func implicitLocalhost(_ name: String = "localhost") -> Host {
        var host = Host(name: name, isImplicit: true)
        host.variables.set("ansible_connection", value: "local")
        return host
    }
}

/// A set of hosts and of other groups.
package struct Group: Sendable {
    package let name: String
    /// What the inventory file itself says of the group.
    package var variables: VariableLayer
    /// The hosts that the group names itself.
    package var hosts: OrderedSet<String> = []
    package var children: OrderedSet<String> = []
    package var parents: OrderedSet<String> = []
    /// `ansible_group_priority`: of groups of the same depth the higher wins.
    package var priority = 1
    /// The length of the longest way from `all`.
    package var depth = 0
    package let span: SourceSpan?

    package init(name: String, span: SourceSpan? = nil) {
        self.name = name
        self.variables = VariableLayer(name == "all" ? .inventoryFileAll : .inventoryFileGroup)
        self.span = span
    }
}

/// The hosts and groups of a lab, and what is said of them.
package struct Inventory: Sendable {
    package private(set) var hosts: OrderedDictionary<String, Host> = [:]
    package private(set) var groups: OrderedDictionary<String, Group> = [
        "all": Group(name: "all"), "ungrouped": Group(name: "ungrouped"),
    ]
    /// What `group_vars/` and `host_vars/` beside inventories and playbooks say, in the order in which they were read.
    package private(set) var folders: [VariableFolder] = []
    /// The files and folders that the inventory was read from.
    package private(set) var sources: [String] = []
    /// Things to tell that are no mistakes.
    package var warnings: [Diagnostic] = []
    private var hostsOfGroup: [String: [String]] = [:]
    private var groupsOfHost: [String: [String]] = [:]
    /// What `layers(for:)` gives, made once: every task of every host asks for it.
    private var layersOfHost: [String: [VariableLayer]] = [:]

    package init() {
        groups["all"]?.children.append("ungrouped")
        groups["ungrouped"]?.parents.append("all")
    }

    /// The host with this name; nil for no such host.
    package func host(_ name: String) -> Host? { hosts[name] }
    /// The group with this name; nil for no such group.
    package func group(_ name: String) -> Group? { groups[name] }

    /// The names of the hosts in a group and in its children, each once; empty for no such group.
    package func hostNames(inGroup name: String) -> [String] {
        hostsOfGroup[name] ?? descend(from: name)
    }

    /// The names of the groups that a host is in, directly or through others, without `all`; sorted as Ansible sorts
    /// `group_names`.
    package func groupNames(ofHost name: String) -> [String] {
        (groupsOfHost[name] ?? ancestry(ofHost: name)).filter { $0 != "all" }.sorted()
    }

    /// The host's groups in the order in which their variables are merged, the winning one last; without `all`.
    package func groupsInMergeOrder(ofHost name: String) -> [Group] {
        (groupsOfHost[name] ?? ancestry(ofHost: name)).filter { $0 != "all" }.compactMap { groups[$0] }.sorted {
            ($0.depth, $0.priority, $0.name) < ($1.depth, $1.priority, $1.name)
        }
    }

    /// What inventory files, `group_vars/` and `host_vars/` say of a host, each layer with its level.
    package func layers(forHost name: String) -> [VariableLayer] {
        guard let host = hosts[name] else { return [] }
        return layers(for: host)
    }

    /// What inventory files, `group_vars/` and `host_vars/` say of a host, which need not be part of the inventory.
    package func layers(for host: Host) -> [VariableLayer] {
        if let layers = layersOfHost[host.name] { return layers }
        let merged = groupsInMergeOrder(ofHost: host.name)
        var layers = [groups["all"]?.variables].compactMap(\.self) + merged.map(\.variables)
        for folder in folders {
            layers += folder.layers(ofGroup: "all")
            for group in merged { layers += folder.layers(ofGroup: group.name) }
        }
        layers.append(host.variables)
        for folder in folders { layers += folder.layers(ofHost: host.name) }
        return layers.filter { !$0.isEmpty }
    }
}

/// What the files of a `group_vars/` and a `host_vars/` folder say.
package struct VariableFolder: Sendable {
    /// The folder that has them.
    package let path: String
    /// One layer a file, by the name of the group or host.
    package var groups: [String: [VariableLayer]] = [:]
    package var hosts: [String: [VariableLayer]] = [:]

    package init(path: String) { self.path = path }

    /// What the folder's files say of a group; empty when it has no file for it.
    package func layers(ofGroup name: String) -> [VariableLayer] { groups[name] ?? [] }
    /// What the folder's files say of a host; empty when it has no file for it.
    package func layers(ofHost name: String) -> [VariableLayer] { hosts[name] ?? [] }
}

// Building.
extension Inventory {
    mutating func addSource(_ path: String) {
        if !sources.contains(path) { sources.append(path) }
    }

    mutating func addGroup(_ name: String, span: SourceSpan?) {
        if groups[name] == nil { groups[name] = Group(name: name, span: span) }
    }

    mutating func addHost(_ name: String, to group: String?, span: SourceSpan?, inventoryFile: String?) {
        if hosts[name] == nil { hosts[name] = Host(name: name, span: span, inventoryFile: inventoryFile) }
        guard let group else { return }
        addGroup(group, span: span)
        groups[group]?.hosts.append(name)
        hosts[name]?.groups.append(group)
    }

    /// Makes a group part of another.
    ///
    /// - Throws: `InputError` when that closes a circle.
    mutating func addChild(_ child: String, to parent: String, span: SourceSpan?) throws(InputError) {
        addGroup(child, span: span)
        addGroup(parent, span: span)
        if child == parent { throw InputError("the group '\(child)' has itself as a child", span: span) }
        if ancestors(of: parent).contains(child) {
            throw InputError(
                "the group '\(child)' cannot be a child of '\(parent)', which is inside of '\(child)' already",
                span: span)
        }
        groups[parent]?.children.append(child)
        groups[child]?.parents.append(parent)
    }

    /// Sets a variable in an inventory file. Maps are merged where the same inventory gives one twice for a group.
    mutating func setGroupVariable(_ group: String, _ name: String, _ value: SourceValue, span: SourceSpan?) {
        if name == "ansible_group_priority" {
            if let priority = Int(keyword: value.value) { groups[group]?.priority = priority }
            return
        }
        let level: Origin.Level = group == "all" ? .inventoryFileAll : .inventoryFileGroup
        groups[group]?.variables.set(
            name, .template(value), origin: Origin(level, owner: group == "all" ? nil : group, span: span))
    }

    mutating func setHostVariable(_ host: String, _ name: String, _ value: SourceValue, span: SourceSpan?) {
        hosts[host]?.variables.set(
            name, .template(value), origin: Origin(.inventoryFileHost, owner: host, span: span))
    }

    /// Adds what a folder's `group_vars/` and `host_vars/` say, above those that were added before.
    mutating func add(_ folder: VariableFolder) {
        folders.append(folder)
        rememberLayers()
    }

    private mutating func rememberLayers() {
        layersOfHost = [:]
        var remembered: [String: [VariableLayer]] = [:]
        for host in hosts.values { remembered[host.name] = layers(for: host) }
        layersOfHost = remembered
    }

    /// Brings the groups into their final relations, as `InventoryData.reconcile_inventory` of Ansible does: a group with
    /// no parent is a child of `all`, a host with no group is in `ungrouped`.
    mutating func reconcile() {
        for name in groups.keys where name != "all" && groups[name]?.parents.isEmpty == true {
            groups["all"]?.children.append(name)
            groups[name]?.parents.append("all")
        }
        for name in hosts.keys {
            let direct = hosts[name]?.groups ?? []
            if direct.contains("ungrouped"), direct.contains(where: { $0 != "all" && $0 != "ungrouped" }) {
                groups["ungrouped"]?.hosts.remove(name)
                hosts[name]?.groups.remove("ungrouped")
            } else if direct.allSatisfy({ $0 == "all" }) {
                groups["ungrouped"]?.hosts.append(name)
                hosts[name]?.groups.append("ungrouped")
            }
        }
        setDepths()
        hostsOfGroup = [:]
        groupsOfHost = [:]
        for name in groups.keys { hostsOfGroup[name] = descend(from: name) }
        for name in hosts.keys { groupsOfHost[name] = ancestry(ofHost: name) }
        rememberLayers()
    }

    private mutating func setDepths() {
        for name in groups.keys { groups[name]?.depth = 0 }
        var level: OrderedSet<String> = ["all"]
        var depth = 0
        // Circles are refused by `addChild`, so the deepest level is at most the number of groups.
        while !level.isEmpty, depth <= groups.count {
            var next: OrderedSet<String> = []
            for name in level {
                groups[name]?.depth = depth
                next.append(contentsOf: groups[name]?.children ?? [])
            }
            level = next
            depth += 1
        }
    }

    private func ancestors(of name: String) -> OrderedSet<String> {
        var seen: OrderedSet<String> = []
        var pending = Array(groups[name]?.parents ?? [])
        while let next = pending.popLast() {
            if seen.append(next).inserted { pending += groups[next]?.parents ?? [] }
        }
        return seen
    }

    private func ancestry(ofHost name: String) -> [String] {
        var all: OrderedSet<String> = []
        for group in hosts[name]?.groups ?? [] {
            all.append(group)
            all.append(contentsOf: ancestors(of: group))
        }
        return Array(all)
    }

    /// Hosts in breadth-first order of the groups, as `Group.get_hosts` of Ansible.
    private func descend(from name: String) -> [String] {
        var seen: OrderedSet<String> = [name]
        var found: OrderedSet<String> = []
        var index = 0
        while index < seen.count {
            if let group = groups[seen[index]] {
                found.append(contentsOf: group.hosts)
                seen.append(contentsOf: group.children)
            }
            index += 1
        }
        return Array(found)
    }
}
