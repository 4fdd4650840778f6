import LabCore

/// What MetalLB's webhook says of BGP objects (v0.14.9 internal/config/config.go and validation.go), without the fields
/// that name other objects, which its webhook leaves out (`resetTransientErrorsFields`).
struct SimulatedBGP: Sendable {
    var pools: [Value] = []
    var peers: [Value] = []
    var advertisements: [Value] = []
    var communities: [Value] = []
    var nodes: [Value] = []
    /// Whether the controller runs with FRR (`METALLB_BGP_TYPE`).
    var isFRR = false

    private struct Refusal: Error { var text: String }

    /// Why these objects are refused together; nil when they are not.
    func refusal() -> String? {
        do throws(Refusal) {
            if isFRR { try checkFRR() } else { try checkNative() }
            for peer in peers {
                do throws(Refusal) {
                    try check(peer: peer)
                } catch {
                    throw Refusal(text: "\(error.text)\nparsing peer \(peer.objectName)")
                }
            }
            try checkCommunities()
            try checkAdvertisements()
            return nil
        } catch {
            return error.text
        }
    }

    // MARK: Peers

    private func check(peer: Value) throws(Refusal) {
        let spec = peer["spec"] ?? .null
        func text(_ field: String) -> String { spec[field]?.string ?? "" }
        let own = spec["myASN"]?.int ?? 0
        let other = spec["peerASN"]?.int ?? 0
        if own == 0 { throw Refusal(text: "missing local ASN") }
        if other == 0, text("dynamicASN").isEmpty { throw Refusal(text: "missing peer ASN and dynamicASN") }
        if other != 0, !text("dynamicASN").isEmpty { throw Refusal(text: "both peer ASN and dynamicASN specified") }
        if own == other, spec["ebgpMultiHop"]?.bool == true {
            throw Refusal(text: "invalid ebgp-multihop parameter set for an ibgp peer")
        }
        guard IPAddress(text("peerAddress")) != nil else {
            throw Refusal(text: "invalid BGPPeer address \(goQuoted(text("peerAddress")))")
        }
        try checkTimers(spec)
        for (field, title) in [("routerID", "router ID"), ("sourceAddress", "source IP")] {
            if !text(field).isEmpty, IPAddress(text(field)) == nil {
                throw Refusal(text: "invalid \(title) \(goQuoted(text(field)))")
            }
        }
        if let twice = Self.duplicate(in: spec["nodeSelectors"]?.list ?? []) {
            throw Refusal(text: "duplicate definition of nodeSelectors \(goQuoted(twice.json()))")
        }
    }

    private func checkTimers(_ spec: Value) throws(Refusal) {
        func duration(_ field: String) throws(Refusal) -> GoDuration? {
            guard let text = spec[field]?.string else { return nil }
            do throws(GoDuration.Refusal) {
                return try GoDuration(text)
            } catch {
                throw Refusal(text: error.message)
            }
        }
        let hold = try duration("holdTime")
        let keepalive = try duration("keepaliveTime")
        guard let whole = hold ?? keepalive.map({ GoDuration(nanoseconds: $0.nanoseconds * 3) }) else { return }
        let part = keepalive ?? GoDuration(nanoseconds: whole.nanoseconds / 3)
        if whole.seconds != 0, whole.seconds < 3 {
            throw Refusal(text: "invalid BGPPeer timers: invalid hold time \"\(whole)\": must be 0 or >=3s")
        }
        if part > whole {
            throw Refusal(
                text:
                    "invalid BGPPeer timers: invalid keepaliveTime \"\(part)\", must be lower than holdTime \"\(whole)\""
            )
        }
    }

    /// `DiscardNativeOnly`
    private func checkFRR() throws(Refusal) {
        guard let first = peers.first else { return }
        func text(_ peer: Value, _ field: String) -> String { peer[path: ["spec", field]]?.string ?? "" }
        var seen: Set<[String]> = []
        for peer in peers {
            if text(peer, "routerID") != text(first, "routerID") {
                throw Refusal(
                    text:
                        "peer \(text(peer, "routerID")) has RouterID different from \(text(first, "routerID")), in FRR "
                        + "mode all RouterID must be equal")
            }
            if !seen.insert([text(peer, "peerAddress"), text(peer, "vrf")]).inserted {
                throw Refusal(
                    text:
                        "peer \(text(peer, "peerAddress")) already exists, FRR mode doesn't support duplicate BGPPeers")
            }
        }
        for peer in peers {
            for other in peers.dropFirst()
            where peer[path: ["spec", "myASN"]] != other[path: ["spec", "myASN"]]
                && text(peer, "vrf") == text(other, "vrf")
            {
                throw Refusal(
                    text:
                        "peer \(text(peer, "peerAddress")) has myAsn different from \(text(other, "peerAddress")), in FRR "
                        + "mode all myAsn must be equal for the same VRF")
            }
        }
    }

    /// `DiscardFRROnly`
    private func checkNative() throws(Refusal) {
        let fields = [
            ("keepaliveTime", "keepalive-time"), ("vrf", "vrf"), ("connectTime", "connect time"),
            ("enableGracefulRestart", "EnableGracefulRestart flag"), ("disableMP", "disable MP flag"),
            ("dynamicASN", "dynamicASN"),
        ]
        for peer in peers {
            for (field, words) in fields {
                switch peer[path: ["spec", field]] {
                case nil, .null, .bool(false), .string(""): continue
                default:
                    let address = peer[path: ["spec", "peerAddress"]]?.string ?? ""
                    throw Refusal(text: "peer \(address) has \(words) set on native bgp mode")
                }
            }
        }
        for pool in advertisements.isEmpty ? [] : pools
        where advertisements.contains(where: { Self.selects($0, pool) }) {
            for block in AddressPools([pool]).pools.first?.blocks ?? [] where block.first.isV6 {
                throw Refusal(
                    text:
                        "pool \(goQuoted(pool.objectName)) has ipv6 CIDR \(block), native bgp mode does not support ipv6"
                )
            }
        }
        for advertisement in advertisements {
            for text in Self.texts(advertisement, "communities") where text.hasPrefix("large:") {
                throw Refusal(
                    text: "native BGP mode only supports legacy communities, BGP advertisement "
                        + "\(goQuoted(advertisement.objectName)) has non legacy community \(goQuoted(text))")
            }
        }
        for community in communities {
            for alias in community[path: ["spec", "communities"]]?.list ?? []
            where alias["value"]?.string?.hasPrefix("large:") == true {
                throw Refusal(
                    text: "native BGP mode only supports legacy communities, BGP community CR "
                        + "\(goQuoted(community.objectName)) has non legacy community {\(goQuoted(alias["name"]?.string ?? "")) "
                        + "\(goQuoted(alias["value"]?.string ?? ""))}")
            }
        }
    }

    // MARK: Communities

    private func checkCommunities() throws(Refusal) {
        var names: Set<String> = []
        for alias in communities.flatMap({ $0[path: ["spec", "communities"]]?.list ?? [] }) {
            let name = alias["name"]?.string ?? ""
            if let mistake = Self.mistake(inCommunity: alias["value"]?.string ?? "") {
                throw Refusal(text: "parsing community \(goQuoted(name)): \(mistake)")
            }
            if !names.insert(name).inserted {
                throw Refusal(text: "duplicate definition of community \(goQuoted(name))")
            }
        }
    }

    private static func mistake(inCommunity text: String) -> String? {
        let sections = text.split(separator: ":", omittingEmptySubsequences: false)
        guard sections.count == 2 || sections.count == 4 else { return "invalid community format: \(text)" }
        if sections.count == 4, sections[0] != "large" {
            return "invalid community value: invalid marker for large community, expected community to be of format "
                + "large:<uint32>:<uint32>:<uint32> but got \(goQuoted(text)) instead"
        }
        for section in sections.count == 4 ? sections.dropFirst() : sections[...] {
            let isNumber = !section.isEmpty && section.allSatisfy { $0.isASCII && $0.isNumber }
            let maximum = sections.count == 4 ? Int(UInt32.max) : Int(UInt16.max)
            if isNumber, let number = Int(section), number <= maximum { continue }
            let why =
                "strconv.ParseUint: parsing \(goQuoted(section)): "
                + (isNumber ? "value out of range" : "invalid syntax")
            return "invalid community value: invalid section \(goQuoted(section)) of community \(goQuoted(text)), err: "
                + goQuoted(why)
        }
        return nil
    }

    // MARK: Advertisements

    private func checkAdvertisements() throws(Refusal) {
        var earlier: [Value] = []
        for advertisement in advertisements {
            try check(advertisement: advertisement)
            for pool in pools where Self.selects(advertisement, pool) {
                try check(advertisement, earlier.filter { Self.selects($0, pool) }, pool)
            }
            earlier.append(advertisement)
        }
    }

    private func check(advertisement: Value) throws(Refusal) {
        let spec = advertisement["spec"] ?? .null
        for (field, title) in [("ipAddressPools", "ipAddressPools"), ("communities", "community"), ("peers", "peers")] {
            if let twice = Self.duplicate(in: spec[field]?.list ?? []) {
                throw Refusal(text: "duplicate definition of \(title) \(goQuoted(twice.string ?? ""))")
            }
        }
        for field in ["ipAddressPoolSelectors", "nodeSelectors"] {
            if let twice = Self.duplicate(in: spec[field]?.list ?? []) {
                throw Refusal(text: "duplicate definition of \(field) \(goQuoted(twice.json()))")
            }
        }
        let (v4, v6) = Self.aggregation(advertisement)
        // 0.14.9 prints the number as a character; its successors as below.
        if v4 > 32 { throw Refusal(text: "invalid aggregation length \(v4) for IPv4") }
        if v6 > 128 { throw Refusal(text: "invalid aggregation length \(v6) for IPv6") }
        for text in Self.texts(advertisement, "communities") where text.contains(":") {
            guard let mistake = Self.mistake(inCommunity: text), mistake.hasPrefix("invalid community value") else {
                continue
            }
            throw Refusal(text: "\(mistake)\ninvalid community \(goQuoted(text)) in BGP advertisement")
        }
    }

    private func check(_ advertisement: Value, _ earlier: [Value], _ pool: Value) throws(Refusal) {
        let (v4, v6) = Self.aggregation(advertisement)
        for address in pool[path: ["spec", "addresses"]]?.list ?? [] {
            var single = pool
            single.set(["spec", "addresses"], .list([address]))
            guard let blocks = AddressPools([single]).pools.first?.blocks, let first = blocks.first,
                let lowest = blocks.map(\.prefix).min(), (first.first.isV6 ? v6 : v4) < lowest
            else { continue }
            throw Refusal(
                text:
                    "invalid aggregation length \(v4): prefix \(lowest) in this pool is more specific than the aggregation "
                    + "length for addresses \(address.string ?? "")")
        }
        let preference = advertisement[path: ["spec", "localPref"]]?.int ?? 0
        for other in earlier {
            let otherPreference = other[path: ["spec", "localPref"]]?.int ?? 0
            guard preference != otherPreference, collide(advertisement, other) else { continue }
            throw Refusal(
                text:
                    "invalid local preference \(preference): local preferernce \(otherPreference) was already set for the "
                    + "same type of BGP update. Check existing BGP advertisements with common pools and aggregation lengths"
            )
        }
    }

    private func collide(_ one: Value, _ other: Value) -> Bool {
        let lengths = (Self.aggregation(one), Self.aggregation(other))
        if lengths.0.v4 != lengths.1.v4, lengths.0.v6 != lengths.1.v6 { return false }
        let peers = (Set(Self.texts(one, "peers")), Set(Self.texts(other, "peers")))
        if !peers.0.isEmpty, !peers.1.isEmpty, peers.0.isDisjoint(with: peers.1) { return false }
        return !selectedNodes(one).isDisjoint(with: selectedNodes(other))
    }

    private func selectedNodes(_ advertisement: Value) -> Set<String> {
        let selectors = advertisement[path: ["spec", "nodeSelectors"]]?.list ?? []
        return Set(
            nodes.filter { node in
                selectors.isEmpty || selectors.contains { LabelSelector(object: $0).matches(node.labels) }
            }.map(\.objectName))
    }

    private static func aggregation(_ advertisement: Value) -> (v4: Int, v6: Int) {
        (
            advertisement[path: ["spec", "aggregationLength"]]?.int ?? 32,
            advertisement[path: ["spec", "aggregationLengthV6"]]?.int ?? 128
        )
    }

    private static func texts(_ object: Value, _ field: String) -> [String] {
        (object[path: ["spec", field]]?.list ?? []).compactMap(\.string)
    }

    private static func duplicate(in values: [Value]) -> Value? {
        var seen: Set<Value> = []
        return values.first { !seen.insert($0).inserted }
    }

    /// Whether an advertisement, of either kind, is for the pool.
    static func selects(_ advertisement: Value, _ pool: Value) -> Bool {
        let names = texts(advertisement, "ipAddressPools")
        let selectors = advertisement[path: ["spec", "ipAddressPoolSelectors"]]?.list ?? []
        return names.isEmpty && selectors.isEmpty || names.contains(pool.objectName)
            || selectors.contains { LabelSelector(object: $0).matches(pool.labels) }
    }
}

extension Cluster {
    /// What MetalLB's webhook sees when an object is written: the changed one stands where the old one stood.
    func simulatedBGP(with object: Value, _ resource: APIResource) -> SimulatedBGP {
        func all(_ plural: String) -> [Value] {
            var all = store.list("metallb.io/\(plural)", namespace: nil).map(\.object)
            guard resource.plural == plural else { return all }
            if let index = all.firstIndex(where: { $0.objectName == object.objectName }) {
                all[index] = object
            } else {
                all.append(object)
            }
            return all
        }
        var bgp = SimulatedBGP()
        // Each kind's handler lists only what its own rules are about.
        switch resource.plural {
        case "bgppeers": bgp.peers = all("bgppeers")
        case "communities": bgp.communities = all("communities")
        case "bgpadvertisements":
            bgp.advertisements = all("bgpadvertisements")
            bgp.pools = all("ipaddresspools")
            bgp.nodes = store.list("/nodes", namespace: nil).map(\.object)
        default: break
        }
        bgp.isFRR = runsFRR
        return bgp
    }

    /// Whether the Deployment of MetalLB's controller says so.
    private var runsFRR: Bool {
        let key = ObjectKey(resource: "apps/deployments", namespace: SimulatedMetalLB.namespace, name: "controller")
        let containers = store[key]?[path: ["spec", "template", "spec", "containers"]]?.list ?? []
        return containers.flatMap { $0["env"]?.list ?? [] }.contains {
            $0["name"]?.string == "METALLB_BGP_TYPE" && $0["value"]?.string?.hasPrefix("frr") == true
        }
    }

    /// Peers that keep a BFD profile from being removed (`validateBFDDelete`).
    func refusalToRemove(bfdProfile name: String) -> String? {
        let peer = store.list("metallb.io/bgppeers", namespace: nil).map(\.object).first {
            $0[path: ["spec", "bfdProfile"]]?.string == name
        }
        return peer.map { "failed to delete BFDProfile \(name), used by BGPPeer \($0.objectName)" }
    }
}
