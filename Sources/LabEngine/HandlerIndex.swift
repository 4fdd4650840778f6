import LabCore
import LabModel

/// Finds the handlers that a `notify` means.
struct HandlerIndex: Sendable {
    let play: PlayContext

    /// The handlers of the play in their order, those in blocks too.
    var tasks: [TaskNode] { Self.flattened(play.handlers) }

    private static func flattened(_ nodes: [TaskNode]) -> [TaskNode] {
        nodes.flatMap { node in
            if case .block(let block) = node { flattened(block.tasks) } else { [node] }
        }
    }

    /// Whether a name means the handler: its own name, that with its role, or a topic that it listens to.
    func matches(_ node: TaskNode, _ name: String, _ scope: LabModel.VariableScope) -> Bool {
        guard let task = node.task else { return false }
        if task.listen.contains(name) { return true }
        let title = task.title(scope)
        return title == name || task.role.map { "\($0.name) : \(title)" == name } ?? false
    }

    /// - Throws: `InputError` when no handler is meant by the name.
    func check(_ name: String, span: SourceSpan?, _ scope: LabModel.VariableScope) throws(InputError) {
        let tasks = tasks
        guard !tasks.contains(where: { matches($0, name, scope) }) else { return }
        let names = tasks.compactMap { $0.task }.flatMap { [$0.title(scope)] + $0.listen }
        throw InputError(
            "there is no handler '\(name)'", span: span,
            hint: nearestName(to: name, among: names).map { "did you mean '\($0)'?" }
                ?? "handlers of the play: \(names.isEmpty ? "none" : names.joined(separator: ", "))")
    }
}
