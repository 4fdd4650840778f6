import LabCore

/// `blockinfile`: lines between two markers (ansible/modules/blockinfile.py).
package struct BlockInFileModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.blockinfile",
        parameters: [
            .init("path", .path, aliases: ["dest", "destfile", "name"], required: true),
            .init("state", choices: ["absent", "present"], default: "present"),
            .init("block", aliases: ["content"], default: ""),
            .init("marker", default: "# {mark} ANSIBLE MANAGED BLOCK"),
            .init("marker_begin", default: "BEGIN"), .init("marker_end", default: "END"), .init("insertafter"),
            .init("insertbefore"), .init("create", .bool, default: false), .init("backup", .bool, default: false),
            .init("validate"), .init("append_newline", .bool, default: false),
            .init("prepend_newline", .bool, default: false), .init("encoding", default: "utf-8"),
        ] + WantedAttributes.parameters)

    package init() {}

    package func mayRepeat(_ call: ModuleCall) -> Bool { true }

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        if call["insertafter"] != nil, call["insertbefore"] != nil {
            throw ModuleError(
                "blockinfile takes insertafter or insertbefore, not both", span: call.span, failureClass: .input)
        }
        let isPresent = call["state"]?.string != "absent"
        let file = try await EditedFile(call, needsFile: isPresent, in: context)
        if !isPresent, !file.status.exists {
            return Plan(.nothing, values: ["msg": .string("File \(file.path) not present")])
        }
        var edited = file.text
        let hasBlock = try insert(call, isPresent: isPresent, into: &edited)
        let message = !file.status.exists ? "File created" : hasBlock ? "Block inserted" : "Block removed"
        return try await file.plan(edited, call, message: message, in: context)
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        try await EditedFile.apply(plan, call, in: context)
    }

    /// Replaces, adds or removes the block; says whether there is one now.
    private func insert(_ call: ModuleCall, isPresent: Bool, into text: inout TextLines) throws(ModuleError) -> Bool {
        let marker = call["marker"]?.string ?? ""
        let begin = marker.replacing("{mark}", with: call["marker_begin"]?.string ?? "BEGIN") + "\n"
        let end = marker.replacing("{mark}", with: call["marker_end"]?.string ?? "END") + "\n"
        var block = call["block"]?.string ?? ""
        if !block.isEmpty, !block.hasSuffix("\n") { block += "\n" }
        let hasBlock = isPresent && !block.isEmpty
        let inserted = hasBlock ? [begin] + TextLines(Array(block.utf8)).lines + [end] : []

        var position: Int
        if let first = text.lines.lastIndex(of: begin), let last = text.lines.lastIndex(of: end) {
            position = min(first, last)
            text.lines.removeSubrange(position...max(first, last))
        } else {
            position = try place(call, in: text)
        }
        if position > 0, !text.lines[position - 1].unicodeScalars.reversed().starts(with: ["\n"]) {
            text.lines[position - 1] += "\n"
        }
        if call["prepend_newline"]?.bool == true, isPresent, position != 0, text.lines[position - 1] != "\n" {
            text.lines.insert("\n", at: position)
            position += 1
        }
        text.lines.insert(contentsOf: inserted, at: position)
        let following = position + inserted.count
        if call["append_newline"]?.bool == true, isPresent, following < text.lines.count, text.lines[following] != "\n"
        {
            text.lines.insert("\n", at: following)
        }
        return hasBlock
    }

    /// Where a block goes that is not there yet.
    private func place(_ call: ModuleCall, in text: TextLines) throws(ModuleError) -> Int {
        if let after = call["insertafter"]?.string, after != "EOF" {
            let pattern = try LinePattern(after, parameter: "insertafter", call)
            return text.lines.lastIndex { pattern.matches($0) }.map { $0 + 1 } ?? text.lines.count
        }
        guard let before = call["insertbefore"]?.string else { return text.lines.count }
        if before == "BOF" { return 0 }
        let pattern = try LinePattern(before, parameter: "insertbefore", call)
        return text.lines.lastIndex { pattern.matches($0) } ?? text.lines.count
    }
}
