import LabCore

/// The custom resources that are served, kept up to date from the CustomResourceDefinition objects.
struct CustomDefinitions: Sendable {
    struct Version: Sendable {
        var resource: APIResource
        /// `openAPIV3Schema`.
        var schema: Value
        var type: SchemaType
        var isStorage: Bool
        var convertsByWebhook: Bool
        var printerColumns: [Value]
        /// What clients of a deprecated version are told.
        var deprecation: String?
    }

    private(set) var versions: [GroupVersion: [String: Version]] = [:]
    /// Group versions in the order in which they came.
    private(set) var order: [GroupVersion] = []
    private var byDefinition: [String: [(GroupVersion, String)]] = [:]

    mutating func note(_ change: Change) {
        guard change.key.resource == "apiextensions.k8s.io/customresourcedefinitions" else { return }
        for (version, plural) in byDefinition.removeValue(forKey: change.key.name) ?? [] {
            versions[version]?[plural] = nil
            if versions[version]?.isEmpty == true {
                versions[version] = nil
                order.removeAll { $0 == version }
            }
        }
        if change.kind != .deleted, change.object.hasTrueCondition("Established") { add(change.object) }
    }

    private mutating func add(_ object: Value) {
        guard let spec = object["spec"], let group = spec["group"]?.string,
            let plural = spec[path: ["names", "plural"]]?.string, let kind = spec[path: ["names", "kind"]]?.string
        else { return }
        for version in spec["versions"]?.list ?? [] {
            guard let name = version["name"]?.string, version["served"]?.bool == true else { continue }
            let groupVersion = GroupVersion(group: group, version: name)
            let schema = version[path: ["schema", "openAPIV3Schema"]] ?? .null
            var resource = APIResource(
                groupVersion: groupVersion, kind: kind, plural: plural,
                singular: spec[path: ["names", "singular"]]?.string ?? kind.lowercased(),
                isNamespaced: spec["scope"]?.string == "Namespaced",
                listKind: spec[path: ["names", "listKind"]]?.string ?? kind + "List", isCustom: true)
            resource.shortNames = spec[path: ["names", "shortNames"]]?.list?.compactMap(\.string) ?? []
            resource.categories = spec[path: ["names", "categories"]]?.list?.compactMap(\.string) ?? []
            resource.hasStatus = version[path: ["subresources", "status"]] != nil
            resource.verbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
            if versions[groupVersion] == nil { order.append(groupVersion) }
            versions[groupVersion, default: [:]][plural] = Version(
                resource: resource, schema: schema, type: .definition(schema),
                isStorage: version["storage"]?.bool == true,
                convertsByWebhook: spec[path: ["conversion", "strategy"]]?.string == "Webhook",
                printerColumns: version["additionalPrinterColumns"]?.list ?? [],
                deprecation: version["deprecated"]?.bool == true
                    ? version["deprecationWarning"]?.string ?? "\(groupVersion) \(kind) is deprecated" : nil)
            byDefinition[object.objectName, default: []].append((groupVersion, plural))
        }
    }
}

extension Value {
    /// Whether `status.conditions` holds the condition with status `True`.
    func hasTrueCondition(_ type: String) -> Bool {
        self[path: ["status", "conditions"]]?.list?.contains {
            $0["type"]?.string == type && $0["status"]?.string == "True"
        } ?? false
    }
}
