import LabCore
import LabSandbox

/// A cluster without a transport, and short ways to ask it.
struct Fixture {
    struct Answer {
        let status: Int
        let body: Value
        let headers: [String: String]

        var message: String { body["message"]?.string ?? "" }
        /// The owners by manager's name, as FieldsV1.
        func fields(of manager: String) -> Value? {
            body[["metadata", "managedFields"]]?.list?.first { $0["manager"]?.string == manager }?["fieldsV1"]
        }
    }

    static let administrator = APIUser(name: "admin", groups: ["system:masters"])
    let cluster: Cluster

    init(_ options: ClusterOptions = Gate().options()) async {
        cluster = Cluster(options: options)
        await cluster.start()
    }

    func send(
        _ method: String, _ target: String, _ body: Value? = nil, contentType: String? = nil,
        user: APIUser = administrator
    ) async -> Answer {
        let response = await cluster.answer(
            APIRequest(
                method: method, target: target, contentType: contentType, accept: "application/json",
                userAgent: "tester/1.0 (linux)", body: body?.jsonBytes() ?? [], user: user))
        var bytes: [UInt8] = []
        if case .bytes(let body) = response.body { bytes = body }
        let headers = Dictionary(response.headers.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        return Answer(status: response.status, body: (try? Value(json: bytes)) ?? .null, headers: headers)
    }

    func get(_ target: String) async -> Answer { await send("GET", target) }

    func apply(_ path: String, _ object: Value, as manager: String, _ options: String = "") async -> Answer {
        await send(
            "PATCH", "\(path)?fieldManager=\(manager)\(options)", object, contentType: "application/apply-patch+yaml")
    }

    func merge(_ path: String, _ patch: Value, as manager: String) async -> Answer {
        await send("PATCH", "\(path)?fieldManager=\(manager)", patch, contentType: "application/merge-patch+json")
    }

    /// The lines of a watch until it ends.
    func watch(_ target: String) async -> [Value] {
        let response = await cluster.answer(
            APIRequest(method: "GET", target: target, user: Self.administrator))
        guard case .stream(let chunks) = response.body else { return [] }
        var lines: [Value] = []
        for await chunk in chunks { lines.append((try? Value(json: chunk)) ?? .null) }
        return lines
    }

    static func configMap(_ data: Value, name: String = "cm") -> Value {
        [
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": .string(name), "namespace": "default"], "data": data,
        ]
    }

    static let configMaps = "/api/v1/namespaces/default/configmaps"

    /// A CRD `things.lab.io` with one version and this schema of `spec`.
    static func definition(spec: Value, status: Bool = false) -> Value {
        var version: Value = [
            "name": "v1", "served": true, "storage": true,
            "schema": [
                "openAPIV3Schema": [
                    "type": "object",
                    "properties": [
                        "apiVersion": ["type": "string"], "kind": ["type": "string"],
                        "metadata": ["type": "object"], "spec": spec,
                        "status": ["type": "object", "properties": ["phase": ["type": "string"]]],
                    ],
                ]
            ],
        ]
        if status { version["subresources"] = ["status": .map([:])] }
        return [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": ["name": "things.lab.io"],
            "spec": [
                "group": "lab.io", "scope": "Namespaced", "names": ["kind": "Thing", "plural": "things"],
                "versions": [version],
            ],
        ]
    }

    static let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    static let things = "/apis/lab.io/v1/namespaces/default/things"

    static func thing(_ spec: Value, name: String = "t") -> Value {
        [
            "apiVersion": "lab.io/v1", "kind": "Thing",
            "metadata": ["name": .string(name), "namespace": "default"], "spec": spec,
        ]
    }
}
