import Foundation
import LabCore
import LabKube
import LabModules
import LabSandbox
import LabTransport
import Testing

/// The first diagnostic of what a body throws, with the failure's own words.
private func complaint(_ body: () async throws -> Void) async -> Diagnostic? {
    do {
        try await body()
        return nil
    } catch let error as any DiagnosticError {
        return error.diagnostics.first
    } catch {
        return Diagnostic("another error: \(error)")
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

private let k8s = K8sModule(environment: [:])
private let info = K8sInfoModule()

private let map: Value = [
    "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "cm"], "data": ["a": "1"],
]

@Suite(.timeLimit(.minutes(3)))
struct K8sModuleTests {
    @Test(
        arguments: [
            ["apply": true],
            ["apply": true, "server_side_apply": ["field_manager": "labctl", "force_conflicts": true]], [:],
            ["force": true],
        ] as [ValueMap])
    func `a definition is created once, and then ok`(method: ValueMap) async throws {
        try await TestLab.with { lab in
            let arguments = method.merging(["definition": map], uniquingKeysWith: { $1 })
            let first = try await lab.run(k8s, arguments)
            #expect(first.changed)
            #expect(first.values["result"]?["data"] == ["a": "1"])
            #expect(try await lab.run(k8s, arguments).changed == false)
            let changed = try await lab.run(
                k8s,
                method.merging(
                    [
                        "definition": [
                            "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "cm"], "data": ["a": "2"],
                        ]
                    ],
                    uniquingKeysWith: { $1 }))
            #expect(changed.changed)
            let live = await lab.server.cluster.object("/configmaps", namespace: "default", name: "cm")
            #expect(live?["data"] == ["a": "2"])
        }
    }

    @Test func `several documents of a text give several results`() async throws {
        try await TestLab.with { lab in
            let text = """
                apiVersion: v1
                kind: Namespace
                metadata: {name: ns}
                ---
                apiVersion: v1
                kind: ConfigMap
                metadata: {name: cm, namespace: ns}
                data: {yes: "on"}
                """
            let result = try await lab.run(k8s, ["definition": .string(text), "apply": true])
            #expect(result.values["result"]?["results"]?.list?.count == 2)
            #expect(try await lab.run(k8s, ["definition": .string(text), "apply": true]).changed == false)
            let gone = try await lab.run(k8s, ["definition": .string(text), "state": "absent"])
            #expect(gone.changed)
            #expect(try await lab.run(k8s, ["definition": .string(text), "state": "absent"]).changed == false)
        }
    }

    @Test func `patched changes what exists and creates nothing`() async throws {
        try await TestLab.with { lab in
            #expect(try await lab.run(k8s, ["definition": map, "state": "patched"]).changed == false)
            _ = try await lab.run(k8s, ["definition": map, "apply": true])
            let patch: Value = [
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "cm", "labels": ["x": "y"]],
            ]
            #expect(try await lab.run(k8s, ["definition": patch, "state": "patched"]).changed)
            #expect(try await lab.run(k8s, ["definition": patch, "state": "patched"]).changed == false)
            let live = await lab.server.cluster.object("/configmaps", namespace: "default", name: "cm")
            #expect(live?["data"] == ["a": "1"])
        }
    }

    @Test func `an apply by force says itself what it took from whom, and what it left`() async throws {
        try await TestLab.with { lab in
            let definition: Value = [
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "cm"], "data": ["a": "2"],
            ]
            _ = try await lab.run(
                k8s, ["definition": map, "apply": true, "server_side_apply": ["field_manager": "other"]])
            let call = try lab.call(k8s, ["definition": definition, "apply": true])
            let plan = try await k8s.plan(call, in: lab.context())
            #expect(plan.notes == ["takes .data.a of ConfigMap default/cm from other"])
            let result = try await k8s.apply(plan, for: call, in: lab.context())
            #expect(result.notes == ["took .data.a of ConfigMap default/cm from other"])
        }
    }

    @Test(.enabled(if: sharedData != nil, "needs the shared MetalLB manifests"))
    func `an apply that changes something says too what it left to a controller`() async throws {
        try await TestLab.with { lab in
            let path = (sharedData ?? "") + "/metallb/metallb-native-v0.14.9.yaml"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            _ = try await lab.run(k8s, ["definition": .string(text), "apply": true, "wait": true])
            let changed = text.replacing(
                "name: bgppeers.metallb.io", with: "name: bgppeers.metallb.io\n  labels: {x: z}")
            let result = try await lab.run(k8s, ["definition": .string(changed), "apply": true])
            #expect(result.changed)
            #expect(
                result.notes == [
                    "kept .spec.conversion.webhook.clientConfig.caBundle of CustomResourceDefinition "
                        + "bgppeers.metallb.io: MetalLB owns it"
                ])
        }
    }

    @Test func `a plan in check mode knows what earlier tasks would bring`() async throws {
        try await TestLab.with { lab in
            let context = lab.context(checkMode: true)
            let namespace: Value = ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "later"]]
            _ = try await k8s.plan(try lab.call(k8s, ["definition": namespace, "apply": true]), in: context)
            let inside: Value = [
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "cm", "namespace": "later"],
            ]
            let plan = try await k8s.plan(try lab.call(k8s, ["definition": inside, "apply": true]), in: context)
            #expect(plan.notes == ["ConfigMap later/cm is not checkable yet: its namespace comes first"])
            let elsewhere: Value = [
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "cm", "namespace": "nowhere"],
            ]
            let error = await complaint {
                _ = try await k8s.plan(try lab.call(k8s, ["definition": elsewhere, "apply": true]), in: context)
            }
            #expect(error?.message == "ConfigMap nowhere/cm cannot be applied: there is no namespace nowhere")
        }
    }

    @Test(.enabled(if: sharedData != nil, "needs the shared MetalLB manifests"))
    func `the role's steps are changed once and then ok`() async throws {
        try await TestLab.with { lab in
            let ssa: Value = ["field_manager": "labctl", "force_conflicts": true]
            let manifest: ValueMap = [
                "src": .string((sharedData ?? "") + "/metallb/metallb-native-v0.14.9.yaml"), "apply": true,
                "server_side_apply": ssa,
            ]
            let pool: ValueMap = [
                "definition": [
                    "apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
                    "metadata": ["name": "lab-pool", "namespace": "metallb-system"],
                    "spec": ["addresses": ["192.168.56.200-192.168.56.250"]],
                ], "apply": true, "server_side_apply": ssa,
            ]
            #expect(try await lab.run(k8s, manifest).changed)
            for (apiVersion, kind, name) in [
                ("apps/v1", "Deployment", "controller"), ("apps/v1", "DaemonSet", "speaker"),
            ] {
                let found = try await lab.run(
                    info,
                    [
                        "api_version": .string(apiVersion), "kind": .string(kind), "name": .string(name),
                        "namespace": "metallb-system", "wait": true, "wait_timeout": 60,
                    ])
                #expect(found.values["resources"]?.list?.count == 1)
            }
            let established = try await lab.run(
                info,
                [
                    "api_version": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                    "name": "bgppeers.metallb.io", "wait": true,
                    "wait_condition": ["type": "Established", "status": true],
                ])
            #expect(established.values["api_found"] == true)
            #expect(try await lab.run(k8s, pool).changed)
            let again = try await lab.run(k8s, manifest)
            #expect(again.changed == false)
            #expect(again.notes.first?.contains("MetalLB owns it") == true)
            #expect(try await lab.run(k8s, pool).changed == false)
        }
    }

    @Test func `objects are read by name, label and field`() async throws {
        try await TestLab.with { lab in
            var labelled = map
            labelled["metadata"] = ["name": "cm", "labels": ["app": "x"]]
            _ = try await lab.run(k8s, ["definition": labelled, "apply": true])
            let byLabel = try await lab.run(info, ["kind": "ConfigMap", "label_selectors": ["app=x"]])
            #expect(byLabel.values["resources"]?.list?.count == 1)
            let byName = try await lab.run(
                info, ["kind": "ConfigMap", "name": "cm", "hidden_fields": ["metadata.managedFields"]])
            let found = byName.values["resources"]?.list?.first
            #expect(found?["data"] == ["a": "1"])
            #expect(found?[["metadata", "managedFields"]] == nil)
            let unknown = try await lab.run(info, ["kind": "Foo", "api_version": "nope.io/v1"])
            #expect(unknown.values["api_found"] == false)
        }
    }

    @Test func `waiting for what does not come ends with what is missing`() async throws {
        try await TestLab.with { lab in
            let error = await complaint {
                _ = try await lab.run(
                    info, ["kind": "ConfigMap", "name": "none", "wait": true, "wait_timeout": 1])
            }
            #expect(error?.message == "ConfigMap default/none is not ready after 1 s: it does not exist")
        }
    }

    // MARK: The way to the cluster

    @Test(
        arguments: [
            (["force_conflict": true], "server_side_apply has no 'force_conflict'"),
            (["force_conflicts": "maybe"], #"force_conflicts must be a boolean, not "maybe""#),
        ] as [(Value, String)])
    func `what server_side_apply does not take is told`(_ serverSide: Value, _ message: String) async throws {
        try await TestLab.with { lab in
            let told = await complaint {
                _ = try await lab.run(k8s, ["definition": map, "apply": true, "server_side_apply": serverSide])
            }
            #expect(told?.message == message)
        }
    }

    @Test func `a misspelt kind of Kubernetes' own is not waited for`() async throws {
        try await TestLab.with { lab in
            let told = await complaint {
                _ = try await lab.run(
                    info,
                    [
                        "api_version": "apps/v1", "kind": "Deploymnt", "name": "x", "wait": true,
                        "wait_timeout": 100_000,
                    ])
            }
            #expect(told?.message == "the cluster serves no kind Deploymnt in apiVersion apps/v1")
            #expect(told?.hint == "did you mean Deployment?")
        }
    }

    @Test func `without a kubeconfig everything that was tried is named`() async throws {
        try await TestLab.with(kubeconfigAt: nil) { lab in
            let error = await complaint { _ = try await lab.run(k8s, ["definition": map, "apply": true]) }
            #expect(error?.message == "there is no kubeconfig on cp1")
            #expect(error?.notes.map(\.message).first == "\(lab.node.home.path)/.kube/config does not exist")
            let named = await complaint {
                _ = try await lab.run(k8s, ["definition": map, "kubeconfig": "/nope/config"])
            }
            #expect(named?.message == "the kubeconfig /nope/config on cp1 cannot be used")
            #expect(named?.notes.map(\.message) == ["/nope/config does not exist"])
        }
    }

    @Test func `the kubeconfig comes from the task, its environment, or the home`() async throws {
        try await TestLab.with(kubeconfigAt: "other") { lab in
            let path = lab.node.home.path + "/other"
            let first = try await lab.run(k8s, ["definition": map, "kubeconfig": .string(path)])
            #expect(first.changed)
            #expect(try await lab.run(k8s, ["definition": map, "kubeconfig": "~/other"]).changed == false)
            let environment = [(name: "KUBECONFIG", value: path)]
            #expect(try await lab.run(k8s, ["definition": map], environment: environment).changed == false)
            let wrong = await complaint {
                _ = try await lab.run(k8s, ["definition": map, "kubeconfig": .string(path), "context": "sandbx"])
            }
            #expect(wrong?.hint == "did you mean 'sandbox'?")
            #expect(wrong?.span?.file.path == "cp1:\(path)")
        }
    }

    @Test func `a broken kubeconfig is told with its place`() async throws {
        try await TestLab.with(kubeconfigAt: nil) { lab in
            let path = lab.node.home.path + "/.kube/config"
            try Data("clusters: [\n".utf8).write(to: URL(fileURLWithPath: path))
            let error = await complaint { _ = try await lab.run(k8s, ["definition": map]) }
            #expect(error?.span?.file.path == "cp1:\(path)")
        }
    }

    @Test func `an API server that cannot be reached is told`() async throws {
        try await TestLab.with(isReachable: false) { lab in
            let error = await complaint { _ = try await lab.run(k8s, ["definition": map, "apply": true]) }
            #expect(error?.message == "the API server at 192.168.56.10:6443 cannot be reached from cp1")
            #expect(error?.notes.map(\.message) == ["connection refused by 192.168.56.10:6443"])
        }
    }

    @Test func `the certificate of another CA and missing rights are told`() async throws {
        try await TestLab.with { lab in
            let stranger = try SandboxCertificates()
            let identity = try lab.server.certificates.client(user: "nobody", groups: [])
            let path = lab.node.home.path + "/.kube/config"
            try Data(lab.server.kubeconfig(identity: identity).utf8).write(to: URL(fileURLWithPath: path))
            let forbidden = await complaint { _ = try await lab.run(k8s, ["definition": map, "apply": true]) }
            #expect(forbidden?.message.hasPrefix("the API server forbids to ") == true)
            #expect(forbidden?.message.contains("User \"nobody\" cannot") == true)
            let file = lab.node.home.path + "/ca.pem"
            try Data(stranger.authorityPEM.utf8).write(to: URL(fileURLWithPath: file))
            let other = await complaint {
                _ = try await lab.run(
                    k8s,
                    ["definition": map, "host": "https://127.0.0.1:6443", "ca_cert": .string(file), "api_key": "x"])
            }
            #expect(other?.message == "the API server's certificate was not issued by the CA of the kubeconfig")
        }
    }
}

struct K8sValidationTests {
    private func complaints(_ definition: Value) throws -> [Diagnostic] {
        let arguments: ValueMap = ["definition": definition, "apply": true]
        let call = ModuleCall(
            arguments: try k8s.specification.convert(arguments), source: SourceValue(.map(arguments)))
        return k8s.validate(call, in: ValidationScope(hostAddresses: [("cp1", "192.168.56.10")]))
    }

    private func pool(_ addresses: Value...) -> Value {
        [
            "apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
            "metadata": ["name": "p", "namespace": "metallb-system"], "spec": ["addresses": .list(addresses)],
        ]
    }

    @Test(arguments: [
        ("192.168.56.250-192.168.56.200", "is after the end IP"), ("192.168.56.300/24", "invalid CIDR"),
        ("192.168.56.1-192.168.56.20", "192.168.56.10"),
    ])
    func `a wrong pool is told before anything is sent`(range: String, part: String) throws {
        let found = try complaints(pool(.string(range))).filter { $0.severity == .error }
        #expect(found.count == 1)
        #expect(found.first?.message.contains(part) == true, "\(found)")
    }

    @Test func `unfinished objects are told before anything is sent`() throws {
        let nameless: Value = ["kind": "Pod", "metadata": ["name": "x"]]
        #expect(try complaints(nameless).map(\.message) == ["the object has no apiVersion"])
        #expect(try complaints("a: [").isEmpty == false)
    }
}
