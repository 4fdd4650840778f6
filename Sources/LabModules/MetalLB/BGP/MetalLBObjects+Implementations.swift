import LabCore

/// What one of the two ways in which MetalLB speaks BGP cannot do (internal/config/validation.go of 0.14.9).
extension MetalLBObjects {
    /// `DiscardNativeOnly`
    func frrConflicts() -> [Diagnostic] {
        guard let first = peers.first else { return [] }
        var found: [Diagnostic] = []
        var seen: [String: Peer] = [:]
        for peer in peers {
            let own = peer.spec["routerID"]?.string ?? ""
            let wanted = first.spec["routerID"]?.string ?? ""
            if own != wanted {
                found.append(
                    Diagnostic(
                        "peer \(own) has RouterID different from \(wanted), in FRR mode all RouterID must be equal",
                        span: peer.place("routerID"),
                        notes: [.init("BGPPeer \(goQuoted(first.name)) is the other", span: first.place("routerID"))]))
            }
            let address = peer.spec["peerAddress"]?.string ?? ""
            let key = "\(address)-\(peer.spec["vrf"]?.string ?? "")"
            if let other = seen[key] {
                found.append(
                    Diagnostic(
                        "peer \(address) already exists, FRR mode doesn't support duplicate BGPPeers",
                        span: peer.place("peerAddress"),
                        notes: [.init("BGPPeer \(goQuoted(other.name)) has it", span: other.place("peerAddress"))]))
            }
            seen[key] = seen[key] ?? peer
        }
        for (index, peer) in peers.enumerated() {
            let other = peers[..<index].first { other in
                other.spec["vrf"]?.string ?? "" == peer.spec["vrf"]?.string ?? ""
                    && other.spec["myASN"] != peer.spec["myASN"]
            }
            guard let other else { continue }
            found.append(
                Diagnostic(
                    "peer \(other.spec["peerAddress"]?.string ?? "") has myAsn different from "
                        + "\(peer.spec["peerAddress"]?.string ?? ""), in FRR mode all myAsn must be equal for the same VRF",
                    span: peer.place("myASN"),
                    notes: [.init("BGPPeer \(goQuoted(other.name)) is the other", span: other.place("myASN"))]))
        }
        return found
    }

    /// `DiscardFRROnly`
    func nativeConflicts() -> [Diagnostic] {
        let hint = "install MetalLB's FRR manifest (the role's metallb_mode: bgp or both)"
        var found: [Diagnostic] = []
        for peer in peers {
            let address = peer.spec["peerAddress"]?.string ?? ""
            for (field, words) in Self.frrFields where peer.isSet(field) {
                found.append(
                    Diagnostic(
                        "peer \(address) has \(words) set on native bgp mode", span: peer.place(field), hint: hint))
            }
        }
        if let profile = profiles.first {
            found.append(Diagnostic("bfd profiles section set", span: profile.span, hint: hint))
        }
        return found + ipv6Announcements(hint) + largeCommunities(hint)
    }

    private static let frrFields = [
        ("bfdProfile", "bfd-profile"), ("keepaliveTime", "keepalive-time"), ("vrf", "vrf"),
        ("connectTime", "connect time"), ("enableGracefulRestart", "EnableGracefulRestart flag"),
        ("disableMP", "disable MP flag"), ("dynamicASN", "dynamicASN"),
    ]

    private func ipv6Announcements(_ hint: String) -> [Diagnostic] {
        let bgp = advertisements.filter { $0.kind == "BGPAdvertisement" }
        return pools.filter { pool in bgp.contains { $0.selects(pool) } }.flatMap { pool in
            pool.ranges.compactMap { range, span -> Diagnostic? in
                guard let network = range.networks.first(where: { !$0.address.isIPv4 }) else { return nil }
                return Diagnostic(
                    "pool \(goQuoted(pool.name)) has ipv6 CIDR \(network), native bgp mode does not support ipv6",
                    span: span, hint: hint)
            }
        }
    }

    private func largeCommunities(_ hint: String) -> [Diagnostic] {
        func isLarge(_ text: String) -> Bool { (try? BGPCommunity(text)) == .large }
        let direct = advertisements.flatMap { advertisement in
            (advertisement.value[["spec", "communities"]]?.list ?? []).compactMap(\.string).filter(isLarge).map {
                text in
                Diagnostic(
                    "native BGP mode only supports legacy communities, BGP advertisement \(goQuoted(advertisement.name)) "
                        + "has non legacy community \(goQuoted(text))",
                    span: advertisement.entryPlaces[text] ?? advertisement.place("communities"), hint: hint)
            }
        }
        return direct
            + communities.filter { isLarge($0.value) }.map { alias in
                Diagnostic(
                    "native BGP mode only supports legacy communities, BGP community CR \(goQuoted(alias.object)) has non "
                        + "legacy community {\(goQuoted(alias.name)) \(goQuoted(alias.value))}", span: alias.span,
                    hint: hint)
            }
    }
}

extension MetalLBObjects.Peer {
    /// Whether the field holds anything but what it has when it is left out.
    fileprivate func isSet(_ field: String) -> Bool {
        switch spec[field] {
        case nil, .null, .bool(false), .string(""): false
        default: true
        }
    }
}
