import LabCore
import LabModel
import LabTransport
import Testing

private func endpoint(_ variables: ValueMap) throws -> Endpoint {
    let inventory = try InventoryLoader().load(["h,"])
    let host = try #require(inventory.host("h"))
    return try inventory.endpoint(for: host, variables: scope(variables, inventory: inventory, host: "h"))
}

private let becomes: [(ValueMap, Become?)] = [
    ([:], nil), (["ansible_become": "yes"], Become()),
    (
        ["ansible_become": true, "ansible_become_user": "lab", "ansible_become_method": "su"],
        Become(method: .su, user: "lab")
    ),
    (["ansible_become": true, "ansible_become_password": "{{ 'p' }}w"], Become(password: Secret("pw"))),
    (["ansible_become": false], nil),
]

@Suite struct AccessTests {
    @Test func variablesBecomeAnEndpoint() throws {
        let endpoint = try endpoint([
            "ansible_host": "{{ ip }}", "ip": "192.168.56.10", "ansible_port": "2222", "ansible_user": "vagrant",
            "ansible_ssh_private_key_file": "~/.ssh/id", "ansible_password": "pw", "ansible_timeout": 3,
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=accept-new -J jump -C",
            "ansible_ssh_extra_args": "-oUserKnownHostsFile=/dev/null -p 9 -i other -o 'ProxyCommand ssh -W %h:%p x'",
        ])
        #expect(endpoint.hostName == "h" && endpoint.address == "192.168.56.10")
        #expect(endpoint.port == 2222 && endpoint.user == "vagrant")
        #expect(endpoint.identityFiles == ["~/.ssh/id", "other"])
        #expect(endpoint.password?.reveal() == "pw")
        #expect(endpoint.connectTimeout == .seconds(3))
        #expect(endpoint.hostKeyPolicy == .acceptNew)
        #expect(
            endpoint.options.map { "\($0.name)=\($0.value)" } == [
                "StrictHostKeyChecking=accept-new", "ProxyJump=jump", "Compression=yes", "UserKnownHostsFile=/dev/null",
                "ProxyCommand=ssh -W %h:%p x",
            ])
        #expect(endpoint.span?.file.path == "<command line>")
    }

    @Test func theDefaultsAreStrict() throws {
        let endpoint = try endpoint([:])
        #expect(endpoint.address == "h" && endpoint.port == nil && endpoint.user == nil)
        #expect(endpoint.hostKeyPolicy == .strict && endpoint.options.isEmpty && endpoint.identityFiles.isEmpty)
    }

    @Test(
        arguments: [
            (["ansible_port": "ssh"], "'ansible_port' needs a whole number, not 'ssh'"),
            (["ansible_port": 70000], "the port of h is 70000, ports go from 1 to 65535"),
            (["ansible_ssh_common_args": "-X"], "the option '-X' in 'ansible_ssh_common_args' is not offered"),
            (["ansible_ssh_common_args": "-o"], "the option '-o' in 'ansible_ssh_common_args' has no value"),
            (["ansible_ssh_common_args": "-o X"], "'-o X' in 'ansible_ssh_common_args' is no 'Name=value'"),
            (["ansible_ssh_extra_args": "'a"], "a quote in 'ansible_ssh_extra_args' is not closed"),
            (["ansible_ssh_common_args": "jump"], "'jump' in 'ansible_ssh_common_args' is no option of ssh"),
        ] as [(ValueMap, String)])
    func wrongVariablesAreTold(_ variables: ValueMap, _ expected: String) {
        #expect(messages { _ = try endpoint(variables) } == [expected])
    }

    @Test func connectionsOtherThanSSHAreToldApart() throws {
        let inventory = Inventory()
        let host = Host.implicitLocalhost()
        let layers = VariableLayers(inventory.layers(for: host))
        let scope = LabModel.VariableScope(
            layers: layers, magic: MagicVariables(inventory: inventory, hostName: "localhost"))
        guard case .local = try HostAccess.of(host, scope: scope) else {
            Issue.record("localhost is not local")
            return
        }
        let docker = LabTestScope.with(["ansible_connection": "docker"])
        #expect(
            messages { _ = try HostAccess.of(Host(name: "h"), scope: docker) }
                == ["the connection 'docker' of h is not offered"])
    }

    @Test(arguments: becomes)
    func becomeComesFromVariables(_ variables: ValueMap, _ expected: Become?) throws {
        #expect(try HostAccess.become(Directives(), scope: scope(variables)) == expected)
    }

    @Test func vagrantsConfigurationIsAnInventory() throws {
        let text = """
            Host cp1
              HostName 127.0.0.1
              User vagrant
              Port 2222
              UserKnownHostsFile /dev/null
              StrictHostKeyChecking no
              PasswordAuthentication no
              IdentityFile "/lab/.vagrant/machines/cp1/virtualbox/private key"
              IdentitiesOnly yes
              LogLevel FATAL

            Host w1
              HostName 127.0.0.1
              Port 2200

            """
        let loader = InventoryLoader(workingDirectory: "/lab") { arguments, directory in
            guard arguments == ["vagrant", "ssh-config"], directory == "/lab" else { throw InputError("wrong command") }
            return text
        }
        let project = try TestProject(["ssh-config": "\n" + text])
        defer { project.remove() }
        for inventory in [try loader.load(["vagrant"]), try InventoryLoader().load([project.path("ssh-config")])] {
            #expect(Array(inventory.hosts.keys) == ["cp1", "w1"])
            let host = try #require(inventory.host("cp1"))
            let scope = LabModel.VariableScope(
                layers: VariableLayers(inventory.layers(for: host)),
                magic: MagicVariables(inventory: inventory, hostName: "cp1"))
            let endpoint = try inventory.endpoint(for: host, variables: scope)
            #expect(endpoint.address == "127.0.0.1" && endpoint.port == 2222 && endpoint.user == "vagrant")
            #expect(endpoint.identityFiles == ["/lab/.vagrant/machines/cp1/virtualbox/private key"])
            #expect(endpoint.hostKeyPolicy == .off)
            #expect(endpoint.options.contains(Endpoint.Option("UserKnownHostsFile", "/dev/null")))
        }
        #expect(
            messages { _ = try InventoryLoader(runner: { _, _ in "" }).load(["vagrant"]) } == [
                "<vagrant ssh-config> names no host"
            ])
    }

    /// Machines have groups by their names, where no inventory before says which they are in.
    @Test(arguments: [
        (["w1", "cp1"], ["cp1"], ["w1"]), (["node-a", "node-b"], ["node-a"], ["node-b"]),
        (["Master-1", "worker", "master-2"], ["Master-1", "master-2"], ["worker"]), (["only"], ["only"], []),
    ])
    func machinesHaveGroups(_ names: [String], _ controlPlane: [String], _ workers: [String]) throws {
        let text = names.map { "Host \($0)\n  HostName 127.0.0.1\n" }.joined()
        let inventory = try InventoryLoader(runner: { _, _ in text }).load(["vagrant"])
        #expect(inventory.hostNames(inGroup: "control_plane") == controlPlane)
        #expect(inventory.hostNames(inGroup: "workers") == workers)
    }

    @Test func anInventoryBeforeSaysWhatTheMachinesAre() throws {
        let project = try TestProject([
            "lab.yml": "workers: {hosts: {cp1: {ansible_host: 192.168.56.10}}}\ncontrol_plane: {hosts: {w1: }}\n",
            "ssh-config": "Host cp1\n  HostName 127.0.0.1\n  Port 2222\n\nHost w1\n  HostName 192.168.56.11\n",
        ])
        defer { project.remove() }
        let inventory = try InventoryLoader().load([project.path("lab.yml"), project.path("ssh-config")])
        #expect(inventory.hostNames(inGroup: "control_plane") == ["w1"])
        #expect(inventory.hostNames(inGroup: "workers") == ["cp1"])
        func variable(_ name: String, of host: String) -> Value? {
            let scope = LabModel.VariableScope(
                layers: VariableLayers(inventory.layers(forHost: host)),
                magic: MagicVariables(inventory: inventory, hostName: host))
            return try? scope.variable(name)
        }
        #expect(variable("ansible_host", of: "cp1") == "127.0.0.1")
        #expect(variable("node_address", of: "cp1") == "192.168.56.10")
        #expect(variable("node_address", of: "w1") == nil)
    }

    @Test func vagrantsKeysAreFound() throws {
        let project = try TestProject([".vagrant/machines/w1/libvirt/private_key": "key"])
        defer { project.remove() }
        let inventory = try InventoryLoader().load(["w1,"])
        let host = try #require(inventory.host("w1"))
        var magic = MagicVariables(inventory: inventory, hostName: "w1")
        magic.playbookDirectory = project.directory
        let endpoint = try inventory.endpoint(
            for: host, variables: LabModel.VariableScope(layers: VariableLayers(), magic: magic))
        #expect(endpoint.identityFiles == [project.path(".vagrant/machines/w1/libvirt/private_key")])
        #expect(endpoint.user == "vagrant")
    }
}

private enum LabTestScope {
    static func with(_ values: ValueMap) -> LabModel.VariableScope { scope(values) }
}
