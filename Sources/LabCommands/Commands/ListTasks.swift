import ArgumentParser
import LabCore
import LabModel

/// `labctl tasks ROLE…`
struct ListTasks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasks",
        abstract: "Show the tasks of roles, their modules, tags and places.",
        discussion: """
            EXAMPLES
              labctl tasks metallb
              labctl tasks metallb -t pools
            """)

    @Argument(help: ArgumentHelp("The roles.", valueName: "role"))
    var roles: [String]

    @OptionGroup var hosts: InventoryOptions
    @OptionGroup var variables: VariableOptions
    @OptionGroup var selection: SelectionOptions

    func run() async throws {
        let project = try await Project.load(hosts, variables)
        let only = Set(selection.tags.flatMap { $0.split(separator: ",").map(String.init) })
        for role in try project.roles.load(roles) {
            var rows: [[String]] = []
            for section in [role.dependencies.flatMap(\.tasks), role.tasks, role.handlers] {
                rows += section.flatMap { Self.rows($0, depth: 0, only: only) }
            }
            StandardStream.output.line(role.name)
            StandardStream.output.write(Columns.text(rows.map { ["  " + $0[0]] + $0.dropFirst() }))
        }
    }

    private static func rows(_ node: TaskNode, depth: Int, only: Set<String>) -> [[String]] {
        switch node {
        case .task(let task): return row(task, depth: depth, only: only)
        case .include(let include): return row(include.task, depth: depth, only: only)
        case .block(let block):
            let parts = [("", block.tasks), ("rescue: ", block.rescue), ("always: ", block.always)]
            let inner = parts.flatMap { label, nodes in
                nodes.flatMap { rows($0, depth: depth + 1, only: only) }.map { row in
                    [label.isEmpty ? row[0] : indentation(depth + 1) + label + row[0].drop { $0 == " " }]
                        + row.dropFirst()
                }
            }
            guard !inner.isEmpty else { return [] }
            let title = block.name?.string ?? "block"
            return [[indentation(depth) + title, "", "", block.span.map(\.description) ?? ""]] + inner
        case .meta: return []
        }
    }

    private static func row(_ task: LabModel.Task, depth: Int, only: Set<String>) -> [[String]] {
        let tags = task.directives.tags.compactMap(\.string)
        guard only.isEmpty || !only.isDisjoint(with: tags) || tags.contains("always") else { return [] }
        return [
            [
                indentation(depth) + task.title, task.module.canonical, tags.map { "#\($0)" }.joined(separator: " "),
                task.span.map(\.description) ?? "",
            ]
        ]
    }

    private static func indentation(_ depth: Int) -> String { String(repeating: "  ", count: depth) }
}
