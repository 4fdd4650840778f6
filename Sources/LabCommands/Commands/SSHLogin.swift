import ArgumentParser
import LabCore
import LabSSH
import LabTransport

/// `labctl ssh HOST [-- CMD]`
struct SSHLogin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ssh",
        abstract: "Log in to a host.",
        usage: "labctl ssh [<options>] <host> [-- <cmd> ...]",
        discussion: """
            Opens a shell on a host of the inventory, over the connection that all commands of labctl use: the inventory's \
            variables, ~/.ssh/config, keys, agent, jump hosts and known_hosts hold as they do for provision.

            With a terminal here, the node gives one too: it learns TERM and the window's size, and the size again when it \
            changes. LANG, LC_* and what else SendEnv and SetEnv name go with it. Without one, as in a script, the shell \
            reads its commands from standard input. With a command after -- there is no terminal, unless -t asks for it.

            One argument after -- is a text for the shell; several are a program and its arguments, which no shell sees. \
            -b opens the shell of another user; sudo then asks for its password itself, at the terminal.

            ESCAPES, at the beginning of a line
              ~.    end the connection           ~^Z   suspend labctl
              ~?    list the escapes             ~~    send a ~

            EXIT STATUS
            That of the shell or the command, 128 + n when signal n ended it, 255 after ~. or when the node told no status. \
            4 when the host could not be reached or the connection was lost.

            EXAMPLES
              labctl ssh cp1
              labctl ssh root@w1 -- journalctl -u kubelet -n 50
              labctl ssh cp1 -t -- htop
              labctl ssh w1 < setup.sh
              labctl ssh cp1 --sandbox
            """)

    @Argument(help: ArgumentHelp("The host, or user@host; a pattern that matches one host will do.", valueName: "host"))
    var host: String

    @Argument(
        parsing: .postTerminator, help: ArgumentHelp("What to run instead of a shell, after --.", valueName: "cmd"))
    var command: [String] = []

    @Flag(
        name: .customShort("t"),
        help: "Give the command a terminal; twice (-tt) even when standard input is none.")
    var terminal: Int

    @Flag(name: .customShort("T"), help: "No terminal on the node, also for a shell.")
    var noTerminal = false

    @Flag(
        name: [.customShort("A"), .customLong("forward-agent")],
        help: ArgumentHelp(
            "Let programs on the node use the SSH agent here.",
            discussion: "Whoever is root there can use its keys meanwhile. Off unless ForwardAgent says otherwise."))
    var forwardAgent = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The character that starts an escape: one character, ^X, or none. Default: ~", valueName: "char"))
    var escapeChar: String?

    @OptionGroup(title: "Hosts") var hosts: InventoryOptions
    @OptionGroup(title: "Hosts") var variables: VariableOptions
    @OptionGroup(title: "Login") var connection: ConnectionOptions
    @OptionGroup(title: "Sandbox") var sandbox: SandboxOptions

    func validate() throws {
        if noTerminal && terminal > 0 { throw ValidationError("-t and -T contradict each other") }
        if let escapeChar, InteractiveSettings.escape(escapeChar) == nil {
            throw ValidationError("--escape-char is one character, ^ and a letter, or none; not '\(escapeChar)'")
        }
    }

    func run() async throws {
        let use = sandbox.sandbox ? try await SandboxUse.start { StandardStream.error.line($0) } : nil
        let project = try await Project.load(hosts, variables, sandbox: use)
        let (endpoint, become) = try Reach.one(
            host, in: project, connection: connection, for: "ssh", asksBecomePassword: !RawTerminal.isPossible)
        let status = try await withInterruption {
            let link = try await Reach.transport().open(endpoint)
            do {
                let status = try await converse(link, become)
                await link.close()
                return status
            } catch {
                await link.close()
                throw error
            }
        }
        if status != 0 { throw ExitCode(Int32(clamping: status)) }
    }

    private func converse(_ link: SSHConnection, _ become: Become?) async throws -> Int {
        let settings = link.interactive
        let hasTerminal = wantsTerminal(settings)
        let size = RawTerminal.size
        let request = ProcessRequest(
            program(settings, become, hasTerminal: hasTerminal),
            terminal: hasTerminal
                ? ProcessRequest.Terminal(
                    type: Surroundings.environment["TERM"] ?? "dumb", columns: size.columns, rows: size.rows) : nil,
            environment: settings.environment(from: Surroundings.environment),
            forwardsAgent: forwardAgent || settings.forwardsAgent)
        let process = try await link.start(request)
        let escape = escapeChar.flatMap { InteractiveSettings.escape($0) } ?? settings.escapeCharacter
        let session = InteractiveSession(process: process, hasTerminal: hasTerminal, escape: escape)
        let status = try await session.run()
        if hasTerminal, RawTerminal.isPossible { StandardStream.error.line("connection to \(link.hostName) closed") }
        return status
    }

    /// As ssh(1) decides it from -t, -T and RequestTTY.
    private func wantsTerminal(_ settings: InteractiveSettings) -> Bool {
        let isHere = RawTerminal.isPossible
        if noTerminal { return false }
        if terminal > 1 { return true }
        if terminal == 1 { return isHere }
        switch settings.terminal {
        case .never: return false
        case .force: return true
        case .always: return isHere
        case .auto: return isHere && command.isEmpty && settings.remoteCommand == nil
        }
    }

    private func program(
        _ settings: InteractiveSettings, _ become: Become?, hasTerminal: Bool
    ) -> ProcessRequest.Program {
        let line: String? =
            switch command.count {
            case 0: settings.remoteCommand
            case 1: command[0]
            default: ShellQuoting.join(command)
            }
        guard let become else { return line.map { .line($0) } ?? .loginShell }
        guard hasTerminal else {
            // Nobody can be asked at a terminal: the password of the inventory or of -K goes the way of all commands.
            return .command(
                Command(line.map { .shell($0) } ?? .arguments(["/bin/sh"]), become: become))
        }
        var words: [String]
        switch become.method {
        case .sudo: words = ["sudo", "-H", "-u", become.user] + (line.map { ["--", "/bin/sh", "-c", $0] } ?? ["-i"])
        case .su: words = ["su", "-", become.user] + (line.map { ["-c", $0] } ?? [])
        case .doas: words = ["doas", "-u", become.user] + (line.map { ["--", "/bin/sh", "-c", $0] } ?? ["-s"])
        }
        return .line(ShellQuoting.join(words))
    }
}
