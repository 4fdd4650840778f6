import LabCore
import LabTransport

/// `template`: a Jinja file of the role, rendered with the host's variables.
package struct TemplateModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.template",
        parameters: [
            .init("src", .path, required: true), .init("dest", .path, required: true),
            .init("backup", .bool, default: false), .init("force", .bool, default: true),
            .init("follow", .bool, default: false), .init("validate"),
            .init("trim_blocks", .bool, default: true), .init("lstrip_blocks", .bool, default: false),
            .init("newline_sequence", choices: ["\n", "\r", "\r\n", "\\n", "\\r", "\\r\\n"], default: "\n"),
            .init("variable_start_string"), .init("variable_end_string"), .init("block_start_string"),
            .init("block_end_string"), .init("comment_start_string"), .init("comment_end_string"),
            .init("output_encoding", choices: ["utf-8", "UTF-8", "utf8"], default: "utf-8"),
        ] + WantedAttributes.parameters)

    package init() {}

    package func mayRepeat(_ call: ModuleCall) -> Bool { true }

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        let written = call["src"]?.string ?? ""
        let source = try context.localFile(written, span: call.source["src"]?.span ?? call.span)
        let destination = call["dest"]?.string ?? ""
        let bytes = try render(source, written: written, destination: destination, call, in: context)
        let inside =
            destination.hasSuffix("/") ? destination + baseName(of: source) : "\(destination)/\(baseName(of: source))"
        let found = try await context.status(
            of: [destination, inside], FileQuery(followsLinks: true, checksum: "sha1"))
        let isInside = destination.hasSuffix("/") || found[0].kind == .directory
        let file = ContentFile(
            path: isInside ? inside : destination, bytes: bytes, attributes: try WantedAttributes(call),
            sourceMode: LocalFiles.status(source)?.mode, status: isInside ? found[1] : found[0])
        var values = file.values
        values["src"] = .string(source)
        if call["force"]?.bool == false, file.status.exists { return Plan(.nothing, values: values) }
        guard let change = try await file.change(in: context) else { return Plan(.nothing, values: values) }
        return Plan(.changes([change]), values: values, payload: file)
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        guard let file = plan.payload as? ContentFile, case .changes(let changes) = plan.verdict else {
            return ModuleResult(changed: false, values: plan.values)
        }
        let backup = try await file.write(
            in: context, backup: call["backup"]?.bool ?? false, validation: call["validate"]?.string,
            follow: call["follow"]?.bool ?? false)
        var values: ValueMap = [:]
        if let backup { values["backup_file"] = .string(backup) }
        return ModuleResult(changed: true, values: values, changes: changes)
    }

    private func render(
        _ source: String, written: String, destination: String, _ call: ModuleCall, in context: ModuleContext
    ) throws -> [UInt8] {
        func markers(_ name: String, _ start: String, _ end: String) -> (start: String, end: String)? {
            let first = call["\(name)_start_string"]?.string
            let last = call["\(name)_end_string"]?.string
            return first == nil && last == nil ? nil : (first ?? start, last ?? end)
        }
        let variables: ValueMap = [
            "ansible_managed": "Ansible managed", "template_path": .string(written),
            "template_fullpath": .string(source), "template_destpath": .string(destination),
        ]
        let format = TemplateFormat(
            trimsBlocks: call["trim_blocks"]?.bool ?? true,
            stripsBeforeBlocks: call["lstrip_blocks"]?.bool ?? false,
            variableMarkers: markers("variable", "{{", "}}"), blockMarkers: markers("block", "{%", "%}"),
            commentMarkers: markers("comment", "{#", "#}"), variables: variables)
        let text = try context.renderFile(String(decoding: LocalFiles.read(source), as: UTF8.self), source, format)
        let ending = (call["newline_sequence"]?.string ?? "\n").replacing("\\r", with: "\r").replacing(
            "\\n", with: "\n")
        return Array((ending == "\n" ? text : text.replacing("\n", with: ending)).utf8)
    }
}
