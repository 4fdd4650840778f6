import LabCore

/// Where a variable's value came from: which of Ansible's levels, which file, whose.
package struct Origin: Sendable, Hashable {
    /// Ansible's order of precedence, lowest first ("Understanding variable precedence" of its user guide, checked against
    /// `VariableManager.get_vars` of ansible-core 2.19).
    package enum Level: Int, Sendable, Hashable, CaseIterable, Comparable {
        case roleDefaults
        case inventoryFileAll
        case inventoryFileGroup
        case inventoryGroupVarsAll
        case playbookGroupVarsAll
        case inventoryGroupVars
        case playbookGroupVars
        case inventoryFileHost
        case inventoryHostVars
        case playbookHostVars
        case hostFacts
        case playVars
        case playVarsPrompt
        case playVarsFiles
        case roleVars
        case blockVars
        case taskVars
        case includeVars
        case setFact
        case roleParameters
        case includeParameters
        case extraVars
        /// `item` and its like: set last of all by the loop of a task.
        case loop
        /// Names that Ansible reserves: `inventory_hostname`, `groups` …
        case magic

        package static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
    }

    package let level: Level
    /// Whose variables they are, where that is not plain from the level: a group, a host, a role.
    package let owner: String?
    /// Where the variable is defined; nil for values that no file holds.
    package let span: SourceSpan?

    package init(_ level: Level, owner: String? = nil, span: SourceSpan? = nil) {
        self.level = level
        self.owner = owner
        self.span = span
    }
}

extension Origin.Level {
    /// The level as people name it.
    package var title: String {
        switch self {
        case .roleDefaults: "role defaults"
        case .inventoryFileAll: "inventory, group 'all'"
        case .inventoryFileGroup: "inventory, group"
        case .inventoryGroupVarsAll: "group_vars/all beside the inventory"
        case .playbookGroupVarsAll: "group_vars/all beside the playbook"
        case .inventoryGroupVars: "group_vars beside the inventory"
        case .playbookGroupVars: "group_vars beside the playbook"
        case .inventoryFileHost: "inventory, host"
        case .inventoryHostVars: "host_vars beside the inventory"
        case .playbookHostVars: "host_vars beside the playbook"
        case .hostFacts: "facts"
        case .playVars: "play vars"
        case .playVarsPrompt: "play vars_prompt"
        case .playVarsFiles: "play vars_files"
        case .roleVars: "role vars"
        case .blockVars: "block vars"
        case .taskVars: "task vars"
        case .includeVars: "include_vars"
        case .setFact: "set_fact or register"
        case .roleParameters: "role parameters"
        case .includeParameters: "parameters of an include"
        case .extraVars: "extra vars"
        case .loop: "loop"
        case .magic: "built in"
        }
    }
}

extension Origin: CustomStringConvertible {
    /// `role defaults of metallb, Roles/metallb/defaults/main.yml:3:1`.
    package var description: String {
        var text = level.title
        if let owner { text += " of \(owner)" }
        if let span { text += ", \(span)" }
        return text
    }
}
