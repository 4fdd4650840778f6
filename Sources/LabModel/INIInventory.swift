import LabCore

/// Reads inventories in Ansible's INI form.
struct INIInventory {
    private enum Section: String { case hosts, children, vars }

    /// A group that a section mentions before it is declared.
    private struct Pending {
        let group: String
        let isChildOf: String?
        let span: SourceSpan
    }

    let file: SourceFile
    private var diagnostics: [Diagnostic] = []
    private var group = "ungrouped"
    /// nil below a header that cannot be read: what its lines are is not known.
    private var section: Section? = .hosts
    private var declared: Set<String> = ["all", "ungrouped"]
    private var pending: [Pending] = []

    init(file: SourceFile) { self.file = file }

    /// Adds the file's hosts and groups to the inventory.
    ///
    /// - Throws: `InputError` with every mistake of the file.
    mutating func read(into inventory: inout Inventory) throws(InputError) {
        var offset = 0
        for line in file.bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            readLine(String(decoding: line, as: UTF8.self), at: offset, into: &inventory)
            offset += line.count + 1
        }
        for entry in pending where !declared.contains(entry.group) {
            let message =
                entry.isChildOf.map { "the group '\(entry.group)', a child of '\($0)', is not declared" }
                ?? "variables for the group '\(entry.group)', which is not declared"
            report(
                message, entry.span,
                hint: nearestName(to: entry.group, among: declared.sorted()).map { "did you mean '\($0)'?" }
                    ?? "add a section [\(entry.group)]")
        }
        if !diagnostics.isEmpty { throw InputError(diagnostics) }
    }

    private mutating func report(_ message: String, _ span: SourceSpan?, hint: String? = nil) {
        diagnostics.append(Diagnostic(message, span: span, hint: hint))
    }

    private mutating func readLine(_ line: String, at offset: Int, into inventory: inout Inventory) {
        let indentation = line.utf8.prefix { $0 == 0x20 || $0 == 0x09 }.count
        let text = String(line.trimmed)
        guard let first = text.first, first != "#", first != ";" else { return }
        let start = offset + indentation
        let span = file.span(start..<start + text.utf8.count)
        if first == "[", let header = Self.header(text) {
            readHeader(header, span: span, into: &inventory)
        } else if first == "[", text.hasSuffix("]") {
            report(
                "'\(text)' is no section", span,
                hint: "write [group], [group:children] or [group:vars], with no spaces")
            section = nil
        } else if first == "[", !text.prefix(while: { $0 != "#" }).contains("]") {
            let header = text.dropFirst().prefix { $0 != "#" && !$0.isWhitespace }
            report("the section header is not closed", span, hint: "close it with ]: [\(header)]")
            section = nil
            // So that other sections which name the group are not mistakes, too.
            declared.insert(String(header.prefix { $0 != ":" }))
        } else {
            switch section {
            case .hosts: readHost(text, at: start, into: &inventory)
            case .vars: readVariable(text, at: start, into: &inventory)
            case .children: readChild(text, span: span, into: &inventory)
            case nil: break
            }
        }
    }

    /// `[name]` or `[name:kind]` with nothing but a comment after it.
    private static func header(_ text: String) -> (name: String, kind: String?)? {
        guard let close = text.firstIndex(of: "]") else { return nil }
        let rest = text[text.index(after: close)...].trimmed
        guard rest.isEmpty || rest.hasPrefix("#") else { return nil }
        let inside = text[text.index(after: text.startIndex)..<close]
        guard !inside.isEmpty, !inside.contains(where: \.isWhitespace) else { return nil }
        let parts = inside.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        return (String(parts[0]), parts.count == 2 ? String(parts[1]) : nil)
    }

    private mutating func readHeader(
        _ header: (name: String, kind: String?), span: SourceSpan, into inventory: inout Inventory
    ) {
        guard let kind = Section(rawValue: header.kind ?? "hosts") else {
            report(
                "[\(header.name):\(header.kind ?? "")] is of no kind that an inventory has", span,
                hint: nearestName(to: header.kind ?? "", among: ["children", "vars", "hosts"])
                    .map { "did you mean [\(header.name):\($0)]?" } ?? "write children or vars after the colon")
            section = nil
            return
        }
        group = header.name
        section = kind
        inventory.addGroup(group, span: span)
        guard kind != .vars else {
            pending.append(Pending(group: group, isChildOf: nil, span: span))
            return
        }
        // A child becomes one where it is declared, not where its parent names it: this decides the order of hosts.
        if declared.insert(group).inserted {
            for entry in pending where entry.group == group {
                if let parent = entry.isChildOf { add(group, to: parent, span: entry.span, in: &inventory) }
            }
        }
    }

    private mutating func add(
        _ child: String, to parent: String, span: SourceSpan, in inventory: inout Inventory
    ) {
        do {
            try inventory.addChild(child, to: parent, span: span)
        } catch {
            diagnostics += error.diagnostics
        }
    }

    private mutating func readHost(_ text: String, at start: Int, into inventory: inout Inventory) {
        let words: [ShellWord]
        do {
            words = try ShellWord.split(text, comments: true)
        } catch {
            report("the quote is not closed", file.span(start + error.offset..<start + error.offset + 1))
            return
        }
        guard let first = words.first else { return }
        let span = file.span(start + first.range.lowerBound..<start + first.range.upperBound)
        if first.text == "---" || (first.text.hasSuffix(":") && words.count == 1) {
            report(
                "'\(first.text)' is no host: the file looks like YAML", span, hint: "name the file with .yml at the end"
            )
            return
        }
        let names: [String]
        let port: Int?
        do {
            (names, port) = try HostRange.expand(first.text)
        } catch {
            report(error.message, span)
            return
        }
        for name in names {
            inventory.addHost(name, to: group, span: span, inventoryFile: file.path)
            if let port {
                inventory.setHostVariable(name, "ansible_port", SourceValue(.int(port), span: span), span: span)
            }
        }
        for word in words.dropFirst() {
            let place = file.span(start + word.range.lowerBound..<start + word.range.upperBound)
            guard let equals = word.text.firstIndex(of: "="), equals != word.text.startIndex else {
                report("expected name=value after the host, not '\(word.text)'", place)
                continue
            }
            let name = String(word.text[..<equals])
            let value = PythonLiteral.value(of: String(word.text[word.text.index(after: equals)...]))
            for host in names {
                inventory.setHostVariable(host, name, SourceValue(value, span: place), span: place)
            }
        }
    }

    private mutating func readVariable(_ text: String, at start: Int, into inventory: inout Inventory) {
        let span = file.span(start..<start + text.utf8.count)
        guard let equals = text.firstIndex(of: "=") else {
            report("expected name=value, not '\(text)'", span)
            return
        }
        let name = String(text[..<equals].trimmed)
        let value = PythonLiteral.value(of: String(text[text.index(after: equals)...].trimmed))
        inventory.setGroupVariable(group, name, SourceValue(value, span: span), span: span)
    }

    private mutating func readChild(_ text: String, span: SourceSpan, into inventory: inout Inventory) {
        let name = String(text.prefix { !$0.isWhitespace && $0 != "#" })
        let rest = text.dropFirst(name.count).trimmed
        guard !name.isEmpty, !name.contains(where: { $0 == ":" || $0 == "[" || $0 == "]" }),
            rest.isEmpty || rest.hasPrefix("#")
        else {
            report("expected the name of a group, not '\(text)'", span)
            return
        }
        if declared.contains(name) {
            add(name, to: group, span: span, in: &inventory)
        } else {
            pending.append(Pending(group: name, isChildOf: group, span: span))
        }
    }
}
