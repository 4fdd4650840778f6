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

/// A real kubectl: of PyPI's package in .venv (Scripts/setup test), or of the system.
private let kubectl: String = {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    return [root.appending(path: ".venv/bin/kubectl").path, "/usr/local/bin/kubectl"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    } ?? "/usr/bin/kubectl"
}()

@Suite(
    .enabled(
        if: FileManager.default.isExecutableFile(atPath: kubectl), "needs kubectl in .venv/bin (Scripts/setup test)"),
    .timeLimit(.minutes(3)))
struct KubectlInsightTests {
    private let module = CommandModule(.command)
    private static let map = """
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: cm
        data:
          k: "VALUE"
        """

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
            let path = try write(lab, Self.map.replacing("VALUE", with: "1"))
            let words = [kubectl, "apply", "--server-side", "--force-conflicts", "-f", path]
            let first = try await run(lab, words)
            #expect(first.failure == nil, "\(first.values)")
            #expect(first.changed == true)
            #expect(first.changes.map(\.subject) == ["ConfigMap default/cm"])
            let again = try await run(lab, words)
            #expect(again.changed == false)
            #expect(again.proof == .proved(by: "no object that it names was written"))
            _ = try write(lab, Self.map.replacing("VALUE", with: "2"))
            let changed = try await run(lab, words)
            #expect(changed.changes.first?.fields.map(\.path) == [".data.k"])
        }
    }

    @Test(.enabled(if: sharedData != nil, "needs the shared MetalLB manifests"))
    func `the original role's command is changed by its caBundle, and the report says why`() async throws {
        try await TestLab.with(isDirect: true) { lab in
            let manifest = (sharedData ?? "") + "/metallb/metallb-native-v0.14.9.yaml"
            let words = [kubectl, "apply", "--server-side", "--force-conflicts", "-f", manifest]
            let first = try await run(lab, words)
            #expect(first.failure == nil, "\(first.values)")
            #expect(first.changes.count == 24)
            let path = ["spec", "conversion", "webhook", "clientConfig", "caBundle"]
            // MetalLB's controller writes its own certificate once its pod runs.
            var owner = ""
            for _ in 0..<200 where owner != "MetalLB" {
                try await Task.sleep(for: .milliseconds(50))
                let live = await lab.server.cluster.object(
                    "apiextensions.k8s.io/customresourcedefinitions", name: "bgppeers.metallb.io")
                let entries = live?[["metadata", "managedFields"]]?.list ?? []
                owner = entries.first { $0[["fieldsV1"] + path.map { "f:\($0)" }] != nil }?["manager"]?.string ?? ""
            }
            #expect(owner == "MetalLB")
            let again = try await run(lab, words)
            #expect(again.changes.map(\.subject) == ["CustomResourceDefinition bgppeers.metallb.io"])
            guard case .unproved(let reason)? = again.proof else {
                Issue.record("\(String(describing: again.proof))")
                return
            }
            #expect(
                reason.contains(
                    "caBundle of CustomResourceDefinition bgppeers.metallb.io, which its controller replaces"))
            // The shipped role's way takes over what kubectl applied, and settles.
            let settle: ValueMap = [
                "src": .string(manifest), "apply": true,
                "server_side_apply": ["field_manager": "labctl", "force_conflicts": true],
                "kubeconfig": .string(lab.node.home.path + "/.kube/config"),
            ]
            let k8s = K8sModule(environment: [:])
            let taken = try await lab.run(k8s, settle)
            #expect(taken.changed)
            #expect(taken.notes.contains { $0.hasPrefix("took over what kubectl (Apply) set in ") })
            var last = try await lab.run(k8s, settle)
            // The controller may still have been writing the certificate that kubectl took from it.
            if last.changed { last = try await lab.run(k8s, settle) }
            #expect(last.changed == false)
        }
    }
}

private let sharedData: String? = {
    if let named = ProcessInfo.processInfo.environment["LABCTL_SHARED"] { return named + "/data" }
    var folder = URL(fileURLWithPath: #filePath)
    while folder.path != "/" {
        folder.deleteLastPathComponent()
        let candidate = folder.appendingPathComponent("shared/data").path
        if FileManager.default.fileExists(atPath: candidate) { return candidate }
    }
    return nil
}()
