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
        if Self.isInventoryFolder(path) || ["group_vars", "host_vars"].contains(where: names.contains) {
            inventory(path, names: names)
        }
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
        templates(Path.join(path, "templates"))
        nodes(reader.includedNodes)
        guard let role else { return }
        nodes(role.tasks)
        nodes(role.handlers)
        nodes(role.verify ?? [])
        nodes(role.preflight)
    }

    /// What is wrong with the Jinja files of a folder. Only files that are named as such: other ones need not be Jinja.
    private mutating func templates(_ folder: String) {
        for name in FileTree.entries(folder) where !name.hasPrefix(".") {
            let path = Path.join(folder, name)
            if FileTree.isDirectory(path) {
                templates(path)
            } else if Path.fileExtension(name) == "j2", let file = collector.attempt({ try FileTree.read(path) }) {
                collector.add(Template.check(file: file))
            }
        }
    }

    /// The folder that has the folder of roles.
    private static func project(of role: String) -> String { Path.directory(Path.directory(role)) }

    private mutating func inventory(_ path: String, names: [String]) {
        let isExpected = Self.isInventoryFolder(path)
        let files = names.map { Path.join(path, $0) }.filter {
            FileTree.isFile($0) && looksLikeInventory($0, isExpected: isExpected)
        }
        for file in files { loadInventory(file) }
    }

    private static func isInventoryFolder(_ path: String) -> Bool {
        Path.name(path).lowercased().hasPrefix("inventor")
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
        return Self.isInventory(document, path: path)
            || (isExpected && document.entries != nil && document["kind"] == nil)
    }

    private static let groupParts = ["hosts", "children", "vars"]

    /// Whether the document is a map of groups. One key of each may be misspelt where it all stands below `all`, which
    /// no other file has.
    private static func isInventory(_ document: SourceValue, path: String) -> Bool {
        guard let groups = document.entries, groups.contains(where: { !$0.value.isNull }) else { return false }
        let mayBeMisspelt = document["all"] != nil && !isFileOfVariables(path)
        return groups.allSatisfy { group in
            group.value.isNull
                || group.value.entries?.contains { part in
                    groupParts.contains(part.key) || (mayBeMisspelt && isNearlyGroupPart(part))
                } == true
        }
    }

    private static func isNearlyGroupPart(_ entry: SourceValue.Entry) -> Bool {
        nearestName(to: entry.key, among: groupParts) != nil && (entry.value.isNull || entry.value.entries != nil)
    }

    /// Whether a file that the user names, and that looks like nothing else, is an inventory with a mistake in it.
    private static func isBrokenInventory(_ document: SourceValue, path: String) -> Bool {
        guard !isFileOfVariables(path), let groups = document.entries else { return false }
        if document["all"] != nil || isInventoryFolder(Path.directory(path)) { return true }
        return groups.contains { group in group.value.entries?.contains(where: isNearlyGroupPart) == true }
            && groups.allSatisfy { $0.value.isNull || $0.value.entries != nil }
    }

    /// Whether the file's folder says that variables or a role's own settings are in it.
    private static func isFileOfVariables(_ path: String) -> Bool {
        let folders = path.split(separator: "/").dropLast().suffix(2).map(String.init)
        return !Set(folders).isDisjoint(with: ["group_vars", "host_vars", "defaults", "vars", "meta"])
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
        } else if Self.isInventory(document, path: path) || (isNamed && Self.isBrokenInventory(document, path: path)) {
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
