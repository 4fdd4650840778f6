import LabEngine
import Testing

@Suite struct KeywordTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var tasks: String
        var lines: [String]
        var exitCode: Int32 = 0
        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(
            name: "when",
            tasks: """
                - {name: A, debug: {msg: x}, when: false}
                - {name: B, debug: {msg: x}, when: [true, "1 == 1"]}
                """, lines: ["skipped - A", "ok proved B"]),
        Case(
            name: "loop with register",
            tasks: """
                - {name: A, debug: {msg: "{{ item }}"}, loop: [a, b, c], when: item != 'b', register: r}
                - name: B
                  assert:
                    that:
                      - r.results | length == 3
                      - r.results[0].msg == 'a' and r.results[0].item == 'a'
                      - r.results[1] is skipped
                      - r is not failed and r is not changed
                      - r.msg == 'All items completed'
                """, lines: ["ok proved A", "ok proved B"]),
        Case(
            name: "a changed_when that holds proves nothing",
            tasks: """
                - {name: A, command: "true", changed_when: true}
                - {name: B, command: "echo x", changed_when: "'x' in r.stdout", register: r}
                - {name: C, command: "true", args: {creates: /}, changed_when: true}
                - {name: D, debug: {msg: x}, changed_when: true}
                - {name: E, command: "false", failed_when: false, changed_when: true}
                """,
            lines: [
                "changed unproved A", "changed unproved B", "changed unproved C", "changed unproved D",
                "changed unproved E",
            ]),
        Case(
            name: "loops over lookups",
            tasks: """
                - {name: A, debug: {msg: "{{ item }}"}, with_fileglob: "/etc/host*", register: g}
                - {name: B, debug: {msg: "{{ item }}"}, with_first_found: [/nowhere, /etc/hosts], register: f}
                - {name: C, debug: {msg: "{{ item }}"}, with_file: [/etc/hosts], register: t}
                - name: D
                  assert:
                    that:
                      - "'/etc/hosts' in g.results | map(attribute='item')"
                      - f.results | map(attribute='item') == ['/etc/hosts']
                      - t.results[0].item == lookup('file', '/etc/hosts')
                """, lines: ["ok proved A", "ok proved B", "ok proved C", "ok proved D"]),
        Case(
            name: "filters that need a digest",
            tasks: """
                - {name: A, assert: {that: ["'a' | md5 == '0cc175b9c0f1b6a831c399e269772661'", "'a' | hash('sha256') is match('ca978112')"]}}
                """, lines: ["ok proved A"]),
        Case(
            name: "empty loop",
            tasks: """
                - {name: A, debug: {msg: x}, loop: [], register: r}
                - {name: B, assert: {that: ["r is skipped", "r.results == []"]}}
                """, lines: ["skipped - A", "ok proved B"]),
        Case(
            name: "loop over something undefined behind a condition",
            tasks: """
                - {name: A, debug: {msg: x}, loop: "{{ nowhere }}", when: nowhere is defined}
                """, lines: ["skipped - A"]),
        Case(
            name: "set_fact accumulates in a loop",
            tasks: """
                - {name: A, set_fact: {all: "{{ all | default([]) + [item] }}"}, loop: [1, 2, 3]}
                - {name: B, assert: {that: "all == [1, 2, 3]"}}
                """, lines: ["ok proved A", "ok proved B"]),
        Case(
            name: "ignore_errors",
            tasks: """
                - {name: A, command: "false", ignore_errors: true, register: r}
                - {name: B, assert: {that: ["r is failed", "r.rc == 1", "r.msg == 'non-zero return code'"]}}
                """, lines: ["failed ignored - A", "ok proved B"]),
        Case(
            name: "failed_when and changed_when",
            tasks: """
                - {name: A, command: "false", failed_when: false, changed_when: false}
                - {name: B, command: "false", failed_when: r.rc > 1, register: r}
                - {name: C, command: "true", changed_when: "'x' in r.stdout", register: r}
                - {name: D, debug: {msg: x}, failed_when: true}
                """,
            lines: [
                "ok proved(changed_when) A", "changed unproved B", "ok proved(changed_when) C", "failed - D",
            ], exitCode: 2),
        Case(
            name: "until",
            tasks: """
                - {name: A, shell: "echo x >>DIR/n; wc -l <DIR/n", until: r.stdout | int >= 3, retries: 5, delay: 0, register: r}
                - {name: B, assert: {that: r.attempts == 3}}
                - {name: C, command: "true", until: false, retries: 2, delay: 0, register: r, ignore_errors: true}
                - {name: D, assert: {that: ["r is failed", "r.attempts == 2"]}}
                """,
            lines: ["changed unproved A", "ok proved B", "failed ignored - C", "ok proved D"]),
        Case(
            name: "block, rescue and always",
            tasks: """
                - block:
                    - {name: A, fail: {msg: broken}}
                    - {name: B, debug: {msg: never}}
                  rescue:
                    - {name: C, assert: {that: ["ansible_failed_task.name == 'A'", "ansible_failed_result.msg == 'broken'"]}}
                  always:
                    - {name: D, debug: {msg: x}}
                - {name: E, debug: {msg: x}}
                """, lines: ["failed rescued - A", "ok proved C", "ok proved D", "ok proved E"]),
        Case(
            name: "always after a failure",
            tasks: """
                - block:
                    - {name: A, fail: {msg: broken}}
                  always:
                    - {name: B, debug: {msg: x}}
                - {name: C, debug: {msg: never}}
                """, lines: ["failed - A", "ok proved B"], exitCode: 2),
        Case(
            name: "environment, vars and templates",
            tasks: """
                - name: A
                  shell: echo $WHO $MORE
                  environment: {WHO: "{{ person }}", MORE: inner}
                  vars: {person: me}
                  changed_when: false
                  register: r
                - {name: B, assert: {that: r.stdout == 'me inner'}}
                """, lines: ["ok proved(changed_when) A", "ok proved B"]),
        Case(
            name: "check mode of a task",
            tasks: """
                - {name: A, copy: {content: x, dest: DIR/checked}, check_mode: true, register: r}
                - {name: B, stat: {path: DIR/checked}, register: s}
                - {name: C, assert: {that: ["r is changed", "not s.stat.exists"]}}
                """, lines: ["changed proved(check_mode) A", "ok proved B", "ok proved C"]),
        Case(
            name: "loop_control",
            tasks: """
                - name: A
                  debug: {msg: "{{ i }} {{ thing }}"}
                  loop: [a, b]
                  loop_control: {loop_var: thing, index_var: i, label: "the {{ thing }}"}
                  register: r
                - {name: B, assert: {that: ["r.results[1].msg == '1 b'", "r.results[1].thing == 'b'", "r.results[1].i == 1"]}}
                """, lines: ["ok proved A", "ok proved B"]),
        Case(
            name: "delegate_to keeps the variables",
            tasks: """
                - {name: A, command: "echo {{ inventory_hostname }}", delegate_to: localhost, changed_when: false, register: r}
                - {name: B, assert: {that: r.stdout == 'one'}}
                """, lines: ["ok proved(changed_when) A", "ok proved B"]),
        Case(
            name: "timeout",
            tasks: """
                - {name: A, command: sleep 30, timeout: 1}
                """, lines: ["failed - A"], exitCode: 2),
        Case(
            name: "assert and its message",
            tasks: """
                - {name: A, assert: {that: ["1 == 1", "2 == 3"], fail_msg: no good}}
                """, lines: ["failed - A"], exitCode: 2),
        Case(
            name: "undefined variable",
            tasks: """
                - {name: A, debug: {msg: "{{ nowhere }}"}}
                """, lines: ["failed - A"], exitCode: 65),
    ]

    @Test(arguments: cases) func keyword(_ test: Case) async throws {
        let lab = try Lab()
        let tasks = test.tasks.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
        let report = try await lab.run("- hosts: one\n  tasks:\n" + tasks.joined(separator: "\n"))
        #expect(report.lines(of: "one") == test.lines, "\(report.messages)")
        #expect(report.exitCode == test.exitCode)
    }

    @Test func tags() async throws {
        let playbook = """
            - hosts: one
              tasks:
                - {name: plain, debug: {msg: x}}
                - {name: web, debug: {msg: x}, tags: [web]}
                - {name: always, debug: {msg: x}, tags: always}
                - {name: never, debug: {msg: x}, tags: [never, danger]}
            """
        func names(_ only: [String], _ skip: [String] = []) async throws -> [String] {
            let lab = try Lab()
            return try await lab.run(playbook) { $0.tags = TagSelection(only: only, skip: skip) }.records.map(
                \.task.name)
        }
        #expect(try await names([]) == ["plain", "web", "always"])
        #expect(try await names(["web"]) == ["web", "always"])
        #expect(try await names(["danger"]) == ["always", "never"])
        #expect(try await names(["untagged"]) == ["plain", "always"])
        #expect(try await names(["tagged"]) == ["web", "always"])
        #expect(try await names([], ["web", "always"]) == ["plain"])
        #expect(try await names(["web"], ["all"]) == ["always"])
    }

    @Test func noLogHidesEverything() async throws {
        let lab = try Lab()
        let report = try await lab.run(
            """
            - hosts: one
              vars: {password: s3cret}
              tasks:
                - {name: A, command: "echo {{ password }}", no_log: true, register: r}
                - {name: B, assert: {that: r.stdout == password}}
                - {name: C, command: "ls /{{ item }}", loop: ["{{ password }}"], no_log: true}
            """)
        #expect(report.lines == ["one changed unproved A", "one ok proved B", "one failed - C"])
        for event in lab.events {
            if case .taskFinished(let record) = event, record.task.name == "B" { continue }
            if case .runFinished = event { continue }
            #expect(!String(describing: event).contains("s3cret"))
        }
        #expect(report.messages == ["the task failed; no_log hides why"])
    }
}
