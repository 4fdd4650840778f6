import LabCore
import LabTemplate

/// Which role is wanted, by whom, and how.
struct RoleRequest: Sendable {
    var name: String
    var span: SourceSpan?
    /// The playbook's or project's folder.
    var directory: String
    /// The role that depends on this one or includes it.
    var parent: RoleContext?
    /// The keywords that all of its tasks get.
    var directives = Directives()
    /// `vars` of the role's entry.
    var variables: [VariableLayer] = []
    /// Parameters of the role's entry (`{role: x, port: 80}`).
    var parameters: [VariableLayer] = []
    var includeParameters: [VariableLayer] = []
    /// `tasks_from` and its like, by folder.
    var files: [String: String] = [:]
    /// Files and roles on the way here.
    var chain: [String] = []
    /// What the entry says besides the name: two entries that say the same are the same use of the role.
    var identity = "{}"
    /// Whether the role is included while tasks run, where a condition may end a circle.
    var isDynamic = false
}

/// Reads the folder of a role.
struct RoleReader {
    let environment: LoadEnvironment
    var collector = DiagnosticCollector()
    /// Tasks of files that are included with a constant name.
    var includedNodes: [TaskNode] = []

    init(environment: LoadEnvironment) { self.environment = environment }

    /// The role; nil when it could not be read, with the reasons in `collector`.
    mutating func role(_ request: RoleRequest) -> Role? {
        let mark = "role \(request.name)"
        let isCircle = request.chain.contains(mark)
        guard !isCircle || (request.isDynamic && request.chain.count <= TaskContext.maximumDepth) else {
            let way = request.chain.filter { $0.hasPrefix("role ") }.map { String($0.dropFirst(5)) } + [request.name]
            collector.report(
                "the role '\(request.name)' needs itself: \(way.joined(separator: ", which needs "))",
                span: request.span)
            return nil
        }
        let found = collector.attempt {
            try environment.roles.find(
                request.name, from: request.directory, parent: request.parent?.path, span: request.span)
        }
        guard let path = found else { return nil }
        let name = request.name.contains("/") ? Path.name(path) : request.name
        let defaults = variables("defaults", request, path: path, level: .roleDefaults, owner: name)
        let own = variables("vars", request, path: path, level: .roleVars, owner: name)
        let parameters = (request.parent?.parameters ?? []) + request.parameters
        let metadata = metadata(path)
        // Other entry points (`tasks_from`) are run apart from the role: what they apply is not part of its set.
        let isMain = request.files["tasks"].map { Path.name($0).hasPrefix("main.") || $0 == "main" } ?? true
        let keepsSet = metadata.values.prunes && isMain
        // Dependencies see the variables of the role that needs them.
        let provisional = RoleContext(
            name: name, path: path, defaults: (request.parent?.defaults ?? []) + defaults,
            variables: (request.parent?.variables ?? []) + own + request.variables, parameters: parameters,
            parent: request.parent, keepsSet: keepsSet)
        var inner = request
        inner.chain.append(mark)
        let dependencies = metadata.dependencies.compactMap {
            dependency($0, of: provisional, request: inner)
        }
        let context = RoleContext(
            name: name, path: path,
            defaults: dependencies.flatMap(\.context.defaults) + provisional.defaults,
            variables: (request.parent?.variables ?? []) + dependencies.flatMap(\.context.exports) + own
                + request.variables,
            exports: dependencies.flatMap(\.context.exports) + own, parameters: parameters, parent: request.parent,
            keepsSet: keepsSet)
        var role = Role(
            context: context, tasks: [], dependencies: dependencies, metadata: metadata.values,
            argumentSpecifications: specifications(path, name: name, metadata: metadata.source))
        role.entryPoint = request.files["tasks"] ?? "main"
        role.directives = request.directives
        role.identity = request.identity
        var reader = TaskReader(environment: environment)
        role.tasks = tasks("tasks", request, context, &reader)
        role.handlers = tasks("handlers", request, context, &reader) + reader.handlers
        if FileTree.isDirectory(Path.join(path, "verify")) { role.verify = tasks("verify", request, context, &reader) }
        if FileTree.isDirectory(Path.join(path, "preflight")) {
            role.preflight = tasks("preflight", request, context, &reader)
        }
        collector.add(reader.collector.diagnostics)
        role.importedRoles = reader.importedRoles
        includedNodes += reader.includedNodes
        return role
    }

    // MARK: files

    /// The variables of `defaults/` or `vars/`: `main.yml`, `main.yaml`, `main.json`, `main` or a folder `main/`.
    private mutating func variables(
        _ folder: String, _ request: RoleRequest, path: String, level: Origin.Level, owner: String
    ) -> [VariableLayer] {
        let wanted = request.files[folder]
        let files = Self.files(wanted, in: Path.join(path, folder))
        if files.isEmpty, let wanted { reportMissing(wanted, folder, path: path, span: request.span) }
        var layers: [VariableLayer] = []
        for file in files {
            guard let layer = collector.attempt({ try VariableFiles.load(file, level: level, owner: owner) }) else {
                continue
            }
            for case .template(let value) in layer.variables.values.map(\.content) {
                collector.add(Template.check(value))
            }
            layers.append(layer)
        }
        return layers
    }

    private static func files(_ wanted: String?, in folder: String) -> [String] {
        if let wanted { return VariableFiles.find(wanted, in: folder) }
        for name in ["main.yml", "main.yaml", "main.json", "main"] {
            let path = Path.join(folder, name)
            if FileTree.isFile(path) { return [path] }
        }
        return VariableFiles.find("main", in: folder)
    }

    private mutating func tasks(
        _ folder: String, _ request: RoleRequest, _ context: RoleContext, _ reader: inout TaskReader
    ) -> [TaskNode] {
        let wanted = ["verify", "preflight"].contains(folder) ? nil : request.files[folder]
        guard let file = Self.files(wanted, in: Path.join(context.path, folder)).first else {
            if let wanted { reportMissing(wanted, folder, path: context.path, span: request.span) }
            return []
        }
        var inner = TaskContext(path: file, directory: request.directory)
        inner.directives = request.directives
        inner.role = context
        inner.includeParameters = request.includeParameters
        inner.isHandlers = folder == "handlers"
        inner.chain = request.chain + ["role \(request.name)", file]
        return reader.file(inner)
    }

    private mutating func reportMissing(_ name: String, _ folder: String, path: String, span: SourceSpan?) {
        let directory = Path.join(path, folder)
        collector.report(
            "the role has no \(folder)/\(name)", span: span,
            notes: [Diagnostic.Note("looked in \(directory)")],
            hint: nearestName(to: name, among: FileTree.entries(directory)).map { "did you mean '\($0)'?" })
    }

    // MARK: meta

    private struct Metadata {
        var values = RoleMetadata()
        var dependencies: [SourceValue] = []
        var source: SourceValue?
    }

    private mutating func metadata(_ path: String) -> Metadata {
        var metadata = Metadata()
        guard let file = Self.files(nil, in: Path.join(path, "meta")).first,
            let document = collector.attempt({ try environment.document(file) }), !document.isNull
        else { return metadata }
        guard document.entries != nil else {
            collector.report("meta/main.yml is a map, not \(document.typeName)", span: document.span)
            return metadata
        }
        metadata.source = document
        if let flag = document["allow_duplicates"] {
            metadata.values.allowsDuplicates =
                collector.attempt { try Templated<Bool>("allow_duplicates", flag) }?.staticValue ?? false
        }
        let galaxy = document["galaxy_info"]
        metadata.values.description = galaxy?["description"]?.string
        if let hosts = galaxy?["labctl"]?["hosts"], !hosts.isNull {
            let patterns = (hosts.list ?? [hosts]).compactMap { String(keyword: $0.value) }
            metadata.values.hosts = patterns.joined(separator: ",")
            metadata.values.hostsSpan = hosts.span
        }
        if let prune = galaxy?["labctl"]?["prune"], !prune.isNull {
            metadata.values.prunes = collector.attempt { try Templated<Bool>("prune", prune) }?.staticValue ?? false
            metadata.values.prunesSpan = prune.span
        }
        if let dependencies = document["dependencies"], !dependencies.isNull {
            if let list = dependencies.list {
                metadata.dependencies = list
            } else {
                collector.report("'dependencies' needs a list, not \(dependencies.typeName)", span: dependencies.span)
            }
        }
        return metadata
    }

    private mutating func dependency(
        _ source: SourceValue, of parent: RoleContext, request: RoleRequest
    ) -> Role? {
        guard
            var inner = entry(source, directory: request.directory, level: .roleVars, outer: request.directives)
        else { return nil }
        inner.parent = parent
        inner.chain = request.chain
        inner.includeParameters = request.includeParameters
        return role(inner)
    }

    /// An entry of `roles:` or `dependencies:`: a name, or a map with keywords and parameters.
    mutating func entry(
        _ source: SourceValue, directory: String, level: Origin.Level, outer: Directives
    ) -> RoleRequest? {
        if let name = source.string {
            var request = RoleRequest(name: name, span: source.span, directory: directory)
            request.directives = outer
            return request
        }
        guard let entries = source.entries else {
            collector.report("a role is a name or a map, not \(source.typeName)", span: source.span)
            return nil
        }
        guard let name = source["role"] ?? source["name"], let text = String(keyword: name.value) else {
            collector.report("the entry names no role", span: source.span, hint: "write 'role: NAME'")
            return nil
        }
        var request = RoleRequest(name: text, span: name.span, directory: directory)
        var reader = DirectivesReader(level: level, owner: text)
        var parameters: [SourceValue.Entry] = []
        for entry in entries where entry.key != "role" && entry.key != "name" {
            if !reader.read(entry) { parameters.append(entry) }
        }
        collector.add(reader.collector.diagnostics)
        for entry in entries { collector.add(Template.check(entry.value)) }
        // What Ansible compares (`Role._get_hash_dict`): parameters, tags, conditions and variables.
        let counted: Set<String> = ["tags", "when", "vars"]
        let own = entries.filter { entry in
            counted.contains(entry.key) || parameters.contains { $0.key == entry.key }
        }
        request.identity = SourceValue(.map(own), span: nil).value.json(sortedKeys: true)
        request.variables = reader.directives.variables
        request.directives = reader.directives.withoutVariables.inside(outer)
        if !parameters.isEmpty {
            request.parameters = [
                VariableLayer(
                    .roleParameters, owner: text, map: SourceValue(.map(parameters), span: source.span))
            ]
        }
        return request
    }

    /// `meta/argument_specs.yml`, or `argument_specs` of `meta/main.yml`.
    private mutating func specifications(
        _ path: String, name: String, metadata: SourceValue?
    ) -> [String: ArgumentSpecification] {
        var source = metadata?["argument_specs"]
        for ending in VariableFiles.extensions {
            let file = Path.join(path, "meta/argument_specs.\(ending)")
            guard FileTree.isFile(file) else { continue }
            guard let document = collector.attempt({ try environment.document(file) }) else { return [:] }
            source = document["argument_specs"]
            break
        }
        guard let source, !source.isNull else { return [:] }
        var reader = ArgumentSpecificationReader(role: name)
        let specifications = reader.read(source)
        collector.add(reader.collector.diagnostics)
        return specifications
    }
}
