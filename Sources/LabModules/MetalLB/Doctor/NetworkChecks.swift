import LabCore

extension MetalLBDoctor {
    /// Check 5: in IPVS mode every node has every Service address on a dummy interface and answers ARP for it.
    static func kubeProxy(_ lab: LabSnapshot) -> [Finding] {
        guard let configuration = lab.kubeProxy else { return unchecked(5, "kube-proxy", lab) }
        guard configuration["mode"]?.string == "ipvs", configuration[["ipvs", "strictARP"]]?.bool != true else {
            return []
        }
        return [
            Finding(
                5, .error,
                "kube-proxy runs in IPVS mode without strictARP, so every node answers ARP for every address",
                fix: "set ipvs.strictARP: true in ConfigMap kube-system/kube-proxy and restart its pods")
        ]
    }

    /// Check 6: a pool that nothing announces gives out addresses that do not answer.
    static func advertisements(_ lab: LabSnapshot) -> [Finding] {
        guard let metallb = lab.metallb else { return unchecked(6, "pools", lab) }
        return metallb.unannounced().map { diagnostic in
            Finding(6, .warning, diagnostic.message, fix: diagnostic.hint)
        }
    }

    /// Check 7: what has an address already must not have it given away. MetalLB checks none of this.
    static func addressesInUse(_ lab: LabSnapshot) -> [Finding] {
        guard let metallb = lab.metallb else { return unchecked(7, "pools", lab) }
        guard let nodes = lab.nodes else { return unchecked(7, "nodes", lab) }
        let fix = "choose a range that no machine, gateway or DHCP server uses"
        var findings: [Finding] = []
        let taken = nodes.flatMap { node in
            (node.addresses(ofType: "InternalIP") + node.addresses(ofType: "ExternalIP")).compactMap { text in
                IPAddress(text).map { (owner: "the address of node \(node.objectName)", address: $0) }
            }
        }
        let own = (lab.laptop?.addresses ?? []).map { (owner: "an address of this machine", address: $0) }
        for pool in metallb.pools {
            for (owner, address) in taken + own where pool.contains(address) {
                findings.append(
                    Finding(7, .error, "pool \(goQuoted(pool.name)) holds \(address), \(owner)", fix: fix))
            }
            findings += gateways(pool, taken.map(\.address), fix) + dhcp(pool, lab, fix)
        }
        return findings + liveAddresses(metallb, lab, taken.map(\.address), fix)
    }

    /// The first address of the nodes' network is the host's or the router's on all the usual set-ups.
    private static func gateways(_ pool: MetalLBObjects.Pool, _ nodes: [IPAddress], _ fix: String) -> [Finding] {
        let candidates = nodes.filter(\.isIPv4).map { IPAddress(bits: $0.bits & ~0xFF | 1) }
        return Set(candidates).subtracting(nodes).filter(pool.contains).sorted().map { address in
            Finding(
                7, .warning, "pool \(goQuoted(pool.name)) holds \(address), which is the gateway's as a rule", fix: fix)
        }
    }

    /// What VirtualBox's own DHCP servers give away; the one of the first host-only network has .101 to .254.
    private static func dhcp(_ pool: MetalLBObjects.Pool, _ lab: LabSnapshot, _ fix: String) -> [Finding] {
        (lab.laptop?.dhcpRanges ?? []).compactMap { range in
            let hasPart = pool.ranges.contains {
                $0.range.networks.contains { $0.address <= range.last && range.first <= $0.last }
            }
            guard hasPart else { return nil }
            return Finding(
                7, .warning,
                "pool \(goQuoted(pool.name)) holds addresses that VirtualBox's DHCP server gives away: \(range.first) to "
                    + "\(range.last)", fix: "VBoxManage dhcpserver modify --ifname NAME --disable, or \(fix)")
        }
    }

    /// Addresses of a pool that answered ARP though no Service has them.
    private static func liveAddresses(
        _ metallb: MetalLBObjects, _ lab: LabSnapshot, _ nodes: [IPAddress], _ fix: String
    ) -> [Finding] {
        guard let laptop = lab.laptop, let services = lab.services else { return [] }
        let given = services.flatMap { $0[["status", "loadBalancer", "ingress"]]?.list ?? [] }
            .compactMap { $0["ip"]?.string.flatMap { IPAddress($0) } }
        let known = Set(given + nodes + laptop.addresses)
        // A node's own hardware address is that of a Service that was there a moment ago: the table forgets slowly.
        let own = Set(laptop.neighbours.filter { nodes.contains($0.address) }.map(\.hardwareAddress))
        return laptop.neighbours.compactMap { neighbour in
            guard !known.contains(neighbour.address), !own.contains(neighbour.hardwareAddress),
                let pool = metallb.pools.first(where: { $0.contains(neighbour.address) })
            else { return nil }
            return Finding(
                7, .warning,
                "\(neighbour.address) of pool \(goQuoted(pool.name)) answers ARP (\(neighbour.hardwareAddress)) though no "
                    + "Service has it", fix: fix)
        }
    }

    /// Check 8: the election passes over interfaces, so a node without the interface may be chosen and stays silent.
    static func interfaces(_ lab: LabSnapshot) -> [Finding] {
        guard let metallb = lab.metallb else { return unchecked(8, "pools", lab) }
        let particular = metallb.advertisements.filter { !$0.interfaces.isEmpty }
        guard !particular.isEmpty else { return [] }
        guard let nodes = lab.nodes else { return unchecked(8, "nodes", lab) }
        guard let interfaces = lab.interfaces else { return failedAnnouncements(lab) + unchecked(8, "interfaces", lab) }
        var unasked: [String] = []
        var findings: [Finding] = []
        for advertisement in particular {
            for node in announcers(among: nodes, lab).eligible {
                let labels = node[["metadata", "labels"]]?.map ?? [:]
                let isSelected =
                    advertisement.nodeSelectors.isEmpty
                    || advertisement.nodeSelectors.contains { $0.matches(labels) }
                guard isSelected else { continue }
                guard let present = interfaces[node.objectName] else {
                    if !unasked.contains(node.objectName) { unasked.append(node.objectName) }
                    continue
                }
                guard !advertisement.interfaces.contains(where: present.contains) else { continue }
                findings.append(
                    Finding(
                        8, .error,
                        "\(node.objectName) has no interface \(advertisement.interfaces.joined(separator: " or ")), so it "
                            + "stays silent when \(advertisement.kind) \(goQuoted(advertisement.name)) chooses it",
                        fix: "name interfaces that every node has, or select the nodes that have them (nodeSelectors)"))
            }
        }
        guard !unasked.isEmpty else { return findings }
        return findings + failedAnnouncements(lab) + [
            Finding(8, .unchecked, "the interfaces of \(unasked.joined(separator: ", ")), which could not be asked")
        ]
    }

    /// What the speakers themselves say about missing interfaces.
    private static func failedAnnouncements(_ lab: LabSnapshot) -> [Finding] {
        (lab.events ?? []).filter { $0["reason"]?.string == "announceFailed" }.map { event in
            let service =
                "\(event[["involvedObject", "namespace"]]?.string ?? "")/\(event[["involvedObject", "name"]]?.string ?? "")"
            return Finding(
                8, .error, "Service \(service) is not announced: \(event["message"]?.string ?? "announceFailed")",
                fix: "name interfaces that every node has, or select the nodes that have them (nodeSelectors)")
        }
    }

    /// Check 9: without memberlist's port two nodes may both announce an address.
    static func memberlistPorts(_ lab: LabSnapshot) -> [Finding] {
        guard lab.nodes.map({ $0.count > 1 }) ?? true else { return [] }
        guard let paths = lab.memberlistPaths else {
            return [Finding(9, .unchecked, "port 7946 between the nodes: \(lab.reason("port 7946"))")]
        }
        var closed: [Finding] = []
        var told: Set<String> = []
        for path in paths where !path.isOpen && told.insert(path.from).inserted {
            let others = paths.filter { $0.from == path.from && !$0.isOpen }.map(\.to)
            closed.append(
                Finding(
                    9, .error, "\(path.from) does not reach port 7946 of \(others.joined(separator: ", "))",
                    fix: "open TCP and UDP 7946 between the nodes: the speakers find each other there"))
        }
        return closed.isEmpty
            ? [Finding(9, .unchecked, "UDP port 7946 between the nodes: only TCP can be tried")] : closed
    }

    /// Check 13: VirtualBox 6.1.28 and later makes host-only networks in 192.168.56.0/21 only, if nothing else is allowed.
    static func virtualBox(_ lab: LabSnapshot) -> [Finding] {
        guard let laptop = lab.laptop else { return [Finding(13, .unchecked, "VirtualBox: \(lab.reason("laptop"))")] }
        guard let version = laptop.virtualBoxVersion, isAtLeast(version, [6, 1, 28]) else { return [] }
        var allowed: [IPNetwork] = []
        if let text = laptop.virtualBoxNetworks {
            for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix("*") {
                allowed += line.dropFirst().split(separator: " ").compactMap { IPNetwork.parse($0)?.network }
            }
        } else if let standard = IPNetwork.parse("192.168.56.0/21") {
            allowed = [standard.network]
        }
        return (lab.metallb?.pools ?? []).flatMap { pool in
            pool.ranges.filter { range, _ in
                range.networks.contains { network in
                    network.address.isIPv4
                        && !allowed.contains { $0.contains(network.address) && $0.contains(network.last) }
                }
            }.map { range, _ in
                Finding(
                    13, .warning,
                    "\(range.text) of pool \(goQuoted(pool.name)) is outside of the networks that VirtualBox \(version) "
                        + "allows: \(allowed.map(\.description).joined(separator: ", "))",
                    fix: "use 192.168.56.0/21, or allow the network in /etc/vbox/networks.conf (* 10.0.0.0/8)")
            }
        }
    }

    private static func isAtLeast(_ version: String, _ wanted: [Int]) -> Bool {
        let numbers = version.split(whereSeparator: { !$0.isNumber }).prefix(wanted.count).compactMap { Int($0) }
        return !numbers.lexicographicallyPrecedes(wanted)
    }
}
