import LabCore
import LabTemplate

/// One use of a module with arguments.
package struct Task: Sendable {
    /// The module that a task calls.
    package struct ModuleName: Sendable, Hashable {
        /// As the file has it: `copy`.
        package let written: String
        /// `ansible.builtin.copy`.
        package let canonical: String
        package let span: SourceSpan?

        package init(written: String, canonical: String, span: SourceSpan?) {
            self.written = written
            self.canonical = canonical
            self.span = span
        }
    }

    /// The name as written, with its templates; nil when the task has none.
    package var name: SourceValue?
    package var module: ModuleName
    /// The arguments, a map, as written. Templates in it are not rendered; `args` is merged in, `module_defaults` is not.
    package var arguments: SourceValue
    /// Arguments given as one template that renders to a map (`args: "{{ options }}"`).
    package var variableArguments: SourceValue?
    /// The free-form text, with its templates.
    package var freeForm: SourceValue?
    /// The keywords that blocks and the play share with the task, joined with theirs.
    package var directives: Directives
    package var loop: Loop?
    package var register: String?
    /// nil where the keyword is not written.
    package var until: [Condition]?
    package var retries: Templated<Int>?
    /// Seconds.
    package var delay: Templated<Double>?
    package var changedWhen: [Condition]?
    package var failedWhen: [Condition]?
    /// Topics that a handler listens to besides its name.
    package var listen: [String]
    /// The role that the task is part of.
    package var role: RoleContext?
    /// Variables of the includes and imports through which the task was reached, outermost first.
    package var includeParameters: [VariableLayer]
    /// The file that the task stands in; relative paths of includes are looked for beside it.
    package var file: SourceFile?
    /// Where the task stands.
    package var span: SourceSpan?
    /// Where each keyword and the module stand, by name as written.
    package var keywordSpans: [String: SourceSpan]

    package init(
        name: SourceValue?, module: ModuleName, arguments: SourceValue, freeForm: SourceValue? = nil,
        directives: Directives = Directives(), loop: Loop? = nil, register: String? = nil, until: [Condition]? = nil,
        retries: Templated<Int>? = nil, delay: Templated<Double>? = nil, changedWhen: [Condition]? = nil,
        failedWhen: [Condition]? = nil, listen: [String] = [], role: RoleContext? = nil,
        includeParameters: [VariableLayer] = [], file: SourceFile? = nil, span: SourceSpan? = nil,
        keywordSpans: [String: SourceSpan] = [:]
    ) {
        self.name = name
        self.module = module
        self.arguments = arguments
        self.freeForm = freeForm
        self.directives = directives
        self.loop = loop
        self.register = register
        self.until = until
        self.retries = retries
        self.delay = delay
        self.changedWhen = changedWhen
        self.failedWhen = failedWhen
        self.listen = listen
        self.role = role
        self.includeParameters = includeParameters
        self.file = file
        self.span = span
        self.keywordSpans = keywordSpans
    }
}

extension Task {
    /// The name for people without a host's variables: as written, or the module's.
    package var title: String {
        if let text = name?.string, !text.isEmpty { return text }
        return module.written
    }

    /// The name for people, rendered for a host; as written where it cannot be rendered.
    package func title(_ scope: some TemplateScope) -> String {
        guard let name, name.containsTemplate, let value = try? name.rendered(scope), let text = String(keyword: value)
        else { return title }
        return text
    }

    /// The folders in which relative `src` paths are looked for, in this order: those of the role (`files`, `templates`
    /// … for `kind`), those of the roles that include it, the task's own folder, the playbook's.
    package func searchPaths(kind: String, playbookDirectory: String?) -> [String] {
        var paths: [String] = []
        func add(_ path: String) { if !paths.contains(path) { paths.append(path) } }
        var context = role
        while let current = context {
            add(Path.join(current.path, kind))
            add(current.path)
            context = current.parent
        }
        if let file {
            add(Path.join(Path.directory(file.path), kind))
            add(Path.directory(file.path))
        }
        if let playbookDirectory {
            add(Path.join(playbookDirectory, kind))
            add(playbookDirectory)
        }
        return paths
    }
}

extension Task {
    /// The arguments for a host: `module_defaults`, below them arguments given as one template, below them the written ones.
    ///
    /// - Throws: `TemplateError`; `InputError` when a template renders to something else than a map.
    package func renderedArguments(_ scope: some TemplateScope) throws -> ValueMap {
        var result = ValueMap()
        for defaults in directives.moduleDefaults {
            for entry in defaults.entries ?? [] where entry.key == module.canonical || entry.key == shortModuleName {
                result.merge(try map(entry.value, scope, "the defaults of '\(entry.key)'")) { _, inner in inner }
            }
        }
        if let variableArguments {
            result.merge(try map(variableArguments, scope, "the arguments of '\(module.written)'")) { _, inner in inner
            }
        }
        result.merge(try map(arguments, scope, "the arguments of '\(module.written)'")) { _, inner in inner }
        return result
    }

    private var shortModuleName: String {
        module.canonical.split(separator: ".").last.map(String.init) ?? module.canonical
    }

    private func map(_ source: SourceValue, _ scope: some TemplateScope, _ what: String) throws -> ValueMap {
        let value = try source.rendered(scope)
        if value.isNull { return [:] }
        guard let map = value.map else {
            throw InputError("\(what) are a map, not \(value.typeName)", span: source.span)
        }
        return map
    }
}

/// The names of the modules that the model knows itself.
package enum CoreModule {
    package static let includeTasks = "ansible.builtin.include_tasks"
    package static let importTasks = "ansible.builtin.import_tasks"
    package static let includeRole = "ansible.builtin.include_role"
    package static let importRole = "ansible.builtin.import_role"
    package static let meta = "ansible.builtin.meta"
    package static let importPlaybook = "ansible.builtin.import_playbook"
}
