import LabCore
import LabYAML

/// Reads inventories: files in YAML or INI, folders of them, lists of hosts, and what Vagrant says of its machines.
package struct InventoryLoader: Sendable {
    /// Runs a program on the laptop in a folder and gives its standard output.
    package typealias CommandRunner = @Sendable (_ arguments: [String], _ directory: String) throws -> String

    private let runner: CommandRunner?
    private let workingDirectory: String

    /// - Parameters:
    ///   - workingDirectory: where `vagrant ssh-config` is run.
    ///   - runner: needed for `-i vagrant` only.
    package init(workingDirectory: String = ".", runner: CommandRunner? = nil) {
        self.workingDirectory = workingDirectory
        self.runner = runner
    }

    /// Reads inventories one after the other into one, with the `group_vars/` and `host_vars/` beside each.
    ///
    /// - Parameter sources: paths, `host,` lists, or the word `vagrant`.
    /// - Throws: `InputError` with every mistake of all files.
    package func load(_ sources: [String]) throws(InputError) -> Inventory {
        var inventory = Inventory()
        var collector = DiagnosticCollector()
        for source in sources { read(source, into: &inventory, collector: &collector) }
        inventory.reconcile()
        for source in sources where FileTree.exists(source) {
            let folder = FileTree.isDirectory(source) ? source : Path.directory(source)
            let files = VariableFiles.folder(
                folder, groups: inventory.groups.keys, hosts: inventory.hosts.keys, isPlaybook: false,
                collector: &collector)
            if let files { inventory.add(files) }
        }
        checkNames(inventory, collector: &collector)
        inventory.warnings += collector.diagnostics.filter { $0.severity != .error }
        try collector.throwIfAny()
        return inventory
    }

    /// Whether a source says only how machines are reached: `vagrant`, or a file with what `vagrant ssh-config` prints.
    package func isSSHConfiguration(_ source: String) -> Bool {
        if FileTree.isFile(source) {
            return (try? FileTree.read(source)).map { Self.form(of: $0) == .sshConfiguration } ?? false
        }
        return source == "vagrant" && !FileTree.exists(source)
    }

    /// The inventory with the `group_vars/` and `host_vars/` beside a playbook or in a project's folder; nothing is added
    /// for a folder that was read as the inventory's own.
    ///
    /// - Throws: `InputError` with every mistake of the files.
    package func addingVariables(
        besidePlaybook directory: String, to inventory: Inventory
    ) throws(InputError) -> Inventory {
        var collector = DiagnosticCollector()
        let files = VariableFiles.folder(
            directory, groups: inventory.groups.keys, hosts: inventory.hosts.keys, isPlaybook: true,
            collector: &collector)
        try collector.throwIfAny()
        guard let files else { return inventory }
        var result = inventory
        result.add(files)
        return result
    }

    private func checkNames(_ inventory: Inventory, collector: inout DiagnosticCollector) {
        for name in inventory.hosts.keys {
            guard let group = inventory.group(name) else { continue }
            collector.add([
                Diagnostic(
                    "'\(name)' is the name of a host and of a group", span: inventory.host(name)?.span,
                    notes: [Diagnostic.Note("the group is here", span: group.span)], severity: .warning)
            ])
        }
    }

    private func read(_ source: String, into inventory: inout Inventory, collector: inout DiagnosticCollector) {
        if FileTree.isDirectory(source) {
            inventory.addSource(source)
            readFolder(source, into: &inventory, collector: &collector)
        } else if FileTree.exists(source) {
            inventory.addSource(source)
            readFile(source, into: &inventory, collector: &collector)
        } else if source.contains(",") {
            readList(source, into: &inventory, collector: &collector)
        } else if source == "vagrant" {
            readVagrant(into: &inventory, collector: &collector)
        } else {
            let folder = Path.directory(source)
            let near = nearestName(to: Path.name(source), among: FileTree.entries(folder))
            collector.report(
                "no such inventory: \(source)",
                hint: near.map { "did you mean '\(Path.join(folder, $0))'?" }
                    ?? "for a list of hosts add a comma: '\(source),'")
        }
    }

    /// What a folder's files with these names and endings are not (`INVENTORY_IGNORE_EXTS` of Ansible).
    private static let ignoredSuffixes = [
        ".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry",
    ]
    private static let ignoredNames: Set<String> = ["host_vars", "group_vars", "vars_plugins"]

    private func readFolder(_ path: String, into inventory: inout Inventory, collector: inout DiagnosticCollector) {
        for name in FileTree.entries(path) {
            if name.hasPrefix(".") || Self.ignoredNames.contains(name) { continue }
            if Self.ignoredSuffixes.contains(where: name.hasSuffix) { continue }
            let entry = Path.join(path, name)
            if FileTree.isDirectory(entry) {
                readFolder(entry, into: &inventory, collector: &collector)
            } else {
                readFile(entry, into: &inventory, collector: &collector)
            }
        }
    }

    private func readFile(_ path: String, into inventory: inout Inventory, collector: inout DiagnosticCollector) {
        guard let file = collector.attempt({ try FileTree.read(path) }) else { return }
        if file.bytes.starts(with: "#!".utf8), FileTree.isExecutable(path) {
            collector.report(
                "\(path) is a program: labctl runs no inventory scripts", span: file.span(0..<2),
                hint: "write what 'ansible-inventory -i \(path) --list --yaml' prints into a file")
            return
        }
        collector.attempt {
            switch Self.form(of: file) {
            case .yaml:
                var reader = YAMLInventory(path: path)
                try reader.read(try YAMLFile.document(file), into: &inventory)
            case .ini:
                var reader = INIInventory(file: file)
                try reader.read(into: &inventory)
            case .sshConfiguration:
                try VagrantInventory(file: file).read(into: &inventory)
            }
        }
    }

    private enum Form { case yaml, ini, sshConfiguration }

    /// By the file's ending, or else by its first line that is no comment.
    private static func form(of file: SourceFile) -> Form {
        if VariableFiles.extensions.contains(Path.fileExtension(file.path)) { return .yaml }
        var number = 1
        while let line = file.line(number) {
            number += 1
            let text = line.trimmed
            if text.isEmpty || text.hasPrefix("#") || text.hasPrefix(";") { continue }
            if text.hasPrefix("---") || text.hasPrefix("{") { return .yaml }
            if text.lowercased().hasPrefix("host ") { return .sshConfiguration }
            if text.hasPrefix("["), text.hasSuffix("]") { return .ini }
            let key = text.prefix { $0 != "#" }.trimmed
            return key.hasSuffix(":") && !key.contains("=") ? .yaml : .ini
        }
        return .ini
    }

    private func readList(_ list: String, into inventory: inout Inventory, collector: inout DiagnosticCollector) {
        let file = SourceFile(path: "<command line>", text: list)
        let span = file.span(0..<file.bytes.count)
        for part in list.split(separator: ",") {
            let text = String(part.trimmed)
            if text.isEmpty { continue }
            do {
                let (names, port) = try HostRange.expand(text)
                for name in names {
                    inventory.addHost(name, to: "ungrouped", span: span, inventoryFile: nil)
                    if let port {
                        inventory.setHostVariable(name, "ansible_port", SourceValue(.int(port), span: span), span: span)
                    }
                }
            } catch {
                collector.report(error.message, span: span)
            }
        }
    }

    private func readVagrant(into inventory: inout Inventory, collector: inout DiagnosticCollector) {
        collector.attempt {
            guard let runner else { throw InputError("no such inventory: vagrant") }
            let text = try runner(["vagrant", "ssh-config"], workingDirectory)
            let file = SourceFile(path: "<vagrant ssh-config>", text: text)
            inventory.addSource("vagrant")
            try VagrantInventory(file: file).read(into: &inventory)
        }
    }
}
