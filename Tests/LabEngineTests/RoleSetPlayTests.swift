import LabCore
import LabEngine
import LabModel
import Testing

/// When a play's hosts do not go through a role together, or tasks bring it, its left-overs are pruned at the play's end.
@Suite("Left-overs of roles in playbooks", .timeLimit(.minutes(3)))
struct RoleSetPlayTests {
    private static let prune = "Left-overs pruned"

    private func pruned(_ report: Report) -> [TaskRecord] { report.records.filter { $0.task.name == Self.prune } }

    /// A role whose objects are named by each host.
    private func hostRole(_ lab: ClusterLab, _ maps: (one: String, two: String)) {
        lab.role(maps: [])
        lab.lab.write(
            "inventory.yml", "all:\n  hosts:\n    one: {map: \(maps.one)}\n    two: {map: \(maps.two)}\n")
        lab.lab.write("Roles/app/tasks/main.yml", ownMap(lab))
    }

    private func ownMap(_ lab: ClusterLab) -> String {
        lab.task("'{{ map }}'").replacing("- name: '{{ map }}' applied", with: "- name: map applied")
    }

    @Test(
        "batches and hosts at their own pace",
        arguments: [
            "serial: 1", "serial: ['50%']", "strategy: free", "strategy: host_pinned", "serial: 1\n  strategy: free",
        ])
    func batches(keyword: String) async throws {
        try await ClusterLab.with { lab in
            let play = "- hosts: all\n  gather_facts: false\n  \(keyword)\n  roles: [app]\n"
            hostRole(lab, ("a", "b"))
            for pass in 1...2 {
                let report = try await lab.play(play)
                #expect(report.exitCode == 0, "\(report.messages)")
                #expect(pruned(report).map(\.outcome) == [.ok], "run \(pass): \(pruned(report).map(\.step.notes))")
                #expect(report.records.last?.task.name == Self.prune)
                #expect(await lab.maps() == ["a", "b"])
            }
            hostRole(lab, ("a", "c"))
            let plan = try await lab.play(play) { $0.isCheck = true }
            #expect(pruned(plan).flatMap(\.step.changes).map(\.subject) == ["ConfigMap default/b"])
            #expect(await lab.maps() == ["a", "b"])
            #expect(pruned(try await lab.play(play)).map(\.outcome) == [.changed])
            #expect(await lab.maps() == ["a", "c"])
        }
    }

    @Test("a batch that fails leaves everything as it is")
    func failingBatch() async throws {
        try await ClusterLab.with { lab in
            let play = "- hosts: all\n  gather_facts: false\n  serial: 1\n  roles: [app]\n"
            hostRole(lab, ("a", "b"))
            _ = try await lab.play(play)
            hostRole(lab, ("c", "b"))
            lab.lab.write(
                "Roles/app/tasks/main.yml",
                ownMap(lab) + "- {fail: {msg: no}, when: inventory_hostname == 'two'}\n")
            #expect(try await lab.play(play).exitCode == 2)
            #expect(await lab.maps() == ["a", "b", "c"])
        }
    }

    @Test(
        "a role that tasks bring",
        arguments: [
            "- import_role: {name: app}", "- include_role: {name: app}",
            "- {include_role: {name: app}, when: inventory_hostname == 'one'}",
            "- include_role: {name: '{{ which }}'}\n    vars: {which: app}",
            "- block:\n    - include_tasks: inner.yml", "- include_role: {name: outer}",
            "- {include_role: {name: app}, run_once: true}", "- {include_role: {name: app}, loop: [1, 2]}",
            "- import_role: {name: app}\n  - include_role: {name: app}", "- include_role: {name: needs}",
            "- {command: 'true', register: asked, changed_when: false}\n  - {include_role: {name: app}, when: asked.rc == 0}",
            "- {command: 'false', register: asked, failed_when: false}\n  - {include_tasks: none.yml, when: asked.rc == 0}\n"
                + "  - include_role: {name: app}",
        ])
    func broughtByTasks(task: String) async throws {
        try await ClusterLab.with { lab in
            lab.lab.write("inner.yml", "- include_role: {name: app}\n")
            lab.lab.write("none.yml", "- debug: {msg: nothing of the role}\n")
            lab.role("outer", maps: [], prunes: false, tasks: "- include_role: {name: app}\n")
            lab.role("needs", maps: [], prunes: false, tasks: "- debug: {msg: x}\n")
            lab.lab.write("Roles/needs/meta/main.yml", "dependencies: [app]\n")
            let play = "- hosts: one\n  gather_facts: false\n  tasks:\n  \(task)\n"
            lab.role(maps: ["a", "b"])
            for _ in 1...2 {
                let report = try await lab.play(play)
                #expect(report.exitCode == 0, "\(report.messages)")
                #expect(pruned(report).map(\.outcome) == [.ok])
            }
            lab.role(maps: ["b"])
            let plan = try await lab.play(play) { $0.isCheck = true }
            #expect(pruned(plan).flatMap(\.step.changes).map(\.subject) == ["ConfigMap default/a"])
            #expect(pruned(try await lab.play(play)).map(\.outcome) == [.changed])
            #expect(await lab.maps() == ["b"])
        }
    }

    /// A role is used for map a and, in another way (MORE), for map b; what the second run finds out keeps b from being applied.
    static let leftOutCases: [(play: String, reason: String)] = [
        (
            "- hosts: one\n  tasks:\n  - {command: PROBE, register: asked, failed_when: false}\n"
                + "  - {MORE, when: asked.rc == 0}\n  - include_role: {name: app}",
            "'include_role' did not run"
        ),
        (
            "- hosts: one\n  pre_tasks:\n  - {command: PROBE, register: asked, failed_when: false}\n"
                + "  roles: [app]\n  tasks:\n  - {import_role: {name: app}, vars: {map: b}, when: asked.rc == 0}",
            "'map applied' did not run"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - {command: PROBE, register: asked, failed_when: false}\n"
                + "  - {set_fact: {extra: true}, when: asked.rc == 0}\n"
                + "- hosts: one\n  tasks:\n  - {MORE, when: extra | default(false)}",
            "'include_role' did not run"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - {command: PROBE, register: asked, failed_when: false}\n"
                + "  - {MORE, loop: [1], when: item == 1 and asked.rc == 0}",
            "'include_role' did not run for everything"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - {command: PROBE, register: asked, failed_when: false}\n"
                + "  - {MORE, loop: '{{ [1] if asked.rc == 0 else [] }}'}",
            "'include_role' did not run for everything"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - {command: PROBE, register: asked, failed_when: false}\n"
                + "  - {include_tasks: '{{ {0: \"more\"}[asked.rc] }}.yml', when: asked.rc == 0}",
            "only the run can tell what 'include_tasks' includes"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - {command: PROBE, register: asked, failed_when: false}\n"
                + "- hosts: two\n  tasks:\n  - {MORE, when: hostvars.one.asked.rc == 0}",
            "'include_role' did not run"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - {command: PROBE, register: asked, failed_when: false}\n"
                + "  - {meta: end_play, when: asked.rc != 0}\n  - {MORE}",
            "'meta: end_play' cut the run short"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - block:\n    - command: PROBE\n    - {MORE}\n"
                + "    rescue:\n    - debug: {msg: saved}",
            "'command' failed"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - {command: PROBE, ignore_errors: true, register: asked}\n"
                + "  - {MORE, when: asked is succeeded}",
            "'include_role' did not run"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n"
                + "  - {command: PROBE, register: asked, failed_when: false, changed_when: asked.rc == 0, notify: again}\n"
                + "  handlers:\n  - {name: again, MORE}",
            "handlers apply its objects as well"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - {command: PROBE, register: asked, failed_when: false}\n"
                + "  - {include_role: {name: app}, vars: {map: '{{ item }}'}, "
                + "loop: \"{{ ['a', 'b'] if asked.rc == 0 else ['a'] }}\"}",
            "'include_role' did not run for everything"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - {command: PROBE, register: asked, failed_when: false}\n"
                + "  - include_tasks: \"{{ 'more' if asked.rc == 0 else 'none' }}.yml\"",
            "only the run can tell what 'include_tasks' includes"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - {command: PROBE, register: asked, failed_when: false}\n"
                + "  - set_fact: {which: \"{{ 'app' if asked.rc == 0 else 'other' }}\"}\n"
                + "  - {include_role: {name: '{{ which }}'}, vars: {map: b}}",
            "only the run can tell what 'include_role' includes"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - block:\n    - command: test -e CLOSED\n    rescue:\n    - {MORE}",
            "a rescue that applies its objects did not run"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - {command: PROBE, register: asked, failed_when: false}\n"
                + "  - {include_tasks: variables.yml, when: asked.rc == 0}\n  - {MORE, when: extra | default(false)}",
            "only the run can tell what 'include_tasks' includes"
        ),
        (
            "- hosts: one\n  roles: [app]\n  tasks:\n  - {command: PROBE, register: asked, failed_when: false}\n"
                + "  - {include_role: {name: app}, vars: {map: \"{{ 'b' if asked.rc == 0 else 'a' }}\"}}",
            "only the run can tell which objects 'map applied' has"
        ),
    ]

    @Test("what another run with the same variables might apply is not left over", arguments: leftOutCases)
    func leftOut(_ play: String, _ reason: String) async throws {
        try await ClusterLab.with { lab in
            let play = play.replacing("PROBE", with: "test ! -e CLOSED")
                .replacing("CLOSED", with: "\(lab.lab.folder)/closed")
                .replacing("MORE", with: "include_role: {name: app}, vars: {map: b}")
            hostRole(lab, ("a", "a"))
            lab.lab.write("more.yml", "- {include_role: {name: app}, vars: {map: b}}\n")
            lab.lab.write("none.yml", "- debug: {msg: nothing}\n")
            lab.lab.write("variables.yml", "- include_vars: extra.yml\n")
            lab.lab.write("extra.yml", "extra: true\n")
            lab.role("other", maps: [], prunes: false, tasks: "- debug: {msg: x}\n")
            let first = try await lab.play(play)
            #expect(first.exitCode == 0, "\(first.messages)")
            #expect(await lab.maps() == ["a", "b"])
            lab.lab.write("closed", "")
            let second = try await lab.play(play)
            #expect(second.exitCode == 0, "\(second.messages)")
            #expect(await lab.maps() == ["a", "b"])
            #expect(pruned(second).map(\.outcome) == [.skipped])
            #expect(pruned(second).flatMap(\.step.notes) == ["nothing was looked for, since \(reason)"])
        }
    }

    @Test("objects of a role's other entry points are no members of its set: another run of them prunes nothing")
    func otherEntryPoints() async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: ["a", "b"])
            lab.lab.write("Roles/app/tasks/other.yml", lab.task("c"))
            #expect(try await lab.run("app").exitCode == 0)
            for how in ["include_role", "import_role"] {
                let play = "- hosts: one\n  gather_facts: false\n  tasks:\n  - \(how): {name: app, tasks_from: other}\n"
                let report = try await lab.play(play)
                #expect(report.exitCode == 0, "\(report.messages)")
                #expect(pruned(report).isEmpty)
                #expect(await lab.map("c")?[["metadata", "labels"]] == nil)
            }
            #expect(try await lab.run("app").exitCode == 0)
            #expect(await lab.maps() == ["a", "b", "c"])
        }
    }

    @Test("-l that leaves out a host of another play prunes nothing")
    func limitOfAnotherPlay() async throws {
        try await ClusterLab.with { lab in
            hostRole(lab, ("a", "b"))
            let play = """
                - hosts: one
                  gather_facts: false
                  roles: [app]
                - hosts: two
                  gather_facts: false
                  tasks:
                  - include_role: {name: app}

                """
            #expect(pruned(try await lab.play(play)).map(\.outcome) == [.ok])
            let limited = try await lab.play(play) { $0.limit = "one" }
            #expect(pruned(limited).flatMap(\.step.notes) == ["nothing was looked for, since -l left out two"])
            #expect(await lab.maps() == ["a", "b"])
        }
    }

    @Test(
        "an applying task whose failure is excused keeps its objects",
        arguments: ["failed_when: false", "ignore_errors: true"])
    func excusedFailure(keyword: String) async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: ["a", "b"])
            _ = try await lab.run("app")
            let broken = lab.task("b", keyword).replacing("namespace: default", with: "namespace: 'No such'")
            lab.role(maps: ["a"], tasks: broken)
            let report = try await lab.run("app")
            #expect(report.exitCode == 0, "\(report.messages)")
            #expect(pruned(report).flatMap(\.step.notes) == ["nothing was looked for, since 'b applied' failed"])
            #expect(await lab.maps() == ["a", "b"])
        }
    }

    @Test("an object that the role now only merges is not left over")
    func mergedInstead() async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: ["a", "b"])
            _ = try await lab.run("app")
            let merged =
                lab.task("b").replacing("    apply: true\n", with: "    state: present\n")
                .split(separator: "\n").filter { !$0.contains("server_side_apply") }.joined(separator: "\n") + "\n"
            lab.role(maps: ["a"], tasks: merged)
            let report = try await lab.run("app")
            #expect(report.exitCode == 0, "\(report.messages)")
            #expect(pruned(report).map(\.outcome) == [.ok])
            #expect(await lab.maps() == ["a", "b"])
        }
    }

    @Test("an object that moves to another role is not left over, whether that keeps a set or not")
    func moved() async throws {
        try await ClusterLab.with { lab in
            lab.role("storage", maps: [], prunes: false, tasks: "- debug: {msg: x}\n")
            lab.role(maps: ["a", "b"])
            let play = "- hosts: one\n  gather_facts: false\n  roles: [app, storage]\n"
            #expect(try await lab.play(play).exitCode == 0)
            let uid = await lab.map("b")?[["metadata", "uid"]]
            lab.role(maps: ["a"])
            lab.role("storage", maps: ["b"], prunes: false)
            let report = try await lab.play(play)
            #expect(report.exitCode == 0, "\(report.messages)")
            #expect(await lab.map("b")?[["metadata", "uid"]] == uid)
        }
    }

    @Test("what a pre-flight brings is no member of the set")
    func preflight() async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: ["a"])
            lab.lab.write("Roles/app/preflight/main.yml", lab.task("c"))
            let report = try await lab.run("app") {
                $0.proves = true
                $0.runsPreflight = true
            }
            #expect(report.exitCode == 0, "\(report.messages)")
            #expect(await lab.maps() == ["a", "c"])
            #expect(await lab.map("c")?[["metadata", "labels"]] == nil)
        }
    }

    @Test("a variable rules a task out, also where a condition before it is known only in the run")
    func oneConditionIsEnough() async throws {
        try await ClusterLab.with { lab in
            lab.lab.write("group_vars/all.yml", "wanted: true\n")
            lab.role(
                maps: ["a"],
                tasks: "- {command: 'true', register: asked, changed_when: false}\n"
                    + lab.task("b", "when: [asked.rc == 0, wanted]"))
            #expect(try await lab.run("app").exitCode == 0)
            #expect(await lab.maps() == ["a", "b"])
            lab.lab.write("group_vars/all.yml", "wanted: false\n")
            let report = try await lab.run("app")
            #expect(pruned(report).map(\.outcome) == [.changed])
            #expect(await lab.maps() == ["a"])
        }
    }

    @Test("a condition of break_when that cannot be read fails the task, and interrupts nothing")
    func brokenBreak() async throws {
        try await ClusterLab.with { lab in
            let report = try await lab.play(
                """
                - hosts: one
                  gather_facts: false
                  tasks:
                  - debug: {msg: x}
                    loop: [1, 2]
                    loop_control: {break_when: missing.thing}

                """)
            #expect(report.exitCode == 65, "\(report.messages)")
            #expect(!report.isInterrupted)
            #expect(report.messages.first?.contains("missing") == true)
        }
    }

    @Test("a task that is never selected keeps its objects, and verify prunes nothing")
    func neverAndVerify() async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: ["a", "b"])
            _ = try await lab.run("app")
            lab.role(maps: ["a"], tasks: lab.task("b", "tags: [never]"))
            #expect(
                pruned(try await lab.run("app")).flatMap(\.step.notes) == [
                    "nothing was looked for, since 'b applied' did not run"
                ])
            lab.lab.write("Roles/app/verify/main.yml", lab.task("c"))
            let report = try await lab.verify("app")
            #expect(await lab.map("c")?[["metadata", "labels"]] == nil)
            #expect(report.exitCode == 0, "\(report.messages)")
            #expect(pruned(report).isEmpty)
            #expect(await lab.maps() == ["a", "b", "c"])
        }
    }

    @Test("an included role that would take others' objects along is refused, and removes nothing")
    func refused() async throws {
        try await ClusterLab.with { lab in
            let play = "- hosts: one\n  gather_facts: false\n  tasks:\n  - include_role: {name: app}\n"
            let namespace = lab.task("a").replacing("kind: ConfigMap", with: "kind: Namespace")
                .replacing("metadata: {name: a, namespace: default}", with: "metadata: {name: lab}")
                .replacing("data: {a: \"1\"}", with: "spec: {}")
            lab.role(maps: [], tasks: namespace)
            #expect(try await lab.play(play).exitCode == 0)
            await lab.send(
                "POST", "/api/v1/namespaces/lab/configmaps",
                ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "mine", "namespace": "lab"]],
                type: "application/json")
            lab.role(maps: ["c"])
            let report = try await lab.play(play)
            #expect(report.exitCode == 2)
            #expect(report.messages.first?.contains("ConfigMap lab/mine") == true, "\(report.messages)")
            #expect(await lab.server.cluster.object("/namespaces", namespace: "", name: "lab") != nil)
        }
    }
}
