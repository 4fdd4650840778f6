import LabCore
import LabKube
import LabTransport

/// `kubernetes.core.k8s_info`: reads objects of a cluster, and waits for them where it is asked to.
package struct K8sInfoModule: Module {
    package let specification = ModuleSpecification(
        "kubernetes.core.k8s_info",
        parameters: [
            .init("kind", required: true), .init("api_version", aliases: ["api", "version"], default: "v1"),
            .init("name"), .init("namespace"), .init("label_selectors", .list), .init("field_selectors", .list),
            .init("wait", .bool, default: false), .init("wait_timeout", .int, default: 120),
            .init("wait_sleep", .int, default: 5), .init("wait_condition", .map), .init("hidden_fields", .list),
        ] + ClusterLogin.parameters)

    package init() {}

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan { Plan(.readOnly) }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        try await translatingErrors {
            let session = try await ClusterLogin(call: call, context: context).session()
            let query = try K8sQuery(call, context: context, client: session.client)
            let values = try await query.run()
            return ModuleResult(changed: false, values: values, warnings: await session.takeWarnings())
        }
    }
}

/// One question to the cluster.
private struct K8sQuery {
    let call: ModuleCall
    let context: ModuleContext
    let client: KubeClient
    let wait: WaitSettings
    let apiVersion: String
    let kind: String

    init(_ call: ModuleCall, context: ModuleContext, client: KubeClient) throws {
        self.call = call
        self.context = context
        self.client = client
        wait = try WaitSettings(call)
        apiVersion = call["api_version"]?.string ?? "v1"
        kind = call["kind"]?.string ?? ""
    }

    func run() async throws -> ValueMap {
        guard let resource = try await resource() else { return ["api_found": false, "resources": []] }
        let objects = try await objects(resource)
        return ["api_found": true, "resources": .list(objects.map(shown))]
    }

    /// nil when the cluster does not serve the kind; then the task waits for it only where it waits at all.
    private func resource() async throws -> APIResource? {
        if let found = try await client.discovery.find(apiVersion: apiVersion, kind: kind) { return found }
        guard wait.isWanted, !context.checkMode else {
            return try await client.discovery.find(apiVersion: apiVersion, kind: kind, refresh: true)
        }
        if Discovery.isBuiltIn(apiVersion: apiVersion) {
            return try await client.discovery.resource(
                apiVersion: apiVersion, kind: kind, span: call.source["kind"]?.span)
        }
        let deadline = ContinuousClock.now + wait.timeout
        while true {
            if let found = try await client.discovery.find(apiVersion: apiVersion, kind: kind, refresh: true) {
                return found
            }
            guard ContinuousClock.now < deadline else {
                return try await client.discovery.resource(
                    apiVersion: apiVersion, kind: kind, span: call.source["kind"]?.span)
            }
            context.progress("waiting for kind \(kind) of \(apiVersion) to be served")
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    private func objects(_ resource: APIResource) async throws -> [Value] {
        let namespace = call["namespace"]?.string
        if let name = call["name"]?.string, !name.isEmpty { return try await named(name, namespace, resource) }
        let labels = selector("label_selectors")
        let fields = selector("field_selectors")
        let deadline = ContinuousClock.now + wait.timeout
        while true {
            let items = try await client.list(
                resource, namespace: namespace, labelSelector: labels, fieldSelector: fields
            ).items
            guard wait.isWanted, !context.checkMode else { return items }
            let unready = items.first { !wait.condition.judge($0).isReady }
            if !items.isEmpty, unready == nil { return items }
            let missing = unready.map { "\(objectName($0)): \(wait.condition.judge($0).text ?? "")" } ?? "none exists"
            guard ContinuousClock.now < deadline else {
                throw ModuleError(
                    "\(resource.plural) are not ready after \(call["wait_timeout"]?.int ?? 120) s: \(missing)",
                    span: call.span)
            }
            context.progress("waiting for \(resource.plural): \(missing)")
            try await Task.sleep(for: min(wait.interval, .seconds(2)))
        }
    }

    private func named(_ name: String, _ namespace: String?, _ resource: APIResource) async throws -> [Value] {
        let reference = ObjectReference(
            apiVersion: resource.apiVersion, kind: resource.kind,
            namespace: resource.isNamespaced ? namespace ?? client.kubeconfig.namespace : nil, name: name)
        let live = try await client.get(resource, namespace: reference.namespace, name: name)
        guard wait.isWanted, !context.checkMode, !wait.condition.judge(live).isReady else {
            return live.map { [$0] } ?? []
        }
        let waiting = ReadinessWait(
            client: client, condition: wait.condition, timeout: wait.timeout, pollInterval: wait.interval,
            progress: context.progress)
        return try await waiting.wait(for: [(resource, reference)]).compactMap { $0 }
    }

    private func selector(_ parameter: String) -> String {
        (call[parameter]?.list ?? []).compactMap(\.string).joined(separator: ",")
    }

    private func objectName(_ object: Value) -> String { object[["metadata", "name"]]?.string ?? "" }

    /// An object without the fields that the task hides (`metadata.managedFields`).
    private func shown(_ object: Value) -> Value {
        (call["hidden_fields"]?.list ?? []).compactMap(\.string).reduce(object) { object, field in
            object.removing(FieldPath(parsing: field))
        }
    }
}
