import LabCore

/// Takes objects away: in the opposite order of applying, and waits until they are gone.
package struct Deletion: Sendable {
    /// An object to delete, and the resource under which the cluster serves it.
    package struct Target: Sendable {
        package let resource: APIResource
        package let reference: ObjectReference
    }

    private let client: KubeClient
    private let options: ValueMap
    private let timeout: Duration
    private let progress: @Sendable (String) -> Void

    /// - Parameter options: `DeleteOptions` of the API; foreground or background propagation, a grace period.
    package init(
        client: KubeClient, options: ValueMap = [:], timeout: Duration,
        progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.client = client
        self.options = options
        self.timeout = timeout
        self.progress = progress
    }

    /// Those of the objects that exist; a kind that is not served has none.
    ///
    /// - Throws: `KubeError`.
    package func present(_ intents: [Intent]) async throws -> [Target] {
        let found = try await concurrently(intents, limit: ApplyEngine.concurrency) { intent -> Target? in
            let reference = intent.reference
            guard
                let resource = try await client.discovery.find(
                    apiVersion: reference.apiVersion, kind: reference.kind)
            else { return nil }
            let target = Target(
                resource: resource,
                reference: ObjectReference(
                    apiVersion: reference.apiVersion, kind: reference.kind,
                    namespace: resource.isNamespaced ? reference.namespace : nil, name: reference.name))
            do {
                let live = try await client.get(
                    resource, namespace: target.reference.namespace, name: reference.name)
                return live == nil ? nil : target
            } catch let error as KubeError where error.kind == .unknownKind {
                return nil
            }
        }
        return found.compactMap { $0 }
    }

    /// Deletes them, what was applied last first, and waits for each stage to be gone.
    ///
    /// - Throws: `KubeError`; kind `notReady` when something is still there when the time is up.
    package func run(_ targets: [Target]) async throws {
        let wait = ReadinessWait(client: client, condition: .absent, timeout: timeout, progress: progress)
        for (_, indices) in ApplyStage.grouped(targets.map(\.reference)).reversed() {
            let stage = indices.map { targets[$0] }
            _ = try await concurrently(stage, limit: ApplyEngine.concurrency) { target in
                do {
                    return try await client.delete(target.resource, reference: target.reference, options: options)
                } catch let error as KubeError where error.kind == .unknownKind {
                    return false
                }
            }
            _ = try await wait.wait(for: stage.map { ($0.resource, $0.reference) })
        }
        await client.discovery.invalidate()
    }
}
