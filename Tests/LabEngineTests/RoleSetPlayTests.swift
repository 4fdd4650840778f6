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
            "- {include_role: {name: app}, run_once: true}",
        ])
    func broughtByTasks(task: String) async throws {
        try await ClusterLab.with { lab in
            lab.lab.write("inner.yml", "- include_role: {name: app}\n")
            lab.role("outer", maps: [], prunes: false, tasks: "- include_role: {name: app}\n")
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

    @Test(
        "where it is not known what a role brings, nothing is removed, and it is told why",
        arguments: [
            ("- {include_role: {name: app}, loop: [1, 2]}", "it is included in a loop"),
            (
                "- {command: 'true', register: asked}\n  - {include_role: {name: app}, when: asked.rc == 0}",
                "whether it is included is known only in the run"
            ),
            ("- {include_role: {name: app, tasks_from: other}}", "only its tasks/other are used"),
            ("- {import_role: {name: app, tasks_from: other}}", "only its tasks/other are used"),
            ("- include_role: {name: app}\n  - import_role: {name: app}", "the role is used 2 times in this run"),
            ("- include_role: {name: app}\n  - include_role: {name: app}", "the role is used 2 times in this run"),
            (
                "- set_fact: {which: app}\n  - include_role: {name: '{{ which }}'}",
                "the role was brought by tasks that only the run can tell"
            ),
            (
                "- import_role: {name: app}\n  - set_fact: {which: other}\n  - include_role: {name: '{{ which }}'}",
                "only the run can tell which roles its includes bring"
            ),
            (
                "- block:\n    - fail: {msg: no}\n    rescue:\n    - include_role: {name: app}",
                "it is included where something failed"
            ),
            ("- include_role: {name: needs}", "the role was brought by tasks that only the run can tell"),
            ("- import_role: {name: needs}\n  - import_role: {name: app}", "the role is used 2 times in this run"),
        ])
    func unknown(tasks: String, reason: String) async throws {
        try await ClusterLab.with { lab in
            lab.role("other", maps: [], prunes: false, tasks: "- debug: {msg: x}\n")
            lab.role("needs", maps: [], prunes: false, tasks: "- debug: {msg: x}\n")
            lab.lab.write("Roles/needs/meta/main.yml", "dependencies: [app]\n")
            let play = "- hosts: one\n  gather_facts: false\n  tasks:\n  \(tasks)\n"
            for maps in [["a", "b"], ["b"]] {
                lab.role(maps: maps)
                lab.lab.write("Roles/app/tasks/other.yml", maps.map { lab.task($0) }.joined())
                let report = try await lab.play(play)
                #expect(report.exitCode == 0, "\(report.messages)")
                #expect(!pruned(report).isEmpty)
                for record in pruned(report) {
                    #expect(record.outcome == .skipped)
                    #expect(record.step.notes == ["nothing was looked for, since \(reason)"])
                }
            }
            #expect(await lab.maps() == ["a", "b"])
        }
    }

    @Test("an included role that would take others' objects along is refused before it applies anything")
    func refusedAtOnce() async throws {
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
            #expect(await lab.maps() == [], "refused before anything was applied")
        }
    }
}
