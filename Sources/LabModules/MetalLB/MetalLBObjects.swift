import LabCore

/// MetalLB's configuration as objects of the API: the address pools and what announces them.
///
/// Later objects replace earlier ones of the same kind, namespace and name, as applying them one after the other does.
package struct MetalLBObjects: Sendable {
    /// An `IPAddressPool`.
    package struct Pool: Sendable {
        package let name: String
        package let namespace: String?
        package let labels: ValueMap
        package let ranges: [(range: AddressRange, span: SourceSpan?)]
        package let avoidsBuggyAddresses: Bool
        /// Where the pool's name stands.
        package let span: SourceSpan?
        package let value: Value

        package func contains(_ address: IPAddress) -> Bool { ranges.contains { $0.range.contains(address) } }
    }

    /// An `L2Advertisement` or a `BGPAdvertisement`.
    package struct Advertisement: Sendable {
        package let kind: String
        package let name: String
        package let namespace: String?
        package let poolNames: [(name: String, span: SourceSpan?)]
        package let poolSelectors: [LabelSelector]
        package let nodeSelectors: [LabelSelector]
        package let interfaces: [String]
        package let span: SourceSpan?
        package let value: Value

        /// Whether the advertisement announces the pool (`setL2AdvertisementsToPools`): by name, by label, or because it
        /// names nothing and so means all.
        package func selects(_ pool: Pool) -> Bool {
            guard pool.namespace == namespace else { return false }
            return poolNames.isEmpty && poolSelectors.isEmpty || poolNames.contains { $0.name == pool.name }
                || poolSelectors.contains { $0.matches(pool.labels) }
        }
    }

    package private(set) var pools: [Pool] = []
    package private(set) var advertisements: [Advertisement] = []

    package init() {}

    /// Reads the configuration out of objects that the API gave, which are right by themselves.
    package init(_ objects: [Value]) {
        self.init()
        _ = add(objects.map { SourceValue($0) }, in: ValidationScope(), near: nil)
    }

    /// Adds the objects that are MetalLB's configuration and passes over the others.
    ///
    /// - Parameter near: what mistakes point at where neither the object nor a variable's file has a place.
    /// - Returns: the mistakes that each object has by itself.
    package mutating func add(
        _ objects: [SourceValue], in scope: ValidationScope, near: SourceSpan?
    ) -> [Diagnostic] {
        var reader = ObjectReader(scope: scope, near: near)
        for object in objects.flatMap(Self.items) {
            guard object["apiVersion"]?.string?.hasPrefix("metallb.io/") == true else { continue }
            switch object["kind"]?.string {
            case "IPAddressPool":
                guard let pool = reader.pool(object) else { continue }
                pools.removeAll { $0.name == pool.name && $0.namespace == pool.namespace }
                pools.append(pool)
            case .some(let kind) where kind == "L2Advertisement" || kind == "BGPAdvertisement":
                guard let advertisement = reader.advertisement(object, kind: kind) else { continue }
                advertisements.removeAll {
                    $0.kind == kind && $0.name == advertisement.name && $0.namespace == advertisement.namespace
                }
                advertisements.append(advertisement)
            default: continue
            }
        }
        return reader.diagnostics
    }

    /// The objects in a `List`, or the object itself.
    private static func items(_ object: SourceValue) -> [SourceValue] {
        guard object["kind"]?.string?.hasSuffix("List") == true, let items = object["items"]?.list else {
            return [object]
        }
        return items
    }
}

/// Reads objects one after the other and gathers what is wrong with each.
private struct ObjectReader {
    let scope: ValidationScope
    let near: SourceSpan?
    var diagnostics: [Diagnostic] = []

    mutating func pool(_ object: SourceValue) -> MetalLBObjects.Pool? {
        guard let name = object["metadata"]?["name"]?.string else { return nil }
        let place = span(object["metadata"]?["name"]) ?? near
        checkNamespace(object, place)
        let spec = object["spec"]
        checkKeys(spec, among: ["addresses", "autoAssign", "avoidBuggyIPs", "serviceAllocation"], place)
        checkAllocation(spec?["serviceAllocation"], place)
        let entries = spec?["addresses"]?.list ?? []
        if entries.isEmpty {
            report(
                "parsing address pool \(name): pool has no prefixes defined", span(spec?["addresses"]) ?? place,
                hint: "give it a range, for example 192.168.56.200-192.168.56.250")
        }
        var ranges: [(range: AddressRange, span: SourceSpan?)] = []
        for entry in entries {
            let entrySpan = span(entry) ?? place
            guard let text = entry.string else {
                report("pool \(goQuoted(name)): an address range is a text, not \(entry.typeName)", entrySpan)
                continue
            }
            do throws(AddressRange.Refusal) {
                let range = try AddressRange(text)
                ranges.append((range, entrySpan))
                checkOversights(range, pool: name, entrySpan)
            } catch {
                report(
                    "parsing address pool \(name): invalid CIDR \(goQuoted(text)) in pool \(goQuoted(name)): "
                        + error.message, entrySpan, hint: error.hint)
            }
        }
        return MetalLBObjects.Pool(
            name: name, namespace: object["metadata"]?["namespace"]?.string,
            labels: object["metadata"]?["labels"]?.value.map ?? [:], ranges: ranges,
            avoidsBuggyAddresses: spec?["avoidBuggyIPs"]?.bool ?? false, span: place, value: object.value)
    }

    mutating func advertisement(_ object: SourceValue, kind: String) -> MetalLBObjects.Advertisement? {
        guard let name = object["metadata"]?["name"]?.string else { return nil }
        let place = span(object["metadata"]?["name"]) ?? near
        checkNamespace(object, place)
        let spec = object["spec"]
        let common = ["ipAddressPools", "ipAddressPoolSelectors", "nodeSelectors", "serviceSelectors"]
        let own =
            kind == "L2Advertisement"
            ? ["interfaces", "preferredNodeSelectors"]
            : ["aggregationLength", "aggregationLengthV6", "localPref", "communities", "peers"]
        checkKeys(spec, among: common + own, place)
        checkDuplicates(spec?["ipAddressPools"], named: "ipAddressPools", place)
        if kind == "BGPAdvertisement" {
            checkDuplicates(spec?["communities"], named: "community", place)
            checkDuplicates(spec?["peers"], named: "peers", place)
            checkAggregation(spec?["aggregationLength"], maximum: 32, family: "IPv4", place)
            checkAggregation(spec?["aggregationLengthV6"], maximum: 128, family: "IPv6", place)
        }
        for selectors in ["ipAddressPoolSelectors", "nodeSelectors", "serviceSelectors"] {
            checkSelectors(spec?[selectors], named: selectors, place)
        }
        return MetalLBObjects.Advertisement(
            kind: kind, name: name, namespace: object["metadata"]?["namespace"]?.string,
            poolNames: (spec?["ipAddressPools"]?.list ?? []).compactMap { entry in
                entry.string.map { ($0, span(entry) ?? place) }
            },
            poolSelectors: selectors(spec?["ipAddressPoolSelectors"]),
            nodeSelectors: selectors(spec?["nodeSelectors"]),
            interfaces: (spec?["interfaces"]?.list ?? []).compactMap(\.string), span: place, value: object.value)
    }

    private func selectors(_ list: SourceValue?) -> [LabelSelector] {
        (list?.list ?? []).map { LabelSelector($0.value) }
    }

    /// Where the node stands: in its own file, or where a variable holds its text.
    private func span(_ node: SourceValue?) -> SourceSpan? {
        node.flatMap { node in node.span ?? node.string.flatMap(scope.spanOfText) }
    }

    private mutating func report(
        _ message: String, _ span: SourceSpan?, notes: [String] = [], hint: String? = nil,
        severity: Diagnostic.Severity = .error
    ) {
        diagnostics.append(
            Diagnostic(message, span: span, notes: notes.map { .init($0) }, hint: hint, severity: severity))
    }

    private mutating func checkOversights(_ range: AddressRange, pool: String, _ span: SourceSpan?) {
        switch range.oversight {
        case .hostBits(let network):
            report(
                "\(range.text) in pool \(goQuoted(pool)) has host bits set: MetalLB takes the whole network \(network)",
                span, notes: ["MetalLB accepts this without a word"],
                hint: "write \(network) if that is meant, or FROM-TO for a part of it")
        case .mixedFamilies:
            report(
                "\(range.text) in pool \(goQuoted(pool)) goes from IPv4 to IPv6 and holds no address at all", span,
                notes: ["MetalLB accepts this without a word"], hint: "write one range for each family")
        case nil: break
        }
        for (host, text) in scope.hostAddresses {
            guard let address = IPAddress(text), range.contains(address) else { continue }
            report(
                "\(range.text) in pool \(goQuoted(pool)) holds \(address), the address of host \(host)", span,
                notes: ["MetalLB accepts this; the node is lost from the network when a Service gets its address"],
                hint: "choose a range that no machine has an address in")
        }
    }

    /// The webhook refuses other namespaces than the controller's, which the shipped manifests call metallb-system.
    private mutating func checkNamespace(_ object: SourceValue, _ place: SourceSpan?) {
        guard let namespace = object["metadata"]?["namespace"]?.string, namespace != "metallb-system" else { return }
        report(
            "resource must be created in metallb-system namespace", span(object["metadata"]?["namespace"]) ?? place,
            notes: [
                "\(object["kind"]?.string ?? "the object") is in namespace \(namespace); MetalLB reads only its own"
            ],
            severity: namespace == "default" ? .error : .warning)
    }

    /// The API server's own sentence for a key that is a known one misspelled; unknown keys that resemble none may be a
    /// newer MetalLB's.
    private mutating func checkKeys(_ spec: SourceValue?, among known: [String], _ place: SourceSpan?) {
        for entry in spec?.entries ?? [] where !known.contains(entry.key) {
            guard let near = nearestName(to: entry.key, among: known) else { continue }
            report(
                ".spec.\(entry.key): field not declared in schema", entry.keySpan ?? place,
                hint: "did you mean \(near)?")
        }
    }

    private mutating func checkAllocation(_ allocation: SourceValue?, _ place: SourceSpan?) {
        guard let allocation else { return }
        let namespaces = (allocation["namespaces"]?.list ?? []).compactMap(\.string)
        if Set(namespaces).count != namespaces.count {
            report("duplicate definition in namespaces field", span(allocation["namespaces"]) ?? place)
        }
        checkSelectors(allocation["namespaceSelectors"], named: "namespaceSelectors", place)
        checkSelectors(allocation["serviceSelectors"], named: "serviceSelectors", place)
    }

    private mutating func checkDuplicates(_ list: SourceValue?, named name: String, _ place: SourceSpan?) {
        var seen: Set<String> = []
        for entry in list?.list ?? [] {
            guard let text = entry.string, !seen.insert(text).inserted else { continue }
            report("duplicate definition of \(name) \(goQuoted(text))", span(entry) ?? place)
        }
    }

    private mutating func checkSelectors(_ list: SourceValue?, named name: String, _ place: SourceSpan?) {
        var seen: Set<Value> = []
        for entry in list?.list ?? [] where !seen.insert(entry.value).inserted {
            report("duplicate definition of \(name) \(entry.value.json())", entry.span ?? place)
        }
    }

    private mutating func checkAggregation(
        _ length: SourceValue?, maximum: Int, family: String, _ place: SourceSpan?
    ) {
        guard let number = length?.int, number > maximum else { return }
        report("invalid aggregation length \(number) for \(family)", length?.span ?? place)
    }
}
