import Foundation
import LabCore
import LabKube
import LabModules
import LabSandbox
import Testing

struct KubectlCommandTests {
    @Test func `an apply is understood as it is written`() throws {
        let plain = try #require(KubectlCommand(["kubectl", "apply", "-f", "a.yaml"]))
        #expect(plain.files == ["a.yaml"] && plain.manager == "kubectl-client-side-apply")
        let forced = try #require(
            KubectlCommand([
                "/usr/bin/kubectl", "--context=lab", "apply", "--server-side", "--force-conflicts", "-n", "x",
                "--filename=https://h/m.yaml,b.yaml", "-fc.yaml", "--kubeconfig", "/k",
            ]))
        #expect(forced.files == ["https://h/m.yaml", "b.yaml", "c.yaml"])
        #expect(forced.isServerSide && forced.forcesConflicts && forced.manager == "kubectl")
        #expect(forced.namespace == "x" && forced.kubeconfig == "/k" && forced.context == "lab")
    }

    @Test(arguments: [
        ["kubectl", "get", "pods"], ["kubectl", "apply"], ["kubectl", "apply", "-k", "dir"],
        ["helm", "apply", "-f", "x"],
        ["kubectl", "apply", "-f", "x", "--prune"], ["kubectl", "apply", "-f", "x", "--dry-run=server"],
        ["kubectl", "apply", "view-last-applied", "-f", "x"], [],
    ])
    func `what is not known for certain is left alone`(words: [String]) { #expect(KubectlCommand(words) == nil) }
}

private let kubectl = "/usr/bin/kubectl"

@Suite(
    .enabled(if: FileManager.default.isExecutableFile(atPath: kubectl), "needs kubectl in /usr/bin"),
    .timeLimit(.minutes(3)))
struct KubectlInsightTests {
    private let module = CommandModule(.command)

    private func run(_ lab: TestLab, _ words: [String]) async throws -> ModuleResult {
        let call = try lab.call(module, ["argv": .list(words.map { .string($0) })])
        let context = lab.context(
            environment: [("KUBECONFIG", lab.node.home.path + "/.kube/config")],
            insight: KubectlInsight(environment: [:]))
        return try await module.apply(try await module.plan(call, in: context), for: call, in: context)
    }

    private func write(_ lab: TestLab, _ text: String) throws -> String {
        let path = lab.node.home.path + "/m.yaml"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test func `a real kubectl's apply is changed or ok as it is`() async throws {
        try await TestLab.with(isDirect: true) { lab in
            let path = try write(lab, "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {k: \"1\"}}")
            let words = [kubectl, "apply", "--server-side", "--force-conflicts", "-f", path]
            let first = try await run(lab, words)
            #expect(first.failure == nil, "\(first.values)")
            #expect(first.changed == true)
            #expect(first.changes.map(\.subject) == ["ConfigMap default/cm"])
            let again = try await run(lab, words)
            #expect(again.changed == false)
            #expect(again.proof == .proved(by: "no object that it names was written"))
            _ = try write(lab, "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {k: \"2\"}}")
            let changed = try await run(lab, words)
            #expect(changed.changes.first?.fields.map(\.path) == [".data.k"])
        }
    }
}
