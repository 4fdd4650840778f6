import LabCore
import LabEngine
import LabModel
import LabModules
import LabTransport
import Synchronization
import Testing

/// A module that wants `range` to be right before the run starts, and counts how often it runs.
private final class RangeModule: Module {
    let specification = ModuleSpecification(
        "test.lab.range", parameters: [.init("range", .list, required: true), .init("template")])
    var validatesBeforeRun: Bool { true }
    let runs = Mutex(0)

    func validate(_ call: ModuleCall, in scope: ValidationScope) -> [Diagnostic] {
        var ranges = (call["range"]?.list ?? []).compactMap(\.string)
        if let template = call["template"]?.string {
            let rendered = (try? scope.render("{{ from_template }}", template)) ?? .null
            ranges += [rendered.string].compactMap { $0 }
        }
        let addresses = scope.hostAddresses.map { "\($0.host)=\($0.address)" }.joined(separator: " ")
        return ranges.compactMap { range in
            switch range {
            case "bad": Diagnostic("bad range on \(scope.hostName)", span: scope.spanOfText(range) ?? call.span)
            case "odd": Diagnostic("odd range", span: scope.spanOfText(range), severity: .warning)
            case "addresses": Diagnostic(addresses)
            case "empty": Diagnostic("empty", span: scope.spanOfEmptyList("addresses"))
            default: nil
            }
        }
    }

    func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        runs.withLock { $0 += 1 }
        return Plan(.nothing)
    }

    func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        ModuleResult(changed: false)
    }
}

@Suite("What modules say before a run starts")
struct ValidationTests {
    private let lab: Lab
    private let module = RangeModule()

    init() throws { lab = try Lab() }

    private func run(_ playbook: String, tags: [String] = []) async throws -> (report: Report, told: [String]) {
        lab.write("play.yml", playbook)
        var registry = ModuleRegistry.builtIn(environment: [:])
        registry.register(module)
        var options = RunOptions()
        options.tags.only = tags
        let plays = try PlaybookLoader(catalog: registry, finder: RoleFinder(directory: lab.folder))
            .load(["\(lab.folder)/play.yml"])
        let inventory = try InventoryLoader(workingDirectory: lab.folder).load(["\(lab.folder)/inventory.yml"])
        let engine = Engine(registry: registry, transport: MachineTransport(), local: LocalTransport())
        let told = Mutex<[String]>([])
        let report = await engine.run(RunPlan(title: "play.yml", inventory: inventory, plays: plays, options: options))
        {
            if case .told(let diagnostic) = $0 { told.withLock { $0.append(diagnostic.message) } }
        }
        return (report, told.withLock { $0 })
    }

    private var runs: Int { module.runs.withLock { $0 } }

    @Test("an error keeps the run from starting, with exit code 65, and points at the variable's file")
    func error() async throws {
        lab.write("group_vars/all.yml", "ranges:\n  - good\n  - bad\n")
        let (report, _) = try await run(
            """
            - hosts: one
              tasks:
                - command: touch \(lab.folder)/sent
                - test.lab.range:
                    range: "{{ ranges }}"
            """)
        #expect(report.exitCode == 65)
        #expect(report.records.isEmpty)
        #expect(lab.read("sent") == nil)
        let diagnostic = try #require(report.failures.first?.diagnostics.first)
        #expect(diagnostic.message == "bad range on one")
        #expect(diagnostic.span?.start.line == 3)
        #expect(diagnostic.span?.file.path.hasSuffix("group_vars/all.yml") == true)
    }

    @Test("a warning is told once, and the run goes on")
    func warning() async throws {
        let (report, told) = try await run(
            """
            - hosts: all
              tasks:
                - test.lab.range:
                    range: [odd]
            """)
        #expect(report.exitCode == 0)
        #expect(told == ["odd range"])
        #expect(runs == 3)
    }

    @Test("every host, every item and every included file is looked at")
    func everywhere() async throws {
        lab.write("more.yml", "- test.lab.range:\n    range: ['{{ item }}']\n  loop: [good, bad]\n")
        lab.write("host_vars/two.yml", "wanted: bad\n")
        lab.write("group_vars/all.yml", "wanted: good\n")
        let (report, _) = try await run(
            """
            - hosts: all
              tasks:
                - test.lab.range:
                    range: ["{{ wanted }}"]
            - hosts: three
              tasks:
                - include_tasks: more.yml
            """)
        #expect(report.failures.flatMap(\.diagnostics).map(\.message) == ["bad range on two", "bad range on three"])
        #expect(runs == 0)
    }

    @Test(
        "what does not run is not looked at",
        arguments: ["when: false", "tags: [never]", "loop: []", "when: inventory_hostname == 'two'"])
    func passedOver(keyword: String) async throws {
        let (report, _) = try await run(
            """
            - hosts: one
              tasks:
                - test.lab.range:
                    range: [bad]
                  \(keyword)
            """)
        #expect(report.exitCode == 0)
        #expect(report.failures.isEmpty)
    }

    @Test("what only the run can tell is no mistake, not even where a default stands in")
    func unknown() async throws {
        let (report, _) = try await run(
            """
            - hosts: one
              vars:
                through: "{{ answer.stdout | default('bad') }}"
              tasks:
                - command: echo good
                  register: answer
                - set_fact:
                    fact: good
                - test.lab.range:
                    range: ["{{ answer.stdout | default('bad') }}", "{{ through }}"]
                - test.lab.range:
                    range: ["{{ fact | default('bad') }}"]
                - test.lab.range:
                    range: [bad]
                  when: answer.stdout == 'other'
            """)
        #expect(report.failures.flatMap(\.diagnostics).map(\.message) == [])
        #expect(report.exitCode == 0)
        #expect(runs == 2)
    }

    @Test("a host's cluster address counts beside the address to log in to, and stands in for a loopback address")
    func nodeAddresses() async throws {
        lab.write(
            "inventory.yml",
            """
            all:
              hosts:
                one: {ansible_host: 127.0.0.1, node_address: 192.168.56.11}
                two: {ansible_host: 10.0.2.15, node_address: '192.168.{{ 56 }}.12'}
                three: {ansible_host: 192.168.56.13, node_address: 192.168.56.13}
                four: {ansible_host: 127.0.0.1}

            """)
        let (report, _) = try await run(
            "- hosts: one\n  tasks:\n    - test.lab.range:\n        range: [addresses]\n")
        #expect(
            report.failures.flatMap(\.diagnostics).map(\.message) == [
                "one=192.168.56.11 two=10.0.2.15 two=192.168.56.12 three=192.168.56.13 four=127.0.0.1"
            ])
    }

    @Test(
        "an empty list is found by the end of its name, where only one is called so",
        arguments: [
            ("pool_addresses: []\nother: []\n", "1:17"),
            ("pools:\n  - {name: a, addresses: []}\n", "2:26"),
            ("pool_addresses: '[]'\n", "1:17"),
            ("pool_addresses: []\nother_addresses: []\n", nil),
            ("pool_addresses: [x]\n", nil),
        ])
    func emptyLists(variables: String, place: String?) async throws {
        lab.write("group_vars/all.yml", variables)
        let (report, _) = try await run("- hosts: one\n  tasks:\n    - test.lab.range:\n        range: [empty]\n")
        let found = try #require(report.failures.first?.diagnostics.first)
        #expect(found.span.map { "\($0.start.line):\($0.start.column)" } == place)
    }

    @Test("two tasks that render the same mistake tell it once")
    func once() async throws {
        lab.write("group_vars/all.yml", "pool_addresses: []\n")
        let (report, _) = try await run(
            """
            - hosts: one
              tasks:
                - test.lab.range:
                    range: [empty]
                - test.lab.range:
                    range: [empty]
            """)
        #expect(report.failures.flatMap(\.diagnostics).map(\.message) == ["empty"])
    }

    @Test("modules know the inventory's addresses, the delegated host, and how to render")
    func scope() async throws {
        lab.write(
            "inventory.yml",
            "all:\n  vars: {net: 192.168.56}\n  hosts:\n    one: {ansible_host: '{{ net }}.10'}\n    two:\n")
        let (report, _) = try await run(
            """
            - hosts: one
              vars: {from_template: bad}
              tasks:
                - test.lab.range:
                    range: [addresses]
                - test.lab.range:
                    range: []
                    template: x.j2
                  delegate_to: two
            """)
        #expect(
            report.failures.flatMap(\.diagnostics).map(\.message) == ["one=192.168.56.10 two=two", "bad range on two"])
    }
}
