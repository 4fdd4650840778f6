import LabCore

/// What the tasks of a role know of it: its name, its folder, its variables.
package final class RoleContext: Sendable {
    /// The name by which the role was asked for.
    package let name: String
    /// The role's folder.
    package let path: String
    /// `defaults/` of its dependencies, then its own.
    package let defaults: [VariableLayer]
    /// `vars/` of the roles that depend on it, of its dependencies, then its own.
    package let variables: [VariableLayer]
    /// `vars/` of the role and its dependencies, which the whole play sees.
    package let exports: [VariableLayer]
    /// What the play, or the role that depends on it, gave to it.
    package let parameters: [VariableLayer]
    /// The role that depends on this one or includes it.
    package let parent: RoleContext?
    /// Whether the objects that the role applies to a cluster are recorded there (`RoleMetadata.prunes`); not those of
    /// another entry point than `main`.
    package let keepsSet: Bool

    package init(
        name: String, path: String, defaults: [VariableLayer] = [], variables: [VariableLayer] = [],
        exports: [VariableLayer] = [], parameters: [VariableLayer] = [], parent: RoleContext? = nil,
        keepsSet: Bool = false
    ) {
        self.name = name
        self.path = path
        self.defaults = defaults
        self.variables = variables
        self.exports = exports
        self.parameters = parameters
        self.parent = parent
        self.keepsSet = keepsSet
    }
}

/// Ordered tasks with defaults, from a folder.
package struct Role: Sendable {
    package var context: RoleContext
    package var tasks: [TaskNode]
    package var handlers: [TaskNode]
    /// `verify/main.yml`; nil when the role has none.
    package var verify: [TaskNode]?
    /// `preflight/main.yml`, which runs beside the first tasks and holds back every change until it is done.
    package var preflight: [TaskNode] = []
    /// The roles that its tasks import; their tasks are among its own.
    package var importedRoles: [Role] = []
    /// The roles that run before this one, with theirs.
    package var dependencies: [Role]
    /// `meta/main.yml`.
    package var metadata: RoleMetadata
    /// What the role takes, by entry point (`main`).
    package var argumentSpecifications: [String: ArgumentSpecification]
    /// The file of `tasks/` that is run, `main` unless `tasks_from` names another.
    package var entryPoint = "main"
    /// What the entry of the role says besides its name.
    var identity = "{}"
    /// The keywords with which the role is used (`tags`, `when` …); its tasks have them already.
    package var directives = Directives()

    package init(
        context: RoleContext, tasks: [TaskNode], handlers: [TaskNode] = [], verify: [TaskNode]? = nil,
        dependencies: [Role] = [], metadata: RoleMetadata = RoleMetadata(),
        argumentSpecifications: [String: ArgumentSpecification] = [:]
    ) {
        self.context = context
        self.tasks = tasks
        self.handlers = handlers
        self.verify = verify
        self.dependencies = dependencies
        self.metadata = metadata
        self.argumentSpecifications = argumentSpecifications
    }

    package var name: String { context.name }
    package var path: String { context.path }

    /// What the role takes at the entry point that is run; nil when it does not say.
    package var argumentSpecification: ArgumentSpecification? { argumentSpecifications[entryPoint] }

    /// The role's dependencies, each before the role that needs it, and the role itself.
    package var withDependencies: [Role] { dependencies.flatMap(\.withDependencies) + [self] }

    /// The role with all that it depends on and all that it imports.
    package var everyRole: [Role] {
        dependencies.flatMap(\.everyRole) + [self] + importedRoles.flatMap(\.everyRole)
    }

    /// The tasks of the role after those of its dependencies; of roles that are needed twice, once.
    package var allTasks: [TaskNode] { [self].inRunningOrder().flatMap(\.tasks) }

    /// The handlers of the role and of its dependencies.
    package var allHandlers: [TaskNode] { [self].inRunningOrder().flatMap(\.handlers) }
}

extension Sequence where Element == Role {
    /// The roles with their dependencies before them; the same use of a role once, unless it allows duplicates.
    package func inRunningOrder() -> [Role] {
        var seen: Set<[String]> = []
        return flatMap(\.withDependencies).filter { role in
            role.metadata.allowsDuplicates || seen.insert([role.path, role.entryPoint, role.identity]).inserted
        }
    }
}

/// What a role says of itself in `meta/main.yml`.
package struct RoleMetadata: Sendable {
    package var allowsDuplicates: Bool
    package var description: String?
    /// The hosts that the role is for where nobody says otherwise (`galaxy_info.labctl.hosts`), a pattern.
    package var hosts: String?
    /// Where `hosts` is written.
    package var hostsSpan: SourceSpan?
    /// Whether what the role applies to a cluster is recorded there, and what it no longer has is removed
    /// (`galaxy_info.labctl.prune`).
    package var prunes: Bool
    /// Where `prunes` is written.
    package var prunesSpan: SourceSpan?

    package init(
        allowsDuplicates: Bool = false, description: String? = nil, hosts: String? = nil, hostsSpan: SourceSpan? = nil,
        prunes: Bool = false, prunesSpan: SourceSpan? = nil
    ) {
        self.allowsDuplicates = allowsDuplicates
        self.description = description
        self.hosts = hosts
        self.hostsSpan = hostsSpan
        self.prunes = prunes
        self.prunesSpan = prunesSpan
    }

    /// The hosts of a play of the role: `wanted`, else the role's own with their place, else all.
    func pattern(wanted: String?) -> SourceValue {
        if let wanted { return SourceValue(.string(wanted), span: nil) }
        return SourceValue(.string(hosts ?? "all"), span: hosts == nil ? nil : hostsSpan)
    }
}
