import LabCore
import LabSandbox
import LabYAML
import Testing

/// MetalLB as the sandbox plays it, installed with labctl's own miniature manifest.
@Suite("MetalLB, simulated")
struct MetalLBTests {
    static let pools = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools"
    static let advertisements = "/apis/metallb.io/v1beta1/namespaces/metallb-system/l2advertisements"

    static let manifest: [Value] =
        (try? YAML.load(SourceFile(path: "miniature", text: MiniatureManifest.text), schema: .kubernetes).map(\.value))
        ?? []

    static func path(_ object: Value) -> String {
        let version = object["apiVersion"]?.string ?? ""
        let kind = object["kind"]?.string ?? ""
        let plural = kind.lowercased() + (kind.hasSuffix("s") ? "es" : "s")
        let namespace = object[["metadata", "namespace"]]?.string.map { "/namespaces/\($0)" } ?? ""
        return "/\(version.contains("/") ? "apis" : "api")/\(version)\(namespace)/\(plural)/"
            + (object[["metadata", "name"]]?.string ?? "")
    }

    static func pool(_ addresses: [String], name: String = "lab-pool", _ more: ValueMap = [:]) -> Value {
        var spec = more
        spec["addresses"] = .list(addresses.map { .string($0) })
        return [
            "apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
            "metadata": ["name": .string(name), "namespace": "metallb-system"], "spec": .map(spec),
        ]
    }

    static func service(_ name: String, annotations: Value = .map([:]), _ more: ValueMap = [:]) -> Value {
        var spec: ValueMap = ["type": "LoadBalancer", "ports": [["port": 80]]]
        spec.merge(more) { _, last in last }
        return [
            "apiVersion": "v1", "kind": "Service",
            "metadata": ["name": .string(name), "namespace": "default", "annotations": annotations],
            "spec": .map(spec),
        ]
    }

    static let services = "/api/v1/namespaces/default/services"

    private func install(_ options: ClusterOptions = Gate().options()) async -> Fixture {
        let api = await Fixture(options)
        for object in Self.manifest {
            let answer = await api.apply(Self.path(object), object, as: "labctl")
            #expect(answer.status == 201, "\(Self.path(object)): \(answer.message)")
        }
        return api
    }

    private func ready() async -> Fixture {
        let api = await install()
        await api.cluster.settled()
        return api
    }

    private func address(_ api: Fixture, _ name: String) async -> String? {
        await api.cluster.settled()
        return await api.get("\(Self.services)/\(name)").body[["status", "loadBalancer", "ingress"]]?
            .list?.first?["ip"]?.string
    }

    @Test("The miniature has the 24 objects of 0.14.9", .enabled(if: SharedData.isThere))
    func miniature() throws {
        let titles = { (objects: [Value]) in
            objects.map { "\($0["kind"]?.string ?? "") \($0[["metadata", "name"]]?.string ?? "")" }.sorted()
        }
        let real = try YAML.load(
            SourceFile(path: "native", text: try SharedData.manifest("metallb-native-v0.14.9.yaml")),
            schema: .kubernetes
        ).map(\.value)
        #expect(Self.manifest.count == 24)
        #expect(titles(Self.manifest) == titles(real))
        #expect(MiniatureManifest.text.hasPrefix("# labctl's miniature of MetalLB's native manifest"))
    }

    @Test("The miniature applied again changes nothing but the CRD whose caBundle the controller took")
    func secondApply() async {
        let api = await ready()
        for object in Self.manifest {
            let path = Self.path(object)
            let before = await api.get(path).body[["metadata", "resourceVersion"]]
            let answer = await api.apply(path, object, as: "labctl")
            if path.hasSuffix("bgppeers.metallb.io") {
                #expect(answer.status == 409)
                #expect(
                    answer.message
                        == "Apply failed with 1 conflict: conflict with \"MetalLB\" using apiextensions.k8s.io/v1: "
                        + ".spec.conversion.webhook.clientConfig.caBundle")
            } else {
                #expect(answer.status == 200, "\(path)")
                #expect(answer.body[["metadata", "resourceVersion"]] == before, "\(path)")
            }
        }
    }

    @Test("Forcing the placeholder in never converges: the controller writes its own again, each time")
    func neverConverges() async throws {
        let api = await ready()
        let object = try #require(Self.manifest.first { Self.path($0).hasSuffix("bgppeers.metallb.io") })
        let path = Self.path(object)
        let bundle = ["spec", "conversion", "webhook", "clientConfig", "caBundle"]
        let own = await api.get(path).body[bundle]
        #expect(own != object[bundle])
        for _ in 0..<2 {
            let before = await api.get(path).body[["metadata", "resourceVersion"]]
            let forced = await api.apply(path, object, as: "labctl", "&force=true")
            #expect(forced.status == 200)
            #expect(forced.body[bundle] == object[bundle])
            await api.cluster.settled()
            let after = await api.get(path).body
            #expect(after[bundle] == own)
            #expect(after[["metadata", "resourceVersion"]] != before)
        }
        var intent = object
        intent["spec"] = object["spec"].map { spec in
            var spec = spec
            var conversion = spec["conversion"] ?? .null
            var webhook = conversion["webhook"] ?? .null
            var client = webhook["clientConfig"] ?? .null
            client["caBundle"] = nil
            webhook["clientConfig"] = client
            conversion["webhook"] = webhook
            spec["conversion"] = conversion
            return spec
        }
        let kept = await api.apply(path, intent, as: "labctl")
        #expect(kept.status == 200, "without the leaf there is nothing to fight over")
        await api.cluster.settled()
        let revision = await api.get(path).body[["metadata", "resourceVersion"]]
        #expect(await api.apply(path, intent, as: "labctl").body[["metadata", "resourceVersion"]] == revision)
    }

    @Test("The webhook is not there at first: no endpoints, then refused connections, then verdicts")
    func lateWebhook() async {
        let endpoint = Gate()
        let listening = Gate()
        var options = Gate().options {
            $0.webhookEndpoint = .seconds(4000)
            $0.webhookListening = .seconds(5000)
        }
        options.sleep = { duration in
            switch duration {
            case .seconds(4000): await endpoint.pass()
            case .seconds(5000): await listening.pass()
            default: await Task.yield()
            }
        }
        let api = await install(options)
        let pool = Self.pool(["192.168.56.200-192.168.56.250"])
        let wait = { (condition: @escaping (Fixture.Answer) -> Bool) in
            try await eventually(
                { await api.apply(Self.pools + "/lab-pool", pool, as: "labctl", "&dryRun=All") }, until: condition)
        }
        let missing = try? await wait { $0.status == 500 }
        let prefix =
            "Internal error occurred: failed calling webhook \"ipaddresspoolvalidationwebhook.metallb.io\": failed to call "
            + "webhook: Post \"https://metallb-webhook-service.metallb-system.svc:443"
            + "/validate-metallb-io-v1beta1-ipaddresspool?timeout=10s\": "
        #expect(missing?.message == prefix + "no endpoints available for service \"metallb-webhook-service\"")
        await endpoint.open()
        let refused = try? await wait { $0.message.hasSuffix("connect: connection refused") }
        #expect(refused?.message.hasPrefix(prefix + "dial tcp 10.244.1.") == true)
        #expect(refused?.message.hasSuffix(":9443: connect: connection refused") == true)
        await listening.open()
        let answered = try? await wait { $0.status == 201 }
        #expect(answered?.body["kind"] == "IPAddressPool")
    }

    @Test("The webhook listens in the end, also where a busy machine lets a long delay end before a short one")
    func webhookListensLast() async {
        let endpoint = Gate()
        var options = Gate().options { $0.webhookEndpoint = .seconds(4000) }
        options.sleep = { duration in
            if duration == .seconds(4000) { await endpoint.pass() } else { await Task.yield() }
        }
        let api = await install(options)
        for _ in 0..<100 { await Task.yield() }
        await endpoint.open()
        await api.cluster.settled()
        let answer = await api.apply(
            Self.pools + "/lab-pool", Self.pool(["192.168.56.200-192.168.56.250"]), as: "labctl")
        #expect(answer.status == 201, "\(answer.message)")
    }

    @Test(
        "MetalLB's refusals",
        arguments: [
            (
                ["192.168.56.250-192.168.56.200"],
                "parsing address pool bad: invalid CIDR \"192.168.56.250-192.168.56.200\" in pool \"bad\": invalid IP "
                    + "range \"192.168.56.250-192.168.56.200\": start IP \"192.168.56.250\" is after the end IP "
                    + "\"192.168.56.200\""
            ),
            (
                ["192.168.56.300/24"],
                "parsing address pool bad: invalid CIDR \"192.168.56.300/24\" in pool \"bad\": invalid CIDR "
                    + "\"192.168.56.300/24\""
            ),
            (
                ["192.168.56.200"],
                "parsing address pool bad: invalid CIDR \"192.168.56.200\" in pool \"bad\": invalid CIDR "
                    + "\"192.168.56.200\""
            ),
            (
                ["192.168.56.10-20"],
                "parsing address pool bad: invalid CIDR \"192.168.56.10-20\" in pool \"bad\": invalid IP range "
                    + "\"192.168.56.10-20\": invalid end IP \"20\""
            ),
            (
                ["x-192.168.56.20"],
                "parsing address pool bad: invalid CIDR \"x-192.168.56.20\" in pool \"bad\": invalid IP range "
                    + "\"x-192.168.56.20\": invalid start IP \"x\""
            ),
            ([], "parsing address pool bad: pool has no prefixes defined"),
            (
                ["192.168.56.240-192.168.56.245"],
                "CIDR \"192.168.56.240/30\" in pool \"bad\" overlaps with already defined CIDR \"192.168.56.240/29\""
            ),
            (
                ["10.0.0.0/24", "10.0.0.128/25"],
                "CIDR \"10.0.0.128/25\" in pool \"bad\" overlaps with already defined CIDR \"10.0.0.0/24\""
            ),
        ])
    func refusals(_ addresses: [String], _ sentence: String) async {
        let api = await ready()
        _ = await api.apply(Self.pools + "/lab-pool", Self.pool(["192.168.56.200-192.168.56.250"]), as: "labctl")
        let answer = await api.apply(Self.pools + "/bad", Self.pool(addresses, name: "bad"), as: "labctl")
        #expect(answer.status == 403)
        #expect(
            answer.message
                == "admission webhook \"ipaddresspoolvalidationwebhook.metallb.io\" denied the request: \(sentence)")
    }

    @Test(
        "Pools that MetalLB takes",
        arguments: [
            ["192.168.57.1 - 192.168.57.9"], ["192.168.57.7/24"], ["fc00:f853:ccd:e799::/124"],
            ["fd00::1-fd00::ff"],
        ])
    func accepted(_ addresses: [String]) async {
        let api = await ready()
        let answer = await api.apply(Self.pools + "/fine", Self.pool(addresses, name: "fine"), as: "labctl")
        #expect(answer.status == 201, "\(answer.message)")
    }

    @Test("Pools belong into MetalLB's namespace")
    func namespace() async {
        let api = await ready()
        var pool = Self.pool(["10.0.0.0/24"])
        pool["metadata"] = ["name": "lab-pool", "namespace": "default"]
        let answer = await api.apply(
            "/apis/metallb.io/v1beta1/namespaces/default/ipaddresspools/lab-pool", pool, as: "labctl")
        #expect(answer.message.hasSuffix("resource must be created in metallb-system namespace"))
    }

    @Test("LoadBalancer Services get addresses: the lowest free, a requested one, from a pool by name, or none")
    func allocation() async {
        let api = await ready()
        _ = await api.apply(Self.services + "/early", Self.service("early"), as: "labctl")
        #expect(await address(api, "early") == nil)
        _ = await api.apply(Self.pools + "/lab-pool", Self.pool(["10.1.0.0/30"], ["avoidBuggyIPs": true]), as: "labctl")
        _ = await api.apply(
            Self.pools + "/manual", Self.pool(["10.2.0.8-10.2.0.9"], name: "manual", ["autoAssign": false]),
            as: "labctl")
        #expect(await address(api, "early") == "10.1.0.1", "the pool came later, .0 is avoided")
        _ = await api.apply(
            Self.services + "/wish",
            Self.service("wish", annotations: ["metallb.io/loadBalancerIPs": "10.2.0.9"]), as: "labctl")
        #expect(await address(api, "wish") == "10.2.0.9")
        _ = await api.apply(
            Self.services + "/named", Self.service("named", annotations: ["metallb.io/address-pool": "manual"]),
            as: "labctl")
        #expect(await address(api, "named") == "10.2.0.8")
        for (name, expected) in [("b", "10.1.0.2"), ("c", "10.1.0.3"), ("d", nil)] {
            _ = await api.apply("\(Self.services)/\(name)", Self.service(name), as: "labctl")
            #expect(await address(api, name) == expected)
        }
        let events = await api.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dd")
        #expect(
            events.body["items"]?.list?.last?["message"] == "Failed to allocate IP for \"default/d\": no available IPs")
        _ = await api.apply(
            Self.services + "/class", Self.service("class", ["loadBalancerClass": "other"]), as: "labctl")
        #expect(await address(api, "class") == nil)

        _ = await api.send("DELETE", Self.services + "/b")
        #expect(await address(api, "d") == "10.1.0.2", "what is freed is given on")
        _ = await api.send("DELETE", Self.pools + "/manual")
        #expect(await address(api, "wish") == nil)
        let wish = await api.get(Self.services + "/wish").body
        #expect(wish[["metadata", "annotations", "metallb.io/ip-allocated-from-pool"]] == nil)
    }

    @Test("One node announces an address, never the control plane, and the status goes with the Service")
    func announcement() async {
        let api = await ready()
        _ = await api.apply(Self.pools + "/lab-pool", Self.pool(["10.1.0.0/24"]), as: "labctl")
        _ = await api.apply(Self.services + "/s", Self.service("s"), as: "labctl")
        await api.cluster.settled()
        let statuses = "/apis/metallb.io/v1beta1/servicel2statuses?labelSelector=metallb.io%2Fservice-name%3Ds"
        #expect(await api.get(statuses).body["items"]?.list?.count == 0, "nothing advertises the pool yet")
        _ = await api.apply(
            Self.advertisements + "/lab-l2",
            [
                "apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement",
                "metadata": ["name": "lab-l2", "namespace": "metallb-system"],
                "spec": ["ipAddressPools": ["lab-pool"]],
            ], as: "labctl")
        await api.cluster.settled()
        let items = await api.get(statuses).body["items"]?.list ?? []
        #expect(items.count == 1)
        let node = items.first?[["status", "node"]]?.string ?? ""
        #expect(["w1", "w2"].contains(node))
        let events = await api.get("/api/v1/namespaces/default/events").body["items"]?.list ?? []
        #expect(
            events.contains { $0["message"]?.string == "announcing from node \"\(node)\" with protocol \"layer2\"" })
        _ = await api.send("DELETE", Self.services + "/s")
        await api.cluster.settled()
        #expect(await api.get(statuses).body["items"]?.list?.count == 0)
    }

    @Test("A deprecated version is served with a warning, and converted while the CRD has the controller's own CA")
    func deprecation() async throws {
        let api = await ready()
        let old = await api.get("/apis/metallb.io/v1beta1/namespaces/metallb-system/bgppeers")
        #expect(old.status == 200)
        #expect(old.headers["Warning"] == "299 - \"v1beta1 is deprecated, please use v1beta2\"")
        let peer: Value = [
            "apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer",
            "metadata": ["name": "p", "namespace": "metallb-system"],
            "spec": ["myASN": 1, "peerASN": 2, "peerAddress": "10.0.0.1"],
        ]
        let path = "/apis/metallb.io/v1beta2/namespaces/metallb-system/bgppeers/p"
        let created = await api.apply(path, peer, as: "labctl")
        #expect(created.status == 201)
        #expect(created.headers["Warning"] == nil)
        let converted = await api.get(path.replacing("v1beta2", with: "v1beta1"))
        #expect(converted.status == 200)
        #expect(converted.body["apiVersion"] == "metallb.io/v1beta1")
        let definition = try #require(Self.manifest.first { Self.path($0).hasSuffix("bgppeers.metallb.io") })
        _ = await api.apply(Self.path(definition), definition, as: "labctl", "&force=true")
        let refused = await api.get(path.replacing("v1beta2", with: "v1beta1"))
        #expect(refused.status == 500)
        #expect(
            refused.message.hasPrefix(
                "Internal error occurred: conversion webhook for metallb.io/v1beta2, Kind=BGPPeer failed: Post "
                    + "\"https://metallb-webhook-service.metallb-system.svc:443/convert?timeout=30s\": "),
            "\(refused.message)")
    }

    @Test("Speakers wait for the memberlist Secret; Deployment and DaemonSet count their pods")
    func workloads() async {
        let gate = Gate()
        let api = await install(gate.options { $0.certificateRotated = Gate.held })
        let speaker = "/apis/apps/v1/namespaces/metallb-system/daemonsets/speaker"
        let controller = "/apis/apps/v1/namespaces/metallb-system/deployments/controller"
        let waiting = try? await eventually({ await api.get(controller) }) {
            $0.body[["status", "availableReplicas"]] == 1
        }
        #expect(waiting != nil)
        #expect(await api.get(speaker).body[["status", "numberReady"]] == 0)
        #expect(await api.get(speaker).body[["status", "desiredNumberScheduled"]] == 3)
        await gate.open()
        await api.cluster.settled()
        #expect(await api.get(speaker).body[["status", "numberReady"]] == 3)

        let revision = await api.get(controller).body[["status", "observedGeneration"]]
        _ = await api.merge(controller, ["spec": ["replicas": 2]], as: "scaler")
        await api.cluster.settled()
        let scaled = await api.get(controller).body
        #expect(scaled[["status", "readyReplicas"]] == 2)
        #expect(scaled[["status", "observedGeneration"]] != revision)
        let pods = await api.get("/api/v1/namespaces/metallb-system/pods?labelSelector=component%3Dcontroller")
        #expect(pods.body["items"]?.list?.count == 2)

        _ = await api.send("DELETE", controller)
        let left = await api.get("/api/v1/namespaces/metallb-system/pods?labelSelector=component%3Dcontroller")
        #expect(left.body["items"]?.list?.isEmpty == true)
    }

    @Test(
        "A webhook of somebody else is never reached, and fails unless told to be ignored",
        arguments: ["Fail", "Ignore"])
    func foreignWebhooks(_ policy: String) async {
        let api = await Fixture()
        _ = await api.apply(
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/w",
            [
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                "metadata": ["name": "w"],
                "webhooks": [
                    [
                        "name": "w.lab.io", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                        "failurePolicy": .string(policy),
                        "clientConfig": ["service": ["name": "w", "namespace": "default", "path": "/w"]],
                        "rules": [
                            [
                                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                                "resources": ["configmaps"],
                            ]
                        ],
                    ]
                ],
            ], as: "labctl")
        let answer = await api.apply(Fixture.configMaps + "/cm", Fixture.configMap(.map([:])), as: "labctl")
        #expect(answer.status == (policy == "Fail" ? 500 : 201))
        if policy == "Fail" { #expect(answer.message.hasSuffix("service \"w\" not found")) }
    }
}
