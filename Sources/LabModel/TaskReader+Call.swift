import LabCore
import LabTemplate

extension TaskReader {
    /// The module that a task calls, and its arguments.
    struct Call {
        /// The key that names the module: `copy`, `action`.
        let key: String
        let module: Task.ModuleName
        var arguments: SourceValue
        var freeForm: SourceValue?
        /// Arguments that are one template, known only when the task runs.
        var variableArguments: SourceValue?
        /// Whether the arguments were of a form that could be read.
        var isReadable = true
        /// Whether it was written as `local_action`.
        var isLocal = false
    }

    /// Modules whose text is a command line: `a=b` in it is not an argument.
    private static let commands: Set<String> = [
        "ansible.builtin.command", "ansible.builtin.shell", "ansible.builtin.raw", "ansible.builtin.script",
    ]

    mutating func call(
        _ source: SourceValue, _ entries: [SourceValue.Entry], _ context: TaskContext
    ) -> Call? {
        let keywords = context.isHandlers ? Keywords.handler : Keywords.task
        let candidates = entries.filter {
            !keywords.contains($0.key) && !$0.key.hasPrefix("with_") && $0.key != "listen"
        }
        let modules = candidates.filter { environment.signature($0.key) != nil }
        for action in entries where action.key == "action" || action.key == "local_action" {
            reportUnknown(candidates.filter { environment.signature($0.key) == nil }, hasModule: true)
            if let module = modules.first { reportSecond(module, first: action.key) }
            return oldStyle(action, args: source["args"])
        }
        guard let entry = modules.first, let signature = environment.signature(entry.key) else {
            if candidates.isEmpty {
                collector.report(
                    "the task calls no module", span: source.span,
                    hint: "add the module and its arguments, for example 'command: uptime'")
            }
            reportUnknown(candidates, hasModule: false)
            return nil
        }
        reportUnknown(candidates.filter { environment.signature($0.key) == nil }, hasModule: true)
        if modules.count > 1 { reportSecond(modules[1], first: entry.key) }
        let module = Task.ModuleName(written: entry.key, canonical: signature.canonicalName, span: entry.keySpan)
        var call = Call(key: entry.key, module: module, arguments: SourceValue(.map([]), span: entry.value.span))
        readArguments(entry.value, signature, into: &call)
        mergeArgs(source["args"], into: &call)
        check(call, signature)
        return call
    }

    private mutating func reportSecond(_ entry: SourceValue.Entry, first: String) {
        collector.report(
            "a task calls one module, this one calls '\(first)' and '\(entry.key)'", span: entry.keySpan,
            hint: "make two tasks of it")
    }

    /// Names that are neither keyword nor module. What was meant is more likely a keyword where there is a module already.
    private mutating func reportUnknown(_ entries: [SourceValue.Entry], hasModule: Bool) {
        for entry in entries {
            let name = entry.key
            let keyword = nearestName(to: name, among: Keywords.handler.sorted())
            let module = nearestModule(name)
            let isModule = !hasModule && (entries.count == 1 || (module != nil && keyword == nil))
            let near = isModule ? module ?? keyword : keyword ?? (hasModule ? nil : module)
            collector.report(
                "unknown \(isModule ? "module" : "keyword") '\(name)'", span: entry.keySpan,
                hint: near.map { "did you mean '\($0)'?" })
        }
    }

    private func nearestModule(_ name: String) -> String? {
        let names = environment.moduleNames
        guard let dot = name.lastIndex(of: ".") else { return nearestName(to: name, among: names) }
        // The collection is no part of what is compared: all of a collection's names would be near. And the last part
        // of `community.general.copy` alone may be a name.
        let last = String(name[name.index(after: dot)...])
        let shorts = names.filter { !$0.contains(".") }
        guard let short = shorts.contains(last) ? last : nearestName(to: last, among: shorts) else { return nil }
        let full = "\(name[..<dot]).\(short)"
        return names.contains(full) ? full : short
    }

    private mutating func oldStyle(_ entry: SourceValue.Entry, args: SourceValue?) -> Call? {
        var arguments = entry.value
        var name = entry.value.string.map { String($0.prefix { !$0.isWhitespace }) } ?? ""
        if let text = entry.value.string {
            let rest = text.dropFirst(name.count).trimmed
            arguments = SourceValue(.string(String(rest)), span: entry.value.span)
        } else if let module = entry.value["module"]?.string {
            name = module
            arguments = SourceValue(
                .map((entry.value.entries ?? []).filter { $0.key != "module" }), span: entry.value.span)
        }
        guard !name.isEmpty else {
            collector.report("'\(entry.key)' needs the name of a module", span: entry.value.span)
            return nil
        }
        guard let signature = environment.signature(name) else {
            collector.report(
                "unknown module '\(name)'", span: entry.value.span(ofBytes: 0..<name.utf8.count),
                hint: nearestModule(name).map { "did you mean '\($0)'?" })
            return nil
        }
        let module = Task.ModuleName(written: name, canonical: signature.canonicalName, span: entry.value.span)
        var call = Call(key: entry.key, module: module, arguments: SourceValue(.map([]), span: entry.value.span))
        call.isLocal = entry.key == "local_action"
        readArguments(arguments.string == "" ? SourceValue(.null, span: nil) : arguments, signature, into: &call)
        mergeArgs(args, into: &call)
        check(call, signature)
        return call
    }

    private mutating func readArguments(_ value: SourceValue, _ signature: ModuleSignature, into call: inout Call) {
        switch value.content {
        case .null: break
        case .map: call.arguments = value
        case .string(let text): readText(text, value, signature, into: &call)
        case .list where signature.takesFreeForm, .bool, .int, .float:
            call.isReadable = false
            collector.report(
                "'\(call.module.written)' needs a map or a text, not \(value.typeName)", span: value.span)
        case .list:
            call.isReadable = false
            collector.report(
                "'\(call.module.written)' needs a map, not a list", span: value.span,
                hint: "write 'name: value' instead of '- name: value'")
        }
    }

    private mutating func readText(
        _ text: String, _ value: SourceValue, _ signature: ModuleSignature, into call: inout Call
    ) {
        let split = KeyValueText(text, isCommand: Self.commands.contains(signature.canonicalName))
        if !split.pairs.isEmpty {
            var entries: [SourceValue.Entry] = []
            for pair in split.pairs {
                let span = value.span(ofBytes: pair.range)
                entries.removeAll { $0.key == pair.key }
                entries.append(
                    SourceValue.Entry(key: pair.key, keySpan: span, value: SourceValue(.string(pair.value), span: span))
                )
            }
            call.arguments = SourceValue(.map(entries), span: value.span)
        }
        guard let rest = split.rest else { return }
        if signature.takesFreeForm {
            // Where nothing was taken out of it the text keeps its place for errors inside of it.
            call.freeForm = split.pairs.isEmpty && rest == text ? value : SourceValue(.string(rest), span: value.span)
        } else if rest.hasPrefix("{{"), rest.hasSuffix("}}"), split.pairs.isEmpty {
            call.variableArguments = value
        } else {
            call.isReadable = false
            let parameters = signature.parameters.map(\.name)
            collector.report(
                "'\(call.module.written)' takes no text, but '\(rest.prefix(40))' is none of its arguments",
                span: value.span,
                hint: parameters.first.map { "write the arguments below it: '\($0): …'" })
        }
    }

    /// `args` gives what the module's own value does not.
    private mutating func mergeArgs(_ args: SourceValue?, into call: inout Call) {
        guard let args, !args.isNull else { return }
        guard let entries = args.entries else {
            if args.containsTemplate {
                call.variableArguments = args
            } else {
                collector.report("'args' needs a map, not \(args.typeName)", span: args.span)
            }
            return
        }
        let own = call.arguments.entries ?? []
        let added = entries.filter { entry in !own.contains { $0.key == entry.key } }
        call.arguments = SourceValue(.map(own + added), span: call.arguments.span ?? args.span)
    }

    /// Checks the arguments' names and constant choices.
    private mutating func check(_ call: Call, _ signature: ModuleSignature) {
        let name = call.module.written
        var given: [String: SourceValue.Entry] = [:]
        for entry in call.arguments.entries ?? [] {
            guard
                let parameter = signature.parameters.first(where: {
                    $0.name == entry.key || $0.aliases.contains(entry.key)
                })
            else {
                if !signature.takesAnyParameter { reportUnknownParameter(entry, of: name, signature) }
                continue
            }
            if let first = given[parameter.name] {
                collector.report(
                    "'\(entry.key)' and '\(first.key)' are the same parameter of '\(name)'", span: entry.keySpan,
                    notes: [Diagnostic.Note("the first is here", span: first.keySpan)])
            }
            given[parameter.name] = entry
            checkChoice(entry, parameter, of: name)
            if !entry.value.containsTemplate,
                let mistake = environment.catalog.mistake(in: entry, ofModule: call.module.canonical)
            {
                collector.add([mistake])
            }
        }
        guard call.variableArguments == nil, call.freeForm == nil, call.isReadable else { return }
        for parameter in signature.parameters where parameter.isRequired && given[parameter.name] == nil {
            collector.report(
                "'\(name)' needs the parameter '\(parameter.name)'", span: call.module.span)
        }
    }

    private mutating func reportUnknownParameter(
        _ entry: SourceValue.Entry, of module: String, _ signature: ModuleSignature
    ) {
        let names = signature.parameters.flatMap { [$0.name] + $0.aliases }
        let near = nearestName(to: entry.key, among: names)
        let isKeyword = Keywords.task.contains(entry.key)
        collector.report(
            "'\(module)' has no parameter '\(entry.key)'", span: entry.keySpan,
            notes: names.isEmpty
                ? [] : [Diagnostic.Note("its parameters: \(signature.parameters.map(\.name).joined(separator: ", "))")],
            hint: isKeyword
                ? "'\(entry.key)' is a keyword of the task: indent it like '\(module)'"
                : near.map { "did you mean '\($0)'?" })
    }

    private mutating func checkChoice(
        _ entry: SourceValue.Entry, _ parameter: ModuleSignature.Parameter, of module: String
    ) {
        guard !parameter.choices.isEmpty, !entry.value.containsTemplate, let text = String(keyword: entry.value.value),
            !parameter.choices.contains(text)
        else { return }
        // `yes` in a file is a boolean where the parameter's choices spell it as a text.
        if let flag = entry.value.bool, parameter.choices.contains(where: { Bool(keyword: .string($0)) == flag }) {
            return
        }
        collector.report(
            "'\(entry.key)' of '\(module)' cannot be '\(text)'", span: entry.value.span,
            notes: [Diagnostic.Note("it is one of \(parameter.choices.joined(separator: ", "))")],
            hint: nearestName(to: text, among: parameter.choices).map { "did you mean '\($0)'?" })
    }
}
