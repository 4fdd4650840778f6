import LabCore

/// `lineinfile`: one line of a text file. The rules are those of ansible/modules/lineinfile.py, case by case.
package struct LineInFileModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.lineinfile",
        parameters: [
            .init("path", .path, aliases: ["dest", "destfile", "name"], required: true),
            .init("state", choices: ["absent", "present"], default: "present"),
            .init("regexp", aliases: ["regex"]), .init("search_string"), .init("line", aliases: ["value"]),
            .init("insertafter"), .init("insertbefore"), .init("backrefs", .bool, default: false),
            .init("create", .bool, default: false), .init("backup", .bool, default: false),
            .init("firstmatch", .bool, default: false), .init("validate"), .init("encoding", default: "utf-8"),
        ] + WantedAttributes.parameters)

    package init() {}

    package func mayRepeat(_ call: ModuleCall) -> Bool { true }

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        let isPresent = call["state"]?.string != "absent"
        try check(call, isPresent: isPresent)
        let file = try await EditedFile(call, needsFile: isPresent, in: context)
        if !isPresent, !file.status.exists {
            return Plan(.nothing, values: ["msg": "file not present", "found": 0, "backup": ""])
        }
        let search = try Search(call)
        var edited = file.text
        if isPresent {
            let message = try LineEdit(call, search: search).apply(to: &edited)
            return try await file.plan(edited, call, message: message, in: context)
        }
        let line = call["line"]?.string
        let kept = file.text.lines.indices.filter { index in
            !(search?.matches(file.text.lines[index]) ?? (file.text.text(index) == line))
        }
        let found = file.text.lines.count - kept.count
        edited.lines = kept.map { file.text.lines[$0] }
        var plan = try await file.plan(edited, call, message: "\(found) line(s) removed", in: context)
        plan.values["found"] = .int(found)
        return plan
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        try await EditedFile.apply(plan, call, in: context)
    }

    private func check(_ call: ModuleCall, isPresent: Bool) throws(ModuleError) {
        func wrong(_ message: String) -> ModuleError { ModuleError(message, span: call.span, failureClass: .input) }
        if call["regexp"] != nil, call["search_string"] != nil {
            throw wrong("lineinfile takes regexp or search_string, not both")
        }
        if call["insertafter"] != nil, call["insertbefore"] != nil {
            throw wrong("lineinfile takes insertafter or insertbefore, not both")
        }
        if isPresent, call["line"] == nil { throw wrong("lineinfile needs line for state: present") }
        if call["backrefs"]?.bool == true, call["regexp"] == nil { throw wrong("backrefs needs regexp") }
        if !isPresent, call["line"] == nil, call["regexp"] == nil, call["search_string"] == nil {
            throw wrong("lineinfile needs line, regexp or search_string for state: absent")
        }
    }
}

/// What `regexp` or `search_string` looks for.
private struct Search {
    var pattern: LinePattern?
    var text: String?

    /// Nil when the call has neither.
    init?(_ call: ModuleCall) throws(ModuleError) {
        pattern = try call["regexp"]?.string.map { text throws(ModuleError) in
            try LinePattern(text, parameter: "regexp", call)
        }
        text = call["search_string"]?.string
        if pattern == nil, text == nil { return nil }
    }

    func matches(_ line: String) -> Bool {
        pattern?.matches(line) ?? text.map { line.contains($0) } ?? false
    }
}

/// Puts a line where it belongs.
private struct LineEdit {
    let line: String
    let search: Search?
    let backrefs: Bool
    let firstMatch: Bool
    let after: String?
    let before: String?
    private let place: LinePattern?

    init(_ call: ModuleCall, search: Search?) throws(ModuleError) {
        line = call["line"]?.string ?? ""
        self.search = search
        backrefs = call["backrefs"]?.bool ?? false
        firstMatch = call["firstmatch"]?.bool ?? false
        after = call["insertafter"]?.string
        before = call["insertbefore"]?.string
        if let after, after != "BOF", after != "EOF" {
            place = try LinePattern(after, parameter: "insertafter", call)
        } else if let before, before != "BOF" {
            place = try LinePattern(before, parameter: "insertbefore", call)
        } else {
            place = nil
        }
    }

    /// Changes the lines; gives Ansible's message.
    func apply(to text: inout TextLines) -> String {
        let indices = text.lines.indices
        let matching = search.map { search in indices.filter { search.matches(text.lines[$0]) } } ?? []
        if let index = firstMatch ? matching.first : matching.last {
            let replaced = backrefs ? search?.pattern?.expand(line, matching: text.lines[index]) ?? line : line
            text.lines[index] = replaced.hasSuffix("\n") ? replaced : replaced + "\n"
            return "line replaced"
        }
        let (exact, insertion) = positions(in: text)
        if let exact {
            // A line that is there already stays; only a missing break at the end of the file is added.
            text.lines[exact] = line.hasSuffix("\n") ? line : line + "\n"
            return "line replaced"
        }
        if backrefs { return "" }
        if before == "BOF" || after == "BOF" {
            text.lines.insert(line + "\n", at: 0)
        } else if let insertion, after != "EOF" {
            if insertion == text.lines.count { text.endLastLine() }
            text.lines.insert(line + "\n", at: insertion)
        } else {
            text.endLastLine()
            text.lines.append(line + "\n")
        }
        return "line added"
    }

    /// The last line that is the wanted one, and where the place to insert is.
    private func positions(in text: TextLines) -> (exact: Int?, insertion: Int?) {
        var exact: Int?
        var insertion: Int?
        for index in text.lines.indices {
            if text.text(index) == line {
                exact = index
            } else if let place, place.matches(text.lines[index]) {
                insertion = after != nil ? index + 1 : index
                if firstMatch { break }
            }
        }
        return (exact, insertion)
    }
}
