import LabCore

/// Proves that traffic reaches the cluster through MetalLB: a Service gets an address of a pool, the address leads to the
/// API server, and the one node that MetalLB names answers for it.
struct TrafficVerification: Sendable {
    /// How long is waited for what, and how often is looked.
    struct Pace: Sendable {
        /// For an address.
        var allocation: Duration = .seconds(300)
        /// For MetalLB to say who announces it.
        var announcement: Duration = .seconds(30)
        /// For the address to answer (MetalLB's own tests wait 2 minutes).
        var reachability: Duration = .seconds(120)
        /// For another node to take over.
        var failover: Duration = .seconds(120)
        /// For the probe's objects to go away.
        var removal: Duration = .seconds(15)
        /// The speaker repeats its claim for 5 s (internal/layer2/announcer.go); nothing is moved before.
        var settling: Duration = .seconds(6)
        var interval: Duration = .milliseconds(500)
    }

    let cluster: any ClusterObjects
    let laptop: any LaptopNetwork
    /// MetalLB's namespace.
    let namespace: String
    /// The pools to try; empty tries all that the cluster has.
    let pools: [String]
    let withFailover: Bool
    let pace: Pace
    let log: VerificationLog

    /// What is true of the whole cluster while a verification runs.
    struct Surroundings: Sendable {
        let target: Probe.Target
        let configuration: MetalLBObjects
        let nodes: [Value]
        /// Why nothing can be asked from the laptop's side; nil on a real network.
        let sandbox: String?
    }

    /// An address that a pool gave, and what MetalLB says of it.
    struct Allocation: Sendable {
        let address: IPAddress
        let pool: MetalLBObjects.Pool
        let service: Value
        /// The node that MetalLB says announces it; nil when it does not say.
        var node: String?
    }

    /// Runs all steps. The probe's objects are removed on every way out.
    ///
    /// - Throws: what `cluster` throws, `ModuleError`, `CancellationError`. Steps that fail do not throw.
    func run() async throws {
        let leftovers = try await removeLeftovers()
        log.passed(
            "left-overs", leftovers.isEmpty ? "none of an earlier run" : "removed \(leftovers.joined(separator: ", "))")
        do {
            try await verify()
        } catch {
            await cleanUp()
            throw error
        }
        await cleanUp()
    }

    private func verify() async throws {
        let surroundings = try await lookAround()
        let chosen = try choose(from: surroundings.configuration)
        for pool in chosen {
            // Where there is one pool, the probe asks for nothing, as people's Services do.
            let isOnlyPool = surroundings.configuration.pools.count == 1 && pool.assignsItself
            try await verify(pool, asking: !isOnlyPool, surroundings)
            if chosen.count > 1 { _ = try await removeLeftovers() }
        }
    }

    private func lookAround() async throws -> Surroundings {
        async let version = cluster.serverVersion()
        async let target = Probe.target(in: cluster)
        async let pools = cluster.list(.pool, namespace: namespace, labels: nil)
        async let l2 = cluster.list(.l2Advertisement, namespace: namespace, labels: nil)
        async let bgp = cluster.list(.bgpAdvertisement, namespace: namespace, labels: nil)
        async let nodes = cluster.list(.node, namespace: nil, labels: nil)
        let configuration = MetalLBObjects(try await (pools ?? []) + (l2 ?? []) + (bgp ?? []))
        let isSandbox = SandboxVersion.isOnLoopback(try await version)
        // With the real binaries only the address tells: no other API server is on loopback for its own cluster.
        let isOnLoopback = try await target.addresses.allSatisfy(\.isLoopback)
        return Surroundings(
            target: try await target, configuration: configuration, nodes: try await nodes ?? [],
            sandbox: isSandbox || isOnLoopback
                ? "the sandbox is on loopback, where no ARP is and no route to the address" : nil)
    }

    private func choose(from configuration: MetalLBObjects) throws -> [MetalLBObjects.Pool] {
        guard !configuration.pools.isEmpty else {
            throw ModuleError(
                "there is no address pool in namespace \(namespace)", hint: "run labctl provision metallb first")
        }
        guard !pools.isEmpty else { return configuration.pools }
        let names = configuration.pools.map(\.name)
        return try pools.map { name in
            guard let pool = configuration.pools.first(where: { $0.name == name }) else {
                throw ModuleError(
                    "there is no address pool '\(name)' in namespace \(namespace)",
                    notes: [.init("it has \(names.joined(separator: ", "))")],
                    hint: nearestName(to: name, among: names).map { "did you mean '\($0)'?" }
                        ?? "run labctl provision metallb first")
            }
            return pool
        }
    }

    private func verify(_ pool: MetalLBObjects.Pool, asking: Bool, _ surroundings: Surroundings) async throws {
        let ofFamily = pool.ranges.contains { range, _ in
            range.networks.contains { $0.address.isIPv4 == surroundings.target.isIPv4 }
        }
        guard ofFamily else {
            let family = surroundings.target.isIPv4 ? "IPv4" : "IPv6"
            log.unchecked(
                "pool \(pool.name)",
                "it has no \(family) addresses, and the API server that the probe leads to is \(family)")
            return
        }
        let probe = Probe(
            namespace: pool.value[["spec", "serviceAllocation", "namespaces"]]?.list?.first?.string ?? "default",
            target: surroundings.target, pool: asking ? pool.name : nil)
        try await cluster.create(.service, probe.service)
        try await cluster.create(.endpointSlice, probe.endpointSlice)
        guard var allocation = try await allocate(probe, from: pool) else { return }
        allocation.node = try await announcer(of: allocation, surroundings)
        guard try await reach(allocation, surroundings) else { return }
        try await checkNeighbour(of: allocation, surroundings)
        if withFailover { try await drill(allocation, surroundings) }
    }

    // MARK: Steps

    /// Waits for an address and judges it.
    private func allocate(_ probe: Probe, from pool: MetalLBObjects.Pool) async throws -> Allocation? {
        let step = "address"
        log.waiting("waiting for an address from pool \(pool.name)")
        let start = ContinuousClock.now
        let found = try await poll(for: pace.allocation) { () -> (Value, String)? in
            guard let service = try await cluster.get(.service, namespace: probe.namespace, name: Probe.name),
                let text = service[["status", "loadBalancer", "ingress"]]?.list?.first?["ip"]?.string
            else { return nil }
            return (service, text)
        }
        guard let (service, text) = found, let address = IPAddress(text) else {
            log.failed(
                step, "Service \(probe.namespace)/\(Probe.name) got no address within \(pace.allocation.sentence)",
                notes: try await events(of: Probe.name, in: probe.namespace),
                hint: "look at the controller's log: kubectl -n \(namespace) logs deployment/controller")
            return nil
        }
        guard pool.contains(address) else {
            log.failed(step, "\(address) is in no range of pool \(pool.name)")
            return nil
        }
        let annotations = service[["metadata", "annotations"]]?.map ?? [:]
        let named =
            annotations["metallb.io/ip-allocated-from-pool"]
            ?? annotations["metallb.universe.tf/ip-allocated-from-pool"]
        guard named?.string == pool.name else {
            log.failed(
                step,
                "\(address) is of pool \(pool.name), but the Service says that it is of "
                    + (named?.string.map { "pool \($0)" } ?? "none (no annotation metallb.io/ip-allocated-from-pool)"))
            return nil
        }
        log.passed(step, "\(address) from pool \(pool.name), after \((ContinuousClock.now - start).sentence)")
        return Allocation(address: address, pool: pool, service: service)
    }

    /// Who announces the address, by MetalLB's own word: one ServiceL2Status, and the last event says the same.
    private func announcer(of allocation: Allocation, _ surroundings: Surroundings) async throws -> String? {
        let step = "announcing node"
        let isByBGP = surroundings.configuration.isAnnouncedByBGP(allocation.pool)
        if isByBGP { try await checkPeering(of: allocation, surroundings) }
        guard surroundings.configuration.isAnnouncedByL2(allocation.pool) else {
            if isByBGP { return nil }
            log.unchecked(step, "no L2Advertisement announces pool \(allocation.pool.name)")
            return nil
        }
        var statuses: [Value] = []
        var isServed = true
        let node = try await poll(for: surroundings.sandbox == nil ? pace.announcement : pace.interval * 4) {
            guard let found = try await l2Statuses(of: allocation) else {
                isServed = false
                return try await assignedNode(of: allocation)
            }
            statuses = found
            return found.count == 1 ? found.first?[["status", "node"]]?.string : nil
        }
        guard let node else {
            let nodes = statuses.compactMap { $0[["status", "node"]]?.string }.joined(separator: ", ")
            if statuses.count > 1 {
                log.failed(step, "\(statuses.count) nodes say that they announce \(allocation.address): \(nodes)")
            } else if let sandbox = surroundings.sandbox {
                log.unchecked(step, "no speaker says that it announces \(allocation.address): \(sandbox)")
            } else {
                log.failed(
                    step, "no node says that it announces \(allocation.address)",
                    notes: try await events(of: Probe.name, in: allocation.service.objectNamespace),
                    hint: "labctl doctor metallb tells which nodes may announce")
            }
            return nil
        }
        guard isServed else {
            log.passed(step, "\(node), by its event (this MetalLB has no ServiceL2Status)")
            return node
        }
        let agreed = try await poll(for: pace.interval * 6) {
            try await assignedNode(of: allocation).flatMap { $0 == node ? $0 : nil }
        }
        if agreed != nil {
            log.passed(step, "\(node), by its one ServiceL2Status and its event")
        } else if let other = try await assignedNode(of: allocation) {
            log.failed(step, "ServiceL2Status names \(node), but the last event names \(other)")
        } else {
            log.passed(step, "\(node), by its one ServiceL2Status (there is no event)")
        }
        return node
    }

    /// TLS with the API server through the address.
    private func reach(_ allocation: Allocation, _ surroundings: Surroundings) async throws -> Bool {
        let step = "TLS through the address"
        if let sandbox = surroundings.sandbox {
            log.unchecked(step, sandbox)
            log.unchecked("neighbour table", sandbox)
            if withFailover { log.unchecked("fail-over", sandbox) }
            return false
        }
        let isByL2 = surroundings.configuration.isAnnouncedByL2(allocation.pool)
        // Over the default route the probe would reach a stranger, and prove nothing about the lab.
        let hasWay = isByL2 ? try isOnLink(allocation.address) : try await laptop.hasRoute(to: allocation.address)
        guard hasWay else {
            if !isByL2 {
                log.unchecked(
                    step,
                    "this machine has no route to \(allocation.address) but the default one, so nothing was sent; verify "
                        + "from a machine that has the router's routes")
                return false
            }
            log.failed(
                step, "this machine has no interface in a network with \(allocation.address), so nothing was sent",
                hint: "is the lab's private network up? Run the verification on a machine that is in it")
            return false
        }
        return try await shakeHands(step, allocation)
    }

    func shakeHands(_ step: String, _ allocation: Allocation) async throws -> Bool {
        log.waiting("waiting for \(allocation.address):\(Probe.port) to answer")
        var last: (any Error)?
        let answer = try await poll(for: pace.reachability) { () -> String? in
            do {
                return try await laptop.handshake(allocation.address, port: Probe.port)
            } catch let error as CancellationError {
                throw error
            } catch {
                last = error
                return nil
            }
        }
        guard let answer else {
            let why = (last as? any DiagnosticError)?.diagnostics.first
            log.failed(
                step, why?.message ?? "\(allocation.address):\(Probe.port) does not answer",
                notes: (why?.notes ?? []).map(\.message),
                hint: "labctl doctor metallb looks for the usual reasons")
            return false
        }
        log.passed(step, "\(allocation.address):\(Probe.port) presents the API server's certificate; \(answer)")
        return true
    }

    /// Exactly one hardware address answers for the address, and it is the announcing node's.
    private func checkNeighbour(of allocation: Allocation, _ surroundings: Surroundings) async throws {
        let step = "neighbour table"
        guard surroundings.configuration.isAnnouncedByL2(allocation.pool) else {
            log.unchecked(
                step, "no L2Advertisement announces pool \(allocation.pool.name), so no node answers ARP for it")
            return
        }
        let seen = try await hardwareAddresses(of: allocation.address)
        guard let hardware = seen.first, seen.count == 1 else {
            log.failed(
                step,
                seen.isEmpty
                    ? "\(allocation.address) answers, but is not in the neighbour table"
                    : "\(seen.count) hardware addresses answer for \(allocation.address): \(seen.sorted().joined(separator: ", "))",
                hint: seen.isEmpty
                    ? nil
                    : "two machines have the address: a speaker that the others do not see "
                        + "(port 7946 between the nodes), or a machine outside of the cluster")
            return
        }
        switch try await owner(of: hardware, among: surroundings.nodes) {
        case .unknown(let reason): log.unchecked(step, "\(hardware) answers; whose it is: \(reason)")
        case .nodes(let names) where names.isEmpty:
            log.failed(
                step, "\(hardware) answers for \(allocation.address), which is no node's",
                hint: "a machine outside of the cluster has the address: choose another range")
        case .nodes(let names):
            guard let name = names.first, names.count == 1 else {
                log.failed(step, "\(hardware) is the hardware address of \(names.joined(separator: " and "))")
                return
            }
            if let announcer = allocation.node, announcer != name {
                log.failed(step, "\(hardware) of \(name) answers, but MetalLB says that \(announcer) announces")
            } else {
                log.passed(step, "\(hardware) answers, and only it: \(name)")
            }
        }
    }
}
