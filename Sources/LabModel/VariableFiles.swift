import LabCore
import LabYAML

/// Finds and reads files of variables as Ansible does: `all`, `all.yml`, `all.yaml`, `all.json` or a folder `all/`.
enum VariableFiles {
    static let extensions = ["yml", "yaml", "json"]

    /// The files for a name in a folder, in the order in which they are merged. The first of the forms that is there
    /// counts (`DataLoader.find_vars_files`).
    static func find(_ name: String, in folder: String) -> [String] {
        for candidate in [name] + extensions.map({ "\(name).\($0)" }) {
            let path = Path.join(folder, candidate)
            if FileTree.isDirectory(path) { return filesBelow(path) }
            if FileTree.isFile(path) { return [path] }
        }
        return []
    }

    private static func filesBelow(_ folder: String) -> [String] {
        var found: [String] = []
        for name in FileTree.entries(folder) where !name.hasPrefix(".") && !name.hasSuffix("~") {
            let path = Path.join(folder, name)
            let suffix = Path.fileExtension(name)
            if suffix.isEmpty, FileTree.isDirectory(path) {
                found += filesBelow(path)
            } else if suffix.isEmpty || extensions.contains(suffix), FileTree.isFile(path) {
                found.append(path)
            }
        }
        return found
    }

    /// The variables of a file.
    ///
    /// - Throws: `YAMLError`; `InputError` when the file cannot be read or holds something else than a map.
    static func load(_ path: String, level: Origin.Level, owner: String?) throws -> VariableLayer {
        let document = try YAMLFile.document(path)
        if document.isNull { return VariableLayer(level) }
        guard document.entries != nil else {
            throw InputError(
                "a file of variables is a map of names and values, not \(document.typeName)", span: document.span)
        }
        return VariableLayer(level, owner: owner, map: document)
    }

    /// Everything in `group_vars/` and `host_vars/` of a folder for the given names; nil when there is nothing.
    static func folder(
        _ path: String, groups: some Sequence<String>, hosts: some Sequence<String>, isPlaybook: Bool,
        collector: inout DiagnosticCollector
    ) -> VariableFolder? {
        var folder = VariableFolder(path: path)
        let groupFolder = Path.join(path, "group_vars")
        if FileTree.isDirectory(groupFolder) {
            for group in groups {
                let level: Origin.Level =
                    switch (group == "all", isPlaybook) {
                    case (true, false): .inventoryGroupVarsAll
                    case (true, true): .playbookGroupVarsAll
                    case (false, false): .inventoryGroupVars
                    case (false, true): .playbookGroupVars
                    }
                folder.groups[group] = layers(
                    group, in: groupFolder, level: level, owner: group == "all" ? nil : group, collector: &collector)
            }
        }
        let hostFolder = Path.join(path, "host_vars")
        if FileTree.isDirectory(hostFolder) {
            for host in hosts {
                folder.hosts[host] = layers(
                    host, in: hostFolder, level: isPlaybook ? .playbookHostVars : .inventoryHostVars, owner: host,
                    collector: &collector)
            }
        }
        return folder.groups.isEmpty && folder.hosts.isEmpty ? nil : folder
    }

    private static func layers(
        _ name: String, in folder: String, level: Origin.Level, owner: String?, collector: inout DiagnosticCollector
    ) -> [VariableLayer]? {
        let layers = find(name, in: folder).compactMap { path in
            collector.attempt { try load(path, level: level, owner: owner) }
        }
        return layers.isEmpty ? nil : layers
    }
}

/// Reads of the user's YAML files.
enum YAMLFile {
    /// The one document of a file under Ansible's schema; null for an empty file.
    ///
    /// - Throws: `YAMLError`; `InputError` when the file cannot be read, has several documents or is encrypted.
    static func document(_ path: String) throws -> SourceValue {
        try document(FileTree.read(path))
    }

    static func document(_ file: SourceFile) throws -> SourceValue {
        if file.bytes.starts(with: "$ANSIBLE_VAULT;".utf8) {
            throw InputError(
                "the file is encrypted with Ansible Vault, which labctl does not open", span: file.span(0..<14),
                hint: "decrypt it, or give its variables with '-e @FILE'")
        }
        let documents = try YAML.load(file, schema: .ansible)
        guard documents.count <= 1 else {
            throw InputError(
                "expected one document, the file has \(documents.count)", span: documents[1].span,
                hint: "remove the '---' in the middle")
        }
        return documents.first ?? SourceValue(.null, span: nil)
    }
}
