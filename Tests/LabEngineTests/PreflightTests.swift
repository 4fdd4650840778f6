import LabCore
import LabEngine
import LabModel
import Testing

@Suite("A role's pre-flight")
struct PreflightTests {
    private func lab(preflight: String) throws -> Lab {
        let lab = try Lab()
        lab.write("inventory.yml", "all:\n  hosts:\n    one:\n")
        lab.write("Roles/r/preflight/main.yml", preflight)
        lab.write(
            "Roles/r/tasks/main.yml",
            """
            - {name: Read, stat: {path: /}}
            - {name: Change, copy: {content: x, dest: "DIR/changed"}}
            - {name: Run, command: "touch DIR/ran"}

            """.replacing("DIR", with: lab.folder))
        return lab
    }

    private func run(_ lab: Lab, _ configure: (inout RunOptions) -> Void = { _ in }) async throws -> Report {
        try await lab.run(roles: ["r"]) {
            $0.runsPreflight = true
            configure(&$0)
        }
    }

    @Test("what it finds wrong keeps the run from changing anything, and reading is not held up")
    func refused() async throws {
        let lab = try lab(
            preflight: "- {name: Look, command: sleep 1}\n- {name: Judge, fail: {msg: the lab is wrong}}\n")
        let report = try await run(lab)
        #expect(report.exitCode == 2)
        #expect(report.messages == ["the lab is wrong"])
        #expect(lab.read("changed") == nil)
        #expect(lab.read("ran") == nil)
        #expect(report.lines.contains("one ok proved Read"))
        #expect(report.lines.contains("one skipped - Change"), "\(report.lines)")
        #expect(!report.lines.contains { $0.hasSuffix("Run") })
    }

    @Test("a pre-flight that finds nothing is a step of the run, told once")
    func passed() async throws {
        let lab = try lab(preflight: "- {name: Look, debug: {msg: fine}}\n")
        let report = try await run(lab) { $0.proves = true }
        #expect(lab.read("changed") == "x")
        #expect(report.lines.filter { $0 == "one ok proved Look" }.count == 1, "\(report.lines)")
    }

    @Test("without --skip-preflight's opposite nothing of it runs")
    func skipped() async throws {
        let lab = try lab(preflight: "- {name: Judge, fail: {msg: the lab is wrong}}\n")
        let report = try await run(lab) { $0.runsPreflight = false }
        #expect(lab.read("changed") == "x")
        #expect(!report.lines.contains { $0.hasSuffix("Judge") })
    }

    @Test("a plan is told what would stop the run")
    func plan() async throws {
        let lab = try lab(preflight: "- {name: Judge, fail: {msg: the lab is wrong}}\n")
        let report = try await run(lab) { $0.isCheck = true }
        #expect(report.exitCode == 2)
        #expect(report.messages == ["the lab is wrong"])
    }

    @Test("a rescue does not get round it")
    func rescue() async throws {
        let lab = try lab(preflight: "- {name: Judge, fail: {msg: the lab is wrong}}\n")
        lab.write(
            "Roles/r/tasks/main.yml",
            """
            - block:
                - {name: Change, copy: {content: x, dest: "DIR/changed"}}
              rescue:
                - {name: Mend, copy: {content: x, dest: "DIR/mended"}}

            """.replacing("DIR", with: lab.folder))
        let report = try await run(lab)
        #expect(report.exitCode == 2)
        #expect(lab.read("changed") == nil)
        #expect(lab.read("mended") == nil)
    }
}
