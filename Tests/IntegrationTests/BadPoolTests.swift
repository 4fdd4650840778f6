import Foundation
import Testing

/// Pools of addresses that cannot work: said before anything is sent, where the user wrote it.
@Suite("Bad pools")
struct BadPoolTests {
    let project: Project
    let host: LocalPort

    init() throws {
        project = try Project(shipped: true)
        host = try LocalPort()
        try project.write(
            """
            all:
              children:
                control_plane:
                  hosts:
                    cp1: {ansible_host: 127.0.0.1, ansible_port: \(host.number)}

            """, to: "Inventory/lab.yml")
        try project.write("# nothing in it\n", to: "manifest.yaml")
    }

    /// Provisions with `ranges` written in group_vars, in lines 2 and on.
    private func provision(ranges: String...) throws -> Labctl.Outcome {
        let lines = ranges.map { "  - \($0)\n" }.joined()
        try project.write("metallb_pool_addresses:\n\(lines)", to: "Inventory/group_vars/control_plane.yml")
        return try provision()
    }

    /// Provisions with `variable` on the command line.
    private func provision(variable: String = "metallb_wait_timeout=10") throws -> Labctl.Outcome {
        let outcome = try project.labctl(
            "provision", "metallb", "-e", "metallb_manifest=manifest.yaml", "-e", variable)
        outcome.expectNot("Manifest applied")
        #expect(!host.wasUsed, "something was sent to the host")
        return outcome
    }

    static let place = "--> Inventory/group_vars/control_plane.yml:2:5"

    @Test(
        "a range that no pool can have",
        arguments: [
            (
                "192.168.56.250-192.168.56.200",
                "start IP \"192.168.56.250\" is after the end IP \"192.168.56.200\"", "192.168.56.200-192.168.56.250"
            ),
            ("192.168.56.300-192.168.56.301", "invalid start IP \"192.168.56.300\"", ""),
            ("192.168.56.5-20", "invalid end IP \"20\"", "192.168.56.5-192.168.56.20"),
            ("192.168.56.5", "invalid CIDR \"192.168.56.5\"", "192.168.56.5/32"),
            ("192.168.56.0/33", "invalid CIDR \"192.168.56.0/33\"", ""),
            ("lab", "invalid CIDR \"lab\"", ""),
        ])
    func malformed(range: String, sentence: String, hint: String) throws {
        try provision(ranges: range).expect(
            status: 65, "error: ", sentence, Self.place,
            "2 | - \(range) | " + String(repeating: "^", count: range.count),
            hint)
    }

    @Test("a range with a node's address in it")
    func nodeAddress() throws {
        try provision(ranges: "127.0.0.1-127.0.0.9").expect(
            status: 65, "error: 127.0.0.1-127.0.0.9 in pool \"lab-pool\" holds 127.0.0.1, the address of host cp1",
            Self.place, "choose a range that no machine has an address in")
    }

    @Test("every bad range is told, each in its place")
    func several() throws {
        try provision(ranges: "192.168.56.250-192.168.56.200", "192.168.56.210-192.168.56.220", "lab").expect(
            status: 65, "Inventory/group_vars/control_plane.yml:2:5", "Inventory/group_vars/control_plane.yml:4:5")
    }

    @Test("two pools that share addresses")
    func overlap() throws {
        try project.write(
            """
            metallb_pools:
              - name: a
                addresses:
                  - 192.168.56.200-192.168.56.210
              - name: b
                addresses: [192.168.56.205-192.168.56.240]

            """, to: "vars.yml")
        try provision(variable: "@vars.yml").expect(
            status: 65,
            "error: CIDR \"192.168.56.205/32\" in pool \"b\" overlaps with already defined CIDR \"192.168.56.200/29\"",
            "--> vars.yml:6:17", "--> vars.yml:4:9", "let every address be in one range only")
    }

    @Test("a pool without addresses")
    func empty() throws {
        try provision(variable: "{\"metallb_pool_addresses\": []}").expect(
            status: 65, "error: parsing address pool lab-pool: pool has no prefixes defined", "<command line>:1:")
    }

    @Test("one range on the command line is judged as a range")
    func rangeOnTheCommandLine() throws {
        let outcome = try provision(variable: "metallb_pool_addresses=192.168.56.250-192.168.56.200")
        outcome.expect(status: 65, "--> <command line>:1:", "192.168.56.250-192.168.56.200")
        outcome.expectNot("no prefixes")
    }

    @Test("pools that are no list are shown where they were set, not inside of the role")
    func noList() throws {
        let outcome = try provision(variable: "metallb_pools=[1")
        outcome.expect(status: 65, "--> <command line>:1:1", "1 | metallb_pools=[1 | ^")
        outcome.expectNot("--> Roles/metallb/defaults")
    }

    @Test("a pool with a misspelt key")
    func misspelt() throws {
        try provision(variable: "{\"metallb_pools\":[{\"name\":\"a\",\"adresses\":[\"192.168.56.200/32\"]}]}").expect(
            status: 65, "error: 'metallb_pools[0]' has no 'adresses'", "--> <command line>:1:31",
            "did you mean 'addresses'?")
    }

    @Test("the version that the inventory forgets is asked for")
    func noVersion() throws {
        try project.write("---\n", to: "Inventory/group_vars/all.yml")
        try provision().expect(status: 65, "the role 'metallb' needs the variable 'metallb_version'")
    }
}
