import LabCore

/// Reads inventories in Ansible's YAML form.
struct YAMLInventory {
    let path: String
    private var diagnostics: [Diagnostic] = []

    init(path: String) { self.path = path }

    /// Adds the document's hosts and groups to the inventory.
    ///
    /// - Throws: `InputError` with every mistake of the file.
    mutating func read(_ document: SourceValue, into inventory: inout Inventory) throws(InputError) {
        guard let groups = document.entries else {
            let what =
                document.isNull ? "the inventory is empty" : "an inventory is a map of groups, not \(document.typeName)"
            throw InputError(what, span: document.span, hint: "begin with 'all:' and 'hosts:' below it")
        }
        if let plugin = document["plugin"] {
            throw InputError(
                "inventory plugins are not offered", span: plugin.span,
                hint: "write what 'ansible-inventory --list --yaml' prints into a file")
        }
        for entry in groups { readGroup(entry.key, entry.value, span: entry.keySpan, into: &inventory) }
        if !diagnostics.isEmpty { throw InputError(diagnostics) }
    }

    private mutating func report(_ message: String, _ span: SourceSpan?, hint: String? = nil) {
        diagnostics.append(Diagnostic(message, span: span, hint: hint))
    }

    private mutating func readGroup(
        _ name: String, _ value: SourceValue, span: SourceSpan?, into inventory: inout Inventory
    ) {
        inventory.addGroup(name, span: span)
        if value.isNull { return }
        guard let sections = value.entries else {
            report("the group '\(name)' needs a map with hosts, children or vars, not \(value.typeName)", value.span)
            return
        }
        for section in sections {
            if section.value.isNull { continue }
            switch section.key {
            case "vars":
                for variable in members(of: section, group: name) {
                    inventory.setGroupVariable(name, variable.key, variable.value, span: variable.keySpan)
                }
            case "children":
                for child in members(of: section, group: name) {
                    readGroup(child.key, child.value, span: child.keySpan, into: &inventory)
                    do {
                        try inventory.addChild(child.key, to: name, span: child.keySpan)
                    } catch {
                        diagnostics += error.diagnostics
                    }
                }
            case "hosts":
                for host in members(of: section, group: name) { readHost(host, group: name, into: &inventory) }
            default:
                let near = nearestName(to: section.key, among: ["hosts", "children", "vars"])
                report(
                    "a group has no '\(section.key)'", section.keySpan,
                    hint: near.map { "did you mean '\($0)'?" }
                        ?? "only hosts, children and vars; a group goes below children")
            }
        }
    }

    /// The entries of a section, which may also be a lone name.
    private mutating func members(of section: SourceValue.Entry, group: String) -> [SourceValue.Entry] {
        if let entries = section.value.entries { return entries }
        if let name = section.value.string, section.key != "vars" {
            return [
                SourceValue.Entry(
                    key: name, keySpan: section.value.span, value: SourceValue(.null, span: section.value.span))
            ]
        }
        let hint = section.value.list == nil ? nil : "write 'name:' instead of '- name'"
        report(
            "'\(section.key)' of the group '\(group)' needs a map, not \(section.value.typeName)", section.value.span,
            hint: hint)
        return []
    }

    private mutating func readHost(_ entry: SourceValue.Entry, group: String, into inventory: inout Inventory) {
        let names: [String]
        let port: Int?
        do {
            (names, port) = try HostRange.expand(entry.key)
        } catch {
            report(error.message, entry.keySpan)
            return
        }
        guard entry.value.isNull || entry.value.entries != nil else {
            report("the host '\(entry.key)' needs a map of variables, not \(entry.value.typeName)", entry.value.span)
            return
        }
        for name in names {
            inventory.addHost(name, to: group, span: entry.keySpan, inventoryFile: path)
            if let port {
                inventory.setHostVariable(
                    name, "ansible_port", SourceValue(.int(port), span: entry.keySpan), span: entry.keySpan)
            }
            for variable in entry.value.entries ?? [] {
                inventory.setHostVariable(name, variable.key, variable.value, span: variable.keySpan)
            }
        }
    }
}
