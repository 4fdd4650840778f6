import LabCore

/// What MetalLB says of BGP objects taken together (internal/config/config.go and validation.go of 0.14.9).
extension MetalLBObjects {
    /// What contradicts each other, whatever else there may be.
    package func conflicts() -> [Diagnostic] {
        var found = duplicateCommunities() + wrongCommunities()
        for pool in pools { found += aggregation(of: pool) + preferences(of: pool) + echo(of: pool) }
        switch implementation {
        case .frr: found += frrConflicts()
        case .native: found += nativeConflicts()
        case nil: break
        }
        return found
    }

    /// What names something that nothing here defines.
    package func dangling() -> [Diagnostic] {
        var found: [Diagnostic] = []
        for peer in peers {
            guard let name = peer.spec["bfdProfile"]?.string, !name.isEmpty,
                !profiles.contains(where: { $0.name == name })
            else { continue }
            found.append(
                Diagnostic(
                    "peer \(peer.name) referencing non existing bfd profile \(name)", span: peer.place("bfdProfile"),
                    notes: [.init("MetalLB's webhook accepts this; its speakers then use none of the configuration")],
                    hint: nearestName(to: name, among: profiles.map(\.name)).map { "did you mean \($0)?" }
                        ?? "define the BFDProfile too"))
        }
        let bgp = advertisements.filter { $0.kind == "BGPAdvertisement" }
        for advertisement in bgp {
            found += unknownCommunities(of: advertisement) + unknownPeers(of: advertisement)
        }
        if let first = bgp.first, peers.isEmpty {
            found.append(
                Diagnostic(
                    "BGPAdvertisement \(goQuoted(first.name)) announces to nobody: there is no BGPPeer",
                    span: first.span,
                    hint: "add a BGPPeer (the role's metallb_bgp_peers)", severity: .warning))
        }
        return found
    }

    // MARK: Communities

    private func duplicateCommunities() -> [Diagnostic] {
        var seen: Set<String> = []
        return communities.compactMap { alias in
            guard !seen.insert(alias.name).inserted else { return nil }
            return Diagnostic("duplicate definition of community \(goQuoted(alias.name))", span: alias.span)
        }
    }

    private func entries(of advertisement: Advertisement) -> [String] {
        (advertisement.value[["spec", "communities"]]?.list ?? []).compactMap(\.string)
    }

    /// Values out of range; another form may be the name of a Community that is defined elsewhere.
    private func wrongCommunities() -> [Diagnostic] {
        refused { !$0.mayBeName }
    }

    private func unknownCommunities(of advertisement: Advertisement) -> [Diagnostic] {
        refused(among: [advertisement]) { $0.mayBeName }
    }

    private func refused(
        among chosen: [Advertisement]? = nil, _ isMeant: (BGPCommunity.Refusal) -> Bool
    ) -> [Diagnostic] {
        let names = communities.map(\.name)
        return (chosen ?? advertisements).flatMap { advertisement in
            entries(of: advertisement).compactMap { entry -> Diagnostic? in
                guard !names.contains(entry) else { return nil }
                do throws(BGPCommunity.Refusal) {
                    _ = try BGPCommunity(entry)
                    return nil
                } catch {
                    guard isMeant(error) else { return nil }
                    return Diagnostic(
                        "invalid community \(goQuoted(entry)) in BGP advertisement: \(error.message)",
                        span: advertisement.entryPlaces[entry] ?? advertisement.place("communities"),
                        notes: error.mayBeName ? [.init("no Community here gives that name")] : [],
                        hint: error.mayBeName
                            ? nearestName(to: entry, among: names).map { "did you mean \($0)?" }
                                ?? "write a value such as 65000:1, or define the name in a Community" : nil)
                }
            }
        }
    }

    private func unknownPeers(of advertisement: Advertisement) -> [Diagnostic] {
        (advertisement.value[["spec", "peers"]]?.list ?? []).compactMap(\.string).compactMap { name in
            guard !peers.contains(where: { $0.name == name }) else { return nil }
            return Diagnostic(
                "BGPAdvertisement \(goQuoted(advertisement.name)) names peer \(goQuoted(name)), which nothing here defines",
                span: advertisement.entryPlaces[name] ?? advertisement.place("peers"),
                notes: [.init("MetalLB passes over names of peers that do not exist")],
                hint: nearestName(to: name, among: peers.map(\.name)).map { "did you mean \($0)?" }, severity: .warning)
        }
    }

    // MARK: Pools (`validateBGPAdvPerPool`)

    private func announcements(of pool: Pool) -> [Advertisement] {
        advertisements.filter { $0.kind == "BGPAdvertisement" && $0.selects(pool) }
    }

    private func aggregation(of pool: Pool) -> [Diagnostic] {
        announcements(of: pool).flatMap { advertisement in
            pool.ranges.compactMap { range, _ -> Diagnostic? in
                guard let lowest = range.networks.map(\.prefixLength).min(), let first = range.networks.first else {
                    return nil
                }
                let isIPv4 = first.address.isIPv4
                guard (isIPv4 ? advertisement.aggregation.v4 : advertisement.aggregation.v6) < lowest else {
                    return nil
                }
                return Diagnostic(
                    "invalid aggregation length \(advertisement.aggregation.v4): prefix \(lowest) in this pool is more "
                        + "specific than the aggregation length for addresses \(range.text)",
                    span: advertisement.place(isIPv4 ? "aggregationLength" : "aggregationLengthV6"),
                    notes: [
                        .init(
                            "BGPAdvertisement \(goQuoted(advertisement.name)) would announce more than pool "
                                + "\(goQuoted(pool.name)) has", span: pool.span)
                    ])
            }
        }
    }

    private func preferences(of pool: Pool) -> [Diagnostic] {
        var found: [Diagnostic] = []
        var earlier: [Advertisement] = []
        for advertisement in announcements(of: pool) {
            if let other = earlier.first(where: { !$0.isCompatible(with: advertisement) }) {
                found.append(
                    Diagnostic(
                        "invalid local preference \(advertisement.localPref): local preferernce \(other.localPref) was "
                            + "already set for the same type of BGP update. Check existing BGP advertisements with common "
                            + "pools and aggregation lengths", span: advertisement.place("localPref"),
                        notes: [
                            .init(
                                "BGPAdvertisement \(goQuoted(other.name)) sets \(other.localPref) for pool "
                                    + goQuoted(pool.name), span: other.place("localPref"))
                        ]))
            }
            earlier.append(advertisement)
        }
        return found
    }

    /// BFD echo is not there for IPv6 (`validateConfig`).
    private func echo(of pool: Pool) -> [Diagnostic] {
        guard pool.ranges.contains(where: { $0.range.networks.contains { !$0.address.isIPv4 } }) else { return [] }
        return announcements(of: pool).flatMap { advertisement in
            let named = (advertisement.value[["spec", "peers"]]?.list ?? []).compactMap(\.string)
            return peers.filter { named.isEmpty || named.contains($0.name) }.compactMap { peer -> Diagnostic? in
                let profile = profiles.first { $0.name == peer.spec["bfdProfile"]?.string }
                guard profile?.hasEcho == true else { return nil }
                return Diagnostic(
                    "pool \(pool.name) has bgpadvertisement \(advertisement.name) which references peer \(peer.name) which "
                        + "has bfd echo enabled, which is not possible", span: peer.place("bfdProfile"),
                    notes: [.init("the pool has IPv6 addresses", span: pool.span)])
            }
        }
    }
}

extension MetalLBObjects.Advertisement {
    var localPref: Int { value[["spec", "localPref"]]?.int ?? 0 }

    var aggregation: (v4: Int, v6: Int) {
        (value[["spec", "aggregationLength"]]?.int ?? 32, value[["spec", "aggregationLengthV6"]]?.int ?? 128)
    }

    /// Whether two advertisements may set different preferences for one pool (`advertisementsAreCompatible`). Which nodes
    /// a selector matches is not known here, so selectors that differ are let pass.
    fileprivate func isCompatible(with other: Self) -> Bool {
        if localPref == other.localPref { return true }
        if aggregation.v4 != other.aggregation.v4, aggregation.v6 != other.aggregation.v6 { return true }
        let peers = (value[["spec", "peers"]]?.list ?? [], other.value[["spec", "peers"]]?.list ?? [])
        if !peers.0.isEmpty, !peers.1.isEmpty, Set(peers.0).isDisjoint(with: peers.1) { return true }
        return !nodeSelectors.isEmpty && !other.nodeSelectors.isEmpty && Set(nodeSelectors) != Set(other.nodeSelectors)
    }
}
