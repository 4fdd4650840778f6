import ArgumentParser
import LabCore
import LabModel
import LabYAML

/// `labctl explain VAR --host H`
struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Show the value of a variable, where it comes from and what it hides.",
        discussion: """
            Variables have Ansible's precedence. Name roles with -r to see the values that hold in them.

            EXAMPLES
              labctl explain metallb_version --host cp1
              labctl explain metallb_pools --host cp1 -r metallb
            """)

    @Argument(help: "The variable.")
    var variable: String

    @Option(
        name: .long, help: ArgumentHelp("The host; the first one of the inventory when left out.", valueName: "name"))
    var host: String?

    @Option(name: [.short, .long], help: ArgumentHelp("Roles whose variables are in scope.", valueName: "role"))
    var role: [String] = []

    @OptionGroup var hosts: InventoryOptions
    @OptionGroup var variables: VariableOptions

    func run() async throws {
        let project = try await Project.load(hosts, variables)
        guard let host = try project.inventory.hosts(matching: host ?? "all").first else {
            throw UsageError("the inventory has no host")
        }
        let play = try project.roles.plays(for: role).first
        let explanation = try Explanation(variable, host: host.name, scope: project.scope(of: host, play: play))
        var text = "\(variable) on \(host.name)\n"
        if let value = explanation.value {
            text += Self.indented(YAML.emit(value), by: 2)
        }
        text += "\nfrom \(explanation.winner.origin.description)\n"
        if Self.hasTemplate(explanation.winner.raw) {
            text += "  written as\n" + Self.indented(YAML.emit(explanation.winner.raw), by: 4)
        }
        for definition in explanation.shadowed {
            text += "hides \(definition.origin.description)\n" + Self.indented(YAML.emit(definition.raw), by: 4)
        }
        StandardStream.output.write(text)
        guard explanation.failure.isEmpty else { throw InputError(explanation.failure) }
    }

    private static func indented(_ text: String, by count: Int) -> String {
        let margin = String(repeating: " ", count: count)
        return text.split(separator: "\n").map { margin + $0 + "\n" }.joined()
    }

    private static func hasTemplate(_ value: Value) -> Bool {
        switch value {
        case .string(let text): text.contains("{{") || text.contains("{%")
        case .list(let values): values.contains(where: hasTemplate)
        case .map(let entries): entries.values.contains(where: hasTemplate)
        default: false
        }
    }
}
