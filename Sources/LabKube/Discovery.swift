import LabCore

/// What kinds the cluster serves: known for the built-in ones, asked for the others, once per run and again when a CRD came.
package actor Discovery {
    private let send: @Sendable (HTTPRequest) async throws -> HTTPResponse
    private var served: [APIResource]?
    private var groupVersions: [String: [APIResource]] = [:]
    private var servesAggregated = true

    /// `application/json` comes last so that servers before 1.27 answer with what they have.
    private static let aggregated =
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
        + "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"

    init(send: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse) { self.send = send }

    /// The resource of a kind, or nil when the cluster does not serve it.
    ///
    /// - Parameter refresh: Ask again although the answer was "no" before.
    package func find(apiVersion: String, kind: String, refresh: Bool = false) async throws -> APIResource? {
        if let builtIn = BuiltInResources.find(apiVersion: apiVersion, kind: kind) { return builtIn }
        if refresh { invalidate() }
        let resources = try await resources(of: apiVersion)
        if let exact = resources.first(where: { $0.kind == kind }) { return exact }
        // kubernetes.core also takes plural and short names.
        let lower = kind.lowercased()
        return resources.first { $0.plural == lower || $0.kind.lowercased() == lower || $0.shortNames.contains(lower) }
    }

    /// Whether the kinds of an apiVersion are Kubernetes' own: no CustomResourceDefinition will ever bring another.
    package static func isBuiltIn(apiVersion: String) -> Bool {
        BuiltInResources.all.contains { $0.apiVersion == apiVersion }
    }

    /// The resource of a kind.
    ///
    /// - Throws: `KubeError` of kind `unknownKind`, with the nearest name that the cluster does serve.
    package func resource(apiVersion: String, kind: String, span: SourceSpan? = nil) async throws -> APIResource {
        if let found = try await find(apiVersion: apiVersion, kind: kind) { return found }
        if let found = try await find(apiVersion: apiVersion, kind: kind, refresh: true) { return found }
        throw try await unknown(apiVersion: apiVersion, kind: kind, span: span)
    }

    /// The resource of a kind in the version that the cluster prefers, or nil when it serves the kind in none.
    package func find(_ kind: GroupKind) async throws -> APIResource? {
        if let builtIn = BuiltInResources.find(kind) { return builtIn }
        return Self.preferred(try await everything().filter { $0.group == kind.group && $0.kind == kind.kind }).first
    }

    /// Every kind that is served, each in the version that the cluster prefers.
    package func preferredKinds() async throws -> [APIResource] { Self.preferred(try await everything()) }

    /// One resource of each kind: the stable version before a beta before an alpha, of two the later one (Kubernetes'
    /// "version priority").
    private static func preferred(_ resources: [APIResource]) -> [APIResource] {
        var best: [GroupKind: (order: Int, resource: APIResource)] = [:]
        for (order, resource) in resources.enumerated() {
            let kind = GroupKind(group: resource.group, kind: resource.kind)
            guard let known = best[kind] else {
                best[kind] = (order, resource)
                continue
            }
            if VersionPriority(known.resource.version) < VersionPriority(resource.version) {
                best[kind] = (known.order, resource)
            }
        }
        return best.values.sorted { $0.order < $1.order }.map(\.resource)
    }

    /// Forgets what was asked: a CRD came or went.
    package func invalidate() {
        served = nil
        groupVersions = [:]
    }

    /// The error for a kind that is not served.
    func unknown(apiVersion: String, kind: String, span: SourceSpan?) async throws -> KubeError {
        let all = try await everything()
        let hint: String
        if let near = nearestName(
            to: kind, among: all.filter { $0.apiVersion == apiVersion }.map(\.kind).sorted())
        {
            hint = "did you mean \(near)?"
        } else if let elsewhere = all.first(where: { $0.kind == kind }) {
            hint = "\(kind) is served as \(elsewhere.apiVersion)"
        } else if let near = nearestName(to: kind, among: Set(all.map(\.kind)).sorted()),
            let elsewhere = all.first(where: { $0.kind == near })
        {
            hint = "did you mean \(near) of \(elsewhere.apiVersion)?"
        } else if let near = nearestName(to: apiVersion, among: Set(all.map(\.apiVersion)).sorted()), near != apiVersion
        {
            hint = "did you mean apiVersion \(near)?"
        } else {
            hint = "apply the CustomResourceDefinition that defines it first"
        }
        return KubeError(
            .unknownKind, "the cluster serves no kind \(kind) in apiVersion \(apiVersion)", span: span, hint: hint)
    }

    private func resources(of apiVersion: String) async throws -> [APIResource] {
        if servesAggregated {
            let all = try await everything()
            if servesAggregated { return all.filter { $0.apiVersion == apiVersion } }
        }
        if let known = groupVersions[apiVersion] { return known }
        let (group, version) = splitAPIVersion(apiVersion)
        let path = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
        let response = try await send(HTTPRequest(.get, path))
        guard response.status != 404 else { return [] }
        let list = try json(response, action: "read the kinds of \(apiVersion)")
        let found = resources(ofList: list, group: group, version: version)
        groupVersions[apiVersion] = found
        return found
    }

    /// Everything that is served, in two requests at once. Where the server has no aggregated discovery this is only
    /// what is built in.
    private func everything() async throws -> [APIResource] {
        if let served { return served }
        async let core = send(HTTPRequest(.get, "/api", accept: Self.aggregated))
        async let groups = send(HTTPRequest(.get, "/apis", accept: Self.aggregated))
        var found: [APIResource] = []
        for response in [try await core, try await groups] {
            let list = try json(response, action: "read the kinds that the cluster serves")
            guard list["kind"]?.string == "APIGroupDiscoveryList" else {
                servesAggregated = false
                return BuiltInResources.all
            }
            found += resources(ofAggregated: list)
        }
        served = found
        return found
    }

    private func json(_ response: HTTPResponse, action: String) throws -> Value {
        guard response.status == 200 else {
            throw KubeError(APIStatus(code: response.status, body: response.body), action: action)
        }
        return try Value(json: response.body)
    }

    private nonisolated func resources(ofAggregated list: Value) -> [APIResource] {
        var found: [APIResource] = []
        for group in list["items"]?.list ?? [] {
            let groupName = group[["metadata", "name"]]?.string ?? ""
            for version in group["versions"]?.list ?? [] {
                guard let versionName = version["version"]?.string else { continue }
                for resource in version["resources"]?.list ?? [] {
                    guard let plural = resource["resource"]?.string,
                        let kind = resource[["responseKind", "kind"]]?.string
                    else { continue }
                    found.append(
                        APIResource(
                            group: groupName, version: versionName, kind: kind, plural: plural,
                            isNamespaced: resource["scope"]?.string == "Namespaced",
                            shortNames: (resource["shortNames"]?.list ?? []).compactMap(\.string)))
                }
            }
        }
        return found
    }

    private nonisolated func resources(ofList list: Value, group: String, version: String) -> [APIResource] {
        (list["resources"]?.list ?? []).compactMap { resource in
            // Subresources have a slash in their name.
            guard let plural = resource["name"]?.string, !plural.contains("/"), let kind = resource["kind"]?.string
            else { return nil }
            return APIResource(
                group: group, version: version, kind: kind, plural: plural,
                isNamespaced: resource["namespaced"]?.bool == true,
                shortNames: (resource["shortNames"]?.list ?? []).compactMap(\.string))
        }
    }
}

/// How a version of an API group ranks: `v2` above `v1` above `v1beta2` above `v1alpha1` above names of another form.
struct VersionPriority: Comparable {
    private let stability: Int
    private let numbers: [Int]
    private let name: String

    init(_ version: String) {
        name = version
        guard let match = version.wholeMatch(of: /v(\d+)(?:(alpha|beta)(\d+))?/) else {
            (stability, numbers) = (0, [])
            return
        }
        stability = match.output.2 == nil ? 3 : match.output.2 == "beta" ? 2 : 1
        numbers = [match.output.1, match.output.3 ?? ""].map { Int($0) ?? 0 }
    }

    static func < (a: VersionPriority, b: VersionPriority) -> Bool {
        if a.stability != b.stability { return a.stability < b.stability }
        // Names of another form are in the order of the alphabet, the first of them first.
        if a.numbers == b.numbers { return a.name > b.name }
        return a.numbers.lexicographicallyPrecedes(b.numbers)
    }
}
