import LabCore
import LabModel

/// Where the plays of a run use roles, as far as that is known before the run: roles that are listed, that tasks import
/// (`import_role`), and that tasks include (`include_role`). What is included by tasks that are included counts as well.
struct RoleUses: Sendable {
    /// An `include_role` that brings a role to some of the hosts.
    struct Included: Sendable {
        let role: Role
        /// The number of the play.
        let play: Int
        var hosts: Set<String> = []
        /// Why it is not known what it brings, as a clause; nil when it is.
        var doubt: String?
    }

    private var written: [String: Int] = [:]
    /// By the includes that lead to them.
    private var found: [[SourceSpan]: Included] = [:]
    /// Some include may bring any role.
    private var hasOpenInclude = false
    private var contents: [Content: Include.Content] = [:]

    private struct Content: Hashable {
        let include: SourceSpan
        let target: String
    }

    init(_ run: RunState) {
        for play in run.plan.plays {
            for role in play.roles { written[role.name, default: 0] += 1 }
            for role in play.importedRoles.flatMap(\.withDependencies) { written[role.name, default: 0] += 1 }
        }
        for (number, (play, hosts)) in zip(run.plan.plays, run.playHosts).enumerated() {
            let context = PlayContext(
                run: run, play: play, allHosts: hosts, batch: hosts, handlers: [], number: number)
            let nodes = play.preTasks + play.roles.flatMap(\.tasks) + play.tasks + play.postTasks
            var unknown = VariableLayer(.loop)
            RoleCalls.note(nodes, &unknown)
            for host in hosts {
                visit(nodes, Position(host: host, unknown: unknown), context)
                visit(play.handlers, Position(host: host, unknown: unknown, doubt: "a handler includes it"), context)
            }
        }
        contents = [:]
    }

    /// The roles that tasks of a play include.
    func included(inPlay number: Int) -> [Included] { found.values.filter { $0.play == number } }

    /// Why it is not known before the run what a role brings, as a clause; nil when it is.
    func doubt(about role: String) -> String? {
        var count = written[role, default: 0]
        for use in found.values {
            count += (use.role.withDependencies + use.role.allImportedRoles).count { $0.name == role }
        }
        if count > 1 { return "the role is used \(count) times in this run" }
        if hasOpenInclude { return "only the run can tell which roles its includes bring" }
        return found.values.first { $0.role.name == role }?.doubt
    }

    // MARK: looking

    /// How the search came to a list of tasks.
    private struct Position {
        var host: String
        var unknown: VariableLayer
        var doubt: String?
        var path: [SourceSpan] = []
    }

    private mutating func visit(_ nodes: [TaskNode], _ position: Position, _ context: PlayContext) {
        for node in nodes {
            switch node {
            case .task, .meta: continue
            case .block(let block):
                visit(block.tasks + block.always, position, context)
                var rescue = position
                rescue.doubt = position.doubt ?? "it is included where something failed"
                visit(block.rescue, rescue, context)
            case .include(let include): visit(include, position, context)
            }
        }
    }

    private mutating func load(_ include: Include, _ target: String, _ span: SourceSpan) throws -> Include.Content {
        let key = Content(include: span, target: target)
        if let known = contents[key] { return known }
        let content = try include.load(target)
        contents[key] = content
        return content
    }

    private mutating func visit(_ include: Include, _ position: Position, _ context: PlayContext) {
        let task = include.task
        var position = position
        guard let span = task.span, position.path.count < RoleCalls.maximumDepth else { return }
        position.path.append(span)
        let isRole = task.module.canonical == CoreModule.includeRole
        let scope = RoleCalls(play: context).scope(position.host, task, position.unknown)
        if task.loop != nil { position.doubt = position.doubt ?? "it is included in a loop" }
        do {
            if try task.directives.when.firstFalse(scope) != nil { return }
        } catch {
            position.doubt = position.doubt ?? "whether it is included is known only in the run"
        }
        guard let content = try? load(include, try include.targetName(scope), span) else {
            // Files of tasks with names that facts decide are common, and seldom bring roles.
            if isRole { hasOpenInclude = true }
            return
        }
        if let role = content.role {
            var use = found[position.path] ?? Included(role: role, play: context.number)
            use.hosts.insert(position.host)
            use.doubt = use.doubt ?? position.doubt
            found[position.path] = use
        }
        RoleCalls.note(content.nodes, &position.unknown)
        visit(content.nodes, position, context)
    }
}
