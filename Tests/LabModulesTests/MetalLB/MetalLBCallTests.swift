import Foundation
import LabCore
import Testing

@testable import LabModules

@Suite("MetalLB's configuration in calls of kubernetes.core.k8s")
struct MetalLBCallTests {
    private let task = SourceFile(path: "tasks/main.yml", text: "- name: Pools applied\n").span(2..<21)

    private func check(
        _ arguments: ValueMap, _ scope: ValidationScope = ValidationScope(), source: SourceValue? = nil
    ) -> [Diagnostic] {
        K8sModule(environment: [:]).validate(
            ModuleCall(arguments: arguments, source: source ?? SourceValue(.map(arguments)), span: task), in: scope
        ).filter { $0.severity == .error }
    }

    private func withFolder(_ files: [String: String], _ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files { try Data(text.utf8).write(to: folder.appendingPathComponent(name)) }
        try body(folder.path)
    }

    private let manifest = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: metallb-system}
        ---
        apiVersion: metallb.io/v1beta1
        kind: IPAddressPool
        metadata: {name: p, namespace: metallb-system}
        spec:
          addresses:
            - 10.0.0.9-10.0.0.1

        """

    @Test("a definition, as a map, a list and a text")
    func definitions() {
        #expect(check(["definition": pool("p", ["10.0.0.9"])]).count == 1)
        #expect(check(["definition": [pool("p", ["10.0.0.9"]), pool("q", ["10.0.0.9"])]]).count == 2)
        #expect(check(["definition": .string(manifest)]).map { $0.span?.start.line } == [10])
    }

    @Test("a file is pointed into")
    func sources() throws {
        try withFolder(["pools.yaml": manifest]) { folder in
            let scope = ValidationScope(searchPaths: ["/nowhere", folder])
            let found = check(["src": "pools.yaml"], scope)
            #expect(found.map { $0.span?.description } == ["\(folder)/pools.yaml:10:7"])
            #expect(check(["src": .string("\(folder)/pools.yaml")]).count == 1)
        }
    }

    @Test("a template is rendered, and pointed at where a variable holds the range")
    func templates() throws {
        let variables = SourceFile(path: "group_vars/all.yml", text: "range: 10.0.0.9-10.0.0.1\n").span(7..<24)
        try withFolder(["pools.yaml.j2": "{% metallb.io/v1beta1 %}"]) { folder in
            let scope = ValidationScope(
                searchPaths: [folder], render: { [manifest] _, _ in .string(manifest) },
                spanOfText: { $0 == "10.0.0.9-10.0.0.1" ? variables : nil })
            for template: Value in ["pools.yaml.j2", ["path": "pools.yaml.j2"], [["path": "pools.yaml.j2"]]] {
                #expect(check(["template": template], scope).map(\.span) == [variables])
            }
            // Without such a variable the rendered text is shown.
            let rendered = ValidationScope(searchPaths: [folder], render: { [manifest] _, _ in .string(manifest) })
            let found = check(["template": "pools.yaml.j2"], rendered)
            #expect(found.map { $0.span?.description } == ["\(folder)/pools.yaml.j2 (rendered):10:7"])
        }
    }

    @Test("a pool without addresses points at the variable that is empty, else at the rendered text")
    func emptyPool() throws {
        let manifest = manifest.replacing("addresses:\n    - 10.0.0.9-10.0.0.1", with: "addresses: []")
        let variables = SourceFile(path: "<command line>", text: "pool_addresses: []\n").span(16..<18)
        try withFolder(["pools.yaml.j2": "{% metallb.io/v1beta1 %}"]) { folder in
            let scope = ValidationScope(
                searchPaths: [folder], render: { _, _ in .string(manifest) },
                spanOfEmptyList: { $0 == "addresses" ? variables : nil })
            #expect(check(["template": "pools.yaml.j2"], scope).map(\.span) == [variables])
            let rendered = ValidationScope(searchPaths: [folder], render: { _, _ in .string(manifest) })
            let found = check(["template": "pools.yaml.j2"], rendered)
            #expect(found.map(\.message) == ["parsing address pool p: pool has no prefixes defined"])
            #expect(found.map { $0.span?.description } == ["\(folder)/pools.yaml.j2 (rendered):9:14"])
        }
    }

    @Test("a definition with templates in it points at the variable that holds the range, else at the template")
    func templatedDefinition() throws {
        let playbook = SourceFile(path: "play.yml", text: "addresses: ['{{ range }}']\n")
        let variables = SourceFile(path: "group_vars/all.yml", text: "range: 10.0.0.9\n").span(7..<15)
        let entry = SourceValue(.string("{{ range }}"), span: playbook.span(12..<25))
        func written(_ value: Value) -> SourceValue { SourceValue(value) }
        let definition = SourceValue(
            .map([
                .init(key: "apiVersion", keySpan: nil, value: written("metallb.io/v1beta1")),
                .init(
                    key: "spec", keySpan: nil,
                    value: SourceValue(
                        .map([.init(key: "addresses", keySpan: nil, value: SourceValue(.list([entry]), span: nil))]),
                        span: nil)),
            ]), span: nil)
        let source = SourceValue(.map([.init(key: "definition", keySpan: nil, value: definition)]), span: nil)
        let scope = ValidationScope(spanOfText: { $0 == "10.0.0.9" ? variables : nil })
        let arguments: ValueMap = ["definition": pool("p", ["10.0.0.9"])]
        #expect(check(arguments, scope, source: source).map(\.span) == [variables])
        #expect(check(arguments, source: source).map { $0.span?.description } == ["play.yml:1:13"])
    }

    @Test("the task's namespace stands in for the object's")
    func namespace() {
        let object: Value = [
            "apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool", "metadata": ["name": "p"],
            "spec": ["addresses": ["10.0.0.4/30"]],
        ]
        #expect(
            check(["definition": object, "namespace": "default"]).map(\.message) == [
                "resource must be created in metallb-system namespace"
            ])
        #expect(check(["definition": object, "namespace": "metallb-system"]) == [])
    }

    @Test("what cannot be read or rendered yet is no mistake, and the record knows that it has not seen everything")
    func unknown() throws {
        try withFolder(["pools.yaml.j2": "metallb.io/v1beta1"]) { folder in
            let calls: [ValueMap] = [
                ["src": "missing.yaml"], ["template": "pools.yaml.j2"],
            ]
            for arguments in calls {
                let record = ValidationRecord()
                let scope = ValidationScope(
                    searchPaths: [folder], render: { _, _ in throw ModuleError("'x' is undefined") }, record: record)
                #expect(check(["definition": pool("p", ["10.0.0.4/30"])], scope) == [])
                #expect(record.finish().count == 1)
                #expect(check(arguments, scope) == [])
                #expect(record.finish() == [])
            }
        }
    }

    @Test("what is removed, patched or downloaded is not looked at")
    func passedOver() {
        #expect(check(["state": "absent", "definition": pool("p", ["x"])]) == [])
        #expect(check(["state": "patched", "definition": pool("p", ["x"])]) == [])
        #expect(check(["src": "https://example.com/pools.yaml"]) == [])
    }
}
