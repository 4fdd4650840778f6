import LabCore
import LabTemplate

extension TaskReader {
    /// The node that a task stands for: itself, or what it imports.
    mutating func resolved(_ task: Task, own: Directives, _ context: TaskContext) -> [TaskNode] {
        switch task.module.canonical {
        case CoreModule.meta: return meta(task)
        case CoreModule.importTasks: return importTasks(task, own: own, context)
        case CoreModule.includeTasks: return includeTasks(task, own: own, context)
        case CoreModule.importRole: return importRole(task, own: own, context)
        case CoreModule.includeRole: return includeRole(task, own: own, context)
        default: return [.task(task)]
        }
    }

    private mutating func meta(_ task: Task) -> [TaskNode] {
        let text = task.freeForm?.string ?? ""
        guard let action = MetaAction(rawValue: text) else {
            let names = MetaAction.allCases.map(\.rawValue)
            collector.report(
                "unknown meta action '\(text)'", span: task.freeForm?.span ?? task.module.span,
                notes: [Diagnostic.Note("the actions: \(names.joined(separator: ", "))")],
                hint: nearestName(to: text, among: names).map { "did you mean '\($0)'?" })
            return []
        }
        if task.loop != nil { collector.report("a meta task has no loop", span: task.span) }
        return [.meta(task, action)]
    }

    // MARK: files of tasks

    private mutating func importTasks(_ task: Task, own: Directives, _ context: TaskContext) -> [TaskNode] {
        guard let file = task.freeForm ?? task.arguments["file"] else {
            collector.report("'\(task.module.written)' needs a file", span: task.module.span)
            return []
        }
        guard refuseLoop(task, instead: "include_tasks"), let name = staticText(file, task, context) else { return [] }
        guard let path = IncludePath.find(name, context) else {
            collector.add(IncludePath.missing(name, context, span: file.span))
            return []
        }
        if context.chain.contains(path) {
            collector.report(
                "\(path) imports itself", span: file.span,
                hint: "use include_tasks with a condition that ends it")
            return []
        }
        var inner = context
        inner.path = path
        inner.chain.append(path)
        inner.directives = own.withoutVariables.inside(context.directives)
        inner.includeParameters += own.asIncludeParameters
        return self.file(inner)
    }

    private mutating func includeTasks(_ task: Task, own: Directives, _ context: TaskContext) -> [TaskNode] {
        guard let file = task.freeForm ?? task.arguments["file"] else {
            collector.report("'\(task.module.written)' needs a file", span: task.module.span)
            return []
        }
        guard let target = collector.attempt({ try Templated<String>("include_tasks", file) }) else { return [] }
        // A file with a constant name is there before anything runs, or never will be.
        if let name = target.staticValue {
            guard let path = IncludePath.find(name, context) else {
                collector.add(IncludePath.missing(name, context, span: file.span))
                return []
            }
            check(path, context)
        }
        let applied = applied(task)
        let environment = environment
        let parameters = own.asIncludeParameters
        let span = file.span
        let include = Include(task: task, target: target) { name, loopParameters in
            guard let path = IncludePath.find(name, context) else {
                throw IncludePath.missing(name, context, span: span)
            }
            var inner = context
            inner.path = path
            inner.chain.append(path)
            guard inner.chain.count <= TaskContext.maximumDepth else {
                throw InputError("includes are nested more than \(TaskContext.maximumDepth) deep", span: span)
            }
            inner.directives = applied.inside(context.directives)
            inner.includeParameters = loopParameters + parameters
            var reader = TaskReader(environment: environment)
            let nodes = reader.file(inner)
            try reader.collector.throwIfAny()
            return Include.Content(nodes: nodes, handlers: reader.handlers)
        }
        return [.include(include)]
    }

    /// Reads an included file for its mistakes alone.
    private mutating func check(_ path: String, _ context: TaskContext) {
        if context.chain.contains(path) || context.chain.count >= TaskContext.maximumDepth { return }
        var inner = context
        inner.path = path
        inner.chain.append(path)
        includedNodes += file(inner)
    }

    // MARK: roles

    private mutating func importRole(_ task: Task, own: Directives, _ context: TaskContext) -> [TaskNode] {
        guard refuseLoop(task, instead: "include_role"), let source = roleName(task),
            let name = staticText(source, task, context)
        else { return [] }
        var request = roleRequest(task, name: name, span: source.span, context)
        request.directives = own.withoutVariables.inside(context.directives)
        request.includeParameters = context.includeParameters + own.asIncludeParameters
        var loader = RoleReader(environment: environment)
        let role = loader.role(request)
        collector.add(loader.collector.diagnostics)
        guard let role else { return [] }
        handlers += role.allHandlers
        importedRoles.append(role)
        return role.allTasks
    }

    private mutating func includeRole(_ task: Task, own: Directives, _ context: TaskContext) -> [TaskNode] {
        guard let source = roleName(task),
            let target = collector.attempt({ try Templated<String>("include_role", source) })
        else { return [] }
        var base = roleRequest(task, name: "", span: source.span, context)
        base.directives = applied(task).inside(context.directives)
        let parameters = own.asIncludeParameters
        if let name = target.staticValue, !context.chain.contains("role \(name)") {
            base.name = name
            var loader = RoleReader(environment: environment)
            _ = loader.role(base)
            collector.add(loader.collector.diagnostics)
        }
        let environment = environment
        let request = base
        let include = Include(task: task, target: target) { name, loopParameters in
            var request = request
            request.name = name
            request.isDynamic = true
            request.includeParameters = loopParameters + parameters
            var loader = RoleReader(environment: environment)
            let role = loader.role(request)
            try loader.collector.throwIfAny()
            guard let role else { throw InputError("no role '\(name)'", span: request.span) }
            return Include.Content(nodes: role.allTasks, handlers: role.allHandlers, role: role)
        }
        return [.include(include)]
    }

    private func roleName(_ task: Task) -> SourceValue? { task.arguments["name"] ?? task.arguments["role"] }

    private mutating func roleRequest(
        _ task: Task, name: String, span: SourceSpan?, _ context: TaskContext
    ) -> RoleRequest {
        var request = RoleRequest(name: name, span: span, directory: context.directory)
        request.parent = context.role
        request.chain = context.chain
        for key in ["tasks_from", "vars_from", "defaults_from", "handlers_from"] {
            guard let value = task.arguments[key], let text = staticText(value, task, context) else { continue }
            request.files[String(key.dropLast("_from".count))] = text
        }
        return request
    }

    // MARK: parts

    private mutating func refuseLoop(_ task: Task, instead: String) -> Bool {
        guard task.loop != nil else { return true }
        collector.report(
            "'\(task.module.written)' cannot be in a loop: it is read before anything runs", span: task.span,
            hint: "use \(instead)")
        return false
    }

    /// `apply:` of an include.
    private mutating func applied(_ task: Task) -> Directives {
        guard let apply = task.arguments["apply"] else { return Directives() }
        guard let entries = apply.entries else {
            collector.report("'apply' needs a map, not \(apply.typeName)", span: apply.span)
            return Directives()
        }
        var reader = DirectivesReader(level: .blockVars)
        for entry in entries where !reader.read(entry) {
            collector.report(
                "unknown keyword '\(entry.key)' below 'apply'", span: entry.keySpan,
                hint: nearestName(to: entry.key, among: Keywords.block.sorted()).map { "did you mean '\($0)'?" })
        }
        collector.add(reader.collector.diagnostics)
        return reader.directives
    }

    /// A text that has to be known before anything runs; templates may use extra vars and the role's own variables.
    private mutating func staticText(_ source: SourceValue, _ task: Task, _ context: TaskContext) -> String? {
        if !source.containsTemplate {
            if let text = String(keyword: source.value) { return text }
            collector.report("expected a name, not \(source.typeName)", span: source.span)
            return nil
        }
        var layers = VariableLayers(environment.extraVariables)
        layers.add(context.role?.defaults ?? [])
        layers.add(context.role?.variables ?? [])
        layers.add(context.includeParameters)
        layers.add(task.directives.variables)
        var magic = MagicVariables(inventory: Inventory(), hostName: nil)
        magic.role = context.role
        magic.playbookDirectory = context.directory
        do {
            let value = try source.rendered(VariableScope(layers: layers, magic: magic))
            if let text = String(keyword: value) { return text }
            collector.report("expected a name, not \(value.typeName)", span: source.span)
        } catch {
            collector.report(
                "the name has to be known before anything runs, for '\(task.module.written)'", span: source.span,
                notes: ((error as? any DiagnosticError)?.diagnostics ?? []).map { Diagnostic.Note($0.message) },
                hint: "use include_tasks or include_role, or give the variable with '-e'")
        }
        return nil
    }
}

/// Where included files are looked for.
enum IncludePath {
    static func candidates(_ name: String, _ context: TaskContext) -> [String] {
        if name.hasPrefix("/") { return [name] }
        var folders = [Path.directory(context.path)]
        if let role = context.role { folders.append(Path.join(role.path, context.isHandlers ? "handlers" : "tasks")) }
        folders += [Path.join(context.directory, "tasks"), context.directory]
        var paths: [String] = []
        for folder in folders {
            let path = Path.join(folder, name)
            if !paths.contains(path) { paths.append(path) }
        }
        return paths
    }

    static func find(_ name: String, _ context: TaskContext) -> String? {
        candidates(name, context).first(where: FileTree.isFile)
    }

    static func missing(_ name: String, _ context: TaskContext, span: SourceSpan?) -> InputError {
        let candidates = candidates(name, context)
        let siblings = FileTree.entries(Path.directory(candidates[0]))
        return InputError(
            "no file '\(name)'", span: span,
            notes: [Diagnostic.Note("looked for \(candidates.joined(separator: ", "))")],
            hint: nearestName(to: Path.name(name), among: siblings).map { "did you mean '\($0)'?" })
    }
}

extension DiagnosticCollector {
    mutating func add(_ error: InputError) { add(error.diagnostics) }
}

extension Directives {
    /// The keywords without `vars`.
    var withoutVariables: Directives {
        var copy = self
        copy.variables = []
        return copy
    }

    /// `vars` as the parameters that they are for what is included.
    var asIncludeParameters: [VariableLayer] {
        variables.map { $0.moved(to: .includeParameters) }
    }
}

extension VariableLayer {
    /// The same variables at another level.
    package func moved(to level: Origin.Level) -> VariableLayer {
        var layer = VariableLayer(level)
        for (name, variable) in variables {
            layer.set(
                name, variable.content,
                origin: Origin(level, owner: variable.origin.owner, span: variable.origin.span))
        }
        return layer
    }
}
