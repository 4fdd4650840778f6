import LabCore
import LabTemplate
import LabTransport

/// How tasks reach a host, from its variables and a task's keywords.
package enum HostAccess: Sendable {
    /// The laptop itself (`ansible_connection: local`).
    case local
    case ssh(Endpoint)

    /// Reads the variables that Ansible's connections know: `ansible_host`, `ansible_port`, `ansible_user`,
    /// `ansible_ssh_private_key_file`, `ansible_ssh_common_args` … A variable wins over a keyword of the task.
    ///
    /// - Throws: `InputError` when one of them is wrong; `TemplateError` of its template.
    package static func of(
        _ host: Host, scope: VariableScope, directives: Directives? = nil
    ) throws -> HostAccess {
        let reader = AccessReader(scope: scope, host: host)
        let connection = try reader.text("ansible_connection") ?? directives?.connection?.resolve(scope) ?? "ssh"
        switch connection {
        case "local", "ansible.builtin.local": return .local
        case "ssh", "smart", "ansible.builtin.ssh", "paramiko", "paramiko_ssh", "ansible.netcommon.libssh":
            return .ssh(try reader.endpoint(directives))
        default:
            throw InputError(
                "the connection '\(connection)' of \(host.name) is not offered",
                span: reader.span("ansible_connection"), hint: "use ssh or local")
        }
    }

    /// The user that the task's commands run as; nil without `become`. A variable wins over a keyword, as in Ansible.
    ///
    /// - Throws: `InputError` for a method that is not offered; `TemplateError`.
    package static func become(_ directives: Directives, scope: VariableScope) throws -> Become? {
        let reader = AccessReader(scope: scope, host: nil)
        let isWanted = try reader.boolean("ansible_become") ?? directives.become?.resolve(scope) ?? false
        guard isWanted else { return nil }
        let methodName = try reader.text("ansible_become_method") ?? directives.becomeMethod?.resolve(scope) ?? "sudo"
        let shortName = methodName.split(separator: ".").last.map(String.init) ?? methodName
        guard let method = Become.Method(rawValue: shortName) else {
            throw InputError(
                "the become method '\(methodName)' is not offered",
                span: reader.span("ansible_become_method") ?? directives.becomeMethod?.source.span,
                hint: "use \(Become.Method.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        let user =
            try reader.text("ansible_become_user", "ansible_\(shortName)_user")
            ?? directives.becomeUser?.resolve(scope) ?? "root"
        let password = try reader.text(
            "ansible_become_password", "ansible_become_pass", "ansible_\(shortName)_pass",
            "ansible_\(shortName)_password")
        return Become(method: method, user: user.isEmpty ? "root" : user, password: password.map(Secret.init))
    }
}

extension Inventory {
    /// How a host is reached over SSH.
    ///
    /// - Throws: `InputError` when its variables are wrong; `TemplateError`.
    package func endpoint(for host: Host, variables: VariableScope) throws -> Endpoint {
        try AccessReader(scope: variables, host: host).endpoint(nil)
    }
}

/// Reads connection variables, each with its place for errors.
private struct AccessReader {
    let scope: VariableScope
    let host: Host?

    func span(_ name: String) -> SourceSpan? { scope.layers[name]?.origin.span }

    /// The first of the variables that is set to something.
    private func value(_ names: [String]) throws -> (name: String, value: Value)? {
        for name in names {
            if let value = try scope.variable(name), !value.isNull { return (name, value) }
        }
        return nil
    }

    func text(_ names: String...) throws -> String? { try read(names, as: String.self) }
    func boolean(_ names: String...) throws -> Bool? { try read(names, as: Bool.self) }
    func integer(_ names: String...) throws -> Int? { try read(names, as: Int.self) }

    private func read<Wanted: TemplatedValue>(_ names: [String], as type: Wanted.Type) throws -> Wanted? {
        guard let (name, value) = try value(names) else { return nil }
        guard let result = Wanted(keyword: value) else {
            throw InputError("'\(name)' needs \(Wanted.expectation), not \(value.brief)", span: span(name))
        }
        return result
    }

    func endpoint(_ directives: Directives?) throws -> Endpoint {
        let name = host?.name ?? ""
        var endpoint = Endpoint(
            hostName: name, address: try text("ansible_host", "ansible_ssh_host") ?? name, span: host?.span)
        let port = try integer("ansible_port", "ansible_ssh_port") ?? directives?.port?.resolve(scope)
        if let port, !(1...65535).contains(port) {
            throw InputError(
                "the port of \(name) is \(port), ports go from 1 to 65535",
                span: span("ansible_port") ?? span("ansible_ssh_port"))
        }
        for variable in ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"] {
            guard let arguments = try text(variable), !arguments.isEmpty else { continue }
            try SSHArguments(variable: variable, span: span(variable)).apply(arguments, to: &endpoint)
        }
        endpoint.port = port ?? endpoint.port
        endpoint.user =
            try text("ansible_user", "ansible_ssh_user") ?? directives?.remoteUser?.resolve(scope) ?? endpoint.user
        if let key = try text("ansible_ssh_private_key_file", "ansible_private_key_file"), !key.isEmpty {
            endpoint.identityFiles.insert(key, at: 0)
        }
        endpoint.password = try text("ansible_password", "ansible_ssh_pass", "ansible_ssh_password").map(Secret.init)
        if let checks = try boolean("ansible_host_key_checking", "ansible_ssh_host_key_checking"), !checks {
            endpoint.hostKeyPolicy = .off
        }
        if let seconds = try integer("ansible_timeout", "ansible_ssh_timeout"), seconds > 0 {
            endpoint.connectTimeout = .seconds(seconds)
        }
        addVagrantKey(to: &endpoint)
        return endpoint
    }

    /// The key that Vagrant made for a machine of this name, where nothing else says how to log in.
    private func addVagrantKey(to endpoint: inout Endpoint) {
        guard endpoint.identityFiles.isEmpty, endpoint.password == nil else { return }
        for base in [".", scope.magic.playbookDirectory] {
            let machine = Path.join(base, ".vagrant/machines/\(endpoint.hostName)")
            for provider in FileTree.entries(machine) {
                let key = Path.join(machine, "\(provider)/private_key")
                if FileTree.isFile(key) {
                    endpoint.identityFiles = [key]
                    endpoint.user = endpoint.user ?? "vagrant"
                    return
                }
            }
        }
    }
}
