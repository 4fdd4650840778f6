import LabCore
import LabTemplate

extension TaskReader {
    /// What a task's map says, before its module is known to be an include.
    struct Parts {
        var directives: Directives
        var call: Call
        var keywords: [String: SourceValue]
        var loop: Loop?
    }

    mutating func task(
        _ source: SourceValue, _ entries: [SourceValue.Entry], _ context: TaskContext
    ) -> [TaskNode] {
        let before = collector.diagnostics.count
        guard let call = call(source, entries, context) else { return [] }
        let parts = keywords(entries, call: call, context)
        var task = Task(
            name: source["name"], module: call.module, arguments: call.arguments, freeForm: call.freeForm,
            directives: parts.directives.inside(context.directives), loop: parts.loop, role: context.role,
            includeParameters: context.includeParameters, file: source.span?.file, span: source.span,
            keywordSpans: Dictionary(
                entries.compactMap { entry in entry.keySpan.map { (entry.key, $0) } },
                uniquingKeysWith: { first, _ in first }))
        task.variableArguments = call.variableArguments
        if let name = task.name, String(keyword: name.value) == nil, !name.isNull {
            collector.report("a task's name is a text, not \(name.typeName)", span: name.span)
        }
        readResultKeywords(parts.keywords, into: &task)
        for entry in entries { collector.add(Template.check(entry.value)) }
        checkExpressions(of: task)
        // Nothing is imported on behalf of a task that is wrong itself.
        if collector.diagnostics[before...].contains(where: { $0.severity == .error }) { return [.task(task)] }
        return resolved(task, own: parts.directives, context)
    }

    /// Sorts the keywords of a task from its module, and reports the unknown ones.
    private mutating func keywords(
        _ entries: [SourceValue.Entry], call: Call, _ context: TaskContext
    ) -> Parts {
        var reader = DirectivesReader(level: .taskVars)
        var others: [String: SourceValue] = [:]
        var loops: [SourceValue.Entry] = []
        let known = context.isHandlers ? Keywords.handler : Keywords.task
        for entry in entries where entry.key != call.key {
            if entry.key == "loop" || entry.key.hasPrefix("with_") {
                loops.append(entry)
            } else if reader.read(entry) {
                checkAllowed(entry, call: call)
            } else if known.contains(entry.key) {
                checkAllowed(entry, call: call)
                others[entry.key] = entry.value
            } else if entry.key == "listen" {
                collector.report("only handlers have 'listen'", span: entry.keySpan)
            }
        }
        collector.add(reader.collector.diagnostics)
        var directives = reader.directives
        if call.isLocal,
            let target = collector.attempt({
                try Templated<String>("delegate_to", SourceValue(.string("localhost"), span: call.module.span))
            })
        {
            directives.delegateTo = target
        }
        return Parts(directives: directives, call: call, keywords: others, loop: loop(loops, others["loop_control"]))
    }

    private mutating func checkAllowed(_ entry: SourceValue.Entry, call: Call) {
        guard call.module.canonical == CoreModule.includeTasks, !Keywords.includeTasks.contains(entry.key) else {
            return
        }
        collector.report(
            "'\(entry.key)' has no effect on an include", span: entry.keySpan,
            hint: "put it below 'apply:' of include_tasks, or use import_tasks")
    }

    private mutating func loop(_ entries: [SourceValue.Entry], _ control: SourceValue?) -> Loop? {
        guard let entry = entries.first else {
            if let control { collector.report("'loop_control' without a loop", span: control.span) }
            return nil
        }
        if entries.count > 1 {
            collector.report(
                "a task has one loop, this one has '\(entry.key)' and '\(entries[1].key)'", span: entries[1].keySpan)
        }
        guard let kind = Loop.Kind(rawValue: entry.key) else {
            let names = Loop.Kind.allCases.map(\.rawValue)
            collector.report(
                "the loop '\(entry.key)' is not offered", span: entry.keySpan,
                hint: nearestName(to: entry.key, among: names).map { "did you mean '\($0)'?" }
                    ?? "use 'loop' with a lookup or a filter")
            return nil
        }
        if entry.value.isNull {
            collector.report("'\(entry.key)' has no value", span: entry.keySpan)
            return nil
        }
        if kind == .loop, entry.value.list == nil, !entry.value.containsTemplate {
            let hint = entry.value.entries == nil ? nil : "loop over 'dict2items' of the map, or use 'with_dict'"
            collector.report("'loop' needs a list, not \(entry.value.typeName)", span: entry.value.span, hint: hint)
        }
        var loop = Loop(kind, source: entry.value)
        if let control { read(control, into: &loop) }
        return loop
    }

    private mutating func read(_ control: SourceValue, into loop: inout Loop) {
        guard let entries = control.entries else {
            collector.report("'loop_control' needs a map, not \(control.typeName)", span: control.span)
            return
        }
        for entry in entries {
            let value = entry.value
            switch entry.key {
            case "loop_var": if let name = variableName(value, "loop_var") { loop.variable = name }
            case "index_var": loop.indexVariable = variableName(value, "index_var")
            case "label": loop.label = value
            case "pause": loop.pause = collector.attempt { try Templated("pause", value) }
            case "extended": loop.isExtended = constant(value, "extended") ?? false
            case "extended_allitems": loop.extendedAllItems = constant(value, "extended_allitems") ?? true
            case "break_when":
                loop.breakWhen = collector.attempt { try Condition.list(value, keyword: "break_when") } ?? []
            default:
                collector.report(
                    "'loop_control' has no '\(entry.key)'", span: entry.keySpan,
                    hint: nearestName(to: entry.key, among: Keywords.loopControl.sorted())
                        .map { "did you mean '\($0)'?" })
            }
        }
    }

    private mutating func constant(_ value: SourceValue, _ keyword: String) -> Bool? {
        collector.attempt { try Templated<Bool>(keyword, value) }?.staticValue
    }

    mutating func variableName(_ value: SourceValue, _ keyword: String) -> String? {
        guard let name = value.string, name.isVariableName else {
            collector.report(
                "'\(keyword)' needs the name of a variable, not \(value.value.brief)", span: value.span,
                hint: "use letters, digits and underscores, and begin with no digit")
            return nil
        }
        return name
    }

    /// The keywords that only tasks have.
    private mutating func readResultKeywords(_ keywords: [String: SourceValue], into task: inout Task) {
        if let value = keywords["register"] { task.register = variableName(value, "register") }
        if let value = keywords["until"] { task.until = conditions(value, "until") }
        if let value = keywords["retries"] { task.retries = collector.attempt { try Templated("retries", value) } }
        if let value = keywords["delay"] { task.delay = collector.attempt { try Templated("delay", value) } }
        if let value = keywords["changed_when"] { task.changedWhen = conditions(value, "changed_when") }
        if let value = keywords["failed_when"] { task.failedWhen = conditions(value, "failed_when") }
        if let value = keywords["listen"] {
            task.listen = (value.list ?? [value]).compactMap { String(keyword: $0.value) }
        }
        if task.until != nil, task.loop?.breakWhen.isEmpty == false {
            collector.report("'until' and 'break_when' do not go together", span: keywords["until"]?.span)
        }
    }

    private mutating func conditions(_ value: SourceValue, _ keyword: String) -> [Condition]? {
        let list = collector.attempt { try Condition.list(value, keyword: keyword) }
        // An empty list is as good as none, as in Ansible.
        return list?.isEmpty == true ? nil : list
    }

    /// Arguments that are expressions without braces.
    private mutating func checkExpressions(of task: Task) {
        switch task.module.canonical {
        case "ansible.builtin.assert":
            guard let that = task.arguments["that"], !that.isNull else { return }
            if that.string?.hasTemplateMarks == true { return }
            _ = conditions(that, "that")
        case "ansible.builtin.debug":
            guard let expression = task.arguments["var"], let text = expression.string, !text.hasTemplateMarks else {
                return
            }
            collector.add(Template.checkExpression(text, span: expression.span))
        default: break
        }
    }
}
