import LabCore

/// Deployments and DaemonSets: pods appear and become ready one after another, and the status counts them.
extension Cluster {
    private static let manager = "kube-controller-manager"

    func noteWorkload(_ change: Change) {
        guard change.kind != .deleted else { return }
        let generation = change.object[path: ["metadata", "generation"]]?.int
        guard change.previous?[path: ["metadata", "generation"]]?.int != generation else { return }
        let key = change.key
        schedule(after: options.delays.podsCreated) { $0.createPods(key) }
    }

    /// Brings the pods of a Deployment or DaemonSet to number and template.
    private func createPods(_ key: ObjectKey) {
        guard let workload = store[key], workload[path: ["metadata", "deletionTimestamp"]] == nil else { return }
        let isDeployment = key.resource == "apps/deployments"
        let template = workload[path: ["spec", "template"]] ?? .null
        let hash = Self.templateHash(template)
        let existing = pods(of: workload, key)
        for pod in existing where pod.object.labels["pod-template-hash"]?.string != hash { _ = discard(pod.key) }
        let kept = existing.filter { $0.object.labels["pod-template-hash"]?.string == hash }
        var owner = reference(workload, isDeployment ? "Deployment" : "DaemonSet")
        var wanted: [(name: String, node: ClusterOptions.Node)] = []
        if isDeployment {
            let set = replicaSet(of: workload, key, template: template, hash: hash)
            owner = reference(set, "ReplicaSet")
            let replicas = workload[path: ["spec", "replicas"]]?.int ?? 1
            for pod in kept.dropFirst(replicas) { _ = discard(pod.key) }
            let workers = options.nodes.filter { !$0.isControlPlane }
            let nodes = workers.isEmpty ? options.nodes : workers
            for index in kept.count..<max(replicas, kept.count) where !nodes.isEmpty {
                wanted.append(("\(key.name)-\(hash)-\(UUID4.suffix())", nodes[index % nodes.count]))
            }
        } else {
            let used = Set(kept.compactMap { $0.object[path: ["spec", "nodeName"]]?.string })
            for node in options.nodes where !used.contains(node.name) && tolerates(template, node) {
                wanted.append(("\(key.name)-\(UUID4.suffix())", node))
            }
        }
        for (index, pod) in wanted.enumerated() {
            createPod(pod.name, on: pod.node, template: template, hash: hash, owner: owner, namespace: key.namespace)
            let podKey = ObjectKey(resource: "/pods", namespace: key.namespace, name: pod.name)
            schedule(after: options.delays.podReady * (index + 1)) { $0.readyPod(podKey, of: key) }
        }
        updateStatus(key)
    }

    private func tolerates(_ template: Value, _ node: ClusterOptions.Node) -> Bool {
        guard node.isControlPlane else { return true }
        return template[path: ["spec", "tolerations"]]?.list?.contains {
            let key = $0["key"]?.string
            return key == "node-role.kubernetes.io/control-plane" || (key == nil && $0["operator"] == "Exists")
        } ?? false
    }

    private func reference(_ owner: Value, _ kind: String) -> Value {
        [
            "apiVersion": "apps/v1", "kind": .string(kind), "name": .string(owner.objectName),
            "uid": .string(owner.uid), "controller": true, "blockOwnerDeletion": true,
        ]
    }

    private func replicaSet(of workload: Value, _ key: ObjectKey, template: Value, hash: String) -> Value {
        let name = "\(key.name)-\(hash)"
        var labels = template[path: ["metadata", "labels"]]?.map ?? [:]
        labels["pod-template-hash"] = .string(hash)
        for set in store.list("apps/replicasets", namespace: key.namespace) where set.key.name != name {
            let owners = set.object[path: ["metadata", "ownerReferences"]]?.list ?? []
            if owners.contains(where: { $0["uid"]?.string == workload.uid }) { _ = discard(set.key) }
        }
        controlCreate(
            "apps/v1", "replicasets", manager: Self.manager,
            [
                "metadata": [
                    "name": .string(name), "namespace": .string(key.namespace), "labels": .map(labels),
                    "ownerReferences": [reference(workload, "Deployment")],
                ],
                "spec": [
                    "replicas": workload[path: ["spec", "replicas"]] ?? 1, "selector": ["matchLabels": .map(labels)],
                    "template": template,
                ],
            ])
        return store[ObjectKey(resource: "apps/replicasets", namespace: key.namespace, name: name)] ?? .null
    }

    private func createPod(
        _ name: String, on node: ClusterOptions.Node, template: Value, hash: String, owner: Value, namespace: String
    ) {
        var labels = template[path: ["metadata", "labels"]]?.map ?? [:]
        labels["pod-template-hash"] = .string(hash)
        var spec = template["spec"]?.map ?? [:]
        spec["nodeName"] = .string(node.name)
        var metadata: ValueMap = [
            "name": .string(name), "namespace": .string(namespace), "labels": .map(labels),
            "ownerReferences": [owner],
        ]
        metadata["annotations"] = template[path: ["metadata", "annotations"]]
        controlCreate(
            "v1", "pods", manager: Self.manager,
            [
                "metadata": .map(metadata), "spec": .map(spec),
                "status": ["phase": "Pending", "qosClass": "BestEffort"],
            ])
    }

    /// A pod whose Secrets are there becomes ready; one that misses a Secret waits for it, as with a kubelet.
    private func readyPod(_ key: ObjectKey, of workload: ObjectKey) {
        guard let pod = store[key], !pod.hasTrueCondition("Ready") else { return }
        let missing = (pod[path: ["spec", "volumes"]]?.list ?? []).contains { volume in
            guard let secret = volume[path: ["secret", "secretName"]]?.string,
                volume[path: ["secret", "optional"]]?.bool != true
            else { return false }
            return store[ObjectKey(resource: "/secrets", namespace: key.namespace, name: secret)] == nil
        }
        guard !missing else { return }
        let time = Value.string("\(now)")
        let node = options.nodes.first { $0.name == pod[path: ["spec", "nodeName"]]?.string }
        let isHostNetwork = pod[path: ["spec", "hostNetwork"]]?.bool == true
        let address = isHostNetwork ? node?.address ?? "" : "10.244.1.\(2 + store.revision % 250)"
        let conditions: [Value] = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map {
            ["type": .string($0), "status": "True", "lastTransitionTime": time]
        }
        let containers: [Value] = (pod[path: ["spec", "containers"]]?.list ?? []).map {
            [
                "name": $0["name"] ?? "", "image": $0["image"] ?? "", "imageID": "", "ready": true,
                "restartCount": 0, "started": true, "state": ["running": ["startedAt": time]],
            ]
        }
        control("v1", "pods", namespace: key.namespace, name: key.name, manager: "kubelet", subresource: "status") {
            $0["status"] = [
                "phase": "Running", "conditions": .list(conditions), "hostIP": .string(node?.address ?? ""),
                "podIP": .string(address), "podIPs": [["ip": .string(address)]], "startTime": time,
                "containerStatuses": .list(containers), "qosClass": "BestEffort",
            ]
        }
        updateStatus(workload)
    }

    /// Pods that wait for a Secret look again.
    func retryPods(namespace: String) {
        for resource in ["apps/deployments", "apps/daemonsets"] {
            for workload in store.list(resource, namespace: namespace) {
                let waiting = pods(of: workload.object, workload.key).filter {
                    !$0.object.hasTrueCondition("Ready")
                }
                for (index, pod) in waiting.enumerated() {
                    let (podKey, workloadKey) = (pod.key, workload.key)
                    schedule(after: options.delays.podReady * (index + 1)) { $0.readyPod(podKey, of: workloadKey) }
                }
            }
        }
    }

    private func pods(of workload: Value, _ key: ObjectKey) -> [(key: ObjectKey, object: Value)] {
        var owners: Set<String> = [workload.uid]
        for set in store.list("apps/replicasets", namespace: key.namespace) {
            let references = set.object[path: ["metadata", "ownerReferences"]]?.list ?? []
            if references.contains(where: { $0["uid"]?.string == workload.uid }) { owners.insert(set.object.uid) }
        }
        return store.list("/pods", namespace: key.namespace).filter { pod in
            pod.object[path: ["metadata", "ownerReferences"]]?.list?.contains {
                owners.contains($0["uid"]?.string ?? "")
            } ?? false
        }
    }

    private func updateStatus(_ key: ObjectKey) {
        guard let workload = store[key] else { return }
        let all = pods(of: workload, key)
        let ready = all.count { $0.object.hasTrueCondition("Ready") }
        let generation = workload[path: ["metadata", "generation"]] ?? 1
        if key.resource == "apps/daemonsets" {
            let desired = options.nodes.count { tolerates(workload[path: ["spec", "template"]] ?? .null, $0) }
            control(
                "apps/v1", "daemonsets", namespace: key.namespace, name: key.name, manager: Self.manager,
                subresource: "status"
            ) { object in
                var status: ValueMap = [
                    "currentNumberScheduled": .int(all.count), "numberMisscheduled": 0,
                    "desiredNumberScheduled": .int(desired), "numberReady": .int(ready),
                    "observedGeneration": generation, "updatedNumberScheduled": .int(all.count),
                ]
                if ready > 0 { status["numberAvailable"] = .int(ready) }
                if ready < desired { status["numberUnavailable"] = .int(desired - ready) }
                object["status"] = .map(status)
            }
            return
        }
        updateDeployment(key, workload, count: all.count, ready: ready, generation: generation)
    }

    private func updateDeployment(_ key: ObjectKey, _ workload: Value, count: Int, ready: Int, generation: Value) {
        let replicas = workload[path: ["spec", "replicas"]]?.int ?? 1
        let isAvailable = ready >= replicas
        let set = "\(key.name)-\(Self.templateHash(workload[path: ["spec", "template"]] ?? .null))"
        let time = Value.string("\(now)")
        let former = workload[path: ["status", "conditions"]]?.list ?? []
        func condition(_ type: String, _ status: String, _ reason: String, _ message: String) -> Value {
            let before = former.first { $0["type"]?.string == type }
            let isSame = before?["status"]?.string == status
            return [
                "type": .string(type), "status": .string(status),
                "lastUpdateTime": isSame && before?["reason"]?.string == reason
                    ? before?["lastUpdateTime"] ?? time : time,
                "lastTransitionTime": isSame ? before?["lastTransitionTime"] ?? time : time,
                "reason": .string(reason), "message": .string(message),
            ]
        }
        let conditions: [Value] = [
            isAvailable
                ? condition(
                    "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
                : condition(
                    "Available", "False", "MinimumReplicasUnavailable",
                    "Deployment does not have minimum availability."),
            isAvailable
                ? condition(
                    "Progressing", "True", "NewReplicaSetAvailable",
                    "ReplicaSet \"\(set)\" has successfully progressed.")
                : condition("Progressing", "True", "ReplicaSetUpdated", "ReplicaSet \"\(set)\" is progressing."),
        ]
        control(
            "apps/v1", "deployments", namespace: key.namespace, name: key.name, manager: Self.manager,
            subresource: "status"
        ) { object in
            object.fill(["metadata", "annotations"], .map([:]))
            object.fill(["metadata", "annotations", "deployment.kubernetes.io/revision"], "1")
            var status: ValueMap = [
                "observedGeneration": generation, "replicas": .int(count), "updatedReplicas": .int(count),
                "terminatingReplicas": 0,
            ]
            if ready > 0 {
                status["readyReplicas"] = .int(ready)
                status["availableReplicas"] = .int(ready)
            }
            if count > ready { status["unavailableReplicas"] = .int(count - ready) }
            status["conditions"] = .list(conditions)
            object["status"] = .map(status)
        }
    }

    /// FNV-1a over the template, in the alphabet of Kubernetes' own hashes.
    private static func templateHash(_ template: Value) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in template.jsonBytes(sortedKeys: true) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
        var text = ""
        for _ in 0..<10 {
            text.append(alphabet[Int(hash % UInt64(alphabet.count))])
            hash /= UInt64(alphabet.count)
        }
        return text
    }
}
