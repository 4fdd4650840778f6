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
                try call(webhook, object, live: live, endpoint.resource, operation)
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
        _ webhook: Value, _ object: Value, live: Value?, _ resource: APIResource, _ operation: String
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
        let verdict = metalLB.verdict(
            on: object, live: live, resource, operation,
            path: webhook[path: ["clientConfig", "service", "path"]]?.string,
            pools: store.list("metallb.io/ipaddresspools", namespace: nil).map(\.object),
            advertisements: store.list("metallb.io/l2advertisements", namespace: nil).map(\.object))
        if let refusal = verdict {
            throw APIStatus(403, "Forbidden", "admission webhook \"\(name)\" denied the request: \(refusal)")
        }
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
