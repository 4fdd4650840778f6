import Foundation
import Testing

private let kubectl = Tool.isInstalled("kubectl")

@Suite(
    "MetalLB upgraded, downgraded and removed, with its real manifests", .serialized, .sandbox,
    .enabled(if: RunningSandbox.isPossible, RunningSandbox.whyNot),
    .enabled(if: SharedData.manifest != nil, "MetalLB's manifests are not at ../shared/data/metallb"),
    .enabled(if: kubectl, "needs kubectl in the PATH"))
struct UpgradeTests {
    private let sandbox: RunningSandbox

    init() throws { sandbox = try #require(RunningSandbox.current) }

    private func file(_ version: String) throws -> String {
        try #require(SharedData.manifest).deletingLastPathComponent().appending(
            path: "metallb-native-v\(version).yaml"
        ).path
    }

    private func metallb(_ command: String, _ version: String, _ options: String..., deadline: Int = 120) throws
        -> Labctl.Outcome
    {
        let all =
            [command, "metallb", "--sandbox", "-e", "metallb_manifest=\(try file(version))"] + options
        return try sandbox.project.labctl(all, deadline: deadline)
    }

    /// Begins with nothing, whatever the test before left.
    private func clear() throws {
        try sandbox.project.labctl("remove", "metallb", "--sandbox").expect(status: 0)
    }

    /// The objects with MetalLB's labels and names that are there, as `kind/name`.
    private func objects(_ kinds: String) throws -> Set<String> {
        let text = try sandbox.kubectl(
            "get", kinds, "-A", "-o", "jsonpath={range .items[*]}{.kind}/{.metadata.name}{\"\\n\"}{end}")
        return Set(text.split(separator: "\n").map(String.init))
    }

    private var left: [String] {
        get throws {
            try objects("crd,secrets,services").filter {
                $0.hasPrefix("CustomResourceDefinition/") || $0.contains("webhook")
            }.sorted()
        }
    }

    @Test("0.13.12 to 0.14.9 to 0.15.3 and back: what a version no longer has is shown, and goes")
    func upgrades() throws {
        try clear()
        try metallb("provision", "0.13.12").expect(status: 0, "24 created", "ok Left-overs pruned")
        #expect(try left.contains("CustomResourceDefinition/addresspools.metallb.io"))
        let shown = [
            "Left-overs pruned", "- Service metallb-system/webhook-service",
            "- Secret metallb-system/webhook-server-cert", "- CustomResourceDefinition addresspools.metallb.io",
        ]
        let plan = try metallb("plan", "0.14.9")
        plan.expect(status: 1, "would delete 3")
        for text in shown { plan.expect(status: 1, text) }
        #expect(try left.contains("Secret/webhook-server-cert"), "a plan removes nothing")
        try metallb("provision", "0.14.9").expect(status: 0, "changed Left-overs pruned", "proved", "3 deleted")
        #expect(
            try left.filter {
                $0.contains("addresspools") && !$0.contains("ipaddress") || $0.hasSuffix("/webhook-service")
                    || $0.contains("webhook-server")
            } == [])
        try metallb("provision", "0.14.9", "--prove").expect(
            status: 0, "ok Left-overs pruned", "nothing to do, every step proved, and again with no change")

        // 0.15 only adds.
        try metallb("provision", "0.15.3").expect(status: 0, "ok Left-overs pruned")
        #expect(try left.contains("CustomResourceDefinition/configurationstates.metallb.io"))
        let back = try metallb("provision", "0.14.9", "--diff")
        back.expect(
            status: 0, "2 deleted", "- CustomResourceDefinition configurationstates.metallb.io",
            "- CustomResourceDefinition servicebgpstatuses.metallb.io")
        try metallb("provision", "0.13.12", "--diff").expect(
            status: 0, "3 deleted", "- CustomResourceDefinition servicel2statuses.metallb.io",
            "- Secret metallb-system/metallb-webhook-cert", "- Service metallb-system/metallb-webhook-service")
        try metallb("plan", "0.13.12").expect(status: 0, "nothing would change")
        #expect(
            try left == [
                "CustomResourceDefinition/addresspools.metallb.io", "CustomResourceDefinition/bfdprofiles.metallb.io",
                "CustomResourceDefinition/bgpadvertisements.metallb.io", "CustomResourceDefinition/bgppeers.metallb.io",
                "CustomResourceDefinition/communities.metallb.io",
                "CustomResourceDefinition/ipaddresspools.metallb.io",
                "CustomResourceDefinition/l2advertisements.metallb.io", "Secret/webhook-server-cert",
                "Service/webhook-service",
            ])
    }

    @Test("an upgrade that would destroy AddressPools is refused before anything is applied, and says what to do")
    func addressPools() throws {
        try clear()
        try metallb("provision", "0.13.12").expect(status: 0)
        let pool = """
            apiVersion: metallb.io/v1beta1
            kind: AddressPool
            metadata: {name: old, namespace: metallb-system}
            spec: {protocol: layer2, addresses: [192.168.56.150-192.168.56.160]}
            """
        let path = try sandbox.project.write(pool, to: "pool.yaml")
        try sandbox.kubectl("apply", "--server-side", "-f", path)
        let image = [
            "get", "deploy", "-n", "metallb-system", "controller", "-o",
            "jsonpath={.spec.template.spec.containers[0].image}",
        ]
        for command in ["plan", "provision"] {
            let refused = try metallb(command, "0.14.9")
            refused.expect(
                status: 2, "failed Manifest applied",
                "CustomResourceDefinition addresspools.metallb.io is no longer part of metallb, but an object that metallb "
                    + "did not make would be destroyed with it: AddressPool metallb-system/old",
                "AddressPool metallb-system/old has 192.168.56.150-192.168.56.160 by layer2",
                "make each one an IPAddressPool")
            #expect(try sandbox.kubectl(image).contains("0.13.12"), "nothing was applied")
        }
        try sandbox.kubectl("delete", "addresspools.metallb.io", "-n", "metallb-system", "old")
        try metallb("provision", "0.14.9").expect(status: 0, "3 deleted")
    }

    @Test("-t pools removes nothing, and says so")
    func narrowed() throws {
        try clear()
        try metallb("provision", "0.14.9").expect(status: 0)
        try metallb("provision", "0.14.9", "-t", "pools").expect(
            status: 0, "skipped Left-overs pruned",
            "nothing was looked for, since only some tasks were selected by their tags", "3 of 3 steps proved")
    }

    @Test("remove takes MetalLB away in order, warns whoever loses an address, and has nothing to do then")
    func remove() throws {
        try clear()
        try metallb("provision", "0.14.9").expect(status: 0)
        let service = """
            apiVersion: v1
            kind: Service
            metadata: {name: web, namespace: default}
            spec: {type: LoadBalancer, ports: [{port: 80}], selector: {app: web}}
            """
        try sandbox.kubectl("apply", "--server-side", "-f", try sandbox.project.write(service, to: "service.yaml"))
        try sandbox.kubectl(
            "wait", "service/web", "--for=jsonpath={.status.loadBalancer.ingress}", "--timeout=20s")
        let check = try sandbox.project.labctl("remove", "metallb", "--sandbox", "--check")
        check.expect(
            status: 0, "by the record in ConfigMap kube-system/labctl-metallb", "26 objects to remove",
            "warning: Service default/web loses its address 192.168.56.200 of pool lab-pool", "to change CRDs removed",
            "- Namespace metallb-system", "nothing was changed")
        #expect(try objects("namespaces").contains("Namespace/metallb-system"))
        let removed = try sandbox.project.labctl("remove", "metallb", "--sandbox")
        removed.expect(
            status: 0, "changed Custom resources removed", "- IPAddressPool metallb-system/lab-pool",
            "- L2Advertisement metallb-system/lab-l2", "- ValidatingWebhookConfiguration metallb-webhook-configuration",
            "- DaemonSet metallb-system/speaker", "- ClusterRole metallb-system:controller",
            "- CustomResourceDefinition servicel2statuses.metallb.io", "- Namespace metallb-system",
            "- ConfigMap kube-system/labctl-metallb", "every step proved")
        let order = ["Custom resources", "Webhooks", "Workloads", "Configuration", "CRDs", "Namespaces", "Record"]
        let text = removed.output
        let places = order.compactMap { text.range(of: "\($0) removed")?.lowerBound }
        #expect(places.count == order.count && places == places.sorted())
        #expect(try !objects("namespaces").contains("Namespace/metallb-system"))
        #expect(try objects("crd,clusterroles,clusterrolebindings,validatingwebhookconfigurations").isEmpty)
        try sandbox.project.labctl("remove", "metallb", "--sandbox").expect(
            status: 0, "there is nothing to remove", "nothing to do")
        // And it can be installed again.
        try metallb("provision", "0.14.9").expect(status: 0, "24 created")
        try sandbox.kubectl("delete", "service", "web")
    }

    @Test("remove goes on after Ctrl-C, and while a finalizer holds an object says which; the namespace stays usable")
    func interrupted() throws {
        try clear()
        try metallb("provision", "0.14.9").expect(status: 0)
        let pool = ["ipaddresspool", "-n", "metallb-system", "lab-pool", "--type", "merge", "-p"]
        try sandbox.kubectl(["patch"] + pool + [#"{"metadata":{"finalizers":["lab.io/hold"]}}"#])
        let program = try sandbox.project.start("remove", "metallb", "--sandbox", "--output", "json")
        let isWaiting = try Tool.wait { program.output.contains("waiting for IPAddressPool") }
        #expect(isWaiting, "\(program.output)")
        program.interrupt()
        let outcome = program.wait()
        #expect(outcome.status == 130, "\(outcome.everything)")
        try sandbox.project.labctl("remove", "metallb", "--sandbox", "--wait-timeout", "2").expect(
            status: 2, "IPAddressPool metallb-system/lab-pool is not gone after 2 s",
            "IPAddressPool metallb-system/lab-pool is kept by the finalizer lab.io/hold")
        let phase = ["get", "namespace", "metallb-system", "-o", "jsonpath={.status.phase}"]
        #expect(try sandbox.kubectl(phase) == "Active")
        #expect(try objects("deployments").contains("Deployment/controller"), "the controller still runs")
        try sandbox.kubectl(["patch"] + pool + [#"{"metadata":{"finalizers":null}}"#])
        try sandbox.project.labctl("remove", "metallb", "--sandbox").expect(status: 0, "- Namespace metallb-system")
        #expect(try !objects("namespaces").contains("Namespace/metallb-system"))
    }

    @Test("remove refuses to destroy what others have in the namespace, or of MetalLB's kinds, and removes nothing")
    func others() throws {
        try clear()
        try metallb("provision", "0.14.9").expect(status: 0)
        let pool = """
            apiVersion: metallb.io/v1beta1
            kind: IPAddressPool
            metadata: {name: mine, namespace: metallb-system}
            spec: {addresses: [192.168.56.150-192.168.56.160]}
            """
        try sandbox.kubectl("apply", "--server-side", "-f", try sandbox.project.write(pool, to: "mine.yaml"))
        try sandbox.kubectl(
            "apply", "--server-side", "-f",
            try sandbox.project.write(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes, namespace: metallb-system}\n",
                to: "notes.yaml"))
        try sandbox.project.labctl("remove", "metallb", "--sandbox").expect(
            status: 2,
            "CustomResourceDefinition ipaddresspools.metallb.io cannot be removed: an object that metallb did not "
                + "make would be destroyed with it: IPAddressPool metallb-system/mine",
            "Namespace metallb-system cannot be removed: an object that metallb did not make would be destroyed with it: "
                + "ConfigMap metallb-system/notes")
        try metallb("plan", "0.14.9").expect(status: 0, "nothing would change")
        try sandbox.kubectl("delete", "-n", "metallb-system", "ipaddresspool/mine", "configmap/notes")
    }

    @Test("kubectl reads the record: it knows the set for labctl's, and prunes by it when the set is handed over")
    func readByKubectl() throws {
        try clear()
        try metallb("provision", "0.14.9").expect(status: 0)
        let keep = try sandbox.project.write(
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: metallb-system}\n", to: "keep.yaml")
        let prune = [
            "kubectl", "apply", "--server-side", "--force-conflicts", "--prune", "--applyset=configmaps/labctl-metallb",
            "-n", "kube-system", "-f", keep,
        ]
        let environment = ["KUBECONFIG": sandbox.kubeconfig.path, "KUBECTL_APPLYSET": "true"]
        let refused = try Tool.run(prune, in: sandbox.project.folder, environment)
        #expect(refused.status != 0)
        #expect(
            refused.everything.contains("is managed by tooling \"labctl\" instead of \"kubectl\""),
            "\(refused.everything)")
        let before = try objects("crd")
        #expect(before.contains("CustomResourceDefinition/bgppeers.metallb.io"))
        try sandbox.kubectl(
            "annotate", "configmap", "-n", "kube-system", "labctl-metallb", "--overwrite",
            "applyset.kubernetes.io/tooling=kubectl/v1.30.0")
        // kubectl prunes kinds in the order in which their lists arrive: a CRD may go before its objects, which it
        // then misses (its own error, not the record's). So the custom resources go first.
        try sandbox.kubectl(
            "delete", "-n", "metallb-system", "ipaddresspools.metallb.io/lab-pool", "l2advertisements.metallb.io/lab-l2"
        )
        let pruned = try Tool.run(prune, in: sandbox.project.folder, environment)
        #expect(pruned.status == 0, "\(pruned.everything)")
        #expect(pruned.output.contains("customresourcedefinition.apiextensions.k8s.io/bgppeers.metallb.io pruned"))
        #expect(pruned.output.contains("deployment.apps/controller pruned"))
        #expect(try objects("crd").isEmpty)
        // labctl keeps its hands off a set that is kubectl's now.
        try metallb("plan", "0.14.9").expect(status: 2, "is managed by kubectl")
        try sandbox.kubectl("delete", "configmap", "-n", "kube-system", "labctl-metallb")
        try sandbox.kubectl("delete", "namespace", "metallb-system")
    }
}
