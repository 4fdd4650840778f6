import LabCore

/// The values that the API server fills in where an object leaves them out, as the recorded server did.
enum Defaults {
    static func apply(to object: inout Value, _ version: GroupVersion, _ kind: String) {
        switch ("\(version)", kind) {
        case ("v1", "Namespace"): namespace(&object)
        case ("v1", "Secret"): object.fill(["type"], "Opaque")
        case ("v1", "Service"): service(&object)
        case ("v1", "Pod"): object.change(["spec"]) { podSpec(&$0) }
        case ("v1", "Event"):
            object.fill(["eventTime"], .null)
            object.fill(["reportingComponent"], object[path: ["source", "component"]] ?? "")
            object.fill(["reportingInstance"], "")
        case ("apps/v1", "Deployment"):
            object.fill(["spec", "replicas"], 1)
            object.fill(["spec", "strategy"], .map([:]))
            object.fill(["spec", "strategy", "type"], "RollingUpdate")
            rollingUpdate(&object, "strategy", unavailable: "25%", surge: "25%")
            object.fill(["spec", "revisionHistoryLimit"], 10)
            object.fill(["spec", "progressDeadlineSeconds"], 600)
            object.change(["spec", "template", "spec"]) { podSpec(&$0) }
        case ("apps/v1", "DaemonSet"):
            object.fill(["spec", "updateStrategy"], .map([:]))
            object.fill(["spec", "updateStrategy", "type"], "RollingUpdate")
            rollingUpdate(&object, "updateStrategy", unavailable: 1, surge: 0)
            object.fill(["spec", "revisionHistoryLimit"], 10)
            object.change(["spec", "template", "spec"]) { podSpec(&$0) }
        case ("apps/v1", "ReplicaSet"):
            object.fill(["spec", "replicas"], 1)
            object.change(["spec", "template", "spec"]) { podSpec(&$0) }
        case ("discovery.k8s.io/v1", "EndpointSlice"):
            object.changeEach(["ports"]) { port in
                port.fill(["name"], "")
                port.fill(["protocol"], "TCP")
            }
        case ("apiextensions.k8s.io/v1", _): definition(&object)
        case ("admissionregistration.k8s.io/v1", _): object.changeEach(["webhooks"]) { webhook(&$0) }
        case ("rbac.authorization.k8s.io/v1", "RoleBinding"), ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"):
            object.fill(["roleRef", "apiGroup"], "rbac.authorization.k8s.io")
            object.changeEach(["subjects"]) { subject in
                if subject["kind"]?.string != "ServiceAccount" {
                    subject.fill(["apiGroup"], "rbac.authorization.k8s.io")
                }
            }
        default: break
        }
    }

    /// What a built-in object holds before anybody wrote to it: fields that are never left out.
    static func empty(_ kind: String) -> Value {
        var object: Value = ["apiVersion": "", "kind": "", "metadata": .map([:])]
        if kind == "Event" {
            object["eventTime"] = .null
            object["reportingInstance"] = ""
        }
        return object
    }

    private static func namespace(_ object: inout Value) {
        if let name = object[path: ["metadata", "name"]] {
            object.fill(["metadata", "labels"], .map([:]))
            object.set(["metadata", "labels", "kubernetes.io/metadata.name"], name)
        }
        object.fill(["spec"], .map([:]))
        object.fill(["spec", "finalizers"], .list(["kubernetes"]))
        object.fill(["status"], .map([:]))
        object.fill(["status", "phase"], "Active")
    }

    private static func service(_ object: inout Value) {
        object.fill(["spec"], .map([:]))
        object.fill(["spec", "type"], "ClusterIP")
        object.fill(["spec", "sessionAffinity"], "None")
        object.changeEach(["spec", "ports"]) { port in
            port.fill(["protocol"], "TCP")
            if let number = port["port"] { port.fill(["targetPort"], number) }
        }
        let type = object[path: ["spec", "type"]]?.string
        if type != "ExternalName" { object.fill(["spec", "internalTrafficPolicy"], "Cluster") }
        if type == "LoadBalancer" || type == "NodePort" { object.fill(["spec", "externalTrafficPolicy"], "Cluster") }
        if type == "LoadBalancer" { object.fill(["spec", "allocateLoadBalancerNodePorts"], true) }
        object.fill(["status"], .map([:]))
        object.fill(["status", "loadBalancer"], .map([:]))
    }

    private static func rollingUpdate(_ object: inout Value, _ field: String, unavailable: Value, surge: Value) {
        guard object[path: ["spec", field, "type"]] == "RollingUpdate" else { return }
        object.fill(["spec", field, "rollingUpdate"], .map([:]))
        object.fill(["spec", field, "rollingUpdate", "maxUnavailable"], unavailable)
        object.fill(["spec", field, "rollingUpdate", "maxSurge"], surge)
    }

    private static func podSpec(_ spec: inout Value) {
        for list in ["containers", "initContainers"] { spec.changeEach([list]) { container(&$0) } }
        spec.changeEach(["volumes"]) { volume in
            volume.change(["secret"]) { $0.fill(["defaultMode"], 420) }
            volume.change(["configMap"]) { $0.fill(["defaultMode"], 420) }
            volume.change(["projected"]) { $0.fill(["defaultMode"], 420) }
            volume.change(["hostPath"]) { $0.fill(["type"], "") }
        }
        spec.fill(["restartPolicy"], "Always")
        spec.fill(["terminationGracePeriodSeconds"], 30)
        spec.fill(["dnsPolicy"], "ClusterFirst")
        spec.fill(["securityContext"], .map([:]))
        spec.fill(["schedulerName"], "default-scheduler")
        if let account = spec["serviceAccountName"] { spec.fill(["serviceAccount"], account) }
    }

    private static func container(_ container: inout Value) {
        container.changeEach(["ports"]) { $0.fill(["protocol"], "TCP") }
        container.changeEach(["env"]) { variable in
            variable.change(["valueFrom", "fieldRef"]) { $0.fill(["apiVersion"], "v1") }
        }
        container.fill(["resources"], .map([:]))
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            container.change([probe]) { probe in
                probe.change(["httpGet"]) { action in
                    action.fill(["path"], "/")
                    action.fill(["scheme"], "HTTP")
                }
                probe.fill(["timeoutSeconds"], 1)
                probe.fill(["periodSeconds"], 10)
                probe.fill(["successThreshold"], 1)
                probe.fill(["failureThreshold"], 3)
            }
        }
        container.fill(["terminationMessagePath"], "/dev/termination-log")
        container.fill(["terminationMessagePolicy"], "File")
        let image = container["image"]?.string ?? ""
        let isLatest =
            image.hasSuffix(":latest") || !image.split(separator: "/").suffix(1).contains { $0.contains(":") }
        container.fill(["imagePullPolicy"], isLatest ? "Always" : "IfNotPresent")
    }

    private static func definition(_ object: inout Value) {
        object.fill(["spec", "conversion"], .map([:]))
        object.fill(["spec", "conversion", "strategy"], "None")
        object.change(["spec", "conversion", "webhook", "clientConfig", "service"]) { $0.fill(["port"], 443) }
        if let kind = object[path: ["spec", "names", "kind"]]?.string {
            object.fill(["spec", "names", "singular"], .string(kind.lowercased()))
            object.fill(["spec", "names", "listKind"], .string(kind + "List"))
        }
        let stored = (object[path: ["spec", "versions"]]?.list ?? []).filter { $0["storage"]?.bool == true }
        object.fill(["status"], .map([:]))
        object.fill(["status", "conditions"], .null)
        object.fill(["status", "acceptedNames"], ["plural": "", "kind": ""])
        object.fill(["status", "storedVersions"], .list(stored.compactMap { $0["name"] }))
    }

    private static func webhook(_ webhook: inout Value) {
        webhook.change(["clientConfig", "service"]) { $0.fill(["port"], 443) }
        webhook.changeEach(["rules"]) { $0.fill(["scope"], "*") }
        webhook.fill(["failurePolicy"], "Fail")
        webhook.fill(["matchPolicy"], "Equivalent")
        webhook.fill(["namespaceSelector"], .map([:]))
        webhook.fill(["objectSelector"], .map([:]))
        webhook.fill(["timeoutSeconds"], 10)
    }
}

extension Value {
    /// What `path` leads to through nested maps, or nil where a step is missing.
    subscript(path path: some Collection<String>) -> Value? { self[Array(path)] }

    /// Sets what `path` leads to, when it is missing and its parent is a map.
    mutating func fill(_ path: [String], _ value: Value) {
        if self[path: path] == nil { set(path, value) }
    }

    /// Sets what `path` leads to, when its parent is a map; nil removes.
    mutating func set(_ path: [String], _ value: Value?) {
        guard let first = path.first else { return }
        if path.count == 1 {
            self[first] = value
        } else if var child = self[first] {
            child.set(Array(path.dropFirst()), value)
            self[first] = child
        }
    }

    /// Changes what `path` leads to, when it is a map.
    mutating func change(_ path: [String], _ body: (inout Value) -> Void) {
        guard var child = self[path: path], child.map != nil else { return }
        body(&child)
        set(path, child)
    }

    /// Changes every item of the list that `path` leads to.
    mutating func changeEach(_ path: [String], _ body: (inout Value) -> Void) {
        guard case .list(var items) = self[path: path] else { return }
        for index in items.indices { body(&items[index]) }
        set(path, .list(items))
    }

    /// Sets what `path` leads to and makes the maps on the way.
    mutating func put(_ path: [String], _ value: Value) {
        for length in 1..<max(path.count, 1) { fill(Array(path.prefix(length)), .map([:])) }
        set(path, value)
    }
}
