import ArgumentParser
import LabCore
import LabModel
import LabModules
import LabReport
import LabSSH
import LabTransport

/// `labctl doctor ROLE`
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look a lab over for what keeps a role from working.",
        discussion: """
            For metallb: fourteen checks, from announcing nodes to kube-proxy's strictARP, each with what to do about it. \
            What cannot be looked at from here is named. Exits with 2 when something is wrong.

            EXAMPLES
              labctl doctor metallb
            """)

    @Argument(help: "The role; metallb is the one that has checks.")
    var role: String

    @OptionGroup(title: "Hosts") var hosts: InventoryOptions
    @OptionGroup(title: "Hosts") var variables: VariableOptions
    @OptionGroup(title: "Login") var connection: ConnectionOptions
    @OptionGroup(title: "Cluster") var cluster: ClusterAccessOptions
    @OptionGroup(title: "Sandbox") var sandbox: SandboxOptions

    @Flag(name: .long, help: "No colours, as with NO_COLOR=1.")
    var noColor = false

    func validate() throws {
        guard role == "metallb" else { throw ValidationError("there are no checks for '\(role)', only for metallb") }
    }

    func run() async throws {
        let use = sandbox.sandbox ? try await SandboxUse.start { StandardStream.output.line($0) } : nil
        let project = try await Project.load(hosts, variables, cluster: cluster, sandbox: use)
        let outcomes = try await withInterruption { try await look(project) }
        show(outcomes)
        if outcomes.flatMap(\.findings).contains(where: { $0.severity == .error }) {
            throw ExitCode(FailureClass.failed.rawValue)
        }
    }

    private func look(_ project: Project) async throws -> [MetalLBDoctor.Outcome] {
        let play = try project.roles.plays(for: [role]).first
        let pattern = hosts.limit ?? play?.hosts.string ?? "all"
        guard
            let host = try project.inventory.hosts(matching: pattern, span: hosts.limit == nil ? play?.hosts.span : nil)
                .first
        else {
            throw UsageError("no host matches '\(pattern)'")
        }
        let transport = SSHTransport(
            configuration: SSHSettings(prompt: { SecretPrompt.answer($0) }, environment: Surroundings.environment))
        let link = try await connect(to: host, project, transport)
        let scope = project.scope(of: host, play: play)
        let storage = RunStorage()
        let context = ModuleContext(
            hostName: host.name, connection: { link }, controller: LocalConnection(),
            variable: { try scope.variable($0) }, shared: storage)
        var arguments = ValueMap()
        if let path = try scope.variable("metallb_kubeconfig") { arguments["kubeconfig"] = path }
        let call = ModuleCall(arguments: arguments, source: SourceValue(.map(arguments)))
        do {
            let client = try await ClusterLogin(call: call, context: context).session().client
            let namespace = try scope.variable("metallb_namespace")?.string ?? "metallb-system"
            let links = await links(project, client, transport, known: (host.name, link))
            let outcomes = try await MetalLBDoctor.run(
                client, namespace: namespace, laptop: context.controller, nodes: links)
            await storage.close()
            for (_, link) in links { await link.close() }
            return outcomes
        } catch {
            await storage.close()
            await link.close()
            throw error
        }
    }

    /// Connections to the hosts of the inventory that are nodes of the cluster, by the cluster's names of them. A host
    /// that cannot be reached is left out; the checks say which nodes they could not ask.
    private func links(
        _ project: Project, _ client: any ClusterObjects, _ transport: SSHTransport,
        known: (host: String, link: any Connection)
    ) async -> [String: any Connection] {
        let nodes = (try? await client.list(.node, namespace: nil, labels: nil)) ?? []
        var links: [String: any Connection] = [:]
        var endpoints: [String: Endpoint] = [:]
        for host in project.inventory.hosts.values {
            let scope = project.scope(of: host)
            let addresses = ["ansible_host", "node_address"].compactMap { (try? scope.variable($0))?.string }
            guard let node = MetalLBDoctor.node(of: host.name, addresses, among: nodes) else { continue }
            if host.name == known.host {
                links[node] = known.link
            } else if case .ssh(var endpoint)? = try? HostAccess.of(host, scope: scope) {
                connection.adjust(&endpoint)
                endpoints[node] = endpoint
            }
        }
        if links.isEmpty { links[known.host] = known.link }
        return await withTaskGroup(of: (String, (any Connection)?).self) { group in
            for (node, endpoint) in endpoints {
                group.addTask { (node, try? await transport.connect(to: endpoint)) }
            }
            for await (node, link) in group { links[node] = link }
            return links
        }
    }

    private func connect(
        to host: Host, _ project: Project, _ transport: SSHTransport
    ) async throws -> any Connection {
        switch try HostAccess.of(host, scope: project.scope(of: host)) {
        case .local: return LocalConnection(hostName: host.name)
        case .ssh(var endpoint):
            connection.adjust(&endpoint)
            return try await transport.connect(to: endpoint)
        }
    }

    private func show(_ outcomes: [MetalLBDoctor.Outcome]) {
        let stream = StandardStream.output
        let style = Surroundings.style(stream, noColor: noColor)
        let renderer = DiagnosticRenderer(style: style, width: Surroundings.width(stream))
        for outcome in outcomes {
            let worst = outcome.findings.map(\.severity)
            let (word, look): (String, Style.Role) =
                worst.contains(.error)
                ? ("wrong", .failed)
                : worst.contains(.warning)
                    ? ("doubtful", .warning) : worst.contains(.unchecked) ? ("unchecked", .faint) : ("fine", .ok)
            let mark = word + String(repeating: " ", count: 11 - word.count)
            stream.line("  " + style.text(mark, look) + outcome.title)
            for line in renderer.render(outcome.findings.map(\.diagnostic)).split(separator: "\n") {
                stream.line("             " + line)
            }
        }
    }
}
