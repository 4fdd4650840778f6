import LabCore

/// What MetalLB says of BGP objects by themselves (`peerFromCR`, `bfdProfileFromCR` and `communitiesFromCrs` of 0.14.9's
/// internal/config/config.go), and the limits of their CRDs. Where 0.14.9 puts the parts of a sentence on two lines,
/// the later one comes first here, and a colon between them.
extension MetalLBObjectReader {
    private static let peerFields = [
        "bfdProfile", "connectTime", "disableMP", "dualStackAddressFamily", "dynamicASN", "ebgpMultiHop",
        "enableGracefulRestart", "holdTime", "interface", "keepaliveTime", "localASN", "myASN", "nodeSelectors",
        "password", "passwordSecret", "peerASN", "peerAddress", "peerPort", "routerID", "sourceAddress", "vrf",
    ]

    mutating func peer(_ object: SourceValue) -> MetalLBObjects.Peer? {
        guard let name = object["metadata"]?["name"]?.string else { return nil }
        let place = span(object["metadata"]?["name"]) ?? near
        checkNamespace(object, place)
        let spec = object["spec"]
        let peer = MetalLBObjects.Peer(
            name: name, namespace: object["metadata"]?["namespace"]?.string, places: places(of: spec), span: place,
            spec: spec?.value ?? .map([:]))
        checkKeys(spec, among: Self.peerFields, place)
        checkNumbers(peer)
        checkAddresses(peer)
        checkTimers(peer)
        checkConnectTime(peer)
        checkPassword(peer)
        checkSelectors(spec?["nodeSelectors"], named: "nodeSelectors", place)
        return peer
    }

    private mutating func say(
        _ peer: MetalLBObjects.Peer, _ sentence: String, _ field: String, hint: String? = nil
    ) {
        report("parsing peer \(peer.name): \(sentence)", peer.place(field), hint: hint)
    }

    private mutating func checkNumbers(_ peer: MetalLBObjects.Peer) {
        let own = peer.spec["myASN"]?.int ?? 0
        let other = peer.spec["peerASN"]?.int ?? 0
        let dynamic = peer.spec["dynamicASN"]?.string ?? ""
        for (field, number) in [("myASN", own), ("peerASN", other)] where number > UInt32.max || number < 0 {
            say(peer, "\(field) \(number) is no AS number", field, hint: "it is 1 to \(UInt32.max)")
        }
        if own == 0 { say(peer, "missing local ASN", "myASN") }
        if other == 0, dynamic.isEmpty { say(peer, "missing peer ASN and dynamicASN", "peerASN") }
        if other != 0, !dynamic.isEmpty { say(peer, "both peer ASN and dynamicASN specified", "dynamicASN") }
        if !dynamic.isEmpty, !["internal", "external"].contains(dynamic) {
            say(peer, "invalid dynamicASN \(dynamic)", "dynamicASN", hint: "it is internal or external")
        }
        if own != 0, own == other, peer.spec["ebgpMultiHop"]?.bool == true {
            say(peer, "invalid ebgp-multihop parameter set for an ibgp peer", "ebgpMultiHop")
        }
        if let port = peer.spec["peerPort"]?.int, !(0...16384).contains(port) {
            say(peer, "peerPort \(port) is out of range", "peerPort", hint: "the CRD allows 0 to 16384")
        }
    }

    private mutating func checkAddresses(_ peer: MetalLBObjects.Peer) {
        let address = peer.spec["peerAddress"]?.string ?? ""
        // Peers by interface are a newer MetalLB's.
        if peer.spec["interface"] == nil || !address.isEmpty, IPAddress(address) == nil {
            say(peer, "invalid BGPPeer address \(goQuoted(address))", "peerAddress")
        }
        for (field, title) in [("routerID", "router ID"), ("sourceAddress", "source IP")] {
            guard let text = peer.spec[field]?.string, !text.isEmpty, IPAddress(text) == nil else { continue }
            say(peer, "invalid \(title) \(goQuoted(text))", field)
        }
    }

    private mutating func duration(_ peer: MetalLBObjects.Peer, _ field: String) -> GoDuration? {
        guard let value = peer.spec[field], !value.isNull else { return nil }
        guard let text = value.string else {
            say(peer, "\(field) is a text with a unit, not \(value.json())", field, hint: "write \(value.json())s")
            return nil
        }
        do {
            return try GoDuration(text)
        } catch {
            say(peer, error.message, field, hint: Int(text) == nil ? "write 90s, 1m30s or 500ms" : "write \(text)s")
            return nil
        }
    }

    private mutating func checkTimers(_ peer: MetalLBObjects.Peer) {
        let given = (hold: duration(peer, "holdTime"), keepalive: duration(peer, "keepaliveTime"))
        // What is left out follows from the other (`parseTimers`).
        guard
            let hold = given.hold ?? given.keepalive.map({ GoDuration(nanoseconds: $0.nanoseconds * 3) }),
            let keepalive = given.keepalive ?? given.hold.map({ GoDuration(nanoseconds: $0.nanoseconds / 3) })
        else { return }
        let field = given.hold == nil ? "keepaliveTime" : "holdTime"
        if hold.seconds != 0, hold.seconds < 3 {
            say(peer, "invalid BGPPeer timers: invalid hold time \"\(hold)\": must be 0 or >=3s", field)
        }
        if keepalive > hold {
            say(
                peer,
                "invalid BGPPeer timers: invalid keepaliveTime \"\(keepalive)\", must be lower than holdTime \"\(hold)\"",
                "keepaliveTime")
        }
    }

    /// The CRD's own rules (`x-kubernetes-validations`).
    private mutating func checkConnectTime(_ peer: MetalLBObjects.Peer) {
        guard let time = duration(peer, "connectTime") else { return }
        if !(1...65535).contains(time.seconds) {
            say(peer, "connect time should be between 1 seconds to 65535", "connectTime")
        }
        if time.nanoseconds / 1_000_000 % 1000 != 0 {
            say(peer, "connect time should contain a whole number of seconds", "connectTime")
        }
    }

    private mutating func checkPassword(_ peer: MetalLBObjects.Peer) {
        guard let password = peer.spec["password"]?.string, !password.isEmpty else { return }
        if let secret = peer.spec[["passwordSecret", "name"]]?.string, !secret.isEmpty {
            report(
                "parsing peer \(peer.name): can not have both password and secret ref set in peer config "
                    + "\(goQuoted(peer.namespace ?? ""))/\(goQuoted(peer.name))", peer.place("passwordSecret"))
        } else {
            report(
                "the password of BGPPeer \(goQuoted(peer.name)) stands in the object, where everyone who may read peers "
                    + "can read it", peer.place("password"),
                hint: "put it into a Secret of type kubernetes.io/basic-auth and name that in passwordSecret",
                severity: .warning)
        }
    }

    // MARK: BFD

    mutating func profile(_ object: SourceValue) -> MetalLBObjects.BFDProfile? {
        guard let name = object["metadata"]?["name"]?.string else { return nil }
        let place = span(object["metadata"]?["name"]) ?? near
        checkNamespace(object, place)
        let spec = object["spec"]
        let limits: [(field: String, title: String, range: ClosedRange<Int>)] = [
            ("detectMultiplier", "detect multiplier", 2...255), ("receiveInterval", "receive interval", 10...60000),
            ("transmitInterval", "transmit interval", 10...60000), ("minimumTtl", "minimum ttl", 1...254),
            ("echoInterval", "echo interval", 10...60000),
        ]
        checkKeys(spec, among: limits.map(\.field) + ["echoMode", "passiveMode"], place)
        for (field, title, range) in limits {
            guard let number = spec?[field]?.int, !range.contains(number) else { continue }
            report(
                "parsing bfd profile \(name): invalid \(title) value: invalid value \(number), must be in "
                    + "\(range.lowerBound)-\(range.upperBound) range", places(of: spec)[field] ?? place)
        }
        return MetalLBObjects.BFDProfile(
            name: name, namespace: object["metadata"]?["namespace"]?.string,
            hasEcho: spec?["echoMode"]?.bool ?? false, span: place)
    }

    // MARK: Communities

    mutating func aliases(_ object: SourceValue) -> [MetalLBObjects.CommunityAlias] {
        guard let title = object["metadata"]?["name"]?.string else { return [] }
        let place = span(object["metadata"]?["name"]) ?? near
        checkNamespace(object, place)
        checkKeys(object["spec"], among: ["communities"], place)
        return (object["spec"]?["communities"]?.list ?? []).compactMap { entry in
            guard let name = entry["name"]?.string, let value = entry["value"]?.string else { return nil }
            let valueSpan = span(entry["value"]) ?? place
            do throws(BGPCommunity.Refusal) {
                _ = try BGPCommunity(value)
            } catch {
                report("parsing community \(goQuoted(name)): \(error.message)", valueSpan)
            }
            return MetalLBObjects.CommunityAlias(
                object: title, namespace: object["metadata"]?["namespace"]?.string, name: name, value: value,
                span: span(entry["name"]) ?? place)
        }
    }
}
