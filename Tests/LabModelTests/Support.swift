import LabCore
import LabModel
import LabTemplate

/// The folder of the fixtures.
let fixtures = String(#filePath.dropLast("Support.swift".count)) + "Fixtures"

/// A few modules, enough for the tests.
struct TestCatalog: ModuleCatalog {
    private static let signatures: [ModuleSignature] = [
        ModuleSignature(
            "ansible.builtin.copy",
            parameters: [
                .init("src"), .init("dest", aliases: ["path"], required: true), .init("content"), .init("mode"),
                .init("owner"),
            ]),
        ModuleSignature(
            "ansible.builtin.command",
            parameters: [.init("cmd"), .init("argv"), .init("creates"), .init("chdir"), .init("removes")],
            takesFreeForm: true),
        ModuleSignature(
            "ansible.builtin.shell", parameters: [.init("cmd"), .init("creates"), .init("chdir")], takesFreeForm: true),
        ModuleSignature("ansible.builtin.debug", parameters: [.init("msg"), .init("var"), .init("verbosity")]),
        ModuleSignature("ansible.builtin.set_fact", takesAnyParameter: true),
        ModuleSignature(
            "ansible.builtin.include_vars", parameters: [.init("file"), .init("dir")], takesFreeForm: true),
        ModuleSignature(
            "ansible.builtin.assert",
            parameters: [.init("that", required: true), .init("fail_msg"), .init("quiet")]),
        ModuleSignature(
            "ansible.builtin.file",
            parameters: [
                .init("path", aliases: ["dest"], required: true),
                .init("state", choices: ["file", "directory", "absent", "touch"]), .init("mode"),
            ]),
        ModuleSignature(
            "kubernetes.core.k8s",
            parameters: [.init("src"), .init("definition"), .init("state", choices: ["present", "absent"])]),
    ]

    func specification(named name: String) -> ModuleSignature? {
        Self.signatures.first {
            $0.canonicalName == name || $0.canonicalName.split(separator: ".").last.map(String.init) == name
        }
    }

    var names: [String] {
        Self.signatures.flatMap {
            [$0.canonicalName, $0.canonicalName.split(separator: ".").last.map(String.init) ?? ""]
        }
    }
}

/// The tasks of a text, as a file of a project without roles.
struct TestProject {
    let directory: String

    /// Writes files into a new folder below the system's temporary one.
    init(_ files: [String: String]) throws {
        directory = try makeTemporaryDirectory()
        for (name, text) in files { try writeFile("\(directory)/\(name)", text) }
    }

    var finder: RoleFinder { RoleFinder(directory: directory) }
    var roles: RoleLoader { RoleLoader(catalog: TestCatalog(), finder: finder) }
    var playbooks: PlaybookLoader { PlaybookLoader(catalog: TestCatalog(), finder: finder) }

    func path(_ name: String) -> String { "\(directory)/\(name)" }
    func remove() { removeDirectory(directory) }
}

/// A scope with variables as a file would have them.
func scope(
    _ values: ValueMap = [:], level: Origin.Level = .playVars, inventory: Inventory = Inventory(), host: String? = nil
) -> LabModel.VariableScope {
    var layer = VariableLayer(level)
    for (name, value) in values { layer.set(name, .template(SourceValue(value)), origin: Origin(level)) }
    return LabModel.VariableScope(
        layers: VariableLayers([layer]), magic: MagicVariables(inventory: inventory, hostName: host))
}

/// The messages of what a body throws, with file, line and column.
func messages(_ body: () throws -> Void) -> [String] {
    do {
        try body()
        return []
    } catch let error as any DiagnosticError {
        return error.diagnostics.map { diagnostic in
            guard let span = diagnostic.span else { return diagnostic.message }
            return "\(Path.name(span.file.path)):\(span.start.line):\(span.start.column): \(diagnostic.message)"
        }
    } catch {
        return ["\(error)"]
    }
}

/// The hints of what a body throws.
func hints(_ body: () throws -> Void) -> [String] {
    do {
        try body()
        return []
    } catch let error as any DiagnosticError {
        return error.diagnostics.compactMap(\.hint)
    } catch {
        return []
    }
}
