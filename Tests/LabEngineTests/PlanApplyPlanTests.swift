import LabEngine
import LabModules
import Testing

@Suite struct PlanApplyPlanTests {
    let playbook = """
        - hosts: one
          tasks:
            - name: Make a folder
              file: {path: DIR/made, state: directory, mode: "0750"}
            - name: Write a text
              copy: {content: "hello {{ inventory_hostname }}", dest: DIR/made/text, mode: "u=rw,go="}
            - name: Run a program
              command: echo hi
              register: said
            - name: Run a guarded program
              command: touch DIR/made/stamp
              args: {creates: DIR/made/stamp}
            - name: Run a judged program
              command: echo {{ said.stdout }}
              changed_when: false
            - name: Look
              stat: {path: DIR/made/text}
              register: found
            - name: Be sure
              assert:
                that:
                  - found.stat.exists
                  - found.stat.mode == '0600'
                  - said.rc == 0 and said.stdout_lines == ['hi'] and said is changed
        """

    @Test func firstRunChangesAndProves() async throws {
        let lab = try Lab()
        let report = try await lab.run(playbook)
        #expect(
            report.lines(of: "one") == [
                "changed proved Make a folder", "changed proved Write a text", "changed unproved Run a program",
                "changed proved Run a guarded program", "ok proved(changed_when) Run a judged program",
                "ok proved Look", "ok proved Be sure",
            ], "\(report.messages)")
        #expect(lab.read("made/text") == "hello one")
        #expect(report.exitCode == 0)
    }

    @Test func secondRunFindsNothing() async throws {
        let lab = try Lab()
        _ = try await lab.run(playbook)
        let report = try await lab.run(playbook)
        #expect(
            report.lines(of: "one").prefix(4) == [
                "ok proved Make a folder", "ok proved Write a text", "changed unproved Run a program",
                "ok proved Run a guarded program",
            ])
    }

    @Test func checkModePlansAndWritesNothing() async throws {
        let lab = try Lab()
        let report = try await lab.run(playbook.split(separator: "\n").prefix(12).joined(separator: "\n")) {
            $0.isCheck = true
            $0.changesAreFindings = true
        }
        #expect(
            report.lines(of: "one") == [
                "changed - Make a folder", "changed - Write a text", "skipped - Run a program",
                "changed - Run a guarded program",
            ])
        #expect(lab.read("made/text") == nil)
        #expect(report.exitCode == 1)
        let change = try #require(report.records.first?.step.changes.first)
        #expect(change.action == .create)
        #expect(change.fields.map(\.path) == ["state", "mode"])
    }

    @Test func diffShowsTheText() async throws {
        let lab = try Lab()
        lab.write("text", "one\ntwo\nthree\n")
        let report = try await lab.run(
            """
            - hosts: one
              tasks:
                - copy: {content: "one\\n2\\nthree\\n", dest: DIR/text}
            """
        ) { $0.isDiff = true }
        let diff = try #require(report.records.first?.step.changes.first?.textDiff)
        #expect(diff == "--- \(lab.folder)/text\n+++ \(lab.folder)/text\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n")
    }

    @Test func provingRunsTwice() async throws {
        let lab = try Lab()
        let calm = try await lab.run(
            """
            - hosts: one
              tasks:
                - name: Write
                  copy: {content: same, dest: DIR/text}
            """
        ) { $0.proves = true }
        #expect(calm.lines == ["one changed proved Write", "one ok proved Write"])
        #expect(calm.hasProvingPass && calm.exitCode == 0)
        let restless = try await lab.run(
            """
            - hosts: one
              tasks:
                - name: Count
                  shell: echo x >>DIR/count
            """
        ) { $0.proves = true }
        #expect(restless.lines == ["one changed unproved Count", "one unstable refuted Count"])
        #expect(restless.exitCode == 3)
        #expect(restless.summaries.first?.unstable == 1)
    }

    @Test func unstableStepsAreNamed() async throws {
        let lab = try Lab()
        let report = try await lab.run(
            """
            - hosts: one
              tasks:
                - name: Promise a file and make none
                  command: "true"
                  args: {creates: DIR/never}
            """)
        #expect(report.lines == ["one unstable refuted Promise a file and make none"])
        guard case .refuted(let remaining)? = report.records.first?.step.proof else {
            Issue.record("not refuted")
            return
        }
        #expect(remaining.first?.fields.first?.path == "\(lab.folder)/never")
        #expect(report.exitCode == 3)
    }
}
