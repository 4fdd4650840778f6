import LabCore
import LabTemplate

/// Roles and tasks for hosts.
package struct Play: Sendable {
    /// Whether hosts go through the tasks together (`linear`) or each at its own pace (the other two).
    package enum Strategy: String, Sendable, CaseIterable { case linear, free, hostPinned = "host_pinned" }

    package var name: String?
    /// The pattern of `hosts`, with its templates.
    package var hosts: SourceValue
    /// `vars` and `vars_files` with constant names, in order of precedence.
    package var variables: [VariableLayer]
    /// `vars_files` whose names are templates, to be read for each host.
    package var variableFiles: [VariableFile]
    package var directives: Directives
    package var preTasks: [TaskNode]
    /// Each role once, dependencies before the roles that need them, with the keywords it was listed with.
    package var roles: [Role]
    /// Roles that its own tasks import.
    package var importedByTasks: [Role] = []
    /// The role whose `verify/` the play is.
    package var verifiedRole: RoleContext?
    package var tasks: [TaskNode]
    package var postTasks: [TaskNode]
    /// Those of the play, then those of its roles.
    package var handlers: [TaskNode]
    /// The batches: numbers of hosts or percentages, the last repeated; empty for all at once.
    package var serial: [SourceValue]
    package var strategy: Strategy
    /// Percentage of failed hosts of a batch from which on the play stops; nil for all.
    package var maximumFailPercentage: Double?
    package var forceHandlers: Bool
    /// The folder of the playbook, or of the project for roles that are run by name.
    package var directory: String
    package var span: SourceSpan?
    /// Things to tell that are no mistakes (`gather_facts` has no effect).
    package var notes: [Diagnostic]

    package init(name: String? = nil, hosts: SourceValue, directory: String) {
        self.name = name
        self.hosts = hosts
        self.variables = []
        self.variableFiles = []
        self.directives = Directives()
        self.preTasks = []
        self.roles = []
        self.tasks = []
        self.postTasks = []
        self.handlers = []
        self.serial = []
        self.strategy = .linear
        self.forceHandlers = false
        self.directory = directory
        self.notes = []
    }

    /// Roles that tasks import, of the play and of its roles, with all that these bring.
    package var importedRoles: [Role] {
        (importedByTasks + roles.flatMap(\.importedRoles)).flatMap(\.everyRole)
    }

    /// Roles that are not listed but whose variables the whole play sees.
    package var exposedRoles: [RoleContext] {
        (verifiedRole.map { [$0] } ?? []) + importedRoles.map(\.context)
    }
}

/// An entry of `vars_files` whose name depends on the host: the first of the files that is there counts.
package struct VariableFile: Sendable {
    package let names: [Templated<String>]
    package let span: SourceSpan?
    private let loader: @Sendable (String) throws -> VariableLayer?

    package init(
        names: [Templated<String>], span: SourceSpan?, loader: @escaping @Sendable (String) throws -> VariableLayer?
    ) {
        self.names = names
        self.span = span
        self.loader = loader
    }

    /// The variables for a host.
    ///
    /// - Throws: `TemplateError`, `YAMLError`; `InputError` when none of the files is there.
    package func load(_ scope: some TemplateScope) throws -> VariableLayer {
        var tried: [String] = []
        for name in names {
            let path = try name.resolve(scope)
            if let layer = try loader(path) { return layer }
            tried.append(path)
        }
        throw InputError("no file of 'vars_files' is there: \(tried.joined(separator: ", "))", span: span)
    }
}
