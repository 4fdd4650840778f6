import LabCore

/// What the API server says of itself.
enum Discovery {
    /// - Parameter isOnLabNetwork: as `ClusterOptions` has it.
    static func version(isOnLabNetwork: Bool) -> Value {
        guard isOnLabNetwork else { return version }
        var version = version
        version["gitVersion"] = "v1.36.2+labctl.sandbox.network"
        return version
    }

    private static let version: Value = [
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35", "gitVersion": "v1.36.2+labctl.sandbox", "gitCommit": "$Format:%H$",
        "gitTreeState": "", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "swiftc",
        "platform": "labctl/sandbox",
    ]

    static func resourceList(_ version: GroupVersion, _ resources: [APIResource]) -> Value {
        var list: [Value] = []
        for resource in resources {
            var entry: ValueMap = [
                "name": .string(resource.plural), "singularName": .string(resource.singular),
                "namespaced": .bool(resource.isNamespaced), "kind": .string(resource.kind),
                "verbs": .list(resource.verbs.map { .string($0) }),
            ]
            if !resource.shortNames.isEmpty { entry["shortNames"] = .list(resource.shortNames.map { .string($0) }) }
            if !resource.categories.isEmpty { entry["categories"] = .list(resource.categories.map { .string($0) }) }
            list.append(.map(entry))
            if resource.hasStatus {
                list.append([
                    "name": .string(resource.plural + "/status"), "singularName": "",
                    "namespaced": .bool(resource.isNamespaced), "kind": .string(resource.kind),
                    "verbs": ["get", "patch", "update"],
                ])
            }
        }
        var result: ValueMap = ["kind": "APIResourceList"]
        if !version.group.isEmpty { result["apiVersion"] = "v1" }
        result["groupVersion"] = .string("\(version)")
        result["resources"] = .list(list)
        return .map(result)
    }

    static func groupList(_ groups: [(name: String, versions: [GroupVersion])]) -> Value {
        [
            "kind": "APIGroupList", "apiVersion": "v1", "groups": .list(groups.map { group($0.name, $0.versions) }),
        ]
    }

    static func group(_ name: String, _ versions: [GroupVersion]) -> Value {
        let entries: [Value] = versions.map {
            ["groupVersion": .string("\($0)"), "version": .string($0.version)]
        }
        return [
            "name": .string(name), "versions": .list(entries), "preferredVersion": entries.first ?? .null,
        ]
    }

    /// `APIGroupDiscoveryList`, version v2 of the aggregated discovery.
    static func aggregated(
        _ groups: [(name: String, versions: [(version: GroupVersion, resources: [APIResource])])]
    ) -> Value {
        let items: [Value] = groups.map { name, versions in
            [
                "metadata": name.isEmpty ? .map([:]) : ["name": .string(name)],
                "versions": .list(
                    versions.map { version, resources in
                        [
                            "version": .string(version.version),
                            "resources": .list(resources.map(aggregated)), "freshness": "Current",
                        ]
                    }),
            ]
        }
        return [
            "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": .map([:]),
            "items": .list(items),
        ]
    }

    private static func aggregated(_ resource: APIResource) -> Value {
        let kind: Value = ["group": "", "version": "", "kind": .string(resource.kind)]
        var entry: ValueMap = [
            "resource": .string(resource.plural), "responseKind": kind,
            "scope": resource.isNamespaced ? "Namespaced" : "Cluster",
            "singularResource": .string(resource.singular), "verbs": .list(resource.verbs.map { .string($0) }),
        ]
        if !resource.shortNames.isEmpty { entry["shortNames"] = .list(resource.shortNames.map { .string($0) }) }
        if !resource.categories.isEmpty { entry["categories"] = .list(resource.categories.map { .string($0) }) }
        if resource.hasStatus {
            entry["subresources"] = .list([
                ["subresource": "status", "responseKind": kind, "verbs": ["get", "patch", "update"]]
            ])
        }
        return .map(entry)
    }
}

extension Cluster {
    private static let aggregatedType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

    /// The groups that are served, with their versions and resources, in the order of a real server.
    private var servedGroups: [(name: String, versions: [(version: GroupVersion, resources: [APIResource])])] {
        var order: [GroupVersion] = []
        var resources: [GroupVersion: [APIResource]] = [:]
        for resource in APIResource.builtIn where !resource.groupVersion.group.isEmpty {
            if resources[resource.groupVersion] == nil { order.append(resource.groupVersion) }
            resources[resource.groupVersion, default: []].append(resource)
        }
        for version in definitions.order.reversed() {
            if resources[version] == nil { order.append(version) }
            resources[version, default: []] += customResources(version)
        }
        var groups: [(name: String, versions: [(version: GroupVersion, resources: [APIResource])])] = []
        for version in order {
            let entry = (version: version, resources: resources[version] ?? [])
            if let index = groups.firstIndex(where: { $0.name == version.group }) {
                groups[index].versions.append(entry)
            } else {
                groups.append((version.group, [entry]))
            }
        }
        return groups
    }

    private func customResources(_ version: GroupVersion) -> [APIResource] {
        (definitions.versions[version] ?? [:]).values.map(\.resource).sorted { $0.plural < $1.plural }
    }

    private var coreResources: [APIResource] { APIResource.builtIn.filter { $0.groupVersion.group.isEmpty } }

    private func openAPI(_ parts: [String]) -> APIResponse {
        guard parts.dropFirst().first == "v3" else { return .pageNotFound }
        let served = [(version: GroupVersion("v1"), resources: coreResources)] + servedGroups.flatMap(\.versions)
        if parts.count == 2 { return .object(OpenAPI.index(served.map(\.version))) }
        let path = parts.dropFirst(2).joined(separator: "/")
        guard let found = served.first(where: { OpenAPI.path($0.version) == path }) else { return .pageNotFound }
        return .object(OpenAPI.document(found.version, found.resources))
    }

    func discover(_ request: APIRequest, _ parts: [String]) -> APIResponse {
        let wantsAggregated =
            request.accept?.split(separator: ",").contains {
                $0.contains("as=APIGroupDiscoveryList") && $0.contains("v=v2;") || $0.hasSuffix("v=v2")
            } ?? false
        switch (parts[0], parts.count) {
        case ("api", 1) where wantsAggregated:
            let core = [(name: "", versions: [(version: GroupVersion("v1"), resources: coreResources)])]
            return .object(Discovery.aggregated(core), contentType: Self.aggregatedType)
        case ("api", 1):
            return .object([
                "kind": "APIVersions", "versions": ["v1"],
                "serverAddressByClientCIDRs": [["clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"]],
            ])
        case ("api", 2) where parts[1] == "v1":
            return .object(Discovery.resourceList(GroupVersion("v1"), coreResources))
        case ("apis", 1) where wantsAggregated:
            return .object(Discovery.aggregated(servedGroups), contentType: Self.aggregatedType)
        case ("apis", 1):
            return .object(Discovery.groupList(servedGroups.map { ($0.name, $0.versions.map(\.version)) }))
        case ("apis", 2):
            guard let group = servedGroups.first(where: { $0.name == parts[1] }) else {
                return APIResource.unmodelledGroups.contains(parts[1])
                    ? .failure(.notModelled("API group \(parts[1])")) : .pageNotFound
            }
            var value = Discovery.group(group.name, group.versions.map(\.version))
            value["kind"] = "APIGroup"
            value["apiVersion"] = "v1"
            return .object(value.inServerOrder)
        case ("apis", 3):
            let version = GroupVersion(group: parts[1], version: parts[2])
            let found = servedGroups.flatMap(\.versions).first { $0.version == version }
            if let found { return .object(Discovery.resourceList(version, found.resources)) }
            return APIResource.unmodelledGroups.contains(parts[1])
                ? .failure(.notModelled("API group \(parts[1])")) : .pageNotFound
        case ("openapi", _):
            return openAPI(parts)
        default: return .pageNotFound
        }
    }
}
