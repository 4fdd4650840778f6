import LabCore
import LabModel
import Testing

/// A small generator of its own, so that a failure can be repeated (SplitMix64).
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

private let pieces = [
    "\n", "  ", "- ", ": ", "{", "}", "[", "]", "'", "\"", "{{", "}}", "{% if %}", "|", ">", "#", "&a ", "*a", "<<: ",
    "null",
    "-1", "when", "block:", "rescue:", "loop: ", "include_tasks: ", "import_role: {name: r}", "vars:", "!vault ", "\t",
    "\u{e9}",
    "a=b", "\\", "w[1:3]", "[x:children]", "1e9", "0", "~", "hosts: all", "name:", "roles: [r]", "!unsafe ", "? ",
    "meta: ",
]

@Suite struct RobustnessTests {
    /// Files with random damage either load, or are refused with located sentences; nothing crashes or hangs.
    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func damagedFilesAreReadOrRefused(_ seed: UInt64) throws {
        let originals = [
            "site/site.yml", "site/roles/top/meta/main.yml", "inventories/ranges.ini", "inventories/yaml/lab.yml",
        ].map { (try? FileTree.read("\(fixtures)/\($0)").bytes) ?? [] }
        let project = try TestProject(["roles/r/tasks/main.yml": "- command: ls\n", "roles/r/meta/main.yml": ""])
        defer { project.remove() }
        var random = Seeded(state: seed)
        for _ in 0..<60 {
            for (index, original) in originals.enumerated() {
                var bytes = original
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let position = Int.random(in: 0...bytes.count, using: &random)
                    let end = min(bytes.count, position + Int.random(in: 0...12, using: &random))
                    let piece = pieces.randomElement(using: &random) ?? ""
                    bytes.replaceSubrange(position..<end, with: Array(piece.utf8))
                }
                let text = String(decoding: bytes, as: UTF8.self)
                let name = ["site.yml", "roles/r/meta/main.yml", "hosts.ini", "lab.yml"][index]
                try writeFile(project.path(name), text)
                do {
                    switch index {
                    case 0: _ = try project.playbooks.load([project.path(name)])
                    case 1: _ = try project.roles.load("r")
                    default:
                        let inventory = try InventoryLoader().load([project.path(name)])
                        _ = try? inventory.hosts(matching: "all:!w*:&lab")
                        for host in inventory.hosts.values { _ = inventory.layers(for: host) }
                    }
                } catch {
                    #expect(!error.diagnostics.isEmpty)
                    for diagnostic in error.diagnostics {
                        #expect(!diagnostic.message.isEmpty && !diagnostic.message.contains("Lab"), "\(diagnostic)")
                    }
                }
            }
        }
        let found = Linter(catalog: TestCatalog()).lint([project.directory])
        #expect(found.allSatisfy { !$0.message.isEmpty })
    }
}
