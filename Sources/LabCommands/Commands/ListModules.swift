import ArgumentParser
import LabCore
import LabModules

/// `labctl modules [NAME]`
struct ListModules: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "modules",
        abstract: "Show the modules that tasks can call, and their parameters.",
        discussion: """
            EXAMPLES
              labctl modules
              labctl modules copy
            """)

    @Argument(help: ArgumentHelp("One module: its parameters.", valueName: "module"))
    var name: String?

    func run() async throws {
        let registry = Project.modules()
        guard let name else {
            let rows = registry.specifications.map { specification in
                [specification.name, specification.parameters.map(\.name).joined(separator: " ")]
            }
            let width = Surroundings.width(.output)
            for row in rows {
                let name = row[0].padding(to: 34)
                StandardStream.output.line(
                    row[1].count + 35 <= width ? name + " " + row[1] : row[0] + "\n    " + row[1])
            }
            return
        }
        let specification = try registry.module(named: name).specification
        var rows = [["PARAMETER", "TYPE", "DEFAULT", ""]]
        for parameter in specification.parameters {
            var remarks: [String] = []
            if parameter.isRequired { remarks.append("required") }
            if !parameter.choices.isEmpty { remarks.append("one of " + parameter.choices.joined(separator: ", ")) }
            if !parameter.aliases.isEmpty { remarks.append("also " + parameter.aliases.joined(separator: ", ")) }
            rows.append([
                parameter.name, "\(parameter.kind)", parameter.defaultValue?.json() ?? "",
                remarks.joined(separator: "; "),
            ])
        }
        StandardStream.output.line(specification.name)
        if specification.takesFreeForm { StandardStream.output.line("takes a free-form text") }
        if specification.takesAnyParameter { StandardStream.output.line("takes any parameter") }
        if rows.count > 1 { StandardStream.output.write(Columns.text(rows)) }
    }
}

extension String {
    fileprivate func padding(to columns: Int) -> String {
        self + String(repeating: " ", count: max(0, columns - count))
    }
}
