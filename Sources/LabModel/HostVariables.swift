import LabCore

/// What is known of a host while plays run: the inventory's words and what tasks learned.
package struct HostVariables: Sendable {
    package let host: Host
    /// From inventory files, `group_vars/` and `host_vars/`.
    package let inventory: [VariableLayer]
    /// `-e`.
    package let extra: VariableLayer
    /// What `include_vars` read.
    package var included = VariableLayer(.includeVars)
    /// What `set_fact` and `register` gave.
    package var facts = VariableLayer(.setFact)

    package init(host: Host, inventory: Inventory, extra: VariableLayer) {
        self.host = host
        self.inventory = inventory.layers(for: host)
        self.extra = extra
    }

    /// What other hosts see of this one through `hostvars`: no variables of plays, roles and tasks.
    package var shared: VariableLayers { VariableLayers(inventory + [included, facts, extra]) }

    /// All variables of the host at a task, in the order of `VariableManager.get_vars` of ansible-core.
    package func layers(play: Play?, task: Task? = nil) -> VariableLayers {
        var layers = shared
        if let play {
            let contexts = play.roles.map(\.context) + play.exposedRoles
            layers.add(contexts.flatMap(\.defaults))
            layers.add(play.variables)
            layers.add(contexts.flatMap(\.exports))
        }
        if let task {
            if let role = task.role {
                layers.add(role.defaults)
                layers.add(role.variables)
                layers.add(role.parameters)
            }
            layers.add(task.directives.variables)
            layers.add(task.includeParameters)
        }
        return layers
    }
}
