import LabCore
import LabYAML

/// `include_vars`: variables from files of the laptop.
package struct IncludeVarsModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.include_vars",
        parameters: [
            .init("file", .path), .init("dir", .path), .init("name"), .init("depth", .int, default: 0),
            .init("files_matching"), .init("ignore_files", .list, default: []),
            .init("extensions", .list, default: ["yaml", "yml", "json"]),
            .init("ignore_unknown_extensions", .bool, default: false),
            .init("hash_behaviour", choices: ["replace", "merge"]),
        ], takesFreeForm: true, runsOnController: true)

    package init() {}

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan { Plan(.readOnly) }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        var entries: [SourceValue.Entry] = []
        var included: [String] = []
        for path in try files(call, in: context) {
            let file = SourceFile(path: path, bytes: try LocalFiles.read(path))
            for document in try YAML.load(file, schema: .ansible) {
                switch document.content {
                case .null: continue
                case .map(let new):
                    let names = Set(new.map(\.key))
                    entries.removeAll { names.contains($0.key) }
                    entries += new
                default:
                    throw ModuleError(
                        "\(path) holds \(document.typeName), not a map of variables", span: document.span,
                        failureClass: .input)
                }
            }
            included.append(path)
        }
        if let name = call["name"]?.string {
            let all = SourceValue(.map(entries), span: call.span)
            entries = [SourceValue.Entry(key: name, keySpan: call.source["name"]?.span, value: all)]
        }
        let facts = ValueMap(entries.map { ($0.key, $0.value.value) }, uniquingKeysWith: { _, last in last })
        return ModuleResult(
            changed: false,
            values: [
                "ansible_facts": .map(facts), "ansible_included_var_files": .list(included.map { .string($0) }),
            ], variables: .included(entries))
    }

    private func files(_ call: ModuleCall, in context: ModuleContext) throws -> [String] {
        if let path = call["file"]?.string ?? call.freeForm {
            guard call["dir"] == nil else {
                throw ModuleError("include_vars takes a file or a dir, not both", span: call.span, failureClass: .input)
            }
            return [try context.localFile(path, span: call.source["file"]?.span ?? call.span)]
        }
        guard let folder = call["dir"]?.string else {
            throw ModuleError("include_vars needs a file or a dir", span: call.span, failureClass: .input)
        }
        let root = try context.localFile(folder, span: call.source["dir"]?.span ?? call.span)
        let extensions = Set((call["extensions"]?.list ?? []).compactMap(\.string))
        let ignored = Set((call["ignore_files"]?.list ?? []).compactMap(\.string))
        let pattern = try call["files_matching"]?.string.map { text throws(ModuleError) in
            try LinePattern(text, parameter: "files_matching", call)
        }
        let depth = call["depth"]?.int ?? 0
        var found: [String] = []
        func walk(_ folder: String, level: Int) throws {
            let names = try LocalFiles.names(in: folder)
            for name in names
            where !ignored.contains(name) && LocalFiles.status("\(folder)/\(name)")?.isDirectory == false {
                let suffix = name.split(separator: ".").dropFirst().last.map(String.init) ?? ""
                if let pattern, !pattern.matches(name) { continue }
                if extensions.contains(suffix) {
                    found.append("\(folder)/\(name)")
                } else if call["ignore_unknown_extensions"]?.bool != true {
                    throw ModuleError(
                        "\(folder)/\(name) does not end with \(extensions.sorted().map { "." + $0 }.joined(separator: ", "))",
                        span: call.span, hint: "give ignore_unknown_extensions: true to pass over such files")
                }
            }
            guard depth == 0 || level < depth else { return }
            for name in names where LocalFiles.status("\(folder)/\(name)")?.isDirectory == true {
                try walk("\(folder)/\(name)", level: level + 1)
            }
        }
        try walk(root, level: 1)
        return found
    }
}
