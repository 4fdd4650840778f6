import LabCore
import LabEngine
import LabModel
import LabModules
import LabTransport
import Synchronization
import Testing

@Suite("The shipped role with wrong pools")
struct ShippedRoleTests {
    private let lab: Lab

    init() throws {
        lab = try Lab()
        lab.write(
            "inventory.yml",
            """
            all:
              vars: {metallb_version: "0.14.9", metallb_manifest: /nowhere/metallb.yaml}
              children:
                control_plane:
                  hosts:
                    cp1: {ansible_host: 192.168.56.10}
                workers:
                  hosts:
                    w1: {ansible_host: 192.168.56.11}

            """)
    }

    /// The repository's folder.
    private var root: String { #filePath.components(upTo: "/Tests/") }

    private func run() async throws -> Report {
        lab.write("play.yml", "- hosts: control_plane[0]\n  roles: ['\(root)/Roles/metallb']\n")
        let registry = ModuleRegistry.complete(environment: [:])
        let plays = try PlaybookLoader(catalog: registry, finder: RoleFinder(directory: lab.folder))
            .load(["\(lab.folder)/play.yml"])
        let inventory = try InventoryLoader(workingDirectory: lab.folder).load(["\(lab.folder)/inventory.yml"])
        let transport = MachineTransport(unreachable: ["cp1", "w1"])
        let engine = Engine(registry: registry, transport: transport, local: transport)
        return await engine.run(RunPlan(title: "metallb", inventory: inventory, plays: plays)) { _ in }
    }

    @Test("a pool without addresses is told once, where the variable is empty")
    func emptyPool() async throws {
        lab.write("group_vars/all.yml", "metallb_pool_addresses: []\n")
        let found = try await run().failures.flatMap(\.diagnostics)
        #expect(found.map(\.message) == ["parsing address pool lab-pool: pool has no prefixes defined"])
        #expect(found.first?.span?.description.hasSuffix("group_vars/all.yml:1:25") == true)
    }

    @Test(
        "nothing is sent, and the line of the user's file is shown",
        arguments: [
            (
                "192.168.56.250-192.168.56.200",
                "start IP \"192.168.56.250\" is after the end IP \"192.168.56.200\""
            ),
            ("192.168.56.200", "invalid CIDR \"192.168.56.200\""),
            ("192.168.56.300/24", "invalid CIDR \"192.168.56.300/24\""),
            (
                "192.168.56.11-192.168.56.20",
                "192.168.56.11-192.168.56.20 in pool \"lab-pool\" holds 192.168.56.11, the address of host w1"
            ),
        ])
    func wrongPool(range: String, ending: String) async throws {
        lab.write("group_vars/all.yml", "metallb_pool_addresses:\n  - \(range)\n")
        let report = try await run()
        #expect(report.exitCode == 65)
        #expect(report.records.isEmpty)
        let diagnostic = try #require(report.failures.first?.diagnostics.first)
        #expect(diagnostic.message.hasSuffix(ending))
        #expect(diagnostic.span?.file.path.hasSuffix("group_vars/all.yml") == true)
        #expect(diagnostic.span?.start.line == 2)
        #expect(report.failures.flatMap(\.diagnostics).count == 1)
    }

    @Test("two pools that overlap are found though each is right by itself")
    func overlap() async throws {
        lab.write(
            "group_vars/all.yml",
            """
            metallb_pools:
              - {name: one, addresses: [192.168.56.200-192.168.56.250]}
              - {name: two, addresses: [192.168.56.240/29]}

            """)
        let diagnostic = try #require(try await run().failures.first?.diagnostics.first)
        #expect(
            diagnostic.message
                == "CIDR \"192.168.56.240/29\" in pool \"two\" overlaps with already defined CIDR \"192.168.56.240/29\""
        )
        #expect(diagnostic.span?.start.line == 3)
        #expect(diagnostic.notes.contains { $0.span?.start.line == 2 })
    }

    @Test("the role's own defaults are right: the run starts, and fails only because the lab is not there")
    func defaults() async throws {
        let report = try await run()
        #expect(report.failures.flatMap(\.diagnostics) == [])
        #expect(!report.records.isEmpty)
    }
}

extension String {
    /// What comes before the first occurrence of a text.
    fileprivate func components(upTo separator: String) -> String {
        firstRange(of: separator).map { String(self[..<$0.lowerBound]) } ?? self
    }
}
