import ArgumentParser
import LabCore
import LabModel
import LabYAML

/// `labctl inventory`
struct ListInventory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inventory",
        abstract: "Show the hosts, their groups and how they are reached.",
        discussion: """
            EXAMPLES
              labctl inventory
              labctl inventory -i vagrant --host cp1
              labctl inventory --list
            """)

    @OptionGroup var hosts: InventoryOptions
    @OptionGroup var variables: VariableOptions
    @OptionGroup var sandbox: SandboxOptions

    @Option(name: .long, help: ArgumentHelp("All variables of one host, as YAML.", valueName: "name"))
    var host: String?

    @Flag(name: .long, help: "Groups, hosts and variables as JSON, in the form of ansible-inventory --list.")
    var list = false

    func run() async throws {
        let use = sandbox.sandbox ? try await SandboxUse.start { StandardStream.error.line($0) } : nil
        let project = try await Project.load(hosts, variables, sandbox: use)
        Failure.show(project.inventory.warnings)
        if list {
            StandardStream.output.line(Self.document(project).json(.indented(4)))
        } else if let host {
            try showVariables(of: host, in: project)
        } else {
            try showHosts(in: project)
        }
    }

    private func showVariables(of name: String, in project: Project) throws {
        guard let host = try project.inventory.hosts(matching: name).first else { return }
        let variables = HostVariables(host: host, inventory: project.inventory, extra: project.extraVariables).shared
        let values = variables.names.sorted().map { ($0, variables[$0]?.raw ?? .null) }
        StandardStream.output.write(YAML.emit(.map(ValueMap(uniqueKeysWithValues: values))))
    }

    private func showHosts(in project: Project) throws {
        let matching = try project.inventory.hosts(matching: hosts.limit ?? "all")
        let rows = try matching.map { host in
            [
                host.name, try way(to: host, in: project),
                project.inventory.groupNames(ofHost: host.name).joined(separator: ", "),
            ]
        }
        StandardStream.output.write(Columns.text([["HOST", "ADDRESS", "GROUPS"]] + rows))
    }

    private func way(to host: Host, in project: Project) throws -> String {
        switch try HostAccess.of(host, scope: project.scope(of: host)) {
        case .local: return "this laptop"
        case .ssh(let endpoint):
            let user = endpoint.user.map { "\($0)@" } ?? ""
            let port = endpoint.port.map { ":\($0)" } ?? ""
            return user + endpoint.address + port
        }
    }

    /// The shape of `ansible-inventory --list`: groups with `hosts` and `children`, `_meta.hostvars`.
    private static func document(_ project: Project) -> Value {
        let inventory = project.inventory
        var document = ValueMap()
        var hostVariables = ValueMap()
        for host in inventory.hosts.values {
            let layers = HostVariables(host: host, inventory: inventory, extra: project.extraVariables).shared
            let values = layers.names.map { ($0, layers[$0]?.raw ?? .null) }
            if !values.isEmpty { hostVariables[host.name] = .map(ValueMap(uniqueKeysWithValues: values)) }
        }
        document["_meta"] = ["hostvars": .map(hostVariables)]
        for group in inventory.groups.values {
            var entry = ValueMap()
            if !group.hosts.isEmpty { entry["hosts"] = .list(group.hosts.map(Value.string)) }
            if !group.children.isEmpty { entry["children"] = .list(group.children.map(Value.string)) }
            if !entry.isEmpty { document[group.name] = .map(entry) }
        }
        return .map(document)
    }
}
