import LabCore

extension MetalLBDoctor {
    /// Check 1: the webhook answers only when its pod is ready, its Service has an endpoint, and all that call it know
    /// its certificate. Nothing to say while MetalLB is not installed.
    static func webhook(_ lab: LabSnapshot) -> [Finding] {
        guard lab.deployments != nil else { return unchecked(1, "deployments", lab) }
        guard let controller = lab.controller else { return [] }
        var findings: [Finding] = []
        let wanted = controller[["spec", "replicas"]]?.int ?? 1
        let available = controller[["status", "availableReplicas"]]?.int ?? 0
        if available < max(wanted, 1) {
            findings.append(
                Finding(
                    1, .error, "Deployment \(lab.namespace)/controller has \(available) of \(wanted) pods available",
                    fix: "kubectl -n \(lab.namespace) describe pods -l component=controller"))
        }
        if let slices = lab.endpointSlices {
            let ready = slices.filter { slice in
                slice[["metadata", "labels"]]?["kubernetes.io/service-name"]?.string == "metallb-webhook-service"
            }.flatMap { $0["endpoints"]?.list ?? [] }.filter { $0[["conditions", "ready"]]?.bool ?? true }
            if ready.isEmpty {
                findings.append(
                    Finding(
                        1, .error, "Service \(lab.namespace)/metallb-webhook-service has no ready endpoint",
                        fix: "wait for the controller's pod, or look at why it is not ready"))
            }
        } else {
            findings += unchecked(1, "endpointslices", lab)
        }
        if case .silent(let why) = lab.webhookAnswer {
            findings.append(
                Finding(
                    1, .error, "the webhook does not answer the API server: \(why)",
                    fix:
                        "the API server must reach the controller's pod: look at the CNI and at the addresses of the nodes"
                ))
        }
        return findings + certificates(lab)
    }

    /// The controller writes its CA into the Secret and from there to all that call its webhook.
    private static func certificates(_ lab: LabSnapshot) -> [Finding] {
        guard let secrets = lab.secrets else { return unchecked(1, "secrets", lab) }
        let name = "metallb-webhook-cert"
        guard let secret = secrets.first(where: { $0.isNamed(name, in: lab.namespace) }),
            let authority = secret[["data", "ca.crt"]]?.string
        else {
            return [
                Finding(
                    1, .error, "Secret \(lab.namespace)/\(name) has no certificate yet",
                    fix: "the controller makes it when it starts: look at its log")
            ]
        }
        let fix = "kubectl -n \(lab.namespace) rollout restart deployment controller, which writes its CA anew"
        var findings: [Finding] = []
        for configuration in lab.webhookConfigurations ?? []
        where configuration.objectName == "metallb-webhook-configuration" {
            let strangers = (configuration["webhooks"]?.list ?? [])
                .filter { $0[["clientConfig", "caBundle"]]?.string != authority }.compactMap { $0["name"]?.string }
            if !strangers.isEmpty {
                findings.append(
                    Finding(
                        1, .error, "the CA of \(strangers.joined(separator: ", ")) is not the one in Secret \(name)",
                        fix: fix))
            }
        }
        for definition in lab.definitions ?? [] {
            let client = definition[["spec", "conversion", "webhook", "clientConfig"]]
            guard definition[["spec", "group"]]?.string == "metallb.io", let client,
                client["caBundle"]?.string != authority
            else { continue }
            findings.append(
                Finding(
                    1, .warning,
                    "the CA of CRD \(definition.objectName) is not the one in Secret \(name), so its objects cannot be "
                        + "converted", fix: fix))
        }
        return findings
    }

    /// Check 11: the speaker uses the host's network and raw sockets. The labels are in MetalLB's manifest; a role that
    /// applies a bare Namespace afterwards takes them away.
    static func podSecurity(_ lab: LabSnapshot) -> [Finding] {
        guard let namespaces = lab.namespaces else { return unchecked(11, "namespaces", lab) }
        guard let namespace = namespaces.first(where: { $0.objectName == lab.namespace }) else { return [] }
        let label = "pod-security.kubernetes.io/enforce"
        let level = namespace[["metadata", "labels"]]?[label]?.string
        guard level != "privileged" else { return [] }
        let fix = "kubectl label namespace \(lab.namespace) \(label)=privileged --overwrite"
        guard let level else {
            return [
                Finding(
                    11, .warning,
                    "namespace \(lab.namespace) has no label \(label): the cluster's default decides "
                        + "whether the speaker may run", fix: fix)
            ]
        }
        return [
            Finding(
                11, .error, "namespace \(lab.namespace) enforces pod security \(level), so no speaker may run", fix: fix
            )
        ]
    }

    /// Check 12: the speakers wait for a Secret that the controller makes, and that goes with the Deployment.
    static func memberlistSecret(_ lab: LabSnapshot) -> [Finding] {
        guard let secrets = lab.secrets else { return unchecked(12, "secrets", lab) }
        guard lab.speaker != nil, let controller = lab.controller else { return [] }
        let fix = "kubectl -n \(lab.namespace) rollout restart deployment controller, which makes it"
        guard let secret = secrets.first(where: { $0.isNamed("memberlist", in: lab.namespace) }) else {
            return [
                Finding(
                    12, .error, "Secret \(lab.namespace)/memberlist is missing, and the speakers wait for it", fix: fix)
            ]
        }
        let owners = secret[["metadata", "ownerReferences"]]?.list ?? []
        let uid = controller[["metadata", "uid"]]
        guard !owners.isEmpty, !owners.contains(where: { $0["uid"] == uid }) else { return [] }
        return [
            Finding(
                12, .warning,
                "Secret \(lab.namespace)/memberlist belongs to a Deployment that is gone, and will be collected with it",
                fix: "delete it and restart the controller")
        ]
    }

    /// Check 10: two controllers would both give addresses to a Service.
    static func otherControllers(_ lab: LabSnapshot) -> [Finding] {
        guard let daemonSets = lab.daemonSets else { return unchecked(10, "daemonsets", lab) }
        guard let deployments = lab.deployments else { return unchecked(10, "deployments", lab) }
        var findings: [Finding] = []
        let k3s = daemonSets.filter { $0[["metadata", "labels"]]?.map?["svccontroller.k3s.cattle.io/svcname"] != nil }
        if !k3s.isEmpty {
            findings.append(
                Finding(
                    10, .error, "k3s' own load balancer serves \(k3s.count) Service\(k3s.count == 1 ? "" : "s")",
                    fix: "start the k3s server with --disable=servicelb"))
        }
        for workload in daemonSets + deployments {
            guard let name = knownController(workload) else { continue }
            let namespace = workload[["metadata", "namespace"]]?.string ?? ""
            findings.append(
                Finding(
                    10, .warning, "\(name) runs as \(namespace)/\(workload.objectName) and may give out addresses too",
                    fix:
                        "let one of the two serve Services of type LoadBalancer, or tell them apart by loadBalancerClass"
                ))
        }
        return findings
    }

    /// The load balancer that a workload's images belong to.
    private static func knownController(_ workload: Value) -> String? {
        let known = [
            ("kube-vip-cloud-provider", "kube-vip"), ("openelb", "OpenELB"), ("purelb", "PureLB"),
            ("porter-manager", "OpenELB"), ("cloud-provider-kind", "kind's load balancer"),
        ]
        for container in workload.containers {
            guard let image = container["image"]?.string else { continue }
            if let match = known.first(where: { image.contains($0.0) }) { return match.1 }
            let serves = (container["env"]?.list ?? []).contains {
                $0["name"]?.string == "svc_enable" && $0["value"]?.string == "true"
            }
            if image.contains("/kube-vip:"), serves { return "kube-vip" }
        }
        return nil
    }
}
