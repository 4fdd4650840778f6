import LabCore
import LabModel
import Testing

@Suite struct PlaybookTests {
    @Test func aPlayIsReadWhole() throws {
        let project = try TestProject([
            "site.yml": """
            - name: lab
              hosts: workers,!w2
              become: true
              gather_facts: true
              serial: [1, "50%"]
              strategy: free
              max_fail_percentage: 30
              any_errors_fatal: true
              environment: {A: play}
              tags: [site]
              vars: {a: play}
              vars_files: [vars.yml, ["{{ inventory_hostname }}.yml", fallback.yml]]
              pre_tasks: [{command: pre}]
              roles:
                - base
                - {role: web, http_port: 80, tags: [web], when: wanted, vars: {v: entry}}
                - base
              tasks:
                - command: one
                - import_role: {name: extra}
              post_tasks: [{command: post}]
              handlers: [{name: restart, command: restart}]
            - import_playbook: more/other.yml
              tags: [imported]
            """,
            "vars.yml": "a: file\n", "fallback.yml": "f: 1\n",
            "more/other.yml": "- hosts: all\n  tasks: [{command: other}]\n",
            "roles/base/tasks/main.yml": "- command: base\n", "roles/web/tasks/main.yml": "- command: web\n",
            "roles/web/handlers/main.yml": "- name: reload\n  command: reload\n",
            "roles/extra/tasks/main.yml": "- command: extra\n",
            "roles/extra/vars/main.yml": "exposed: 1\n",
        ])
        defer { project.remove() }
        let plays = try project.playbooks.load([project.path("site.yml")])
        #expect(plays.count == 2)
        let play = plays[0]
        #expect(play.hosts.string == "workers,!w2" && play.strategy == .free && play.maximumFailPercentage == 30)
        #expect(play.serial.map(\.value) == [1, "50%"])
        #expect(play.roles.map(\.name) == ["base", "web"])
        #expect(play.notes.map(\.message) == ["labctl gathers no facts"])
        #expect(VariableLayers(play.variables)["a"]?.raw == "file")
        #expect(play.variableFiles.count == 1)
        #expect(try play.variableFiles[0].load(scope(host: "w1")).variables["f"]?.raw == 1)
        let web = try #require(play.roles[1].tasks.first?.task)
        #expect(try web.directives.tagNames(scope()) == ["site", "web"])
        #expect(web.directives.when.map(\.text) == ["wanted"])
        #expect(web.directives.become?.staticValue == true)
        #expect(play.handlers.compactMap { $0.task?.title } == ["restart", "reload"])
        #expect(play.tasks.compactMap { $0.task?.freeForm?.string } == ["one", "extra"])
        #expect(play.exposedRoles.map(\.name) == ["extra"])
        let inventory = try InventoryLoader().load(["w1,"])
        let host = try #require(inventory.host("w1"))
        let variables = HostVariables(host: host, inventory: inventory, extra: VariableLayer(.extraVars))
        let layers = variables.layers(play: play, task: web)
        #expect(layers["http_port"]?.raw == 80 && layers["v"]?.raw == "entry" && layers["exposed"]?.raw == 1)
        #expect(variables.layers(play: play, task: play.tasks[0].task)["http_port"] == nil)
        #expect(try plays[1].tasks.first?.task?.directives.tagNames(scope()) == ["imported"])
    }

    @Test(
        arguments: [
            ("- tasks: []", ["1:3: the play says nothing of its hosts"], "add 'hosts: all'"),
            (
                "- command: ls", ["1:3: the play says nothing of its hosts"],
                "this looks like a task: put it below 'tasks:' of a play"
            ),
            ("- hosts: all\n  task: []", ["2:3: unknown keyword 'task' of a play"], "did you mean 'tasks'?"),
            (
                "- hosts: all\n  command: ls", ["2:3: unknown keyword 'command' of a play"],
                "'command' is a module: put it below 'tasks:'"
            ),
            ("- hosts: all\n  when: x", ["2:3: a play has no 'when'"], "put it into a block around the play's tasks"),
            ("- hosts: all\n  strategy: fast", ["2:13: the strategy 'fast' is not offered"], nil),
            ("- hosts: all\n  roles: [nope]", ["2:11: no such role: nope"], nil),
            ("- hosts: all\n  vars_files: [nope.yml]", ["2:16: no file of 'vars_files' is there: nope.yml"], nil),
            (
                "- hosts: all\n  vars_prompt: [{name: x}]",
                ["2:3: 'vars_prompt' is not offered: labctl asks no questions"],
                "give the variable with '-e name=value'"
            ),
            ("- import_playbook: nope.yml", ["1:20: no playbook '…/nope.yml'"], nil),
            ("- import_playbook: site.yml", ["1:20: …/site.yml imports itself"], nil),
            ("hosts: all", ["1:1: a playbook is a list of plays, not a map"], "begin a play with '- hosts: …'"),
            ("", ["the playbook is empty"], nil),
            ("- hosts:", ["'hosts' is empty"], nil),
            (
                "- hosts: all\n  handlers: [{block: []}]\n  tasks: [{comand: ls}]\n  become: 7",
                [
                    "4:11: 'become' needs true or false, not 7", "3:12: unknown module 'comand'",
                    "2:14: handlers have no blocks",
                ], nil
            ),
        ] as [(String, [String], String?)])
    func mistakesAreFoundBeforeAnythingRuns(_ text: String, _ expected: [String], _ hint: String?) throws {
        let project = try TestProject(["site.yml": text])
        defer { project.remove() }
        let load = { _ = try project.playbooks.load([project.path("site.yml")]) }
        let found = messages(load).map {
            $0.replacing(project.directory, with: "…").replacing(#/^site\.yml:/#, with: "")
        }
        #expect(found.count == expected.count, "\(found)")
        for (message, part) in zip(found, expected) { #expect(message == part || message.hasSuffix(": " + part)) }
        if let hint { #expect(hints(load).contains(hint)) }
    }
}
