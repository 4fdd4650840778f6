import LabCore

extension Cluster {
    /// Asks the validating webhooks that are registered for the object.
    func admit(
        _ object: Value, live: Value?, _ endpoint: Endpoint, operation: String? = nil
    ) throws(APIStatus) {
        let operation = operation ?? (live == nil ? "CREATE" : "UPDATE")
        let configurations = store.list(
            "admissionregistration.k8s.io/validatingwebhookconfigurations", namespace: nil)
        for configuration in configurations {
            for webhook in configuration.object["webhooks"]?.list ?? []
            where concerns(webhook, endpoint.resource, operation, object) {
                try call(webhook, object, endpoint.resource, operation)
            }
        }
    }

    private func concerns(_ webhook: Value, _ resource: APIResource, _ operation: String, _ object: Value) -> Bool {
        let matchesRule = webhook["rules"]?.list?.contains { rule in
            func has(_ field: String, _ wanted: String) -> Bool {
                rule[field]?.list?.contains { $0.string == wanted || $0.string == "*" } ?? false
            }
            return has("apiGroups", resource.groupVersion.group) && has("resources", resource.plural)
                && has("operations", operation)
        }
        guard matchesRule == true else { return false }
        let objects = LabelSelector(object: webhook["objectSelector"] ?? .null)
        guard objects.matches(object.labels) else { return false }
        guard resource.isNamespaced else { return true }
        let namespace = store[ObjectKey(resource: "/namespaces", namespace: "", name: object.objectNamespace)]
        return LabelSelector(object: webhook["namespaceSelector"] ?? .null).matches(namespace?.labels ?? [:])
    }

    private func call(
        _ webhook: Value, _ object: Value, _ resource: APIResource, _ operation: String
    ) throws(APIStatus) {
        let name = webhook["name"]?.string ?? ""
        do {
            try reach(webhook)
        } catch {
            if webhook["failurePolicy"]?.string == "Ignore" { return }
            let seconds = webhook["timeoutSeconds"]?.int ?? 10
            let client = webhook["clientConfig"] ?? .null
            let service = client["service"] ?? .null
            let url =
                client["url"]?.string
                ?? "https://\(service["name"]?.string ?? "").\(service["namespace"]?.string ?? "").svc:"
                + "\(service["port"]?.int ?? 443)\(service["path"]?.string ?? "")"
            throw .internalError(
                "failed calling webhook \"\(name)\": failed to call webhook: Post \"\(url)?timeout=\(seconds)s\": "
                    + error.text)
        }
        let verdict =
            operation == "DELETE"
            ? (resource.plural == "bfdprofiles" ? refusalToRemove(bfdProfile: object.objectName) : nil)
            : metalLB.verdict(
                on: object, resource, operation,
                pools: store.list("metallb.io/ipaddresspools", namespace: nil).map(\.object),
                bgp: simulatedBGP(with: object, resource))
        if let refusal = verdict {
            throw APIStatus(403, "Forbidden", "admission webhook \"\(name)\" denied the request: \(refusal)")
        }
    }

    /// Asks MetalLB's conversion webhook for an object in another version.
    func convert(_ object: Value, to version: String, _ definition: String) throws(APIStatus) -> Value {
        let key = ObjectKey(
            resource: "apiextensions.k8s.io/customresourcedefinitions", namespace: "", name: definition)
        let webhook = store[key]?[path: ["spec", "conversion", "webhook"]] ?? .null
        guard definition == SimulatedMetalLB.peerDefinition else {
            throw .notModelled("conversion of \(definition) by a webhook")
        }
        let service = webhook[path: ["clientConfig", "service"]] ?? .null
        let start =
            "conversion webhook for \(object["apiVersion"]?.string ?? ""), Kind=\(object["kind"]?.string ?? "") failed: "
            + "Post \"https://\(service["name"]?.string ?? "").\(service["namespace"]?.string ?? "").svc:"
            + "\(service["port"]?.int ?? 443)\(service["path"]?.string ?? "")?timeout=30s\": "
        do {
            try reach(webhook)
        } catch {
            throw .internalError(start + error.text)
        }
        guard webhook[path: ["clientConfig", "caBundle"]]?.string == metalLB.certificate else {
            throw .internalError(
                start + "tls: failed to verify certificate: x509: certificate signed by unknown authority")
        }
        var converted = object
        converted["apiVersion"] = .string(version)
        if version == "metallb.io/v1beta1", case .map(let spec)? = object["spec"] {
            // What v1beta1 has no field for is lost.
            let newer: Set<String> = ["connectTime", "disableMP", "dynamicASN", "enableGracefulRestart", "vrf"]
            converted["spec"] = .map(spec.filter { !newer.contains($0.key) })
        }
        return converted
    }

    private struct Unreachable: Error {
        var text: String
    }

    private func reach(_ webhook: Value) throws(Unreachable) {
        guard let reference = webhook[path: ["clientConfig", "service"]] else {
            throw Unreachable(text: "the labctl sandbox calls no webhook outside of the cluster")
        }
        let name = reference["name"]?.string ?? ""
        let namespace = reference["namespace"]?.string ?? ""
        let key = ObjectKey(resource: "/services", namespace: namespace, name: name)
        guard store[key] != nil else { throw Unreachable(text: "service \"\(name)\" not found") }
        guard namespace == SimulatedMetalLB.namespace, !endpointSlices(of: name).isEmpty else {
            throw Unreachable(text: "no endpoints available for service \"\(name)\"")
        }
        switch metalLB.webhook {
        case .absent: throw Unreachable(text: "no endpoints available for service \"\(name)\"")
        case .refusing(let address): throw Unreachable(text: "dial tcp \(address):9443: connect: connection refused")
        case .serving: return
        }
    }
}
