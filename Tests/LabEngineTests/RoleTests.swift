import LabCore
import LabEngine
import LabModel
import Testing

@Suite struct RoleTests {
    /// A role with everything that Ansible's layout has.
    private func lab() throws -> Lab {
        let lab = try Lab()
        lab.write("inventory.yml", "all:\n  vars: {site: lab}\n  hosts:\n    one: {color: red}\n    two:\n")
        lab.write("group_vars/all.yml", "who: everybody\nfolder: DIR\n".replacing("DIR", with: lab.folder))
        lab.write("host_vars/two.yml", "color: blue\n")
        lab.write("Roles/paint/defaults/main.yml", "color: none\nshades: [dark, light]\nwho: nobody\n")
        lab.write("Roles/paint/vars/main.yml", "out: \"{{ folder }}/{{ inventory_hostname }}\"\n")
        lab.write("Roles/paint/files/static.txt", "static\n")
        lab.write(
            "Roles/paint/templates/motd.j2",
            "{% for shade in shades %}\n{{ shade }} {{ color }}\n{% endfor %}\n{{ who }} on {{ inventory_hostname }} {{ ansible_managed }}\n"
        )
        lab.write("Roles/paint/meta/main.yml", "dependencies: [ground]\n")
        lab.write(
            "Roles/paint/meta/argument_specs.yml",
            """
            argument_specs:
              main:
                options:
                  color: {type: str, choices: [red, blue, none]}
                  shades: {type: list, elements: str}
            """)
        lab.write("Roles/paint/handlers/main.yml", "- {name: dry, command: \"touch {{ out }}/dry\"}\n")
        lab.write(
            "Roles/paint/tasks/main.yml",
            """
            - import_tasks: files.yml
              tags: [files]
            - include_tasks: "{{ color }}.yml"
            """)
        lab.write(
            "Roles/paint/tasks/files.yml",
            """
            - {name: Write the motd, template: {src: motd.j2, dest: "{{ out }}/motd"}, notify: dry}
            - {name: Copy, copy: {src: static.txt, dest: "{{ out }}/"}}
            """)
        lab.write("Roles/paint/tasks/red.yml", "- {name: Red, debug: {msg: red}}\n")
        lab.write("Roles/paint/tasks/blue.yml", "- {name: Blue, debug: {msg: blue}}\n")
        lab.write(
            "Roles/ground/tasks/main.yml",
            "- {name: Make the ground, file: {path: \"{{ folder }}/{{ inventory_hostname }}\", state: directory}}\n")
        return lab
    }

    @Test func aWholeRoleConverges() async throws {
        let lab = try lab()
        let first = try await lab.run(roles: ["paint"])
        #expect(
            first.lines(of: "one") == [
                "changed proved Make the ground", "changed proved Write the motd", "changed proved Copy",
                "ok proved Red",
                "changed unproved dry",
            ], "\(first.messages)")
        #expect(first.lines(of: "two").contains("ok proved Blue"))
        #expect(lab.read("one/motd") == "dark red\nlight red\neverybody on one Ansible managed\n")
        #expect(lab.read("two/motd") == "dark blue\nlight blue\neverybody on two Ansible managed\n")
        #expect(lab.read("two/static.txt") == "static\n")
        let second = try await lab.run(roles: ["paint"])
        #expect(second.records.allSatisfy { $0.outcome == .ok && $0.step.proof.isProved })
        #expect(second.summaries.map(\.proved) == [4, 4])
    }

    @Test func argumentsAreCheckedBeforeTheRoleStarts() async throws {
        let lab = try lab()
        lab.write("host_vars/two.yml", "color: green\n")
        let report = try await lab.run(roles: ["paint"])
        #expect(report.lines(of: "two").last == "failed - Check the variables of paint")
        #expect(report.lines(of: "one").last == "changed unproved dry")
        let failure = try #require(report.records.flatMap(\.step.failure).first)
        #expect(failure.span?.description == "\(lab.folder)/host_vars/two.yml:1:8")
        #expect(report.exitCode == 65)
    }

    @Test func tagsOfARoleReachItsImports() async throws {
        let lab = try lab()
        _ = try await lab.run(roles: ["paint"])
        let report = try await lab.run(roles: ["paint"], hosts: "one") { $0.tags = TagSelection(only: ["files"]) }
        #expect(report.records.map(\.task.name) == ["Write the motd", "Copy"])
    }

    @Test func extraVariablesWin() async throws {
        let lab = try lab()
        let report = try await lab.run(roles: ["paint"], hosts: "one") { options in
            options.extraVariables = [VariableLayer(.extraVars, values: ["color": "blue"])]
        }
        #expect(report.lines(of: "one").contains("ok proved Blue"))
    }

    @Test func limitsNarrowThePlay() async throws {
        let lab = try lab()
        let report = try await lab.run(roles: ["paint"]) { $0.limit = "two" }
        #expect(Set(report.records.map(\.host)) == ["two"])
    }

    @Test func includedRolesBringTheirHandlers() async throws {
        let lab = try lab()
        let report = try await lab.run(
            """
            - hosts: one
              tasks:
                - include_role: {name: "{{ which }}"}
                  vars: {which: paint}
                - {name: After, debug: {msg: x}}
            """)
        #expect(report.lines(of: "one").suffix(2) == ["ok proved After", "changed unproved dry"], "\(report.messages)")
    }

    @Test func includedVariables() async throws {
        let lab = try lab()
        lab.write("more.yml", "deep: \"{{ deeper }}\"\n")
        let report = try await lab.run(
            """
            - hosts: one
              vars: {deeper: 3}
              tasks:
                - include_vars: DIR/more.yml
                - include_vars: {file: DIR/more.yml, name: nested}
                - {name: A, assert: {that: ["deep == 3", "nested.deep == 3"]}}
            """)
        #expect(report.exitCode == 0, "\(report.messages)")
    }

    @Test func hostvarsSeeWhatOthersRegistered() async throws {
        let lab = try lab()
        let report = try await lab.run(
            """
            - hosts: all
              tasks:
                - {set_fact: {mine: "{{ inventory_hostname }}!"}}
                - name: A
                  assert:
                    that:
                      - hostvars['two'].mine == 'two!'
                      - hostvars.one.color == 'red'
                      - groups.all == ['one', 'two']
            """)
        #expect(report.exitCode == 0, "\(report.messages)")
    }

    @Test func freeStrategyRunsHostsForThemselves() async throws {
        let lab = try lab()
        let report = try await lab.run(
            """
            - hosts: all
              strategy: free
              tasks:
                - {name: A, debug: {msg: x}}
                - {name: B, debug: {msg: x}}
            """)
        for host in ["one", "two"] { #expect(report.lines(of: host) == ["ok proved A", "ok proved B"]) }
    }

    @Test func rendersArgumentsOfCheckModeAndDelegates() async throws {
        let lab = try lab()
        let report = try await lab.run(
            """
            - hosts: all
              tasks:
                - name: A
                  copy: {content: "{{ color }}", dest: "DIR/{{ inventory_hostname }}.txt"}
                  delegate_to: localhost
                - {name: B, assert: {that: "not ansible_check_mode"}}
            """, transport: MachineTransport(unreachable: ["one", "two"]))
        #expect(report.lines(of: "one") == ["changed proved A", "ok proved B"], "\(report.messages)")
        #expect(lab.read("two.txt") == "blue")
        #expect(report.records.first?.delegate == "localhost")
    }
}
