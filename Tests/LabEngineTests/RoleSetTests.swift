import LabCore
import LabEngine
import LabModel
import LabModules
import Testing

@Suite("Roles that keep a set of objects", .timeLimit(.minutes(3)))
struct RoleSetTests {
    private func lines(_ report: Report) -> [String] { report.lines(of: "one") }
    private func last(_ report: Report) -> TaskRecord? { report.records.last }
    private let prune = "Left-overs pruned"

    @Test("what the role no longer has is shown by a plan, then removed, and the step is proved")
    func leftovers() async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: ["a", "b"])
            let first = try await lab.run("app")
            #expect(lines(first) == ["changed proved a applied", "changed proved b applied", "ok proved \(prune)"])
            #expect(await lab.recorded() == "ConfigMap")
            await lab.server.cluster.forgetRequests()
            #expect(lines(try await lab.run("app")).allSatisfy { $0.hasPrefix("ok proved") })
            #expect(await lab.writes() == 0, "a converged run writes nothing, the record included")

            lab.role(maps: ["b"])
            let plan = try await lab.run("app") { $0.isCheck = true }
            #expect(last(plan)?.step.changes.map { "\($0.action) \($0.subject)" } == ["delete ConfigMap default/a"])
            #expect(await lab.maps() == ["a", "b"])
            let upgraded = try await lab.run("app")
            #expect(lines(upgraded) == ["ok proved b applied", "changed proved \(prune)"])
            #expect(await lab.maps() == ["b"])
            #expect(lines(try await lab.run("app")) == ["ok proved b applied", "ok proved \(prune)"])
        }
    }

    @Test("a role that does not opt in is as it was: no label, no record, no step")
    func notOptedIn() async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: ["a"], prunes: false)
            let report = try await lab.run("app")
            #expect(lines(report) == ["changed proved a applied"])
            #expect(await lab.map("a")?[["metadata", "labels"]] == nil)
            #expect(await lab.recorded() == nil)
        }
    }

    @Test(
        "a run that leaves out a part of the role removes nothing, and says why",
        arguments: [
            ("tags", "only some tasks were selected by their tags"), ("limit", "-l left out two"),
            ("condition", "'b applied' did not run"), ("failure", "'b applied' failed"),
        ])
    func narrowed(_ how: String, _ reason: String) async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: ["a", "b"])
            _ = try await lab.run("app")
            switch how {
            case "limit":
                lab.role(maps: ["b"])
                lab.lab.write("Roles/app/meta/main.yml", "galaxy_info: {labctl: {hosts: all, prune: true}}\n")
            case "condition":
                lab.role(
                    maps: [],
                    tasks: "- {name: ask, command: 'true', register: asked, changed_when: false}\n"
                        + lab.task("b", "when: asked.changed"))
            case "failure":
                lab.role(
                    maps: [],
                    tasks:
                        "- block:\n  - name: b applied\n    kubernetes.core.k8s: {definition: {kind: Nonsense, apiVersion: v1, metadata: {name: b}}, apply: true, kubeconfig: \(lab.lab.folder)/kubeconfig}\n  rescue:\n  - {name: saved, debug: {msg: x}}\n"
                )
            default: lab.role(maps: ["b"], tasks: "- {name: other, debug: {msg: x}, tags: [x]}\n")
            }
            let report = try await lab.run("app") {
                if how == "tags" { $0.tags.only = ["x"] }
                if how == "limit" { $0.limit = "one" }
            }
            #expect(report.exitCode == 0, "\(report.messages)")
            #expect(last(report)?.task.name == prune)
            #expect(last(report)?.outcome == .skipped)
            #expect(last(report)?.step.notes == ["nothing was looked for, since \(reason)"])
            #expect(await lab.maps() == ["a", "b"])
        }
    }

    @Test("a task that the user's variables rule out has no objects any more")
    func ruledOut() async throws {
        try await ClusterLab.with { lab in
            lab.lab.write("group_vars/all.yml", "mode: both\n")
            lab.role(maps: ["a"], tasks: lab.task("b", "when: mode == 'both'"))
            _ = try await lab.run("app")
            #expect(await lab.maps() == ["a", "b"])
            lab.lab.write("group_vars/all.yml", "mode: one\n")
            #expect(lines(try await lab.run("app")).last == "changed proved \(prune)")
            #expect(await lab.maps() == ["a"])
        }
    }

    @Test("hosts that apply objects of their own keep them all")
    func severalHosts() async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: [])
            lab.lab.write("inventory.yml", "all:\n  hosts:\n    one: {map: a}\n    two: {map: b}\n")
            lab.lab.write("Roles/app/meta/main.yml", "galaxy_info: {labctl: {hosts: all, prune: true}}\n")
            lab.lab.write(
                "Roles/app/tasks/main.yml",
                lab.task("'{{ map }}'").replacing("- name: '{{ map }}' applied", with: "- name: map applied"))
            for _ in 1...2 {
                let report = try await lab.run("app")
                #expect(report.exitCode == 0, "\(report.messages)")
                #expect(await lab.maps() == ["a", "b"])
            }
            lab.lab.write("inventory.yml", "all:\n  hosts:\n    one: {map: a}\n    two: {map: c}\n")
            #expect(try await lab.run("app").exitCode == 0)
            #expect(await lab.maps() == ["a", "c"])
        }
    }

    @Test("an object that another role's set has is not taken: the error names both")
    func theft() async throws {
        try await ClusterLab.with { lab in
            lab.role("app", maps: ["a"])
            lab.role("other", maps: ["a"])
            _ = try await lab.run("app")
            let report = try await lab.run("other")
            #expect(report.exitCode == 2)
            #expect(
                report.messages == [
                    "ConfigMap default/a belongs to the role app (recorded in ConfigMap kube-system/labctl-app), so "
                        + "other does not apply it"
                ])
            #expect(await lab.recorded("other") == nil)
        }
    }

    @Test("what lost the label, or carries another's, is not removed")
    func handedOver() async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: ["a", "b", "c"])
            _ = try await lab.run("app")
            let path = "/api/v1/namespaces/default/configmaps/"
            await lab.send("PATCH", path + "a?fieldManager=x", ["metadata": ["labels": .null]])
            await lab.send(
                "PATCH", path + "b?fieldManager=x",
                ["metadata": ["labels": ["applyset.kubernetes.io/part-of": "applyset-other-v1"]]])
            lab.role(maps: ["d"])
            let report = try await lab.run("app")
            #expect(report.exitCode == 0, "\(report.messages)")
            #expect(await lab.maps() == ["a", "b", "d"])
        }
    }

    @Test("an interrupted upgrade loses nothing: the record leads to what was there before and to what came")
    func interrupted() async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: ["a"])
            _ = try await lab.run("app")
            lab.role(maps: ["b"], tasks: "- {name: broken, fail: {msg: no}}\n")
            #expect(try await lab.run("app").exitCode == 2)
            #expect(await lab.maps() == ["a", "b"])
            lab.role(maps: ["c"])
            #expect(try await lab.run("app").exitCode == 0)
            #expect(await lab.maps() == ["c"])
        }
    }

    @Test("remove takes away what the record names, says so, and has nothing to do the second time")
    func remove() async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: ["a", "b"])
            _ = try await lab.run("app")
            // The record counts, not what the role would apply now.
            lab.role(maps: ["b"])
            let check = try await lab.remove("app", check: true)
            #expect(check.exitCode == 0)
            #expect(
                check.records.flatMap(\.step.changes).map(\.subject) == [
                    "ConfigMap default/a", "ConfigMap default/b", "ConfigMap kube-system/labctl-app",
                ])
            #expect(await lab.maps() == ["a", "b"])
            let report = try await lab.remove("app")
            #expect(
                lines(report) == [
                    "ok proved Objects looked for", "changed proved Configuration removed",
                    "changed proved Record removed",
                ])
            #expect(await lab.maps() == [])
            #expect(await lab.recorded() == nil)
            let again = try await lab.remove("app")
            #expect(again.exitCode == 0)
            #expect(lines(again) == ["ok proved Objects looked for"])
            #expect(again.records.last?.step.notes.last == "there is nothing to remove")
        }
    }

    @Test("without a record, what the role would apply now is removed; with its record deleted, what has the label")
    func withoutRecord() async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: ["a", "b"], prunes: false)
            _ = try await lab.run("app")
            lab.role(maps: ["b"])
            let report = try await lab.remove("app")
            #expect(report.exitCode == 0, "\(report.messages)")
            #expect(report.records.first?.step.notes.first?.contains("there is no record") == true)
            #expect(await lab.maps() == ["a"])

            lab.role(maps: ["c", "d"])
            _ = try await lab.run("app")
            await lab.send("DELETE", "/api/v1/namespaces/kube-system/configmaps/labctl-app", .null)
            lab.role(maps: ["d"])
            #expect(try await lab.remove("app").exitCode == 0)
            #expect(await lab.maps() == ["a"])
        }
    }

    @Test("a finalizer that nobody takes off is named, and remove goes on where it stopped")
    func finalizer() async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: ["a", "b"])
            _ = try await lab.run("app")
            let path = "/api/v1/namespaces/default/configmaps/a?fieldManager=x"
            await lab.send("PATCH", path, ["metadata": ["finalizers": ["lab.io/hold"]]])
            let report = try await lab.remove("app")
            #expect(report.exitCode == 2)
            let failure = report.records.last?.step.failure.first
            #expect(failure?.message == "ConfigMap default/a is not gone after 2 s")
            #expect(failure?.notes.first?.message == "ConfigMap default/a is kept by the finalizer lab.io/hold")
            #expect(await lab.recorded() != nil, "the record stays as long as anything that it leads to")
            await lab.send("PATCH", path, ["metadata": ["finalizers": .null]])
            #expect(try await lab.remove("app").exitCode == 0)
            #expect(await lab.recorded() == nil)
        }
    }

    @Test("a role that applies nothing to a cluster has nothing to take away")
    func nothingToRemove() async throws {
        try await ClusterLab.with { lab in
            lab.role(maps: [], tasks: "- {name: x, debug: {msg: x}}\n")
            let report = try await lab.remove("app")
            #expect(report.exitCode == 65)
            #expect(report.messages.first?.contains("applies nothing to a cluster") == true)
        }
    }
}
