import LabCore
import LabEngine
import LabModel
import LabModules
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What every command reads first: the modules, the inventory, the extra variables, where roles are.
struct Project {
    let registry: ModuleRegistry
    let inventory: Inventory
    let extraVariables: VariableLayer
    let roles: RoleLoader
    let playbooks: PlaybookLoader
    /// The sandbox, when the run takes place in it.
    let sandbox: SandboxUse?

    /// - Throws: `InputError` when an inventory or a variable is wrong.
    static func load(
        _ hosts: InventoryOptions, _ variables: VariableOptions, cluster: ClusterAccessOptions? = nil,
        sandbox: SandboxUse? = nil, playbookDirectory: String = "."
    ) async throws -> Project {
        let registry = modules()
        var extra = try extraVariables(variables.extraVars)
        try cluster?.set(in: &extra)
        let inventory = try await Self.inventory(
            hosts, sandbox: sandbox, playbookDirectory: playbookDirectory)
        let environment = LoadEnvironment(
            catalog: registry, roles: RoleFinder(directory: playbookDirectory), extraVariables: [extra])
        return Project(
            registry: registry, inventory: inventory, extraVariables: extra,
            roles: RoleLoader(environment: environment), playbooks: PlaybookLoader(environment: environment),
            sandbox: sandbox)
    }

    /// - Throws: `UsageError` for what is wrong on the command line itself, `InputError` for a file that it names.
    private static func extraVariables(_ options: [String]) throws -> VariableLayer {
        do {
            return try ExtraVariables.parse(options)
        } catch {
            let isTyped = error.diagnostics.allSatisfy { $0.span?.file.path == "<command line>" }
            throw isTyped ? UsageError(error.diagnostics) : error as any Error
        }
    }

    /// All modules that labctl has.
    static func modules() -> ModuleRegistry {
        ModuleRegistry.complete(environment: Surroundings.environment)
    }

    /// Where the inventory is when nobody says so.
    private static let usualInventories = [
        "Inventory/lab.yml", "Inventory", "inventory", "inventory.yml", "inventory.yaml", "inventory.ini", "hosts",
    ]

    private static func inventory(
        _ options: InventoryOptions, sandbox: SandboxUse?, playbookDirectory: String
    ) async throws -> Inventory {
        var sources = options.inventory
        if sources.isEmpty, let sandbox {
            sources = [sandbox.inventoryPath]
        } else if sources.isEmpty {
            let variables = Surroundings.environment
            if let named = variables["LABCTL_INVENTORY"] ?? variables["ANSIBLE_INVENTORY"], !named.isEmpty {
                sources = named.contains(",") ? [named] : named.split(separator: ":").map(String.init)
            } else if let usual = usualInventory() {
                sources = [usual]
            } else {
                throw UsageError(
                    "there is no inventory here",
                    hint: "name one with -i (a file, a folder, 'vagrant', or 'host,'), or try --sandbox")
            }
        }
        let vagrant = sources.contains("vagrant") ? try await VagrantConfiguration.read() : nil
        let runner: InventoryLoader.CommandRunner? =
            if let vagrant { { @Sendable _, _ in vagrant } } else { nil }
        let loader = InventoryLoader(runner: runner)
        var inventory = try loader.load(sources)
        if sources.allSatisfy(loader.isSSHConfiguration), let usual = usualInventory(except: sources) {
            inventory = try machines(inventory, of: sources, in: usual, loader)
        }
        if sandbox != nil, options.inventory.isEmpty {
            // The lab's variables hold in the sandbox as well; only its hosts are others.
            inventory = try loader.addingVariables(besidePlaybook: "Inventory", to: inventory)
        }
        return try loader.addingVariables(besidePlaybook: playbookDirectory, to: inventory)
    }

    private static func usualInventory(except sources: [String] = []) -> String? {
        usualInventories.first { access($0, R_OK) == 0 && !sources.contains($0) }
    }

    /// Machines that Vagrant tells of, with what the project says of them: where they are all the lab's hosts, its groups
    /// and variables; else the variables that all hosts share.
    private static func machines(
        _ machines: Inventory, of sources: [String], in usual: String, _ loader: InventoryLoader
    ) throws -> Inventory {
        let lab = try loader.load([usual])
        if lab.hosts.keys.allSatisfy({ machines.host($0) != nil }) { return try loader.load([usual] + sources) }
        let folder = FileTree.isDirectory(usual) ? usual : Path.directory(usual)
        return try loader.addingVariables(besidePlaybook: folder, to: machines)
    }

    /// The variables of a host outside of any play, as `inventory` and `explain` show them.
    func scope(of host: Host, play: Play? = nil) -> VariableScope {
        var magic = MagicVariables(inventory: inventory, hostName: host.name)
        magic.processEnvironment = Surroundings.environment
        magic.digest = Checksum.named
        let variables = HostVariables(host: host, inventory: inventory, extra: extraVariables)
        let inventory = self.inventory
        let extra = extraVariables
        magic.hostVariables = { name in
            inventory.host(name).map { HostVariables(host: $0, inventory: inventory, extra: extra).shared }
        }
        return VariableScope(layers: variables.layers(play: play), magic: magic)
    }
}

/// Asks Vagrant how its machines are reached.
private enum VagrantConfiguration {
    static func read() async throws -> String {
        let connection = LocalConnection()
        let result: CommandResult
        do {
            result = try await connection.run(
                Command(.arguments(["vagrant", "ssh-config"]), timeout: .seconds(120)))
        } catch let error as ConnectionError {
            throw InputError(
                "'vagrant ssh-config' did not run: \(error.message)", hint: "is Vagrant installed, and in PATH?")
        }
        guard result.exitStatus == 0 else {
            throw InputError(
                "'vagrant ssh-config' ended with \(result.exitStatus)",
                notes: result.errorText.split(separator: "\n").map { Diagnostic.Note(String($0)) },
                hint: "run labctl in the folder of the Vagrantfile, after 'vagrant up'")
        }
        return result.outputText
    }
}
