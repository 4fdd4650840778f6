import LabCore

/// Reads what `vagrant ssh-config` prints: one `Host` section a machine, in the form of ssh_config(5).
///
/// It says how the machines are reached. Which of them is what comes from inventories that were read before; where those
/// have no group `control_plane`, the machines' names tell.
struct VagrantInventory {
    let file: SourceFile

    /// Beginnings of the names that people give to control-plane nodes.
    private static let controlPlaneNames = [
        "cp", "control", "master", "server", "kubemaster", "k8s-master", "k3s-server",
    ]

    /// Adds every host of the file.
    ///
    /// - Throws: `InputError` when a line is no setting, or there is no host.
    func read(into inventory: inout Inventory) throws(InputError) {
        var collector = DiagnosticCollector()
        var host: String?
        var machines: [(name: String, span: SourceSpan)] = []
        var options: [(name: String, value: String, span: SourceSpan)] = []
        var offset = 0
        func finish() {
            if let host { define(host, options, in: &inventory) }
            options = []
        }
        for line in file.bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            let text = String(decoding: line, as: UTF8.self)
            let indentation = line.prefix { $0 == 0x20 || $0 == 0x09 }.count
            let span = file.span(offset + indentation..<offset + max(indentation, line.count))
            offset += line.count + 1
            let trimmed = text.trimmed
            if trimmed.isEmpty || trimmed.hasPrefix("#") { continue }
            guard let (name, value) = Self.setting(String(trimmed)) else {
                collector.report("'\(trimmed)' is no setting of an SSH configuration", span: span)
                continue
            }
            if name == "host" {
                finish()
                host = value.contains(where: { $0 == "*" || $0 == "?" || $0 == "!" }) ? nil : value
                if let host {
                    inventory.addHost(host, to: nil, span: span, inventoryFile: nil)
                    machines.append((host, span))
                }
            } else {
                options.append((name, value, span))
            }
        }
        finish()
        if inventory.group("control_plane") == nil { group(machines, in: &inventory) }
        if inventory.hosts.isEmpty, !collector.hasErrors {
            collector.report(
                "\(file.path) names no host", hint: "start the machines with 'vagrant up'")
        }
        try collector.throwIfAny()
    }

    /// Puts the machines into `control_plane` and `workers` by their names; the first one is the control plane where no
    /// name tells.
    private func group(_ machines: [(name: String, span: SourceSpan)], in inventory: inout Inventory) {
        func isNamedSo(_ name: String) -> Bool {
            Self.controlPlaneNames.contains { name.lowercased().hasPrefix($0) }
        }
        let isTold = machines.contains { isNamedSo($0.name) }
        for (index, machine) in machines.enumerated() {
            let isControlPlane = isTold ? isNamedSo(machine.name) : index == 0
            inventory.addHost(
                machine.name, to: isControlPlane ? "control_plane" : "workers", span: machine.span, inventoryFile: nil)
        }
    }

    /// `Name value`, `Name=value`, the value in double quotes or not; the name in lower case.
    private static func setting(_ line: String) -> (name: String, value: String)? {
        let name = line.prefix { !$0.isWhitespace && $0 != "=" }
        var rest = line.dropFirst(name.count).trimmed
        if rest.hasPrefix("=") { rest = rest.dropFirst().trimmed }
        if rest.count >= 2, rest.hasPrefix("\""), rest.hasSuffix("\"") { rest = rest.dropFirst().dropLast() }
        return name.isEmpty || rest.isEmpty ? nil : (name.lowercased(), String(rest))
    }

    /// Settings become the variables that Ansible has for them, the rest goes into `ansible_ssh_common_args`.
    private func define(
        _ host: String, _ options: [(name: String, value: String, span: SourceSpan)], in inventory: inout Inventory
    ) {
        var others: [String] = []
        var hasKey = false
        for option in options {
            let variable: String
            var value = Value.string(option.value)
            switch option.name {
            case "hostname":
                variable = "ansible_host"
                keepAddress(of: host, besides: option.value, in: &inventory)
            case "user": variable = "ansible_user"
            case "port":
                variable = "ansible_port"
                if let port = Int(option.value) { value = .int(port) }
            case "identityfile" where !hasKey:
                variable = "ansible_ssh_private_key_file"
                hasKey = true
            default:
                let text = option.value.contains(" ") ? "\"\(option.value)\"" : option.value
                others.append("-o \(Self.spelling(option.name))=\(text)")
                continue
            }
            inventory.setHostVariable(host, variable, SourceValue(value, span: option.span), span: option.span)
        }
        if !others.isEmpty, let span = options.first?.span {
            inventory.setHostVariable(
                host, "ansible_ssh_common_args", SourceValue(.string(others.joined(separator: " ")), span: span),
                span: span)
        }
    }

    /// What an inventory before gave as `ansible_host` is the address by which the cluster knows the machine; Vagrant's
    /// own is its way in, often a forwarded port of the laptop.
    private func keepAddress(of host: String, besides address: String, in inventory: inout Inventory) {
        guard let variables = inventory.host(host)?.variables, variables.variables["node_address"] == nil,
            case .template(let source)? = variables.variables["ansible_host"]?.content, source.string != address
        else { return }
        inventory.setHostVariable(host, "node_address", source, span: source.span)
    }

    private static let spellings = [
        "stricthostkeychecking": "StrictHostKeyChecking", "userknownhostsfile": "UserKnownHostsFile",
        "passwordauthentication": "PasswordAuthentication", "identitiesonly": "IdentitiesOnly",
        "loglevel": "LogLevel", "forwardagent": "ForwardAgent", "proxyjump": "ProxyJump",
        "proxycommand": "ProxyCommand", "identityfile": "IdentityFile",
        "pubkeyacceptedkeytypes": "PubkeyAcceptedKeyTypes", "hostkeyalgorithms": "HostKeyAlgorithms",
    ]

    private static func spelling(_ name: String) -> String { spellings[name] ?? name }
}
