import ArgumentParser
import LabCore
import LabModel
import LabTransport

/// `labctl exec PATTERN -- CMD`
struct Exec: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec",
        abstract: "Run a command on hosts, and show what it prints.",
        discussion: """
            Each line of output is prefixed with its host. The exit status is the highest of the command's, and 4 when a host \
            could not be reached. --output json gives one object a host.

            One argument is a text for the shell; several are a program and its arguments, which no shell sees.

            EXAMPLES
              labctl exec all -- uptime
              labctl exec workers -b -- systemctl restart kubelet
              labctl exec cp1 -- 'kubectl get nodes | head -3'
            """)

    @Argument(help: ArgumentHelp("Which hosts, as Ansible's patterns.", valueName: "hosts"))
    var pattern: String

    @Argument(parsing: .postTerminator, help: "The command, after --.")
    var command: [String]

    @OptionGroup(title: "Hosts") var hosts: InventoryOptions
    @OptionGroup(title: "Hosts") var variables: VariableOptions
    @OptionGroup(title: "Login") var connection: ConnectionOptions
    @OptionGroup(title: "Output") var output: OutputOptions
    @OptionGroup(title: "Sandbox") var sandbox: SandboxOptions

    @Option(name: [.short, .long], help: forksHelp)
    var forks: Int?

    func validate() throws {
        if output.output == .junit {
            throw ValidationError("exec has no junit output: use --output text or json")
        }
        if let forks, forks < 1 { throw ValidationError("--forks is a number above 0") }
        if command.isEmpty { throw ValidationError("what to run? write it after --: labctl exec \(pattern) -- uptime") }
    }

    func run() async throws {
        let tell: (String) -> Void = { [output] text in
            (output.output == .text ? StandardStream.output : StandardStream.error).line(text)
        }
        let use = sandbox.sandbox ? try await SandboxUse.start(tell: tell) : nil
        let project = try await Project.load(hosts, variables, sandbox: use)
        let matching = try project.inventory.hosts(matching: pattern)
        let chosen = try hosts.limit.map { limit in
            let limited = Set(try project.inventory.hosts(matching: limit).map(\.name))
            return matching.filter { limited.contains($0.name) }
        }
        let reach = try Reach(project: project, hosts: chosen ?? matching, connection: connection)
        let run = ExecRun(reach: reach, command: command, output: output)
        let status = try await withInterruption(
            onInterruption: { StandardStream.error.line("interrupted: closing; again to stop at once") }
        ) { [forks] in await run.run(forks: forks ?? Forks.adaptive) }
        if status != 0 { throw ExitCode(status) }
    }
}
