import LabCore

/// What controllers, kubelets and MetalLB do in a real cluster, in so far as a client of the API can see it. Nothing
/// runs: the objects are changed as they would be, after the delays of the options.
extension Cluster {
    /// Called after every change of the store.
    func controllers(note change: Change) {
        let key = change.key
        switch key.resource {
        case "apiextensions.k8s.io/customresourcedefinitions":
            if change.kind == .added {
                schedule(after: options.delays.definitionEstablished) { $0.establishDefinition(key.name) }
            }
        case "apps/deployments", "apps/daemonsets":
            noteWorkload(change)
        case "/secrets":
            if change.kind == .added { retryPods(namespace: key.namespace) }
        default: break
        }
        noteForMetalLB(change)
        noteForTermination(change)
    }

    private func establishDefinition(_ name: String) {
        let time = Value.string("\(now)")
        control(
            "apiextensions.k8s.io/v1", "customresourcedefinitions", name: name, manager: "kube-apiserver",
            subresource: "status"
        ) { object in
            guard object.hasTrueCondition("Established") == false else { return }
            object.put(["status", "acceptedNames"], object[path: ["spec", "names"]] ?? .null)
            object.put(
                ["status", "conditions"],
                [
                    [
                        "type": "NamesAccepted", "status": "True", "lastTransitionTime": time, "reason": "NoConflicts",
                        "message": "no conflicts found",
                    ],
                    [
                        "type": "Established", "status": "True", "lastTransitionTime": time,
                        "reason": "InitialNamesAccepted", "message": "the initial names have been accepted",
                    ],
                ])
        }
    }

    /// What a cluster has before anybody uses it.
    func seed() {
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            controlCreate("v1", "namespaces", manager: "kube-apiserver", ["metadata": ["name": .string(name)]])
        }
        for node in options.nodes { seedNode(node) }
        controlCreate(
            "v1", "services", manager: "kube-apiserver",
            [
                "metadata": [
                    "name": "kubernetes", "namespace": "default",
                    "labels": ["component": "apiserver", "provider": "kubernetes"],
                ],
                "spec": [
                    "clusterIP": "10.96.0.1",
                    "ports": [["name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443]],
                ],
            ])
        guard let controlPlane = options.nodes.first(where: \.isControlPlane) else { return }
        controlCreate(
            "discovery.k8s.io/v1", "endpointslices", manager: "kube-apiserver",
            [
                "metadata": [
                    "name": "kubernetes", "namespace": "default",
                    "labels": ["kubernetes.io/service-name": "kubernetes"],
                ],
                "addressType": "IPv4",
                "endpoints": [["addresses": [.string(controlPlane.address)], "conditions": ["ready": true]]],
                "ports": [["name": "https", "port": 6443, "protocol": "TCP"]],
            ])
    }

    private func seedNode(_ node: ClusterOptions.Node) {
        var labels: ValueMap = [
            "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": .string(node.name), "kubernetes.io/os": "linux",
        ]
        var spec: ValueMap = ["podCIDR": "10.244.0.0/24"]
        if node.isControlPlane {
            // kubeadm labels and taints a control plane so.
            labels["node-role.kubernetes.io/control-plane"] = ""
            labels["node.kubernetes.io/exclude-from-external-load-balancers"] = ""
            spec["taints"] = [["key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"]]
        }
        let time = Value.string("\(now)")
        controlCreate(
            "v1", "nodes", manager: "kubelet",
            [
                "metadata": ["name": .string(node.name), "labels": .map(labels)], "spec": .map(spec),
                "status": [
                    "addresses": [
                        ["type": "InternalIP", "address": .string(node.address)],
                        ["type": "Hostname", "address": .string(node.name)],
                    ],
                    "conditions": [
                        [
                            "type": "Ready", "status": "True", "reason": "KubeletReady",
                            "message": "kubelet is posting ready status (simulated)", "lastTransitionTime": time,
                            "lastHeartbeatTime": time,
                        ]
                    ],
                    "nodeInfo": [
                        "kubeletVersion": "v1.36.2+labctl.sandbox", "osImage": "labctl sandbox (simulated)",
                        "architecture": "amd64", "operatingSystem": "linux",
                    ],
                ],
            ])
    }
}
