import ArgumentParser
import LabCore
import LabSSH
import LabTransport

/// `labctl forward HOST [BIND:]PORT:TARGET:PORT…`
struct ForwardPorts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forward",
        abstract: "Make a port here lead to what a host reaches.",
        usage: "labctl forward [<options>] <host> <forward> ...",
        discussion: """
            Listens on a port of this machine and has the host connect to TARGET:PORT for each connection that comes in, as \
            ssh -L does. TARGET is resolved on the host: localhost is the host itself. Nothing is opened on the host.

            A forward is one of
              PORT:TARGET:PORT         listens on localhost (127.0.0.1 and ::1)
              BIND:PORT:TARGET:PORT    listens on that address; * and an empty one are all addresses
              [BIND:]PORT:/PATH        leads to a Unix socket on the host
            PORT 0 is a free port, which is told. An IPv6 address stands in brackets.

            Each end of a connection can be closed by itself. A connection that the host cannot make is told on standard \
            error and ends alone; the others go on. It all ends with Ctrl-C, which closes what is open, or with the \
            connection to the host.

            EXIT STATUS
            130 after Ctrl-C, 4 when the host could not be reached or the connection was lost, 65 when a port cannot be \
            listened on.

            EXAMPLES
              labctl forward cp1 6443:127.0.0.1:6443
              labctl forward cp1 8080:10.96.0.20:80 9090:10.96.0.21:9090
              labctl forward cp1 '[::1]:0:/run/containerd/containerd.sock'
            """)

    @Argument(help: ArgumentHelp("The host, or user@host; a pattern that matches one host will do.", valueName: "host"))
    var host: String

    @Argument(help: ArgumentHelp("What leads where; several share the login.", valueName: "forward"))
    var forwards: [String]

    @Flag(name: [.short, .long], help: "Tell each connection.")
    var verbose = false

    @OptionGroup(title: "Hosts") var hosts: InventoryOptions
    @OptionGroup(title: "Hosts") var variables: VariableOptions
    @OptionGroup(title: "Login") var connection: ConnectionOptions
    @OptionGroup(title: "Sandbox") var sandbox: SandboxOptions

    func validate() throws { _ = try specifications() }

    private func specifications() throws -> [ForwardSpecification] {
        try forwards.map { text in
            do { return try ForwardSpecification(text) } catch let error as ForwardSpecification.Mistake {
                throw ValidationError("'\(text)' is no forward: \(error.message)")
            }
        }
    }

    func run() async throws {
        let specifications = try specifications()
        let use = sandbox.sandbox ? try await SandboxUse.start { StandardStream.error.line($0) } : nil
        let project = try await Project.load(hosts, variables, sandbox: use)
        let (endpoint, _) = try Reach.one(host, in: project, connection: connection, for: "forward")
        try await withInterruption {
            // Ports first: one that is taken is told before anything is asked for.
            var ports: [(ForwardSpecification, [LocalListener])] = []
            for specification in specifications {
                let listeners = try await LocalListener.open(host: specification.bind, port: specification.port)
                ports.append((specification, listeners))
            }
            let link = try await Reach.transport().open(endpoint)
            do {
                try await serve(ports, link)
            } catch {
                await link.close()
                if error is CancellationError { StandardStream.error.line("\nclosed") }
                throw error
            }
            await link.close()
        }
    }

    private func serve(_ ports: [(ForwardSpecification, [LocalListener])], _ link: SSHConnection) async throws {
        for (specification, listeners) in ports {
            for listener in listeners {
                StandardStream.output.line("\(listener.address) → \(link.hostName) → \(specification.target)")
            }
        }
        let isVerbose = verbose
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (specification, listeners) in ports {
                let forward = PortForward(listeners: listeners, target: specification.target, connection: link)
                let name = specification.port == 0 ? "\(listeners.first?.port ?? 0)" : "\(specification.port)"
                group.addTask {
                    try await forward.serve { event in
                        switch event {
                        case .opened(let peer):
                            if isVerbose { StandardStream.error.line("\(name): \(peer) is connected") }
                        case .closed(let peer):
                            if isVerbose { StandardStream.error.line("\(name): \(peer) has ended") }
                        case .refused(let peer, let error):
                            let reason = ([error.message] + error.notes).joined(separator: ": ")
                            StandardStream.error.line(
                                "\(name): \(peer) was turned away: \(reason)" + (error.hint.map { " (\($0))" } ?? ""))
                        }
                    }
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
