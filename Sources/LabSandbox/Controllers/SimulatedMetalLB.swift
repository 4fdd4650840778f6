import Crypto
import LabCore

/// What stands for MetalLB 0.13 to 0.15: the state of its controller, and its webhook's opinion.
struct SimulatedMetalLB: Sendable {
    static let namespace = "metallb-system"
    static let peerDefinition = "bgppeers.metallb.io"
    /// The CRDs whose conversion webhook it serves; the second one is in 0.13 only.
    static let convertedDefinitions: Set<String> = [peerDefinition, "addresspools.metallb.io"]
    /// Where it keeps its certificate: since 0.14.4, and before.
    private static let certificateSecrets: Set<String> = ["metallb-webhook-cert", "webhook-server-cert"]

    /// The Secret that the controller's Deployment mounts.
    static func certificateSecret(of deployment: Value) -> String {
        (deployment[path: ["spec", "template", "spec", "volumes"]]?.list ?? []).lazy
            .compactMap { $0[path: ["secret", "secretName"]]?.string }.first { certificateSecrets.contains($0) }
            ?? "metallb-webhook-cert"
    }

    /// Whether a Service leads to the controller's pods.
    static func leadsToController(_ service: Value) -> Bool {
        service.objectNamespace == namespace
            && service[path: ["spec", "selector", "component"]]?.string == "controller"
    }

    /// How far the webhook can be reached.
    enum Webhook: Sendable, Hashable {
        case absent
        case refusing(address: String)
        case serving
    }

    var webhook: Webhook = .absent
    /// The Secret that it is written to.
    var certificateSecret = "metallb-webhook-cert"
    /// The CA that its controller made for itself, as `caBundle` holds it; nil before it ran.
    var certificate: String?

    /// Why MetalLB refuses an object; nil when it does not.
    func verdict(
        on object: Value, _ resource: APIResource, _ operation: String, pools: [Value], bgp: SimulatedBGP
    ) -> String? {
        guard operation != "DELETE" else { return nil }
        if operation == "CREATE", object.objectNamespace != Self.namespace {
            return "resource must be created in \(Self.namespace) namespace"
        }
        let name = object.objectName
        switch resource.plural {
        case "ipaddresspools":
            // The changed pool stands where the old one stood, a new one comes last.
            var all = pools
            if let index = all.firstIndex(where: { $0.objectName == name }) {
                all[index] = object
            } else {
                all.append(object)
            }
            return AddressPools.refusal(of: all)
        case "l2advertisements": return Self.refusal(of: object)
        case "bgppeers", "bgpadvertisements", "communities": return bgp.refusal()
        default: return nil
        }
    }

    private static func refusal(of advertisement: Value) -> String? {
        let lists = [
            ("ipAddressPools", "ipAddressPools"), ("ipAddressPoolSelectors", "ipAddressPoolSelectors"),
            ("nodeSelectors", "nodeSelectors"),
        ]
        for (field, title) in lists {
            var seen: Set<Value> = []
            for item in advertisement[path: ["spec", field]]?.list ?? [] where !seen.insert(item).inserted {
                return "duplicate definition of \(title) \"\(item.string ?? item.json())\""
            }
        }
        return nil
    }

    /// Which of the nodes announces an address (MetalLB's speaker/layer2_controller.go: the first by the SHA-256 of
    /// `node#address`).
    static func announcer(of address: String, among nodes: [String]) -> String? {
        nodes.min { a, b in
            SHA256.hash(data: Array("\(a)#\(address)".utf8))
                .lexicographicallyPrecedes(SHA256.hash(data: Array("\(b)#\(address)".utf8)))
        }
    }
}

extension Cluster {
    private static let managerName = "MetalLB"

    func noteForMetalLB(_ change: Change) {
        let key = change.key
        switch (key.resource, key.namespace, key.name) {
        case ("apps/deployments", SimulatedMetalLB.namespace, "controller"):
            if change.kind == .deleted {
                metalLB = SimulatedMetalLB()
            } else if (change.object[path: ["status", "readyReplicas"]]?.int ?? 0) > 0,
                (change.previous?[path: ["status", "readyReplicas"]]?.int ?? 0) == 0
            {
                controllerStarted(change.object)
            }
        case ("apiextensions.k8s.io/customresourcedefinitions", _, let name)
        where SimulatedMetalLB.convertedDefinitions.contains(name):
            let bundle = change.object[path: Self.bundlePath]?.string
            if change.kind != .deleted, let certificate = metalLB.certificate, bundle != certificate {
                schedule(after: options.delays.certificateRestored) { $0.writeCertificate() }
            }
        case ("admissionregistration.k8s.io/validatingwebhookconfigurations", _, "metallb-webhook-configuration"):
            // The rotator watches the configuration as it watches the CRD.
            let isForeign = (change.object["webhooks"]?.list ?? []).contains {
                $0[path: ["clientConfig", "caBundle"]]?.string != metalLB.certificate
            }
            if change.kind != .deleted, metalLB.certificate != nil, isForeign {
                schedule(after: options.delays.certificateRestored) { $0.writeCertificate() }
            }
        case ("/services", SimulatedMetalLB.namespace, _)
        where change.kind == .added && metalLB.webhook != .absent && SimulatedMetalLB.leadsToController(change.object):
            schedule(after: options.delays.webhookEndpoint) { $0.writeEndpoints() }
        case ("/services", _, _), ("/nodes", _, _), ("metallb.io/ipaddresspools", _, _),
            ("metallb.io/l2advertisements", _, _), ("metallb.io/bgpadvertisements", _, _),
            ("metallb.io/bgppeers", _, _):
            schedule(after: options.delays.addressAllocated) { $0.allocateAddresses() }
        default: break
        }
    }

    private static let bundlePath = ["spec", "conversion", "webhook", "clientConfig", "caBundle"]

    /// The pod of MetalLB's controller is ready: it makes its certificate and its memberlist key; its webhook listens
    /// some time later only.
    private func controllerStarted(_ deployment: Value) {
        let delays = options.delays
        schedule(after: delays.certificateRotated) { cluster in
            if cluster.metalLB.certificate == nil { cluster.metalLB.certificate = SimulatedCertificates.bundle() }
            cluster.metalLB.certificateSecret = SimulatedMetalLB.certificateSecret(of: deployment)
            cluster.writeCertificate()
            cluster.writeMemberlist(deployment)
        }
        schedule(after: delays.webhookEndpoint) { cluster in
            cluster.metalLB.webhook = .refusing(address: cluster.controllerAddress)
            cluster.writeEndpoints()
            // Only now: on a busy machine one delay may end before a shorter one.
            cluster.schedule(after: delays.webhookListening) { cluster in
                guard case .refusing = cluster.metalLB.webhook else { return }
                cluster.metalLB.webhook = .serving
                cluster.allocateAddresses()
            }
        }
    }

    /// cert-controller's rotator: the CA into Secret, webhook configuration and CRD, each by an update as `MetalLB`.
    private func writeCertificate() {
        guard let certificate = metalLB.certificate else { return }
        control(
            "v1", "secrets", namespace: SimulatedMetalLB.namespace, name: metalLB.certificateSecret,
            manager: Self.managerName
        ) { secret in
            secret.fill(["data"], .map([:]))
            for name in ["ca.crt", "ca.key", "tls.crt", "tls.key"] {
                secret.fill(["data", name], .string(certificate))
            }
        }
        control(
            "admissionregistration.k8s.io/v1", "validatingwebhookconfigurations",
            name: "metallb-webhook-configuration", manager: Self.managerName
        ) { configuration in
            configuration.changeEach(["webhooks"]) { $0.set(["clientConfig", "caBundle"], .string(certificate)) }
        }
        for name in SimulatedMetalLB.convertedDefinitions {
            control(
                "apiextensions.k8s.io/v1", "customresourcedefinitions", name: name, manager: Self.managerName
            ) { definition in
                guard definition[path: Self.bundlePath.dropLast()] != nil else { return }
                definition.set(Self.bundlePath, .string(certificate))
            }
        }
    }

    /// Where the controller's pod is.
    private var controllerAddress: String {
        let pod = store.list("/pods", namespace: SimulatedMetalLB.namespace).first {
            $0.object.labels["component"]?.string == "controller"
        }
        return pod?.object[path: ["status", "podIP"]]?.string ?? "10.244.1.2"
    }

    private func writeMemberlist(_ deployment: Value) {
        let key = (0..<128).map { _ in UInt8.random(in: .min ... .max) }
        controlCreate(
            "v1", "secrets", manager: "metallb-controller",
            [
                "metadata": [
                    "name": "memberlist", "namespace": .string(SimulatedMetalLB.namespace),
                    "ownerReferences": [
                        [
                            "apiVersion": "apps/v1", "kind": "Deployment", "name": .string(deployment.objectName),
                            "uid": .string(deployment.uid),
                        ]
                    ],
                ],
                "data": ["secretkey": .string(Base64.encode(key))], "type": "Opaque",
            ])
    }

    /// The EndpointSlices of the Services that lead to the controller's pod.
    private func writeEndpoints() {
        for service in store.list("/services", namespace: SimulatedMetalLB.namespace)
        where SimulatedMetalLB.leadsToController(service.object) {
            for slice in endpointSlices(of: service.key.name) { _ = discard(slice) }
            writeEndpointSlice(of: service.object, controllerAddress)
        }
    }

    func endpointSlices(of service: String) -> [ObjectKey] {
        store.list("discovery.k8s.io/endpointslices", namespace: SimulatedMetalLB.namespace).filter {
            $0.object.labels["kubernetes.io/service-name"]?.string == service
        }.map(\.key)
    }

    private func writeEndpointSlice(of service: Value, _ address: String) {
        let name = service.objectName
        // The EndpointSlice controller copies the Service's labels.
        var labels = service.labels
        labels["kubernetes.io/service-name"] = .string(name)
        controlCreate(
            "discovery.k8s.io/v1", "endpointslices", manager: "kube-controller-manager",
            [
                "metadata": [
                    "name": .string("\(name)-\(UUID4.suffix())"), "namespace": .string(SimulatedMetalLB.namespace),
                    "labels": .map(labels),
                    "ownerReferences": [
                        [
                            "apiVersion": "v1", "kind": "Service", "name": .string(name), "uid": .string(service.uid),
                            "controller": true, "blockOwnerDeletion": true,
                        ]
                    ],
                ],
                "addressType": "IPv4",
                "endpoints": [
                    [
                        "addresses": [.string(address)],
                        "conditions": ["ready": true, "serving": true, "terminating": false],
                    ]
                ],
                "ports": [["name": "", "port": 9443, "protocol": "TCP"]],
            ])
    }
}
