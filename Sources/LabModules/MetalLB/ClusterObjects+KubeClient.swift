import LabCore
import LabKube

extension KubeClient: ClusterObjects {
    package func serverVersion() async throws -> String {
        let response = try await send(HTTPRequest(.get, "/version"))
        guard response.status == 200, let version = try? Value(json: response.body)["gitVersion"]?.string else {
            throw KubeError(APIStatus(code: response.status, body: response.body), action: "read the server's version")
        }
        return version
    }

    package func get(_ kind: ClusterKind, namespace: String?, name: String) async throws -> Value? {
        guard let resource = try await discovery.find(apiVersion: kind.apiVersion, kind: kind.kind) else { return nil }
        return try await unlessUnserved { try await get(resource, namespace: namespace, name: name) } ?? nil
    }

    package func list(_ kind: ClusterKind, namespace: String?, labels: String?) async throws -> [Value]? {
        guard let resource = try await discovery.find(apiVersion: kind.apiVersion, kind: kind.kind) else { return nil }
        return try await unlessUnserved { try await list(resource, namespace: namespace, labelSelector: labels).items }
    }

    package func create(_ kind: ClusterKind, _ object: Value) async throws {
        try await create(kind, object, dryRun: false)
    }

    package func tryOut(_ kind: ClusterKind, _ object: Value) async throws {
        try await create(kind, object, dryRun: true)
    }

    private func create(_ kind: ClusterKind, _ object: Value, dryRun: Bool) async throws {
        _ = try await create(
            object, discovery.resource(apiVersion: kind.apiVersion, kind: kind.kind),
            reference: reference(
                kind, namespace: object[["metadata", "namespace"]]?.string, name: object.objectName),
            fieldManager: Self.fieldManager, dryRun: dryRun)
    }

    package func merge(_ kind: ClusterKind, namespace: String?, name: String, patch: Value) async throws {
        _ = try await merge(
            patch, discovery.resource(apiVersion: kind.apiVersion, kind: kind.kind),
            reference: reference(kind, namespace: namespace, name: name), fieldManager: Self.fieldManager, dryRun: false
        )
    }

    package func delete(_ kind: ClusterKind, namespace: String?, name: String) async throws {
        _ = try await delete(
            discovery.resource(apiVersion: kind.apiVersion, kind: kind.kind),
            reference: reference(kind, namespace: namespace, name: name))
    }

    private static let fieldManager = "labctl"

    private func reference(_ kind: ClusterKind, namespace: String?, name: String) -> ObjectReference {
        ObjectReference(apiVersion: kind.apiVersion, kind: kind.kind, namespace: namespace, name: name)
    }

    /// Kinds that are taken for granted may still not be served, and CRDs may have gone since they were looked up.
    private func unlessUnserved<Answer>(_ ask: () async throws -> Answer) async throws -> Answer? {
        do {
            return try await ask()
        } catch let error as KubeError where error.kind == .unknownKind {
            return nil
        }
    }
}
