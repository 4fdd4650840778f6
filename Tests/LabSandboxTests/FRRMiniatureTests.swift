import LabCore
import LabSandbox
import LabYAML
import Testing

@Suite("The miniature of MetalLB's FRR manifest")
struct FRRMiniatureTests {
    private func objects(_ text: String) throws -> [Value] {
        try YAML.load(SourceFile(path: "manifest", text: text), schema: .kubernetes).map(\.value)
    }

    private func titles(_ objects: [Value]) -> [String] {
        objects.map { "\($0["kind"]?.string ?? "") \($0[["metadata", "name"]]?.string ?? "")" }.sorted()
    }

    @Test("it has the 25 objects of 0.14.9", .enabled(if: SharedData.isThere))
    func sameObjects() throws {
        let own = try objects(MiniatureManifest.frrText)
        #expect(own.count == 25)
        #expect(titles(own) == titles(try objects(try SharedData.manifest("metallb-frr-v0.14.9.yaml"))))
        #expect(MiniatureManifest.frrText.hasPrefix("# labctl's miniature of MetalLB's FRR manifest"))
    }

    @Test("FRR is beside the speaker, and both workloads know it")
    func containers() throws {
        let own = try objects(MiniatureManifest.frrText)
        func containers(_ name: String) -> [Value] {
            own.first { $0[["metadata", "name"]]?.string == name && $0[["spec", "template"]] != nil }?[
                ["spec", "template", "spec", "containers"]]?.list ?? []
        }
        #expect(
            containers("speaker").compactMap { $0["name"]?.string } == ["speaker", "frr", "reloader", "frr-metrics"])
        for name in ["speaker", "controller"] {
            let variables = containers(name).first?["env"]?.list ?? []
            #expect(variables.last == ["name": "METALLB_BGP_TYPE", "value": "frr"])
        }
    }
}
