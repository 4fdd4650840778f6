import LabCore

/// kubeadm puts it on every control-plane node.
private let excludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers"
private let flannelAddress = "flannel.alpha.coreos.com/public-ip"

extension MetalLBDoctor {
    /// Check 2: someone must be allowed to answer ARP (internal/k8s/nodes/nodes.go, speaker/layer2_controller.go).
    static func eligibleNodes(_ lab: LabSnapshot) -> [Finding] {
        guard let nodes = lab.nodes else { return unchecked(2, "nodes", lab) }
        let (eligible, reasons) = announcers(among: nodes, lab)
        if eligible.isEmpty {
            return [
                Finding(
                    2, .error, "no node may announce addresses: \(reasons.joined(separator: "; "))",
                    fix:
                        "take the label off a node (kubectl label node NODE \(excludeLabel)-), uncordon it, or give the "
                        + "speaker the argument --ignore-exclude-lb")
            ]
        }
        var findings = unselected(eligible, lab)
        if nodes.count > 1, eligible.count == 1 {
            findings.append(
                Finding(
                    2, .note,
                    "only \(eligible[0].objectName) may announce addresses, so nothing takes over from it: "
                        + reasons.joined(separator: "; ")))
        }
        return findings
    }

    /// The nodes that may announce, and why each of the others may not.
    static func announcers(among nodes: [Value], _ lab: LabSnapshot) -> (eligible: [Value], reasons: [String]) {
        let ignoresLabel =
            lab.comingIgnoresLabel ?? lab.speaker?.containers.contains { container in
                (container["args"]?.list ?? []).contains { $0.string?.contains("ignore-exclude-lb") == true }
            } ?? false
        // Only this release leaves cordoned nodes out: metallb#2470 came with 0.14.9, metallb#2715 took it back.
        let leavesCordoned = lab.metallbVersion.map { $0 == "0.14.9" } ?? true
        var reasons: [String] = []
        var eligible: [Value] = []
        for node in nodes {
            let labels = node[["metadata", "labels"]]?.map ?? [:]
            if !ignoresLabel, labels[excludeLabel] != nil {
                let leftover =
                    labels[FailoverDrill.mark] == nil
                    ? "" : " (from a fail-over drill that was killed: labctl verify metallb takes it off)"
                reasons.append("\(node.objectName) has the label \(excludeLabel)\(leftover)")
            } else if leavesCordoned, node[["spec", "unschedulable"]]?.bool == true {
                reasons.append("\(node.objectName) is cordoned")
            } else if node.condition("NetworkUnavailable") == "True" {
                reasons.append("\(node.objectName) has no network (NetworkUnavailable)")
            } else {
                eligible.append(node)
            }
        }
        return (eligible, reasons)
    }

    /// Advertisements whose node selectors match none of the nodes that may announce.
    private static func unselected(_ eligible: [Value], _ lab: LabSnapshot) -> [Finding] {
        (lab.metallb?.advertisements ?? []).compactMap { advertisement in
            guard !advertisement.nodeSelectors.isEmpty else { return nil }
            let isSelected = eligible.contains { node in
                let labels = node[["metadata", "labels"]]?.map ?? [:]
                return advertisement.nodeSelectors.contains { $0.matches(labels) }
            }
            guard !isSelected else { return nil }
            return Finding(
                2, .error,
                "no node that may announce is selected by \(advertisement.kind) \(goQuoted(advertisement.name))",
                fix: "change its nodeSelectors or the nodes' labels")
        }
    }

    /// Check 3: Vagrant's NAT gives every VM 10.0.2.15, and the kubelet takes it for the node's address.
    static func nodeAddresses(_ lab: LabSnapshot) -> [Finding] {
        guard let nodes = lab.nodes else { return unchecked(3, "nodes", lab) }
        let addresses = nodes.flatMap { node in
            node.addresses(ofType: "InternalIP").compactMap { text in IPAddress(text).map { (node.objectName, $0) } }
        }
        var findings = sharedAddresses(3, addresses, what: "InternalIP", fix: nodeAddressFix)
        for (node, address) in addresses where address.isVagrantNAT && nodes.count == 1 {
            findings.append(
                Finding(3, .error, "the InternalIP of \(node) is \(address), Vagrant's NAT", fix: nodeAddressFix))
        }
        let metallb = lab.metallb
        for pool in metallb?.pools ?? [] where metallb?.isAnnouncedByL2(pool) == true {
            for (range, _) in pool.ranges {
                guard let network = range.networks.first else { continue }
                let family = addresses.filter { $0.1.isIPv4 == network.address.isIPv4 }
                guard !family.isEmpty, !family.contains(where: { near(range, $0.1) }) else { continue }
                findings.append(
                    Finding(
                        3, .warning,
                        "no node has an InternalIP near \(range.text) of pool \(goQuoted(pool.name)): "
                            + family.map { "\($0.0) has \($0.1)" }.joined(separator: ", "),
                        fix: "choose a range in the nodes' own network, or have the kubelets use their addresses in it "
                            + "(--node-ip)"))
            }
        }
        return findings
    }

    /// Whether the address could be in one network with the range. The API does not know the nodes' prefix lengths, so
    /// the usual ones stand in: /24 and /64.
    private static func near(_ range: AddressRange, _ address: IPAddress) -> Bool {
        let network = IPNetwork(address, mappedPrefixLength: address.isIPv4 ? 96 + 24 : 64)
        return range.networks.contains { $0.overlaps(network) }
    }

    private static let nodeAddressFix =
        "start each kubelet with --node-ip set to the VM's own address on the private network"

    /// Check 4: the API server reaches the webhook's pod over flannel's address of the node.
    static func flannel(_ lab: LabSnapshot) -> [Finding] {
        guard let nodes = lab.nodes else { return unchecked(4, "nodes", lab) }
        let fix = "start flanneld with --iface set to the private network's interface (eth1 on Vagrant's VMs)"
        let addresses = nodes.compactMap { node -> (String, IPAddress, Value)? in
            guard let text = node[["metadata", "annotations"]]?[flannelAddress]?.string, let address = IPAddress(text)
            else { return nil }
            return (node.objectName, address, node)
        }
        var findings = sharedAddresses(4, addresses.map { ($0.0, $0.1) }, what: "flannel address", fix: fix)
        guard findings.isEmpty else { return findings }
        for (name, address, node) in addresses {
            let own = node.addresses(ofType: "InternalIP")
            guard !own.isEmpty, !own.contains(address.description) else { continue }
            findings.append(
                Finding(
                    4, .warning,
                    "flannel uses \(address) for \(name), whose InternalIP is \(own.joined(separator: ", "))", fix: fix)
            )
        }
        return findings
    }

    private static func sharedAddresses(
        _ number: Int, _ addresses: [(String, IPAddress)], what: String, fix: String
    ) -> [Finding] {
        var seen: Set<IPAddress> = []
        return addresses.compactMap { _, address in
            let nodes = addresses.filter { $0.1 == address }.map(\.0)
            guard nodes.count > 1, seen.insert(address).inserted else { return nil }
            let nat = address.isVagrantNAT ? ", Vagrant's NAT" : ""
            return Finding(
                number, .error, "\(nodes.joined(separator: ", ")) have the same \(what) \(address)\(nat)", fix: fix)
        }
    }

    /// Check 14: MetalLB reads EndpointSlices, which are there from 1.21 on.
    static func serverVersion(_ lab: LabSnapshot) -> [Finding] {
        guard let version = lab.serverVersion else { return unchecked(14, "version", lab) }
        let numbers = version.drop { !$0.isNumber }.split(separator: ".").prefix(2)
            .map { Int($0.prefix(while: \.isNumber)) ?? 0 }
        guard numbers.count == 2 else { return [Finding(14, .unchecked, "the server calls its version \(version)")] }
        guard numbers[0] == 1, numbers[1] < 21 else { return [] }
        return [
            Finding(
                14, .error, "Kubernetes \(version) is too old for MetalLB, which needs 1.21", fix: "upgrade Kubernetes")
        ]
    }

    /// What every check says that lacks what it looks at.
    static func unchecked(_ number: Int, _ what: String, _ lab: LabSnapshot) -> [Finding] {
        [Finding(number, .unchecked, "\(what) could not be read: \(lab.reason(what))")]
    }
}

extension IPAddress {
    /// VirtualBox's NAT interface, the same in every VM.
    var isVagrantNAT: Bool { description == "10.0.2.15" }
}
