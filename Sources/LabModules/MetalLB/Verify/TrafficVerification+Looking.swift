import LabCore

extension TrafficVerification {
    /// Whose a hardware address is.
    enum Owner: Sendable {
        case nodes([String])
        /// The nodes' own hardware addresses are not known.
        case unknown(String)
    }

    /// Asks again and again until there is an answer or the time is up.
    func poll<Answer>(for time: Duration, _ ask: () async throws -> Answer?) async throws -> Answer? {
        let deadline = ContinuousClock.now + time
        while true {
            if let answer = try await ask() { return answer }
            guard ContinuousClock.now < deadline else { return nil }
            try await Task.sleep(for: pace.interval)
        }
    }

    /// Whether the laptop has an interface in a network with the address, so that it asks for it by ARP.
    func isOnLink(_ address: IPAddress) throws -> Bool {
        try laptop.networks().contains { $0.network.contains(address) && $0.address != address }
    }

    /// The hardware addresses that answer for an address, over several looks: two announcers show as a change.
    func hardwareAddresses(of address: IPAddress) async throws -> Set<String> {
        var seen: Set<String> = []
        for look in 0..<3 {
            if look > 0 { try await Task.sleep(for: pace.interval) }
            await laptop.nudge(address)
            for neighbour in try await laptop.neighbours() where neighbour.address == address {
                seen.insert(neighbour.hardwareAddress)
            }
        }
        return seen
    }

    /// Which nodes have this hardware address, by the neighbour entries of their own addresses.
    func owner(of hardware: String, among nodes: [Value]) async throws -> Owner {
        let addresses = try nodes.map { node in
            (
                node: node.objectName,
                addresses: try node.addresses(ofType: "InternalIP").compactMap { IPAddress($0) }.filter(isOnLink)
            )
        }
        let missing = addresses.filter(\.addresses.isEmpty).map(\.node)
        guard missing.count < addresses.count else {
            return .unknown("no node has an InternalIP in a network of this machine")
        }
        for (_, addresses) in addresses {
            for address in addresses { await laptop.nudge(address) }
        }
        let table = try await laptop.neighbours()
        let owners = addresses.filter { _, addresses in
            table.contains { $0.hardwareAddress == hardware && addresses.contains($0.address) }
        }.map(\.node)
        if owners.isEmpty, !missing.isEmpty {
            return .unknown("\(missing.joined(separator: ", ")) has no InternalIP in a network of this machine")
        }
        return .nodes(owners)
    }

    /// What each speaker says of the probe's Service; nil when this MetalLB has no such kind (before 0.14.6).
    func l2Statuses(of allocation: Allocation) async throws -> [Value]? {
        try await cluster.list(
            .l2Status, namespace: namespace,
            labels: "metallb.io/service-name=\(Probe.name),"
                + "metallb.io/service-namespace=\(allocation.service.objectNamespace)")
    }

    /// The node that the last `nodeAssigned` event of this very Service names for layer 2.
    func assignedNode(of allocation: Allocation) async throws -> String? {
        try await assignments(of: allocation, by: "layer2").last
    }

    /// The nodes that `nodeAssigned` events of this very Service name for a protocol, the last one last.
    func assignments(of allocation: Allocation, by name: String) async throws -> [String] {
        let events = try await cluster.list(.event, namespace: allocation.service.objectNamespace, labels: nil) ?? []
        let uid = allocation.service[["metadata", "uid"]]
        return events.filter { event in
            event["reason"]?.string == "nodeAssigned" && event[["involvedObject", "uid"]] == uid
        }.sorted { ($0.lastSeen, $0.revision) < ($1.lastSeen, $1.revision) }.compactMap { event in
            // `announcing from node "w1" with protocol "layer2"` (speaker/main.go).
            let words = event["message"]?.string?.split(separator: "\"") ?? []
            return words.count > 3 && words[3] == name ? String(words[1]) : nil
        }
    }

    /// What the cluster says about an object, for a failure's notes.
    func events(of name: String, in namespace: String) async throws -> [String] {
        let events = try await cluster.list(.event, namespace: namespace, labels: nil) ?? []
        return events.filter { $0[["involvedObject", "name"]]?.string == name }
            .sorted { $0.lastSeen < $1.lastSeen }.suffix(5)
            .map { "event \($0["reason"]?.string ?? ""): \($0["message"]?.string ?? "")" }
    }

    // MARK: Removal

    func removeLeftovers() async throws -> [String] {
        try await FailoverDrill.restoreNodes(in: cluster)
            + Probe.removeAll(in: cluster, deadline: .now + pace.removal, interval: pace.interval)
    }

    /// Removes the probe's objects, whatever happens to the task that asks for it.
    func cleanUp() async {
        // A task of its own is not cancelled with the caller's, and so can still talk to the cluster after Ctrl-C.
        let removal = Task { () -> (any Error)? in
            do {
                try await withDeadline(pace.removal + pace.removal) { _ = try await removeLeftovers() }
                return nil
            } catch {
                return error
            }
        }
        guard let error = await removal.value else {
            log.passed("removal", "the probe's objects are gone")
            return
        }
        let why = (error as? any DiagnosticError)?.diagnostics.first?.message ?? "\(error)"
        log.failed(
            "removal", "the probe's objects may still be there: \(why)",
            hint: "the next verification removes them; by hand: kubectl delete services,endpointslices -A -l "
                + Probe.selector)
    }

    private func withDeadline(_ time: Duration, _ work: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await work() }
            group.addTask {
                try await Task.sleep(for: time)
                throw ModuleError("the API server did not answer within \(time.sentence)")
            }
            try await group.next()
            group.cancelAll()
        }
    }
}

extension MetalLBObjects {
    func isAnnouncedByL2(_ pool: Pool) -> Bool {
        advertisements.contains { $0.kind == "L2Advertisement" && $0.selects(pool) }
    }

    func isAnnouncedByBGP(_ pool: Pool) -> Bool {
        advertisements.contains { $0.kind == "BGPAdvertisement" && $0.selects(pool) }
    }
}

extension MetalLBObjects.Pool {
    /// Whether Services that ask for no pool may get one of its addresses.
    var assignsItself: Bool { value[["spec", "autoAssign"]]?.bool ?? true }
}

extension Value {
    var objectNamespace: String { self[["metadata", "namespace"]]?.string ?? "default" }

    /// Tells writes of one second apart.
    fileprivate var revision: Int { self[["metadata", "resourceVersion"]]?.string.flatMap { Int($0) } ?? 0 }

    /// When an event was last seen; RFC 3339 texts of one zone sort by time.
    fileprivate var lastSeen: String {
        self["lastTimestamp"]?.string ?? self["eventTime"]?.string ?? self[["metadata", "creationTimestamp"]]?.string
            ?? ""
    }
}

extension Duration {
    /// For sentences: `1.2 s`.
    var sentence: String {
        let tenths = (Double(components.seconds) + Double(components.attoseconds) / 1e18) * 10
        let rounded = tenths.rounded() / 10
        return rounded == rounded.rounded() ? "\(Int(rounded)) s" : "\(rounded) s"
    }
}
