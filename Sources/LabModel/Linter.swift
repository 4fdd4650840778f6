import LabCore
import LabTemplate
import LabYAML

/// Finds what is wrong, and what is likely to be, in roles, playbooks, inventories and manifests.
package struct Linter: Sendable {
    private let catalog: any ModuleCatalog

    package init(catalog: any ModuleCatalog) { self.catalog = catalog }

    /// Everything that is to be said of the paths: the errors that loading them gives, and warnings. For a folder that is
    /// no role: its roles, inventories and playbooks.
    package func lint(_ paths: [String]) -> [Diagnostic] {
        var run = LintRun(catalog: catalog)
        for path in paths { run.path(path) }
        return run.collector.diagnostics
    }
}

/// One run of the linter.
struct LintRun {
    let catalog: any ModuleCatalog
    var collector = DiagnosticCollector()

    init(catalog: any ModuleCatalog) { self.catalog = catalog }

    mutating func path(_ path: String) {
        if FileTree.isDirectory(path) {
            folder(path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path)
        } else if FileTree.isFile(path) {
            file(path, isNamed: true)
        } else {
            collector.report("no such file or folder: \(path)")
        }
    }

    private static let roleParts = ["tasks", "handlers", "defaults", "meta"]

    private mutating func folder(_ path: String) {
        if Self.roleParts.contains(where: { FileTree.isDirectory(Path.join(path, $0)) }) {
            role(path)
            return
        }
        let names = FileTree.entries(path).filter { !$0.hasPrefix(".") }
        if ["group_vars", "host_vars"].contains(where: names.contains) { inventory(path, names: names) }
        for name in names {
            let entry = Path.join(path, name)
            if FileTree.isDirectory(entry) {
                if name == "group_vars" || name == "host_vars" { continue }
                if ["Roles", "roles", "Inventory", "inventory", "inventories", "ansible", "playbooks"].contains(name)
                    || Self.roleParts.contains(where: { FileTree.isDirectory(Path.join(entry, $0)) })
                {
                    folder(entry)
                }
            } else {
                file(entry, isNamed: false)
            }
        }
    }

    private mutating func role(_ path: String) {
        let finder = RoleFinder(
            directory: Self.project(of: path), additionalFolders: [Path.directory(path)])
        var reader = RoleReader(environment: LoadEnvironment(catalog: catalog, roles: finder))
        let request = RoleRequest(
            name: path.contains("/") ? path : "./\(path)", directory: Self.project(of: path))
        let role = reader.role(request)
        collector.add(reader.collector.diagnostics)
        nodes(reader.includedNodes)
        guard let role else { return }
        nodes(role.tasks)
        nodes(role.handlers)
        nodes(role.verify ?? [])
    }

    /// The folder that has the folder of roles.
    private static func project(of role: String) -> String { Path.directory(Path.directory(role)) }

    private mutating func inventory(_ path: String, names: [String]) {
        let isNamedSo = Path.name(path).lowercased().hasPrefix("inventor")
        let files = names.map { Path.join(path, $0) }.filter {
            FileTree.isFile($0) && looksLikeInventory($0, isExpected: isNamedSo)
        }
        for file in files { loadInventory(file) }
    }

    private mutating func loadInventory(_ path: String) {
        if let found = collector.attempt({ try InventoryLoader().load([path]) }) { collector.add(found.warnings) }
    }

    private func looksLikeInventory(_ path: String, isExpected: Bool = false) -> Bool {
        guard ["yml", "yaml", "ini", ""].contains(Path.fileExtension(path)) else { return false }
        if Path.fileExtension(path) == "ini" { return true }
        guard let file = try? FileTree.read(path) else { return false }
        if Path.fileExtension(path).isEmpty {
            var number = 1
            while let line = file.line(number), line.trimmed.isEmpty || line.hasPrefix("#") { number += 1 }
            return file.line(number).map { $0.hasPrefix("[") } ?? false
        }
        guard let document = try? YAML.load(file, schema: .ansible).first else { return false }
        return Self.isInventory(document) || (isExpected && document.entries != nil && document["kind"] == nil)
    }

    private static func isInventory(_ document: SourceValue) -> Bool {
        guard let groups = document.entries, !groups.isEmpty else { return false }
        let parts: Set<String> = ["hosts", "children", "vars"]
        return groups.allSatisfy { group in
            group.value.isNull || group.value.entries?.contains { parts.contains($0.key) } == true
        } && groups.contains { !$0.value.isNull }
    }

    private mutating func file(_ path: String, isNamed: Bool) {
        let ending = Path.fileExtension(path)
        if ending == "ini" || (ending.isEmpty && looksLikeInventory(path)) {
            loadInventory(path)
            return
        }
        guard VariableFiles.extensions.contains(ending) || isNamed else { return }
        guard ending != "json" || isNamed else { return }
        guard let file = collector.attempt({ try FileTree.read(path) }) else { return }
        let documents: [SourceValue]
        do {
            documents = try YAML.load(file, schema: .ansible)
        } catch {
            collector.add(error)
            return
        }
        guard let document = documents.first else { return }
        if documents.contains(where: { $0["apiVersion"] != nil && $0["kind"] != nil }) {
            collector.attempt { _ = try YAML.load(file, schema: .kubernetes) }
        } else if let items = document.list {
            list(items, path: path)
        } else if Self.isInventory(document) {
            loadInventory(path)
        } else {
            collector.add(Template.check(document))
        }
    }

    private mutating func list(_ items: [SourceValue], path: String) {
        let directory = Path.directory(path)
        let environment = LoadEnvironment(catalog: catalog, roles: RoleFinder(directory: directory))
        let isPlaybook = items.contains { item in
            item.entries?.contains { ["hosts", "import_playbook", CoreModule.importPlaybook].contains($0.key) } == true
        }
        if isPlaybook {
            var reader = PlaybookReader(environment: environment)
            let plays = reader.file(path, chain: [], outer: Directives())
            collector.add(reader.collector.diagnostics)
            nodes(reader.includedNodes)
            for play in plays {
                collector.add(play.notes)
                nodes(play.preTasks + play.roles.flatMap(\.tasks) + play.tasks + play.postTasks + play.handlers)
            }
        } else if items.contains(where: { $0.entries != nil }) {
            var reader = TaskReader(environment: environment)
            let tasks = reader.file(TaskContext(path: path, directory: directory))
            collector.add(reader.collector.diagnostics)
            nodes(tasks + reader.includedNodes)
        }
    }
}
