import ArgumentParser
import LabCore
import LabEngine

/// The options that all commands share that run roles or playbooks.
struct RoleRunOptions: ParsableArguments {
    @OptionGroup(title: "Hosts") var hosts: InventoryOptions
    @OptionGroup(title: "Tasks") var selection: SelectionOptions
    @OptionGroup(title: "Tasks") var variables: VariableOptions
    @OptionGroup(title: "Login") var connection: ConnectionOptions
    @OptionGroup(title: "Cluster") var cluster: ClusterAccessOptions
    @OptionGroup(title: "Output") var output: OutputOptions
    @OptionGroup(title: "Sandbox") var sandbox: SandboxOptions
}

/// `labctl provision ROLE…`
struct Provision: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "provision",
        abstract: "Bring hosts to the state that roles describe.",
        discussion: """
            Each step is planned first. An empty plan is `ok`. Otherwise it is applied and planned again: an empty second \
            plan proves it idempotent (`proved`); one that is not empty makes it `unstable`, says what still differs and \
            who changes it, and labctl exits with 3.

            A role may have a pre-flight (preflight/main.yml), which runs beside its first tasks: what it finds wrong stops \
            the run before anything is changed; warnings do not.

            A role is a folder in Roles/, roles/ or ansible/roles/, in Ansible's layout. It runs on the hosts that its \
            meta/main.yml names under galaxy_info.labctl.hosts, else on all; -l narrows them.

            EXAMPLES
              labctl provision metallb
              labctl provision metallb -i vagrant --prove
              labctl provision metallb --check --diff
              labctl provision metallb -e metallb_auto_assign=false

            \(ManualText.exitStatus)

            \(ManualText.environment)
            """)

    @Argument(help: ArgumentHelp("The roles, in the order in which they run.", valueName: "role"))
    var roles: [String]

    @OptionGroup var shared: RoleRunOptions
    @OptionGroup(title: "Run") var run: RunOptions
    @OptionGroup(title: "Run") var preflight: PreflightOptions

    func run() async throws {
        try await RoleRun(shared: shared, run: run, preflight: preflight).provision(roles)
    }
}

/// `labctl plan ROLE…`
struct PlanRoles: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what provision would change, as a diff, and change nothing.",
        discussion: """
            The same as `provision --check --diff`, but exits with 1 when something would change, so that scripts can ask.

            EXAMPLES
              labctl plan metallb
              labctl plan metallb -e metallb_auto_assign=false

            \(ManualText.exitStatus)
            """)

    @Argument(help: ArgumentHelp("The roles, in the order in which they would run.", valueName: "role"))
    var roles: [String]

    @OptionGroup var shared: RoleRunOptions

    @Option(name: [.short, .long], help: forksHelp)
    var forks: Int?
    @OptionGroup(title: "Run") var preflight: PreflightOptions

    func run() async throws {
        try await RoleRun(shared: shared, forks: forks, preflight: preflight).plan(roles)
    }
}

/// `labctl verify ROLE…`
struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check that what a role installed really works.",
        discussion: """
            Runs the role's verify/main.yml. For metallb: a Service gets an address of a pool, a TLS handshake from this \
            laptop to that address reaches the cluster, and exactly one node answers for it, the one that MetalLB names. \
            What cannot be checked from here is named, never passed over. The probe is removed on every way out, and what a \
            run that was killed left behind by the next.

            With --failover the node that announces is then taken out (by a label), the address must move to another node \
            and answer there, and come back when the node may announce again.

            EXAMPLES
              labctl verify metallb
              labctl verify metallb --failover
              labctl verify metallb --sandbox

            \(ManualText.exitStatus)
            """)

    @Argument(help: ArgumentHelp("The roles.", valueName: "role"))
    var roles: [String]

    @OptionGroup var shared: RoleRunOptions

    @Flag(name: .long, help: "Take the announcing node out for a while: the address must move, answer, and come back.")
    var failover = false

    func run() async throws {
        try await RoleRun(shared: shared).verify(roles, withFailover: failover)
    }
}

/// `labctl play FILE…`
struct PlayPlaybooks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "play",
        abstract: "Run Ansible playbooks.",
        discussion: """
            Facts are not gathered: gather_facts has no effect.

            EXAMPLES
              labctl play site.yml -l workers

            \(ManualText.exitStatus)
            """)

    @Argument(help: ArgumentHelp("The playbooks.", valueName: "file"))
    var playbooks: [String]

    @OptionGroup var shared: RoleRunOptions
    @OptionGroup(title: "Run") var run: RunOptions
    @OptionGroup(title: "Run") var preflight: PreflightOptions

    func run() async throws {
        try await RoleRun(shared: shared, run: run, preflight: preflight).play(playbooks)
    }
}
