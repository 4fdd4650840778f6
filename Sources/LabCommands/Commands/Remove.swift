import ArgumentParser
import LabCore
import LabEngine

/// `labctl remove ROLE…`
struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Take away what roles applied to a cluster.",
        discussion: """
            Removes the objects that the role's record in the cluster names; where there is no record, those that the role \
            would apply now. Custom resources go first, while their controller still runs, then webhooks, workloads, the \
            rest, CustomResourceDefinitions, and at last namespaces. Nothing is begun when something would be destroyed \
            that the role did not make, or when a namespace would stay in Terminating. Files on the nodes stay.

            It asks nothing: look with --check first. Roles are removed in the opposite order, those that they depend on stay.

            EXAMPLES
              labctl remove metallb --check
              labctl remove metallb
            """)

    @Argument(help: ArgumentHelp("The roles.", valueName: "role"))
    var roles: [String]

    @OptionGroup(title: "Hosts") var hosts: InventoryOptions
    @OptionGroup(title: "Tasks") var variables: VariableOptions
    @OptionGroup(title: "Login") var connection: ConnectionOptions
    @OptionGroup(title: "Cluster") var cluster: ClusterAccessOptions
    @OptionGroup(title: "Output") var output: OutputOptions
    @OptionGroup(title: "Sandbox") var sandbox: SandboxOptions
    @OptionGroup(title: "Run") var removal: RemovalOptions

    func run() async throws {
        try await RoleRun(
            hosts: hosts, variables: variables, connection: connection, output: output, cluster: cluster,
            sandbox: sandbox
        )
        .remove(roles, removal)
    }
}

/// How a removal is done.
struct RemovalOptions: ParsableArguments {
    @Flag(name: [.customShort("C"), .long], help: "Plan only: say what would be removed, and remove nothing.")
    var check = false

    @Flag(name: [.customShort("D"), .long], help: "Show what goes with each object, field by field.")
    var diff = false

    @Option(
        name: .long,
        help: ArgumentHelp("How long each group of objects may take to be gone.", valueName: "seconds"))
    var waitTimeout: Int = 120

    func validate() throws {
        guard waitTimeout > 0 else { throw ValidationError("--wait-timeout is a number of seconds above 0") }
    }
}
