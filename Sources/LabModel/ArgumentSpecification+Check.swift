import LabCore
import LabTemplate

extension ArgumentSpecification {
    /// What is wrong with a host's variables; each mistake points at the user's value where a file has it.
    ///
    /// Only the cause is told: a value that is made of a variable which is missing or wrong itself is not judged.
    ///
    /// - Throws: what a lookup of a variable's template throws that is no mistake of the input, when nothing else is wrong.
    package func check(_ scope: VariableScope) throws -> [Diagnostic] {
        let answers = options.map { check($0, scope) }
        let wrong = Set(answers.filter { !$0.diagnostics.isEmpty || $0.error != nil }.map(\.name))
        let causes = answers.filter { answer in
            guard wrong.contains(answer.name) else { return false }
            let used = scope.layers.variables(usedBy: answer.name)
            // Variables that use each other in a circle have no other cause.
            return used.contains(answer.name) || used.isDisjoint(with: wrong)
        }
        var collector = DiagnosticCollector()
        var failure: (any Error)?
        for answer in causes {
            collector.add(answer.diagnostics)
            guard let error = answer.error else { continue }
            if (error as? any DiagnosticError)?.failureClass == .input {
                collector.add(error)
            } else {
                failure = failure ?? error
            }
        }
        if let failure, !collector.hasErrors { throw failure }
        return collector.diagnostics
    }

    /// What is wrong with one option's value.
    private struct Answer {
        let name: String
        var diagnostics: [Diagnostic] = []
        /// Why the value could not be rendered.
        var error: (any Error)?
    }

    private func check(_ option: Option, _ scope: VariableScope) -> Answer {
        let name = ([option.name] + option.aliases).first { scope.layers[$0] != nil } ?? option.name
        var answer = Answer(name: name)
        var checker = ArgumentChecker(role: role)
        do {
            if let value = try scope.variable(name) {
                var source: SourceValue?
                if case .template(let written)? = scope.layers[name]?.content { source = written }
                checker.check(
                    value, source: source, option, path: name, span: source?.span ?? scope.layers[name]?.origin.span)
            } else if option.isRequired {
                checker.reportMissing(option, in: nil, span: nil)
            }
            answer.diagnostics = checker.diagnostics
        } catch {
            answer.error = error
        }
        return answer
    }
}

extension VariableLayers {
    /// The names that the templates of a variable mention, and those that the templates of these do; the variable's own
    /// name is among them when it leads back to itself. Words that only look like names are taken for names.
    fileprivate func variables(usedBy name: String) -> Set<String> {
        var found: Set<String> = []
        var pending = [name]
        while let next = pending.popLast() {
            guard case .template(let source)? = self[next]?.content else { continue }
            for word in source.templateWords where found.insert(word).inserted { pending.append(word) }
        }
        return found
    }
}

extension SourceValue {
    /// The words of all strings with templates in them.
    fileprivate var templateWords: [String] {
        switch content {
        case .string(let text) where text.hasTemplateMarks:
            text.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
        case .list(let items): items.flatMap(\.templateWords)
        case .map(let entries): entries.flatMap(\.value.templateWords)
        default: []
        }
    }
}

private struct ArgumentChecker {
    let role: String
    private(set) var diagnostics: [Diagnostic] = []

    init(role: String) { self.role = role }

    mutating func reportMissing(_ option: ArgumentSpecification.Option, in map: String?, span: SourceSpan?) {
        let what =
            map.map { "'\($0)' of the role '\(role)' needs '\(option.name)'" }
            ?? "the role '\(role)' needs the variable '\(option.name)'"
        var notes: [Diagnostic.Note] = []
        if let description = option.description { notes.append(Diagnostic.Note("\(option.name): \(description)")) }
        notes.append(Diagnostic.Note("the role asks for it here", span: option.span))
        diagnostics.append(
            Diagnostic(
                what, span: span, notes: notes,
                hint: map == nil ? "set it in group_vars or with '-e \(option.name)=…'" : nil))
    }

    private mutating func report(
        _ message: String, _ span: SourceSpan?, _ option: ArgumentSpecification.Option, hint: String? = nil
    ) {
        diagnostics.append(
            Diagnostic(
                message, span: span, notes: [Diagnostic.Note("the role says so here", span: option.span)], hint: hint))
    }

    mutating func check(
        _ value: Value, source: SourceValue?, _ option: ArgumentSpecification.Option, path: String, span: SourceSpan?
    ) {
        if value.isNull { return }
        guard Self.fits(value, option.kind) else {
            report("'\(path)' needs \(option.kind.expectation), not \(value.brief)", span, option)
            return
        }
        // The text 'a,b' is a list of texts or numbers, but maps cannot be written so.
        if option.kind == .list, option.elements == .dict || option.options != nil, value.string != nil {
            report(
                "'\(path)' needs a list, not \(value.brief)", span, option,
                hint: path == option.name
                    ? "write a list of maps in a file of variables, or JSON: -e '{\"\(path)\": [{…}]}'" : nil)
            return
        }
        checkChoices(value, source: source, option, path: path, span: span)
        switch option.kind {
        case .list: checkElements(Self.list(value), source: source, option, path: path, span: span)
        case .dict:
            if let options = option.options {
                checkOptions(value, source: source, options, path: path, span: span)
            }
        default: break
        }
    }

    private mutating func checkElements(
        _ items: [Value], source: SourceValue?, _ option: ArgumentSpecification.Option, path: String, span: SourceSpan?
    ) {
        let sources = source?.list
        for (index, item) in items.enumerated() {
            let itemSource = sources.flatMap { index < $0.count && $0.count == items.count ? $0[index] : nil }
            let place = "\(path)[\(index)]"
            if let kind = option.elements, !Self.fits(item, kind) {
                report("'\(place)' needs \(kind.expectation), not \(item.brief)", itemSource?.span ?? span, option)
                continue
            }
            if let options = option.options, item.map != nil {
                checkOptions(item, source: itemSource, options, path: place, span: itemSource?.span ?? span)
            }
        }
    }

    private mutating func checkOptions(
        _ value: Value, source: SourceValue?, _ options: [ArgumentSpecification.Option], path: String, span: SourceSpan?
    ) {
        guard let map = value.map else { return }
        for option in options {
            guard let name = ([option.name] + option.aliases).first(where: { map[$0] != nil }), let inner = map[name]
            else {
                if option.isRequired { reportMissing(option, in: path, span: span) }
                continue
            }
            let innerSource = source?[name]
            check(inner, source: innerSource, option, path: "\(path).\(name)", span: innerSource?.span ?? span)
        }
        let known = options.flatMap { [$0.name] + $0.aliases }
        for key in map.keys where !known.contains(key) {
            let place = source?.entries?.first { $0.key == key }?.keySpan ?? span
            let near = nearestName(to: key, among: known)
            diagnostics.append(
                Diagnostic(
                    "'\(path)' has no '\(key)'", span: place,
                    notes: [Diagnostic.Note("it has \(known.joined(separator: ", "))")],
                    hint: near.map { "did you mean '\($0)'?" }))
        }
    }

    private mutating func checkChoices(
        _ value: Value, source: SourceValue?, _ option: ArgumentSpecification.Option, path: String, span: SourceSpan?
    ) {
        guard !option.choices.isEmpty else { return }
        let items = option.kind == .list ? Self.list(value) : [value]
        for item in items where !option.choices.contains(where: { Self.isSame(item, $0, kind: option.kind) }) {
            let texts = option.choices.map(\.plain)
            report(
                "'\(path)' cannot be \(item.brief), it is one of \(texts.joined(separator: ", "))", span, option,
                hint: nearestName(to: item.plain, among: texts).map { "did you mean '\($0)'?" })
        }
    }

    private static func isSame(_ value: Value, _ choice: Value, kind: ArgumentSpecification.Kind) -> Bool {
        if value == choice { return true }
        if kind == .bool { return Bool(keyword: value) == Bool(keyword: choice) }
        return value.plain == choice.plain
    }

    private static func list(_ value: Value) -> [Value] {
        switch value {
        case .list(let items): items
        case .string(let text): text.split(separator: ",").map { .string(String($0.trimmed)) }
        default: [value]
        }
    }

    /// Whether a value can be taken for the type, with the conversions that Ansible makes (`check_type_*` of its
    /// `module_utils`).
    private static func fits(_ value: Value, _ kind: ArgumentSpecification.Kind) -> Bool {
        switch kind {
        case .raw: return true
        case .string, .path: return value.list == nil && value.map == nil
        case .list: return value.map == nil && value.bool == nil
        case .dict:
            if value.map != nil { return true }
            guard let text = value.string else { return false }
            return text.contains("=") || (try? Value(json: text))?.map != nil
        case .bool: return Bool(keyword: value) != nil
        case .int: return value.bool == nil && Int(keyword: value) != nil
        case .float: return value.bool == nil && Double(keyword: value) != nil
        case .json, .jsonArgument: return true
        case .bytes, .bits:
            guard let text = String(keyword: value) else { return false }
            let digits = text.prefix { $0.isNumber || $0 == "." }
            let unit = text.dropFirst(digits.count).trimmed.lowercased()
            return Double(digits) != nil
                && ["", "b", "k", "m", "g", "t", "p", "e", "z", "y"].contains(where: {
                    unit == $0 || unit == $0 + "b"
                })
        }
    }
}

extension ArgumentSpecification.Kind {
    /// What the type needs, for messages.
    var expectation: String {
        switch self {
        case .string: "a text"
        case .list: "a list"
        case .dict: "a map"
        case .bool: "true or false"
        case .int: "a whole number"
        case .float: "a number"
        case .path: "a path"
        case .raw: "a value"
        case .json, .jsonArgument: "JSON"
        case .bytes: "a size like 512K"
        case .bits: "a number of bits like 512Kb"
        }
    }
}

extension Value {
    /// The value as a text, for comparisons and lists in messages.
    var plain: String { String(keyword: self) ?? json() }
}
