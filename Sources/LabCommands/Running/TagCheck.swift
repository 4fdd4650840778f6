import LabCore
import LabModel

/// Finds tags of the command line that no task has, which would make a run do nothing without a word.
struct TagCheck {
    /// Tags with a meaning of their own (Ansible's "special tags").
    private static let special: Set<String> = ["all", "always", "never", "tagged", "untagged"]

    private var known: Set<String> = special
    /// Whether tasks are included whose tags are only known when they run.
    private var isOpen = false

    init(plays: [LabModel.Play]) {
        for play in plays {
            let lists = [play.preTasks, play.tasks, play.postTasks, play.handlers]
            for node in lists.joined() { visit(node) }
            for node in play.roles.flatMap(\.tasks) { visit(node) }
        }
    }

    private mutating func visit(_ node: TaskNode) {
        switch node {
        case .task(let task): take(task)
        case .include(let include):
            isOpen = true
            take(include.task)
        case .block(let block): for inner in block.tasks + block.rescue + block.always { visit(inner) }
        case .meta: break
        }
    }

    private mutating func take(_ task: LabModel.Task) {
        for tag in task.directives.tags {
            for text in (tag.list ?? [tag]).compactMap(\.string) {
                if text.contains("{{") { isOpen = true }
                for name in text.split(separator: ",") { known.insert(String(name).filter { $0 != " " }) }
            }
        }
    }

    /// - Throws: `UsageError` for the first tag that no task has, with the nearest one.
    func check(_ names: [String]) throws(UsageError) {
        guard !isOpen, let unknown = names.first(where: { !known.contains($0) }) else { return }
        let others = known.subtracting(Self.special).sorted()
        let near = nearestName(to: unknown, among: others)
        throw UsageError(
            "no task has the tag '\(unknown)'",
            hint: near.map { "did you mean '\($0)'?" }
                ?? (others.isEmpty ? "the tasks have no tags" : "the tags are \(others.joined(separator: ", "))"))
    }
}
