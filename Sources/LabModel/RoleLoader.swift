import LabCore

/// Loads roles by name or path.
package struct RoleLoader: Sendable {
    private let environment: LoadEnvironment

    package init(environment: LoadEnvironment) { self.environment = environment }

    package init(
        catalog: any ModuleCatalog, finder: RoleFinder, extraVariables: [VariableLayer] = []
    ) {
        self.init(
            environment: LoadEnvironment(catalog: catalog, roles: finder, extraVariables: extraVariables))
    }

    /// Loads a role with everything that it needs.
    ///
    /// - Throws: `InputError` with every mistake of all of its files.
    package func load(_ name: String) throws(InputError) -> Role {
        let roles = try load([name])
        guard let role = roles.first else { throw InputError("no such role: \(name)") }
        return role
    }

    /// Loads several roles.
    ///
    /// - Throws: `InputError` with every mistake of all of their files.
    package func load(_ names: [String]) throws(InputError) -> [Role] {
        var reader = RoleReader(environment: environment)
        let roles = names.compactMap { name in
            reader.role(RoleRequest(name: name, directory: environment.roles.directory))
        }
        try reader.collector.throwIfAny()
        return roles
    }

    /// The plays that run roles by name: neighbours for the same hosts share a play.
    ///
    /// - Parameter hosts: the pattern for all of them; nil takes each role's own (`galaxy_info.labctl.hosts`), else `all`.
    /// - Throws: `InputError` with every mistake of all files.
    package func plays(for names: [String], hosts: String? = nil) throws(InputError) -> [Play] {
        var plays: [Play] = []
        for role in try load(names) {
            let pattern = role.metadata.pattern(wanted: hosts)
            if let last = plays.last, last.hosts.string == pattern.string {
                plays[plays.count - 1].add(role)
                continue
            }
            var play = Play(name: nil, hosts: pattern, directory: environment.roles.directory)
            play.add(role)
            plays.append(play)
        }
        return plays
    }

    /// The plays that take away what roles brought: the last role first, and none of the roles that they depend on.
    ///
    /// - Throws: `InputError` with every mistake of all files.
    package func removalPlays(for names: [String]) throws(InputError) -> [Play] {
        try load(names).reversed().map { role in
            var play = Play(
                name: nil, hosts: role.metadata.pattern(wanted: nil), directory: environment.roles.directory)
            play.roles = [role]
            return play
        }
    }

    /// The play that verifies roles: their `verify/main.yml`, with their variables.
    ///
    /// - Throws: `InputError` with every mistake of all files, or when a role has nothing to verify.
    package func verifyPlays(for names: [String], hosts: String? = nil) throws(InputError) -> [Play] {
        var plays: [Play] = []
        for role in try load(names) {
            guard let verify = role.verify else {
                throw InputError(
                    "the role '\(role.name)' has nothing to verify",
                    hint: "add \(Path.join(role.path, "verify/main.yml"))")
            }
            let pattern = role.metadata.pattern(wanted: hosts)
            var play = Play(
                name: "verify \(role.name)", hosts: pattern, directory: environment.roles.directory)
            play.tasks = verify
            play.verifiedRole = role.context
            play.handlers = role.allHandlers
            plays.append(play)
        }
        return plays
    }
}

extension Play {
    /// Appends a role after its dependencies; what runs already is not added again.
    mutating func add(_ role: Role) {
        roles = (roles + [role]).inRunningOrder()
        handlers = roles.flatMap(\.handlers)
    }
}
