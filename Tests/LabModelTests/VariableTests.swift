import LabCore
import LabModel
import Testing

@Suite struct VariableTests {
    @Test func valuesAreRenderedThroughOtherVariables() throws {
        let scope = scope([
            "a": "{{ b }}-{{ c.d }}", "b": "{{ 1 + 1 }}", "c": ["d": "{{ b }}"], "list": ["{{ b }}", "x"],
        ])
        #expect(try scope.variable("a") == "2-2")
        #expect(try scope.variable("b") == 2)
        #expect(try scope.variable("list") == [2, "x"])
        #expect(try scope.variable("nothing") == nil)
    }

    @Test func finishedValuesAreNotRendered() throws {
        var layer = VariableLayer(.setFact)
        layer.set("result", value: ["stdout": "{{ not_a_template }}"])
        let scope = scope(["copy": "{{ result.stdout }}"]).adding([layer])
        #expect(try scope.variable("result") == ["stdout": "{{ not_a_template }}"])
        #expect(try scope.variable("copy") == "{{ not_a_template }}")
    }

    @Test(
        arguments: [
            (["a": "{{ a }}"], "a", ["the variable 'a' is defined by itself"]),
            (["a": "{{ b }}", "b": "x{{ c }}", "c": ["k": "{{ a }}"]], "a", ["the variable 'a' is defined by itself"]),
            (["a": "{{ lookup('vars', 'a') }}"], "a", ["the variable 'a' is defined by itself"]),
            (["x": "{{ a }}", "a": "{{ a | default('no') }}"], "x", ["the variable 'a' is defined by itself"]),
        ] as [(ValueMap, String, [String])])
    func aLoopOfVariablesIsTold(_ values: ValueMap, _ name: String, _ expected: [String]) {
        let scope = scope(values)
        #expect(messages { _ = try scope.variable(name) } == expected)
    }

    @Test func theWayOfALoopIsTold() throws {
        let scope = scope(["a": "{{ b }}", "b": "{{ c }}", "c": "{{ a }}"])
        do {
            _ = try scope.variable("a")
            Issue.record("no error")
        } catch let error as any DiagnosticError {
            #expect(error.diagnostics.first?.notes.map(\.message).contains("'a' uses 'b' uses 'c' uses 'a'") == true)
        }
    }

    @Test(
        arguments: [
            ("inventory_hostname", "w1.lab"), ("inventory_hostname_short", "w1"),
            ("group_names", ["lab", "workers"]), ("ansible_check_mode", false), ("playbook_dir", "/srv/project"),
            ("ansible_play_hosts", ["w1.lab", "w2"]), ("role_name", "metallb"),
            ("role_path", "/srv/project/Roles/metallb"),
            ("inventory_file", "/srv/inv.yml"), ("inventory_dir", "/srv"),
        ] as [(String, Value)])
    func builtInVariables(_ name: String, _ expected: Value) throws {
        let project = try TestProject(["inv.yml": "lab: {children: {workers: {hosts: {w1.lab: , w2: }}}}"])
        defer { project.remove() }
        let inventory = try InventoryLoader().load([project.path("inv.yml")])
        var magic = MagicVariables(inventory: inventory, hostName: "w1.lab")
        magic.playHosts = ["w1.lab", "w2"]
        magic.playbookDirectory = "/srv/project"
        magic.role = RoleContext(name: "metallb", path: "/srv/project/Roles/metallb")
        let value = try LabModel.VariableScope(layers: VariableLayers(), magic: magic).variable(name)
        // The temporary folder's name is not known beforehand.
        #expect(value?.string.map { .string($0.replacing(project.directory, with: "/srv")) } ?? value == expected)
    }

    @Test func groupsAndOtherHostsVariablesCanBeRead() throws {
        let project = try TestProject([
            "inv.yml": """
            lab:
              hosts:
                cp1: {ip: 10.0.0.1, self: "{{ hostvars[inventory_hostname].ip }}"}
                w1: {ip: 10.0.0.2, peer: "{{ hostvars['cp1'].ip }}", all: "{{ groups.lab | map('extract', hostvars, 'ip') | list }}"}
              vars: {name: "{{ inventory_hostname }}", port: 80}
            """
        ])
        defer { project.remove() }
        let inventory = try InventoryLoader().load([project.path("inv.yml")])
        let scope = scope(
            ["x": "{{ hostvars.w1.name }}:{{ hostvars['cp1']['port'] }}"], inventory: inventory, host: "w1")
        #expect(try scope.variable("x") == "w1:80")
        let all = LabModel.VariableScope(
            layers: VariableLayers(inventory.layers(forHost: "w1")), magic: scope.magic)
        #expect(try all.variable("peer") == "10.0.0.1")
        #expect(try all.variable("all") == ["10.0.0.1", "10.0.0.2"])
        let cp1 = try #require(all.hostScope("cp1"))
        #expect(try cp1.variable("self") == "10.0.0.1")
    }

    @Test(
        arguments: [
            ("{{ lookup('env', 'HOME') }}", "/home/lab"), ("{{ lookup('env', 'NOPE') }}", ""),
            ("{{ lookup('vars', 'port') }}", 80), ("{{ lookup('vars', 'nope', default='d') }}", "d"),
            ("{{ lookup('file', 'motd') }}", "hello {{ port }}"), ("{{ lookup('template', 'motd.j2') }}", "port 80\n"),
            ("{{ lookup('first_found', ['nope', 'motd']) | basename }}", "motd"),
        ] as [(String, Value)])
    func lookups(_ template: String, _ expected: Value) throws {
        let project = try TestProject(["files/motd": "hello {{ port }}\n", "templates/motd.j2": "port {{ port }}\n"])
        defer { project.remove() }
        var magic = MagicVariables(inventory: Inventory(), hostName: nil)
        magic.processEnvironment = ["HOME": "/home/lab"]
        magic.playbookDirectory = project.directory
        let scope = LabModel.VariableScope(layers: scope(["port": 80, "x": .string(template)]).layers, magic: magic)
        #expect(try scope.variable("x") == expected)
    }

    @Test func aTemplateThatIncludesItselfIsTold() throws {
        let project = try TestProject(["templates/a.j2": "{{ lookup('template', 'a.j2') }}"])
        defer { project.remove() }
        var magic = MagicVariables(inventory: Inventory(), hostName: nil)
        magic.playbookDirectory = project.directory
        let scope = LabModel.VariableScope(
            layers: scope(["x": "{{ lookup('template', 'a.j2') }}"]).layers, magic: magic)
        #expect(messages { _ = try scope.variable("x") }.first?.contains("includes itself by a lookup") == true)
    }

    @Test func aVeryLongWayIsTold() {
        var values: ValueMap = [:]
        for index in 0..<500 { values["v\(index)"] = .string("{{ v\(index + 1) }}") }
        #expect(messages { _ = try scope(values).variable("v0") } == ["too many variables are made of each other"])
    }

    @Test func hostsWhoseVariablesUseEachOtherEnd() throws {
        let inventory = try InventoryLoader().load(["a,b"])
        let scope = scope(["x": "{{ hostvars.a.x | default('none') }}"], inventory: inventory, host: "a")
        #expect(try scope.variable("x") == "none")
    }

    @Test func pipeIsRefusedWithASentence() {
        let found = messages { _ = try scope(["x": "{{ lookup('pipe', 'date') }}"]).variable("x") }
        #expect(found.first?.contains("labctl runs nothing and fetches nothing while it reads variables") == true)
    }

    @Test(
        arguments: [
            (["a=1 b=two"], ["a": "1", "b": "two"]), (["a='x y'", "b=\"{{ a }}\""], ["a": "x y", "b": "x y"]),
            (["{\"a\": 1, \"b\": [true]}"], ["a": 1, "b": [true]]), (["{a: 1, b: yes}"], ["a": 1, "b": true]),
            (["a=1", "a=2"], ["a": "2"]), (["a=x=y"], ["a": "x=y"]),
        ] as [([String], ValueMap)])
    func extraVariables(_ options: [String], _ expected: ValueMap) throws {
        let layers = VariableLayers([try ExtraVariables.parse(options)])
        let scope = LabModel.VariableScope(
            layers: layers, magic: MagicVariables(inventory: Inventory(), hostName: nil))
        for (name, value) in expected { #expect(try scope.variable(name) == value) }
    }

    @Test func extraVariablesKnowTheirPlace() throws {
        let layer = try ExtraVariables.parse(["first=1 second=2"])
        #expect(layer.variables["second"]?.origin.description == "extra vars, <command line>:1:9")
        #expect(
            messages { _ = try ExtraVariables.parse(["nothing"]) } == ["<command line>:1:1: 'nothing' is no variable"])
        #expect(hints { _ = try ExtraVariables.parse(["/a.yml"]) } == ["for a file write '-e @/a.yml'"])
    }
}
