import ArgumentParser
import LabCore
import LabModel
import LabModules
import LabReport

/// `labctl lint [PATH…]`
struct Lint: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint",
        abstract: "Find what is wrong in roles, playbooks and inventories, without running anything.",
        discussion: """
            Errors are what would stop a run; warnings are what often goes wrong. Exits with 65 when there is an error.

            EXAMPLES
              labctl lint
              labctl lint Roles/metallb --output json
            """)

    @Argument(help: ArgumentHelp("Files and folders; the project's own when left out.", valueName: "path"))
    var paths: [String] = ["."]

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(name: [.short, .long], help: ArgumentHelp("text, or json: one finding a line.", valueName: "format"))
    var output: Format = .text

    func run() async throws {
        let found = Linter(catalog: Project.modules()).lint(paths)
        switch output {
        case .json:
            for diagnostic in found { StandardStream.output.line(JSONDiagnostic.object(diagnostic).json()) }
        case .text:
            let stream = StandardStream.output
            let renderer = DiagnosticRenderer(style: Surroundings.style(stream), width: Surroundings.width(stream))
            if !found.isEmpty { stream.write(renderer.render(found) + "\n") }
            let errors = found.count { $0.severity == .error }
            let warnings = found.count { $0.severity == .warning }
            stream.line(
                found.isEmpty
                    ? "nothing to complain about"
                    : "\(errors) error\(errors == 1 ? "" : "s"), \(warnings) warning\(warnings == 1 ? "" : "s")")
        }
        if found.contains(where: { $0.severity == .error }) { throw ExitCode(FailureClass.input.rawValue) }
    }
}
