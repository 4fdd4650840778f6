import LabCore

/// `replace`: every match of an expression in a file (ansible/modules/replace.py).
package struct ReplaceModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.replace",
        parameters: [
            .init("path", .path, aliases: ["dest", "destfile", "name"], required: true),
            .init("regexp", required: true), .init("replace", default: ""), .init("after"), .init("before"),
            .init("backup", .bool, default: false), .init("validate"), .init("encoding", default: "utf-8"),
        ] + WantedAttributes.parameters)

    package init() {}

    package func mayRepeat(_ call: ModuleCall) -> Bool { true }

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        let file = try await EditedFile(call, needsFile: true, in: context)
        let text = String(decoding: file.text.bytes, as: UTF8.self)
        guard let section = try section(of: text, call) else {
            return Plan(.nothing, values: ["msg": "Pattern for before/after params did not match the given file"])
        }
        let pattern = try LinePattern(call["regexp"]?.string ?? "", parameter: "regexp", call)
        let (replaced, count) = pattern.replaceAll(in: text[section], with: call["replace"]?.string ?? "")
        let edited = text[..<section.lowerBound] + replaced + text[section.upperBound...]
        return try await file.plan(
            TextLines(Array(edited.utf8)), call, message: "\(count) replacements made", in: context)
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        try await EditedFile.apply(plan, call, in: context)
    }

    /// The part of the text between `after` and `before`; nil when one of them matches nothing.
    private func section(of text: String, _ call: ModuleCall) throws(ModuleError) -> Range<String.Index>? {
        var start = text.startIndex
        var end = text.endIndex
        if let after = call["after"]?.string {
            guard let range = try LinePattern(after, parameter: "after", call).firstRange(in: text[...]) else {
                return nil
            }
            start = range.upperBound
        }
        if let before = call["before"]?.string {
            guard let range = try LinePattern(before, parameter: "before", call).firstRange(in: text[start...]) else {
                return nil
            }
            end = range.lowerBound
        }
        return start..<end
    }
}
