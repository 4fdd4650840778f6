import LabCore
import LabModel
import LabModules
import LabTemplate
import LabTransport

extension StepExecution {
    /// What the module gets to see and to use.
    func moduleContext(_ module: any Module, delegate: String?, isCheck: Bool) throws -> ModuleContext {
        let run = play.run
        let (scope, identity, hostName, isCensored) = (scope, identity, hostName, isCensored)
        let target = delegate ?? hostName
        let connectionScope = delegate.map { play.connectionScope(for: $0, in: scope) } ?? scope
        let (access, become) = try reach(module, target: target, connectionScope, isDelegated: delegate != nil)
        var context = ModuleContext(
            hostName: target, connection: { try await Self.connect(run, access, target, module) },
            controller: run.controller, shared: run.storage)
        context.taskName = identity.name
        context.environment = try task.directives.renderedEnvironment(scope)
        context.become = become
        context.searchPaths = Self.searchPaths(of: task, module: module, in: play.play)
        context.variable = { try scope.variable($0) }
        context.render = { text, path in
            let file = SourceFile(path: path, text: text)
            let template = try Template.parse(text, span: file.span(0..<file.bytes.count), options: .file)
            return try template.render(scope)
        }
        context.renderFile = { text, path, format in try Self.render(text, path: path, format, scope) }
        context.evaluate = { expression, span in
            try Template.parseExpression(expression, span: span).render(scope)
        }
        context.condition = { expression, span in
            try Condition(SourceValue(expression, span: span), keyword: "that").holds(scope)
        }
        if !isCensored {
            context.progress = { text in run.emit(.progress(identity, host: hostName, text: text)) }
            context.output = { piece in run.emit(.output(identity, host: hostName, piece)) }
        }
        context.insight = run.insight
        if case .ssh? = access { context.isLocal = false } else { context.isLocal = true }
        context.checkMode = isCheck
        context.wantsDiff = try task.directives.diff?.resolve(scope) ?? run.options.isDiff
        context.verbosity = run.options.verbosity
        // What `verify/` and `preflight/` bring for a while is not what the role wants.
        if let role = task.role, role.keepsSet, play.play.verifiedRole == nil, !PreflightGate.isInside {
            run.audit.noteUse(of: role.name, in: play, host: hostName)
            context.roleSet = RoleCalls(play: play).set(of: role)
        }
        return context
    }

    private static func connect(
        _ run: RunState, _ access: HostAccess?, _ target: String, _ module: any Module
    ) async throws -> any Connection {
        guard let access else {
            throw ModuleError("\(module.specification.shortName) has no business on \(target)")
        }
        return try await run.pool.connection(to: access, host: target)
    }

    /// How the host is reached and as whom commands run there; nothing for modules that need no host.
    private func reach(
        _ module: any Module, target: String, _ scope: LabModel.VariableScope, isDelegated: Bool
    ) throws -> (HostAccess?, Become?) {
        guard !module.specification.runsOnController else { return (nil, nil) }
        let options = play.run.options
        var access = try HostAccess.of(
            play.run.host(target).host, scope: scope, directives: isDelegated ? nil : task.directives)
        if case .ssh(var endpoint) = access {
            if endpoint.password == nil { endpoint.password = options.password }
            options.adjustEndpoint?(&endpoint)
            access = .ssh(endpoint)
        }
        var become = try HostAccess.become(task.directives.inside(options.directives), scope: scope)
        if become != nil, become?.password == nil { become?.password = options.becomePassword }
        return (access, become)
    }

    /// Where a task's relative files are looked for.
    static func searchPaths(of task: LabModel.Task, module: any Module, in play: Play) -> [String] {
        let kinds =
            switch module.specification.shortName {
            case "template": ["templates"]
            case "include_vars": ["vars"]
            default: ["files", "templates"]
            }
        var paths: [String] = []
        for kind in kinds {
            for path in task.searchPaths(kind: kind, playbookDirectory: play.directory) where !paths.contains(path) {
                paths.append(path)
            }
        }
        return paths
    }

    static func render(
        _ text: String, path: String, _ format: TemplateFormat, _ scope: LabModel.VariableScope
    ) throws -> String {
        var options = TemplateOptions.file
        options.trimBlocks = format.trimsBlocks
        options.stripsBeforeBlocks = format.stripsBeforeBlocks
        if let markers = format.variableMarkers { (options.variableStart, options.variableEnd) = markers }
        if let markers = format.blockMarkers { (options.blockStart, options.blockEnd) = markers }
        if let markers = format.commentMarkers { (options.commentStart, options.commentEnd) = markers }
        var variables = format.variables
        // What the user calls ansible_managed stays what the user says.
        if scope.layers["ansible_managed"] != nil { variables["ansible_managed"] = nil }
        let file = SourceFile(path: path, text: text)
        let template = try Template.parse(text, span: file.span(0..<file.bytes.count), options: options)
        let value = try template.render(scope.adding([VariableLayer(.loop, values: variables)]))
        return value.isNull ? "" : String(keyword: value) ?? value.json()
    }
}
