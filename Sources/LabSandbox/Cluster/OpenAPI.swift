import LabCore

/// The part of the OpenAPI v3 documents that clients read before they write: which operations take which parameters.
///
/// Schemas are left out, so `kubectl explain` has nothing to tell; kubectl leaves validation to the server then.
enum OpenAPI {
    /// The index at `/openapi/v3`.
    static func index(_ versions: [GroupVersion]) -> Value {
        var paths = ValueMap()
        for version in versions {
            let path = self.path(version)
            paths[path] = ["serverRelativeURL": .string("/openapi/v3/\(path)")]
        }
        return ["paths": .map(paths)]
    }

    static func path(_ version: GroupVersion) -> String {
        version.group.isEmpty ? "api/\(version.version)" : "apis/\(version)"
    }

    /// The document of one group version.
    static func document(_ version: GroupVersion, _ resources: [APIResource]) -> Value {
        let parameters: Value = .list(
            ["dryRun", "fieldManager", "fieldValidation", "force"].map {
                ["name": .string($0), "in": "query", "schema": ["type": $0 == "force" ? "boolean" : "string"]]
            })
        var paths = ValueMap()
        for resource in resources {
            let scope = resource.isNamespaced ? "/namespaces/{namespace}" : ""
            let operation: Value = [
                "operationId": .string("patch\(resource.kind)"), "parameters": parameters,
                "responses": ["200": ["description": "OK"], "201": ["description": "Created"]],
                "x-kubernetes-action": "patch",
                "x-kubernetes-group-version-kind": [
                    "group": .string(version.group), "version": .string(version.version),
                    "kind": .string(resource.kind),
                ],
            ]
            paths["/\(path(version))\(scope)/\(resource.plural)/{name}"] = ["patch": operation]
        }
        return [
            "openapi": "3.0.0", "info": ["title": "labctl sandbox", "version": "v1.36.2"], "paths": .map(paths),
            "components": ["schemas": .map([:])],
        ]
    }
}
