import LabCore
import LabModel
import LabReport
import LabSSH
import LabTransport

/// The hosts that a command is for, and how each is reached.
struct Reach: Sendable {
    struct Target: Sendable {
        let host: String
        let access: HostAccess
        let become: Become?
    }

    private(set) var targets: [Target] = []
    /// Hosts whose variables are wrong.
    private(set) var broken: [(host: String, error: any DiagnosticError)] = []

    /// - Parameter user: logs in as this user whatever the inventory says (`user@host`).
    /// - Throws: `UsageError` when a password is to be asked for and there is no terminal.
    init(
        project: Project, hosts: [Host], connection: ConnectionOptions, user: String? = nil,
        asksBecomePassword: Bool = true
    ) throws {
        let password = connection.askPass ? try SecretPrompt.demand("login password: ") : nil
        let becomePassword =
            connection.askBecomePass && asksBecomePassword ? try SecretPrompt.demand("sudo password: ") : nil
        for host in hosts {
            let scope = project.scope(of: host)
            do {
                var access = try HostAccess.of(host, scope: scope)
                if case .ssh(var endpoint) = access {
                    connection.adjust(&endpoint)
                    if let user { endpoint.user = user }
                    if endpoint.password == nil { endpoint.password = password }
                    access = .ssh(endpoint)
                }
                var become = try HostAccess.become(connection.directives(), scope: scope)
                if become != nil, become?.password == nil { become?.password = becomePassword }
                targets.append(Target(host: host.name, access: access, become: become))
            } catch {
                broken.append((host.name, (error as? any DiagnosticError) ?? InputError("\(error)")))
            }
        }
    }

    /// The one host of a name or a pattern, for commands that are for one host alone.
    ///
    /// - Throws: `UsageError` when there are several; `InputError` when there is none, or its variables are wrong.
    static func one(
        _ text: String, in project: Project, connection: ConnectionOptions, for verb: String,
        asksBecomePassword: Bool = true
    ) throws -> (endpoint: Endpoint, become: Become?) {
        let (user, pattern) = split(text)
        let hosts = try project.inventory.hosts(matching: pattern)
        guard let host = hosts.first, hosts.count == 1 else {
            throw UsageError(
                hosts.isEmpty
                    ? "'\(pattern)' matches no host"
                    : "'\(pattern)' matches \(hosts.count) hosts, and `labctl \(verb)` is for one: "
                        + hosts.prefix(5).map(\.name).joined(separator: ", ") + (hosts.count > 5 ? " …" : ""))
        }
        let reach = try Reach(
            project: project, hosts: [host], connection: connection, user: user,
            asksBecomePassword: asksBecomePassword)
        if let error = reach.broken.first?.error { throw error }
        guard let target = reach.targets.first, case .ssh(let endpoint) = target.access else {
            throw UsageError(
                "\(host.name) is this machine itself (ansible_connection: local)",
                hint: "`labctl \(verb)` is for hosts that are reached over SSH")
        }
        return (endpoint, target.become)
    }

    /// `user@pattern` apart. (`@file` is Ansible's list of hosts in a file.)
    static func split(_ text: String) -> (user: String?, pattern: String) {
        guard let at = text.lastIndex(of: "@"), at != text.startIndex else { return (nil, text) }
        return (String(text[..<at]), String(text[text.index(after: at)...]))
    }

    /// The transport of a command, which asks at the terminal.
    static func transport() -> SSHTransport {
        SSHTransport(
            configuration: SSHSettings(prompt: { SecretPrompt.answer($0) }, environment: Surroundings.environment))
    }
}

extension SecretPrompt {
    /// Asks for something that must be given.
    ///
    /// - Throws: when there is no terminal to ask at.
    static func demand(_ question: String) throws(UsageError) -> Secret {
        guard let answer = ask(question) else {
            throw UsageError("there is no terminal to ask for the password at")
        }
        return answer
    }
}
