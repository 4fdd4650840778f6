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
        let lab = lab
        return await engine.run(RunPlan(title: "metallb", inventory: inventory, plays: plays)) { lab.note($0) }
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

    @Test(
        "a wrong peer is told where the user wrote it, though the manifest is not there yet",
        arguments: [
            (
                "hold_time: 2s",
                "parsing peer router: invalid BGPPeer timers: invalid hold time \"2s\": must be 0 or >=3s"
            ),
            ("hold_time: 90", "parsing peer router: time: missing unit in duration \"90\""),
            ("peer_port: 17000", "parsing peer router: peerPort 17000 is out of range"),
            ("source_address: me", "parsing peer router: invalid source IP \"me\""),
            ("bfd_profile: fast", "peer router referencing non existing bfd profile fast"),
            ("ebgp_multi_hop: true", "parsing peer router: invalid ebgp-multihop parameter set for an ibgp peer"),
        ])
    func wrongPeer(field: String, sentence: String) async throws {
        lab.write(
            "group_vars/all.yml",
            """
            metallb_manifest: /nowhere/metallb-frr-v0.14.9.yaml
            metallb_mode: bgp
            metallb_bgp_peers:
              - name: other
                my_asn: 64512
                peer_asn: 64512
                peer_address: 192.168.56.2
              - name: router
                my_asn: 64512
                peer_asn: 64512
                peer_address: 192.168.56.1
                \(field)

            """)
        let report = try await run()
        #expect(report.exitCode == 65)
        #expect(report.records.isEmpty)
        let diagnostics = report.failures.flatMap(\.diagnostics)
        #expect(diagnostics.map(\.message) == [sentence])
        #expect(diagnostics.first?.span?.file.path.hasSuffix("group_vars/all.yml") == true)
        #expect(diagnostics.first?.span?.start.line == 12)
    }

    @Test(
        "wrong advertisements, communities and BFD profiles are told where the user wrote them",
        arguments: [
            (
                "metallb_bgp_advertisements: [{name: a, aggregation_length: 24}]",
                "invalid aggregation length 24: prefix 28 in this pool is more specific than the aggregation length for "
                    + "addresses 192.168.56.200-192.168.56.250"
            ),
            (
                "metallb_bgp_advertisements: [{name: a, communities: [no-export]}]",
                "invalid community \"no-export\" in BGP advertisement: invalid community format: no-export"
            ),
            (
                "metallb_communities: [{name: c, communities: [{name: x, value: '70000:1'}]}]",
                "parsing community \"x\": invalid community value: invalid section \"70000\" of community \"70000:1\", err: "
                    + #""strconv.ParseUint: parsing \"70000\": value out of range""#
            ),
            (
                "metallb_bfd_profiles: [{name: fast, detect_multiplier: 1}]",
                "parsing bfd profile fast: invalid detect multiplier value: invalid value 1, must be in 2-255 range"
            ),
        ])
    func wrongBGP(line: String, sentence: String) async throws {
        lab.write(
            "group_vars/all.yml",
            """
            metallb_manifest: /nowhere/metallb-frr-v0.14.9.yaml
            metallb_mode: both
            metallb_bgp_peers: [{name: r, my_asn: 64512, peer_asn: 64513, peer_address: 192.168.56.1}]
            \(line)

            """)
        let report = try await run()
        let diagnostics = report.failures.flatMap(\.diagnostics)
        #expect(diagnostics.map(\.message) == [sentence])
        #expect(diagnostics.first?.span?.file.path.hasSuffix("group_vars/all.yml") == true)
        #expect(diagnostics.first?.span?.start.line == 4)
    }

    @Test("an empty list that means all is told where the user wrote it")
    func emptyLists() async throws {
        lab.write(
            "group_vars/all.yml",
            "metallb_l2_advertisements:\n  - name: two\n    pools: []\n    interfaces: []\n")
        _ = try await run()
        let told = lab.events.compactMap { event -> String? in
            guard case .told(let diagnostic) = event else { return nil }
            return "\(diagnostic.span?.start.line ?? 0) \(diagnostic.message)"
        }
        #expect(
            told == [
                "3 L2Advertisement \"two\" names no pool, which means every pool",
                "4 L2Advertisement \"two\" names no interface, which means every interface",
            ])
    }

    @Test("a mode that is none is told before anything runs")
    func wrongMode() async throws {
        lab.write("group_vars/all.yml", "metallb_mode: bpg\n")
        let report = try await run()
        #expect(report.exitCode != 0)
        #expect(report.records.allSatisfy { $0.outcome == .failed })
        #expect(report.messages.contains { $0.contains("bpg") && $0.contains("l2, bgp, both") }, "\(report.messages)")
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
