import LabCore
import LabEngine
import LabTransport
import Synchronization
import Testing

@Suite struct HostTests {
    @Test func unreachableHostsAreLeftOutAndTheOthersGoOn() async throws {
        let lab = try Lab()
        let report = try await lab.run(
            """
            - hosts: all
              tasks:
                - {name: A, ping: }
                - {name: B, command: "true", changed_when: false}
            """, transport: MachineTransport(unreachable: ["two"]))
        #expect(report.lines(of: "two") == ["unreachable - A"])
        #expect(report.lines(of: "one") == ["ok proved A", "ok proved(changed_when) B"])
        #expect(report.exitCode == 4)
        #expect(report.messages == ["two: connection refused by two:22"])
        #expect(report.summaries.map(\.host) == ["one", "two", "three"])
        #expect(report.summaries[1].isUnreachable)
    }

    @Test func connectionLostInTheMiddle() async throws {
        let lab = try Lab()
        let transport = CountingTransport(Breaker([("B", 0, .before)]))
        let report = try await lab.run(
            """
            - hosts: one
              tasks:
                - {name: A, command: "true A"}
                - {name: B, command: "true B"}
                - {name: C, command: "true C"}
            """, transport: transport)
        #expect(report.lines == ["one changed unproved A", "one unreachable - B"])
        #expect(report.exitCode == 4)
    }

    @Test func oneConnectionPerHost() async throws {
        let lab = try Lab()
        let report = try await lab.run(
            """
            - hosts: all
              tasks:
                - {name: A, ping: }
                - {name: B, ping: }
                - {name: C, ping: , delegate_to: one}
            """)
        let connected = lab.events.compactMap { event in
            if case .hostConnected(let host, _, _) = event { host } else { nil }
        }
        #expect(connected.sorted() == ["one", "three", "two"])
        #expect(report.exitCode == 0)
    }

    @Test func failuresStopTheHostOnly() async throws {
        let lab = try Lab()
        let report = try await lab.run(
            """
            - hosts: all
              tasks:
                - {name: A, fail: {msg: no}, when: inventory_hostname == 'two'}
                - {name: B, debug: {msg: x}}
                - {name: C, assert: {that: "ansible_play_hosts == ['one', 'three']"}}
            """)
        #expect(report.lines(of: "two") == ["failed - A"])
        #expect(report.lines(of: "three") == ["skipped - A", "ok proved B", "ok proved C"], "\(report.messages)")
        #expect(report.exitCode == 2)
    }

    @Test(arguments: [(true, ["one", "three", "two"]), (false, ["one", "three"])])
    func handlersOfFailedHosts(_ isForced: Bool, _ handled: [String]) async throws {
        let lab = try Lab()
        let report = try await lab.run(
            """
            - hosts: all
              force_handlers: \(isForced)
              tasks:
                - {name: A, command: "true", notify: H}
                - {name: B, fail: {msg: no}, when: inventory_hostname == 'two'}
                - {name: C, debug: {msg: x}}
              handlers:
                - {name: H, debug: {msg: x}}
            """)
        #expect(report.records.filter { $0.task.isHandler }.map(\.host).sorted() == handled)
        #expect(!report.lines(of: "two").contains { $0.hasSuffix("C") })
        #expect(report.exitCode == 2)
    }

    @Test func anyErrorsFatal() async throws {
        let lab = try Lab()
        let report = try await lab.run(
            """
            - hosts: all
              any_errors_fatal: true
              tasks:
                - {name: A, fail: {msg: no}, when: inventory_hostname == 'two'}
                - {name: B, debug: {msg: x}}
            """)
        #expect(!report.lines.contains { $0.hasSuffix("B") })
    }

    @Test func runOnceSharesWhatItFinds() async throws {
        let lab = try Lab()
        let report = try await lab.run(
            """
            - hosts: all
              tasks:
                - {name: A, command: "echo {{ inventory_hostname }}", run_once: true, register: r, changed_when: false}
                - {name: B, set_fact: {x: 1}, run_once: true}
                - {name: C, assert: {that: ["r.stdout == 'one'", "x == 1"]}}
            """)
        #expect(report.lines.filter { $0.hasSuffix("A") }.count == 1)
        #expect(report.lines.filter { $0.hasSuffix("ok proved C") }.count == 3, "\(report.messages)")
    }

    @Test func serialRunsInBatches() async throws {
        let lab = try Lab()
        let report = try await lab.run(
            """
            - hosts: all
              serial: [1, 2]
              tasks:
                - {name: A, debug: {msg: x}}
                - {name: B, debug: {msg: x}}
            """)
        let order = report.records.map { $0.host + $0.task.name }
        #expect(order.prefix(2) == ["oneA", "oneB"])
        #expect(Set(order[2...3]) == ["twoA", "threeA"])
    }

    @Test func forksBoundHowManyRunAtOnce() async throws {
        let lab = try Lab()
        let gauge = Gauge()
        let transport = MachineTransport(wrap: { GaugedConnection(inner: $0, gauge: gauge) })
        _ = try await lab.run("- hosts: all\n  tasks: [{command: 'true'}]", transport: transport) { $0.forks = 2 }
        #expect(gauge.highest <= 2)
        #expect(gauge.total == 3)
    }

    @Test func handlersRunOnceAndInOrder() async throws {
        let lab = try Lab()
        let report = try await lab.run(
            """
            - hosts: one
              tasks:
                - {name: A, copy: {content: x, dest: DIR/a}, notify: [second, first]}
                - {name: B, copy: {content: x, dest: DIR/b}, notify: first}
                - {name: C, copy: {content: x, dest: DIR/a}, notify: third}
                - {meta: flush_handlers}
                - {name: D, copy: {content: x, dest: DIR/d}, notify: topic}
              handlers:
                - {name: first, debug: {msg: x}}
                - {name: second, debug: {msg: x}}
                - {name: third, debug: {msg: x}}
                - {name: fourth, debug: {msg: x}, listen: topic}
            """)
        #expect(report.records.map(\.task.name) == ["A", "B", "C", "first", "second", "D", "fourth"])
        #expect(report.records.filter(\.task.isHandler).count == 3)
    }

    @Test func unknownHandler() async throws {
        let lab = try Lab()
        let report = try await lab.run(
            """
            - hosts: one
              tasks:
                - {name: A, copy: {content: x, dest: DIR/a}, notify: frist}
              handlers:
                - {name: first, debug: {msg: x}}
            """)
        #expect(report.messages == ["there is no handler 'frist'"])
    }

    @Test func unknownHostsStopBeforeAnything() async throws {
        let lab = try Lab()
        let report = try await lab.run(
            """
            - hosts: one
              tasks: [{copy: {content: x, dest: DIR/a}}]
            - hosts: tow
              tasks: [{debug: {msg: x}}]
            """)
        #expect(report.records.isEmpty)
        #expect(report.exitCode == 65)
        #expect(lab.read("a") == nil)
    }

    @Test func includesRunForTheHostsThatWantThem() async throws {
        let lab = try Lab()
        lab.write("for-one.yml", "- {name: inner, debug: {msg: \"{{ what }} {{ item }}\"}, register: r}\n")
        let report = try await lab.run(
            """
            - hosts: all
              tasks:
                - name: Include
                  include_tasks: "for-{{ inventory_hostname }}.yml"
                  vars: {what: hello}
                  loop: [1, 2]
                  when: inventory_hostname == 'one'
                - {name: After, debug: {msg: x}}
            """)
        #expect(
            report.lines(of: "one") == ["ok proved inner", "ok proved inner", "ok proved After"], "\(report.messages)")
        #expect(report.lines(of: "two") == ["skipped - Include", "skipped - Include", "ok proved After"])
    }

    @Test func cancellationEndsTheRunAndStillCleansUp() async throws {
        let lab = try Lab()
        let started = Signal()
        let run = Task {
            try await lab.run(
                """
                - hosts: one
                  tasks:
                    - block:
                        - {name: A, command: sleep 60}
                        - {name: B, debug: {msg: never}}
                      always:
                        - {name: C, copy: {content: x, dest: DIR/cleaned}}
                    - {name: D, debug: {msg: never}}
                """, transport: MachineTransport(wrap: { SignallingConnection(inner: $0, signal: started) }))
        }
        await started.wait()
        run.cancel()
        let report = try await run.value
        #expect(report.isInterrupted && report.exitCode == 130)
        #expect(report.lines == ["one failed - A", "one changed proved C"])
        #expect(lab.read("cleaned") == "x")
    }
}

extension HostTests {
    @Test func manyHosts() async throws {
        let lab = try Lab()
        lab.write("inventory.yml", "all:\n  hosts:\n    node[001:100]:\n")
        let tasks = (1...20).map { "    - {name: T\($0), debug: {msg: \"{{ inventory_hostname }} \($0)\"}}" }
        let report = try await lab.run("- hosts: all\n  tasks:\n" + tasks.joined(separator: "\n")) { $0.forks = 50 }
        #expect(report.records.count == 2000)
        #expect(report.summaries.allSatisfy { $0.ok == 20 })
        // Linear: no host starts a task before all have ended the one before.
        #expect(report.records.map(\.task.number) == report.records.map(\.task.number).sorted())
    }
}

extension HostTests {
    /// Connects only when it is told to.
    struct PatientTransport: Transport {
        let gate: Signal

        func connect(to endpoint: Endpoint) async throws -> any Connection {
            await gate.wait()
            try Task.checkCancellation()
            return LocalConnection(hostName: endpoint.hostName)
        }
    }

    @Test func aTimeoutDoesNotTakeTheConnectionFromTheOthers() async throws {
        let lab = try Lab()
        let gate = Signal()
        let run = Task {
            try await lab.run(
                """
                - hosts: one
                  tasks:
                    - {name: A, ping: , timeout: 1, ignore_errors: true}
                    - {name: B, ping: }
                """, transport: PatientTransport(gate: gate))
        }
        while !lab.events.contains(where: { if case .taskFinished = $0 { true } else { false } }) {
            try await Task.sleep(for: .milliseconds(10))
        }
        gate.send()
        let report = try await run.value
        #expect(report.lines == ["one failed ignored - A", "one ok proved B"])
        #expect(report.messages == ["the task took longer than its timeout of 1 s"])
    }
}
