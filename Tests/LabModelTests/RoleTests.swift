import LabCore
import LabModel
import Testing

@Suite struct RoleTests {
    @Test(arguments: ["Roles", "roles", "ansible/roles", "ansible/Roles"])
    func rolesAreFoundWherePeoplePutThem(_ folder: String) throws {
        let project = try TestProject(["\(folder)/metallb/tasks/main.yml": "- command: ls\n"])
        defer { project.remove() }
        let role = try project.roles.load("metallb")
        #expect(role.path == project.path("\(folder)/metallb"))
        #expect(role.tasks.count == 1)
        let byPath = try project.roles.load(project.path("\(folder)/metallb/"))
        #expect(byPath.name == "metallb")
    }

    @Test func aMissingRoleTellsWhereItWasLookedFor() throws {
        let project = try TestProject(["Roles/metallb/tasks/main.yml": "", "roles/kube/tasks/main.yml": ""])
        defer { project.remove() }
        do {
            _ = try project.roles.load("metalb")
            Issue.record("no error")
        } catch {
            let diagnostic = try #require(error.diagnostics.first)
            #expect(diagnostic.message == "no such role: metalb")
            #expect(diagnostic.hint == "did you mean 'metallb'?")
            #expect(
                diagnostic.notes.map(\.message) == [
                    "looked in \(project.path("Roles")), \(project.path("roles"))", "roles there: metallb, kube",
                ])
        }
    }

    @Test(arguments: ["main.yml", "main.yaml", "main.json", "main", "main/10.yml"])
    func defaultsMayHaveAnyOfAnsiblesNames(_ file: String) throws {
        let project = try TestProject(["roles/r/defaults/\(file)": "{\"a\": 1}"])
        defer { project.remove() }
        let role = try project.roles.load("r")
        let variable = try #require(VariableLayers(role.context.defaults)["a"])
        #expect(variable.raw == 1)
        #expect(variable.origin.level == .roleDefaults && variable.origin.owner == "r")
    }

    @Test func dependenciesRunOnceAndBefore() throws {
        let project = try TestProject([
            "roles/top/meta/main.yml": """
            dependencies:
              - base
              - {role: mid, vars: {m: from top}, tags: [t], http_port: 80}
            galaxy_info: {description: The top, labctl: {hosts: control_plane}}
            """,
            "roles/top/tasks/main.yml": "- command: top\n", "roles/top/vars/main.yml": "v: top\nonly_top: 1\n",
            "roles/top/defaults/main.yml": "d: top\n",
            "roles/mid/meta/main.yml": "dependencies: [base]\n", "roles/mid/tasks/main.yml": "- command: mid\n",
            "roles/mid/vars/main.yml": "v: mid\n", "roles/mid/defaults/main.yml": "d: mid\nmid_d: 1\n",
            "roles/base/tasks/main.yml": "- command: base\n",
            "roles/base/handlers/main.yml": "- name: h\n  command: h\n",
        ])
        defer { project.remove() }
        let role = try project.roles.load("top")
        #expect(role.metadata.hosts == "control_plane" && role.metadata.description == "The top")
        #expect([role].inRunningOrder().map(\.name) == ["base", "mid", "top"])
        let mid = role.dependencies[1]
        #expect(VariableLayers(mid.context.variables)["v"]?.raw == "mid")
        #expect(VariableLayers(mid.context.variables)["only_top"]?.raw == 1)
        #expect(VariableLayers(mid.context.variables)["m"]?.raw == "from top")
        #expect(VariableLayers(mid.context.parameters)["http_port"]?.raw == 80)
        #expect(try mid.tasks.first?.task?.directives.tagNames(scope()) == ["t"])
        #expect(VariableLayers(role.context.variables)["v"]?.raw == "top")
        #expect(VariableLayers(role.context.defaults)["d"]?.raw == "top")
        #expect(VariableLayers(role.context.defaults)["mid_d"]?.raw == 1)
        let plays = try project.roles.plays(for: ["base", "top"])
        #expect(plays.map { $0.hosts.string } == ["all", "control_plane"])
        let forced = try project.roles.plays(for: ["base", "top"], hosts: "cp1")
        #expect(forced.count == 1)
        #expect(forced.first?.roles.map(\.name) == ["base", "mid", "top"])
        #expect(forced.first?.handlers.count == 1)
    }

    @Test func aRoleThatNeedsItselfIsRefused() throws {
        let project = try TestProject([
            "roles/a/meta/main.yml": "dependencies: [b]\n", "roles/b/meta/main.yml": "dependencies: [a]\n",
            "roles/a/tasks/main.yml": "", "roles/b/tasks/main.yml": "",
        ])
        defer { project.remove() }
        let found = messages { _ = try project.roles.load("a") }
        #expect(found == ["main.yml:1:16: the role 'a' needs itself: a, which needs b, which needs a"])
    }

    @Test func mistakesOfAllFilesAreToldTogether() throws {
        let project = try TestProject([
            "roles/a/tasks/main.yml": "- coppy: {}\n- include_tasks: more.yml\n", "roles/a/tasks/more.yml": "- x: {}\n",
            "roles/a/defaults/main.yml": "- no map\n", "roles/a/handlers/main.yml": "- name: h\n",
            "roles/a/vars/main.yml": "v: \"{{ a b }}\"\n", "roles/b/tasks/main.yml": "a: [\n",
            "roles/b/meta/argument_specs.yml": "argument_specs: {main: {options: {a: {tipe: str}, b: {type: strr}}}}\n",
        ])
        defer { project.remove() }
        let found = messages { _ = try project.roles.load(["a", "b"]) }
        for part in [
            "unknown module 'coppy'", "unknown module 'x'", "a file of variables is a map of names and values",
            "the task calls no module", "an option has no 'tipe'", "unknown type 'strr'",
        ] { #expect(found.contains { $0.contains(part) }, "\(part)") }
        #expect(found.count >= 8)
    }

    @Test func verifyTasksArePlaysOfTheirOwn() throws {
        let project = try TestProject([
            "roles/a/tasks/main.yml": "", "roles/a/verify/main.yml": "- command: probe\n", "roles/b/tasks/main.yml": "",
            "roles/a/defaults/main.yml": "d: 1\n",
        ])
        defer { project.remove() }
        let play = try #require(try project.roles.verifyPlays(for: ["a"]).first)
        #expect(play.tasks.first?.task?.freeForm?.string == "probe")
        #expect(play.tasks.first?.task?.role?.name == "a")
        #expect(messages { _ = try project.roles.verifyPlays(for: ["b"]) } == ["the role 'b' has nothing to verify"])
    }

    @Test func theHostsOfARoleHaveThePlaceWhereTheRoleNamesThem() throws {
        let project = try TestProject([
            "roles/a/tasks/main.yml": "", "roles/a/verify/main.yml": "- command: probe\n",
            "roles/a/meta/main.yml": "galaxy_info:\n  labctl:\n    hosts: control_plane[0]\n",
            "roles/b/tasks/main.yml": "",
        ])
        defer { project.remove() }
        let plays = try project.roles.plays(for: ["a", "b"]) + project.roles.verifyPlays(for: ["a"])
        #expect(plays.map { $0.hosts.string } == ["control_plane[0]", "all", "control_plane[0]"])
        let inventory = try InventoryLoader().load(["cp1,"])
        for index in [0, 2] {
            let hosts = plays[index].hosts
            #expect(
                messages { _ = try inventory.hosts(matching: hosts.string ?? "", span: hosts.span) } == [
                    "main.yml:3:12: no host or group 'control_plane' in the inventory"
                ])
        }
        #expect(plays[1].hosts.span == nil)
        // What the command line says is no line of the role.
        #expect(try project.roles.plays(for: ["a"], hosts: "cp1").first?.hosts.span == nil)
    }

    private static let specification = """
        argument_specs:
          main:
            short_description: Test
            options:
              version: {type: str, required: true, description: the version}
              count: {type: int}
              mode: {type: str, choices: [l2, bgp]}
              flag: {type: bool}
              names: {type: list, elements: str}
              pools:
                type: list
                elements: dict
                options:
                  name: {type: str, required: true}
                  addresses: {type: list, elements: str, required: true}
                  auto: {type: bool}
        """

    @Test(
        arguments: [
            ("version: 1\n", []), ("version: '{{ 1 + 1 }}'\ncount: '3'\nflag: 'yes'\nnames: a,b\n", []),
            ("a: 1\n", ["the role 'r' needs the variable 'version'"]),
            ("version: v\ncount: many\n", ["all.yml:2:8: 'count' needs a whole number, not 'many'"]),
            ("version: v\nmode: l3\n", ["all.yml:2:7: 'mode' cannot be 'l3', it is one of l2, bgp"]),
            (
                "version: [v]\nflag: perhaps\n",
                [
                    "all.yml:1:10: 'version' needs a text, not a list",
                    "all.yml:2:7: 'flag' needs true or false, not 'perhaps'",
                ]
            ),
            ("version: v\nnames: [a, {b: 1}]\n", ["all.yml:2:12: 'names[1]' needs a text, not a map"]),
            (
                "version: v\npools:\n  - name: p\n    adresses: [x]\n",
                [
                    "all.yml:3:5: 'pools[0]' of the role 'r' needs 'addresses'",
                    "all.yml:4:5: 'pools[0]' has no 'adresses'",
                ]
            ),
            (
                "version: v\npools: [{name: p, addresses: [x], auto: x}]\n",
                [
                    "all.yml:2:41: 'pools[0].auto' needs true or false, not 'x'"
                ]
            ),
            ("version: v\npools: {name: p}\n", ["all.yml:2:8: 'pools' needs a list, not a map"]),
            ("version: v\npools: '[1'\n", ["all.yml:2:8: 'pools' needs a list, not '[1'"]),
            // Only the cause is told.
            ("mode: '{{ version }}'\ncount: x{{ version }}\n", ["the role 'r' needs the variable 'version'"]),
            (
                "mode: '{{ url }}'\nurl: https://{{ version }}\ncount: many\n",
                ["the role 'r' needs the variable 'version'", "all.yml:3:8: 'count' needs a whole number, not 'many'"]
            ),
            (
                "version: v\npools: '[1'\nnames: \"{{ pools | map(attribute='name') | list }}\"\n",
                ["all.yml:2:8: 'pools' needs a list, not '[1'"]
            ),
            (
                "version: v\nflag: perhaps\npools: [{name: p, addresses: [x], auto: '{{ flag }}'}]\n",
                ["all.yml:2:7: 'flag' needs true or false, not 'perhaps'"]
            ),
            // A value of its own is wrong though it uses a right one.
            ("version: v\ncount: 'x{{ version }}'\n", ["all.yml:2:8: 'count' needs a whole number, not 'xv'"]),
            (
                "mode: '{{ nope }}'\n",
                ["the role 'r' needs the variable 'version'", "all.yml:1:11: 'nope' is undefined"]
            ),
            (
                "version: '{{ mode }}'\nmode: '{{ version }}'\n",
                [
                    "all.yml:1:1: the variable 'version' is defined by itself",
                    "all.yml:2:1: the variable 'mode' is defined by itself",
                ]
            ),
            // One mistake that two options meet, and one of its own.
            (
                "version: v\nmode: '{{ url }}'\ncount: '{{ url }}'\nurl: '{{ nope }}'\nflag: '{{ nowhere }}'\n",
                ["all.yml:4:10: 'nope' is undefined", "all.yml:5:11: 'nowhere' is undefined"]
            ),
            ("version: v\nmode: '{{ nope }}'\n", ["all.yml:2:11: 'nope' is undefined"]),
        ] as [(String, [String])])
    func argumentsAreCheckedAtTheUsersValues(_ variables: String, _ expected: [String]) throws {
        let project = try TestProject([
            "roles/r/meta/argument_specs.yml": Self.specification, "roles/r/tasks/main.yml": "",
            "lab.yml": "all: {hosts: {h: }}\n", "group_vars/all.yml": variables,
        ])
        defer { project.remove() }
        let inventory = try InventoryLoader().load([project.path("lab.yml")])
        let specification = try #require(try project.roles.load("r").argumentSpecification)
        let scope = LabModel.VariableScope(
            layers: VariableLayers(inventory.layers(forHost: "h")),
            magic: MagicVariables(inventory: inventory, hostName: "h"))
        let found = messages {
            let diagnostics = try specification.check(scope)
            if !diagnostics.isEmpty { throw InputError(diagnostics) }
        }
        #expect(found == expected)
    }

    /// The shipped role, as far as its variables go.
    @Test(
        arguments: [
            (
                ["version=1", "pools=[1"], ["<command line>:1:1: 'pools' needs a list, not '[1'"],
                ["write a list of maps in a file of variables, or JSON: -e '{\"pools\": [{…}]}'"]
            ),
            (
                ["count=1"], ["the role 'r' needs the variable 'version'"],
                ["set it in group_vars or with '-e version=…'"]
            ),
        ])
    func defaultsThatUseAWrongVariableAreNotBlamed(_ extra: [String], _ expected: [String], _ help: [String]) throws {
        let project = try TestProject([
            "roles/r/meta/argument_specs.yml": Self.specification, "roles/r/tasks/main.yml": "",
            "roles/r/defaults/main.yml": """
            mode: "{{ 'l2' if version else 'bgp' }}"
            pools: [{name: "{{ version }}", addresses: [x]}]
            names: "{{ pools | map(attribute='name') | list }}"
            """,
        ])
        defer { project.remove() }
        let role = try project.roles.load("r")
        let layers = VariableLayers(role.context.defaults + [try ExtraVariables.parse(extra)])
        let scope = LabModel.VariableScope(
            layers: layers, magic: MagicVariables(inventory: Inventory(), hostName: "h"))
        let check = {
            let diagnostics = try role.argumentSpecification?.check(scope) ?? []
            if !diagnostics.isEmpty { throw InputError(diagnostics) }
        }
        #expect(messages(check) == expected)
        #expect(hints(check) == help)
    }
}
