import LabCore

/// Takes the announcing node out, sees the address move and answer, and puts the node back.
enum FailoverDrill {
    /// Keeps MetalLB (and every other load balancer) from a node.
    static let excludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers"
    /// Marks a node whose exclude label is the drill's, so that a run that was killed is undone by the next.
    static let mark = "labctl.dev/probe-excluded"

    static func exclude(_ node: String, in cluster: any ClusterObjects) async throws {
        try await cluster.merge(
            .node, namespace: nil, name: node,
            patch: ["metadata": ["labels": [excludeLabel: "", mark: "true"]]])
    }

    /// Takes the drill's labels off every node that has them.
    ///
    /// - Returns: what was undone, as people name it.
    static func restoreNodes(in cluster: any ClusterObjects) async throws -> [String] {
        var restored: [String] = []
        for node in try await cluster.list(.node, namespace: nil, labels: "\(mark)=true") ?? [] {
            try await cluster.merge(
                .node, namespace: nil, name: node.objectName,
                patch: ["metadata": ["labels": [excludeLabel: .null, mark: .null]]])
            restored.append("label \(excludeLabel) of Node \(node.objectName)")
        }
        return restored
    }
}

extension TrafficVerification {
    /// The fail-over drill. Whatever it does to the node is undone by `cleanUp` too.
    func drill(_ allocation: Allocation, _ surroundings: Surroundings) async throws {
        let step = "fail-over"
        guard surroundings.configuration.isAnnouncedByL2(allocation.pool) else {
            log.unchecked(step, "pool \(allocation.pool.name) is announced over BGP, where the router chooses the node")
            return
        }
        guard let node = allocation.node else {
            log.unchecked(step, "it is not known which node announces \(allocation.address)")
            return
        }
        let others = surroundings.nodes.filter { other in
            other.objectName != node && other[["metadata", "labels"]]?.map?[FailoverDrill.excludeLabel] == nil
                && other[["spec", "unschedulable"]]?.bool != true && other.condition("NetworkUnavailable") != "True"
        }
        guard !others.isEmpty else {
            log.unchecked(step, "no other node than \(node) may announce")
            return
        }
        log.waiting("waiting until \(node) has repeated its claim, before it is taken out")
        try await Task.sleep(for: pace.settling)
        try await FailoverDrill.exclude(node, in: cluster)
        guard let successor = try await announcer(of: allocation, isNot: node) else {
            log.failed(
                step, "no other node took \(allocation.address) over from \(node) within \(pace.failover.sentence)",
                hint: "labctl doctor metallb tells which nodes may announce")
            return
        }
        guard try await shakeHands("TLS after fail-over", allocation) else { return }
        guard try await checkMove(step, allocation, to: successor, surroundings) else { return }
        _ = try await FailoverDrill.restoreNodes(in: cluster)
        // The election is a hash of node and address, so the address comes back to where it was.
        guard try await announcer(of: allocation, is: node) else {
            log.failed(step, "\(allocation.address) did not come back to \(node) within \(pace.failover.sentence)")
            return
        }
        guard try await shakeHands("TLS after the way back", allocation) else { return }
        log.passed(step, "\(allocation.address) moved from \(node) to \(successor), answered there, and came back")
    }

    private func checkMove(
        _ step: String, _ allocation: Allocation, to successor: String, _ surroundings: Surroundings
    ) async throws -> Bool {
        let owners = try await poll(for: pace.announcement) { () -> [String]? in
            await laptop.nudge(allocation.address)
            guard
                let hardware = try await laptop.neighbours().first(where: { $0.address == allocation.address })?
                    .hardwareAddress, case .nodes(let names) = try await owner(of: hardware, among: surroundings.nodes)
            else { return nil }
            return names == [successor] ? names : nil
        }
        if owners == nil {
            log.failed(step, "the neighbour table does not show \(successor) for \(allocation.address)")
        }
        return owners != nil
    }

    private func announcer(of allocation: Allocation, isNot node: String) async throws -> String? {
        try await poll(for: pace.failover) {
            try await currentAnnouncer(of: allocation).flatMap { $0 == node ? nil : $0 }
        }
    }

    private func announcer(of allocation: Allocation, is node: String) async throws -> Bool {
        try await poll(for: pace.failover) {
            try await currentAnnouncer(of: allocation) == node ? true : nil
        } ?? false
    }

    /// Who announces now: the last event says it first; the status of 0.14 may lag behind (metallb#2705).
    private func currentAnnouncer(of allocation: Allocation) async throws -> String? {
        if let node = try await assignedNode(of: allocation) { return node }
        let statuses = try await l2Statuses(of: allocation) ?? []
        return statuses.count == 1 ? statuses.first?[["status", "node"]]?.string : nil
    }
}
