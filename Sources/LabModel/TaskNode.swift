import LabCore
import LabTemplate

/// A step of a list of tasks.
package indirect enum TaskNode: Sendable {
    case task(Task)
    case block(Block)
    /// `include_tasks` and `include_role`: what it stands for is known only when it runs.
    case include(Include)
    /// `meta: flush_handlers` and its like.
    case meta(Task, MetaAction)

    /// The task that the node is; nil for a block.
    package var task: Task? {
        switch self {
        case .task(let task), .meta(let task, _): task
        case .include(let include): include.task
        case .block: nil
        }
    }
}

/// What a `meta` task does.
package enum MetaAction: String, Sendable, Hashable, CaseIterable {
    case noop
    case flushHandlers = "flush_handlers"
    case endPlay = "end_play"
    case endHost = "end_host"
    case endBatch = "end_batch"
    case endRole = "end_role"
    case clearHostErrors = "clear_host_errors"
    case clearFacts = "clear_facts"
    case refreshInventory = "refresh_inventory"
    case resetConnection = "reset_connection"
}

/// Tasks with tasks for when they fail and tasks for the end. The keywords of the block are already in its tasks.
package struct Block: Sendable {
    package var name: SourceValue?
    package var tasks: [TaskNode]
    package var rescue: [TaskNode]
    package var always: [TaskNode]
    package var span: SourceSpan?

    package init(
        name: SourceValue? = nil, tasks: [TaskNode], rescue: [TaskNode] = [], always: [TaskNode] = [],
        span: SourceSpan? = nil
    ) {
        self.name = name
        self.tasks = tasks
        self.rescue = rescue
        self.always = always
        self.span = span
    }
}

/// `include_tasks` or `include_role`.
package struct Include: Sendable {
    /// What an include turned out to be.
    package struct Content: Sendable {
        package var nodes: [TaskNode]
        /// Handlers that the included role adds to the play.
        package var handlers: [TaskNode]
        /// The role, for `include_role`; dependencies that have to run first are in `nodes` already.
        package var role: Role?

        package init(nodes: [TaskNode], handlers: [TaskNode] = [], role: Role? = nil) {
            self.nodes = nodes
            self.handlers = handlers
            self.role = role
        }
    }

    /// The include itself: its name, `when`, `loop`, `tags`, `vars`.
    package let task: Task
    private let loader: @Sendable (_ target: String, _ parameters: [VariableLayer]) throws -> Content
    private let target: Templated<String>

    package init(
        task: Task, target: Templated<String>,
        loader: @escaping @Sendable (_ target: String, _ parameters: [VariableLayer]) throws -> Content
    ) {
        self.task = task
        self.target = target
        self.loader = loader
    }

    /// Whether the name of what is included has no template.
    package var hasFixedTarget: Bool { target.staticValue != nil }

    /// The file or the role that is included, for a host.
    package func targetName(_ scope: some TemplateScope) throws -> String { try target.resolve(scope) }

    /// Loads what is included.
    ///
    /// - Parameters:
    ///   - target: what `targetName` gave.
    ///   - loopVariables: `item` and its like, where the include is in a loop.
    /// - Throws: `InputError` when the file or role is not there or is wrong.
    package func load(_ target: String, loopVariables: ValueMap = [:]) throws -> Content {
        var parameters = task.includeParameters
        if !loopVariables.isEmpty {
            parameters.append(VariableLayer(.includeParameters, values: loopVariables, span: task.span))
        }
        return try loader(target, parameters)
    }
}
