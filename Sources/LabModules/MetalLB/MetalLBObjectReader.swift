import LabCore

/// Reads objects one after the other and gathers what is wrong with each.
struct MetalLBObjectReader {
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
        checkEmptyLists(spec, kind, name, place)
        checkInterfaces(spec?["interfaces"], place)
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
            interfaces: (spec?["interfaces"]?.list ?? []).compactMap(\.string), places: places(of: spec),
            entryPlaces: entryPlaces(of: spec), span: place, value: object.value)
    }

    /// Where each field of a spec stands.
    func places(of spec: SourceValue?) -> [String: SourceSpan] {
        var places: [String: SourceSpan] = [:]
        for entry in spec?.entries ?? [] { places[entry.key] = span(entry.value) ?? entry.keySpan }
        return places
    }

    func entryPlaces(of spec: SourceValue?) -> [String: SourceSpan] {
        var places: [String: SourceSpan] = [:]
        for entry in (spec?["peers"]?.list ?? []) + (spec?["communities"]?.list ?? []) {
            if let text = entry.string { places[text] = span(entry) }
        }
        return places
    }

    func selectors(_ list: SourceValue?) -> [LabelSelector] {
        (list?.list ?? []).map { LabelSelector($0.value) }
    }

    /// Where the node stands: in its own file, or where a variable holds its text.
    func span(_ node: SourceValue?) -> SourceSpan? {
        node.flatMap { node in node.span ?? node.string.flatMap(scope.spanOfText) }
    }

    mutating func report(
        _ message: String, _ span: SourceSpan?, notes: [String] = [], hint: String? = nil,
        severity: Diagnostic.Severity = .error
    ) {
        diagnostics.append(
            Diagnostic(message, span: span, notes: notes.map { .init($0) }, hint: hint, severity: severity))
    }

    mutating func checkOversights(_ range: AddressRange, pool: String, _ span: SourceSpan?) {
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
    mutating func checkNamespace(_ object: SourceValue, _ place: SourceSpan?) {
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
    mutating func checkKeys(_ spec: SourceValue?, among known: [String], _ place: SourceSpan?) {
        for entry in spec?.entries ?? [] where !known.contains(entry.key) {
            guard let near = nearestName(to: entry.key, among: known) else { continue }
            report(
                ".spec.\(entry.key): field not declared in schema", entry.keySpan ?? place,
                hint: "did you mean \(near)?")
        }
    }

    mutating func checkAllocation(_ allocation: SourceValue?, _ place: SourceSpan?) {
        guard let allocation else { return }
        let namespaces = (allocation["namespaces"]?.list ?? []).compactMap(\.string)
        if Set(namespaces).count != namespaces.count {
            report("duplicate definition in namespaces field", span(allocation["namespaces"]) ?? place)
        }
        checkSelectors(allocation["namespaceSelectors"], named: "namespaceSelectors", place)
        checkSelectors(allocation["serviceSelectors"], named: "serviceSelectors", place)
    }

    mutating func checkDuplicates(_ list: SourceValue?, named name: String, _ place: SourceSpan?) {
        var seen: Set<String> = []
        for entry in list?.list ?? [] {
            guard let text = entry.string, !seen.insert(text).inserted else { continue }
            report("duplicate definition of \(name) \(goQuoted(text))", span(entry) ?? place)
        }
    }

    mutating func checkSelectors(_ list: SourceValue?, named name: String, _ place: SourceSpan?) {
        var seen: Set<Value> = []
        for entry in list?.list ?? [] where !seen.insert(entry.value).inserted {
            report("duplicate definition of \(name) \(entry.value.json())", entry.span ?? place)
        }
    }

    mutating func checkAggregation(
        _ length: SourceValue?, maximum: Int, family: String, _ place: SourceSpan?
    ) {
        guard let number = length?.int, number > maximum || number < 1 else { return }
        report(
            "invalid aggregation length \(number) for \(family)", length?.span ?? place, hint: "it is 1 to \(maximum)")
    }

    /// A list that is there and empty reads as "none" and means "all" (`setL2AdvertisementsToPools`).
    mutating func checkEmptyLists(_ spec: SourceValue?, _ kind: String, _ name: String, _ place: SourceSpan?) {
        let selectors = spec?["ipAddressPoolSelectors"]?.list ?? []
        let meanings = [
            ("ipAddressPools", "every pool"), ("interfaces", "every interface"), ("peers", "every peer"),
        ]
        for (field, meaning) in meanings {
            guard let list = spec?[field], list.list?.isEmpty == true, field != "ipAddressPools" || selectors.isEmpty
            else { continue }
            report(
                "\(kind) \(goQuoted(name)) names no \(meaning.dropFirst("every ".count)), which means \(meaning)",
                span(list) ?? place, notes: ["MetalLB reads an empty \(field) as if it were not there"],
                hint: "leave \(field) out if that is meant, or name what is to be announced", severity: .warning)
        }
    }

    /// Names that no interface of Linux can have (dev_valid_name): the speakers look for them, find none, and stay silent.
    mutating func checkInterfaces(_ list: SourceValue?, _ place: SourceSpan?) {
        for entry in list?.list ?? [] {
            guard let name = entry.string else { continue }
            let isPossible =
                (1...15).contains(name.utf8.count) && name != "." && name != ".."
                && !name.contains { $0.isWhitespace || $0 == "/" || $0 == ":" }
            guard !isPossible else { continue }
            report(
                "no network interface can be called \(goQuoted(name))", span(entry) ?? place,
                notes: ["MetalLB accepts this; no node has it, so nothing is announced"],
                hint: "give names as `ip link` shows them, for example eth1")
        }
    }
}
