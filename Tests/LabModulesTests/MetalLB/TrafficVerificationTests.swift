import LabCore
import Synchronization
import Testing

@testable import LabModules

private func node(_ name: String, _ address: String, labels: ValueMap = [:]) -> Value {
    [
        "metadata": ["name": .string(name), "labels": .map(labels)],
        "status": ["addresses": [["type": "InternalIP", "address": .string(address)]]],
    ]
}

private let labNodes = [node("cp1", "192.168.56.10"), node("w1", "192.168.56.11"), node("w2", "192.168.56.12")]
private let configuration = [
    pool("lab-pool", ["192.168.56.200-192.168.56.250"]), advertisement("lab-l2", ["lab-pool"]),
]

/// One thing that is wrong, and the lines that then say so.
private struct Fault: Sendable, CustomTestStringConvertible {
    var line: String
    var behaviour = FakeCluster.Behaviour()
    var laptop = FakeLaptop()
    var nodes: [Value] = labNodes
    /// What is waited for in vain.
    var expiring: any (WritableKeyPath<TrafficVerification.Pace, Duration> & Sendable) = \.settling
    var testDescription: String { line }
}

private let faults: [Fault] = [
    Fault(
        line: "address: FAILED: Service default/labctl-probe got no address within 0.1 s",
        behaviour: .init(address: nil), expiring: \.allocation),
    Fault(
        line: "address: FAILED: 10.0.0.1 is in no range of pool lab-pool", behaviour: .init(address: "10.0.0.1")),
    Fault(
        line: "address: FAILED: 192.168.56.200 is of pool lab-pool, but the Service says that it is of pool other",
        behaviour: .init(pool: "other")),
    Fault(
        line:
            "address: FAILED: 192.168.56.200 is of pool lab-pool, but the Service says that it is of none (no annotation metallb.io/ip-allocated-from-pool)",
        behaviour: .init(pool: nil)),
    Fault(
        line: "announcing node: FAILED: no node says that it announces 192.168.56.200",
        behaviour: .init(announcers: [], eventNode: "none", hasEvents: false), expiring: \.announcement),
    Fault(
        line: "announcing node: FAILED: 2 nodes say that they announce 192.168.56.200: w1, w2",
        behaviour: .init(announcers: ["w1", "w2"], eventNode: "both"), expiring: \.announcement),
    Fault(
        line: "announcing node: FAILED: ServiceL2Status names w1, but the last event names w2",
        behaviour: .init(eventNode: "w2")),
    Fault(
        line: "TLS through the address: FAILED: the certificate is another cluster's",
        laptop: FakeLaptop(answers: { _ in throw ModuleError("the certificate is another cluster's") }),
        expiring: \.reachability),
    Fault(
        line: "neighbour table: FAILED: 192.168.56.200 answers, but is not in the neighbour table",
        laptop: FakeLaptop(table: { [] })),
    Fault(
        line: "neighbour table: FAILED: 02:00:00:00:00:99 answers for 192.168.56.200, which is no node's",
        laptop: FakeLaptop(table: {
            [("192.168.56.200", "02:00:00:00:00:99"), ("192.168.56.11", "02:00:00:00:00:11")]
        })),
    Fault(
        line: "neighbour table: FAILED: 02:00:00:00:00:12 of w2 answers, but MetalLB says that w1 announces",
        laptop: FakeLaptop(table: {
            [("192.168.56.200", "02:00:00:00:00:12"), ("192.168.56.12", "02:00:00:00:00:12")]
        })),
    Fault(
        line: "neighbour table: FAILED: 02:00:00:00:00:11 is the hardware address of cp1 and w1",
        laptop: FakeLaptop(table: {
            [
                ("192.168.56.200", "02:00:00:00:00:11"), ("192.168.56.10", "02:00:00:00:00:11"),
                ("192.168.56.11", "02:00:00:00:00:11"),
            ]
        })),
    Fault(
        line:
            "TLS through the address: FAILED: this machine has no interface in a network with 192.168.56.200, so nothing was sent",
        laptop: FakeLaptop(
            local: ["10.0.0.1/8"],
            answers: { _ in
                Issue.record("something was sent over the default route")
                return ""
            })),
    Fault(
        line:
            "neighbour table: not checked: 02:00:00:00:00:11 answers; whose it is: no node has an InternalIP in a network of this machine",
        nodes: [node("w1", "10.0.2.15")]),
]

@Suite("The verification that traffic arrives")
struct TrafficVerificationTests {
    private func verification(
        _ cluster: FakeCluster, _ laptop: FakeLaptop = FakeLaptop(), pools: [String] = ["lab-pool"],
        failover: Bool = false,
        expiring: any (WritableKeyPath<TrafficVerification.Pace, Duration> & Sendable) = \.settling
    ) -> TrafficVerification {
        // Nothing runs out of time, however busy the machine is, but what the test wants to.
        var pace = TrafficVerification.Pace(
            allocation: .seconds(60), announcement: .seconds(60), reachability: .seconds(60), failover: .seconds(60),
            removal: .seconds(60), settling: .zero, interval: .milliseconds(1))
        pace[keyPath: expiring] = .milliseconds(50)
        return TrafficVerification(
            cluster: cluster, laptop: laptop, namespace: "metallb-system", pools: pools, withFailover: failover,
            pace: pace,
            log: VerificationLog { _ in })
    }

    private func lines(_ verification: TrafficVerification) -> [String] {
        verification.log.all.map(\.line).map { line in
            // How long the address took is not the test's business.
            line.replacing(#/, after [0-9.]+ s/#, with: "")
        }
    }

    @Test("a lab that works passes every step, and nothing of the probe is left")
    func works() async throws {
        let cluster = FakeCluster(configuration: configuration, nodes: labNodes)
        let verification = verification(cluster)
        try await verification.run()
        #expect(
            lines(verification) == [
                "left-overs: none of an earlier run", "address: 192.168.56.200 from pool lab-pool",
                "announcing node: w1, by its one ServiceL2Status and its event",
                "TLS through the address: 192.168.56.200:443 presents the API server's certificate; HTTP/2 status 200",
                "neighbour table: 02:00:00:00:00:11 answers, and only it: w1", "removal: the probe's objects are gone",
            ])
        #expect(await cluster.probeObjects.isEmpty)
    }

    @Test("one fault is told as that fault, and nothing of the probe is left", arguments: faults)
    fileprivate func oneFault(fault: Fault) async throws {
        let cluster = FakeCluster(fault.behaviour, configuration: configuration, nodes: fault.nodes)
        let verification = verification(cluster, fault.laptop, expiring: fault.expiring)
        try await verification.run()
        #expect(lines(verification).contains(fault.line))
        #expect(verification.log.all.count { $0.result == .failed } == (fault.line.contains("FAILED") ? 1 : 0))
        #expect(await cluster.probeObjects.isEmpty)
    }

    @Test("two hardware addresses that take turns are two announcers")
    func twoAnnouncers() async throws {
        let looks = Mutex(0)
        let laptop = FakeLaptop(table: {
            let look = looks.withLock { looks -> Int in
                looks += 1
                return looks
            }
            return [("192.168.56.200", look.isMultiple(of: 2) ? "02:00:00:00:00:12" : "02:00:00:00:00:11")]
        })
        let verification = verification(FakeCluster(configuration: configuration, nodes: labNodes), laptop)
        try await verification.run()
        #expect(
            lines(verification).contains(
                "neighbour table: FAILED: 2 hardware addresses answer for 192.168.56.200: 02:00:00:00:00:11, 02:00:00:00:00:12"
            ))
    }

    @Test(
        "in the sandbox everything that loopback lacks is named",
        arguments: ["v1.36.2+labctl.sandbox", "v1.36.2-labctl-sandbox"])
    func sandbox(version: String) async throws {
        let cluster = FakeCluster(
            .init(announcers: [], hasEvents: false, version: version), configuration: configuration,
            nodes: labNodes)
        let verification = verification(cluster, failover: true)
        try await verification.run()
        let why = "the sandbox is on loopback, where no ARP is and no route to the address"
        #expect(
            lines(verification) == [
                "left-overs: none of an earlier run", "address: 192.168.56.200 from pool lab-pool",
                "announcing node: not checked: no speaker says that it announces 192.168.56.200: \(why)",
                "TLS through the address: not checked: \(why)", "neighbour table: not checked: \(why)",
                "fail-over: not checked: \(why)", "removal: the probe's objects are gone",
            ])
    }

    @Test("a MetalLB without ServiceL2Status is judged by its events")
    func withoutStatus() async throws {
        let cluster = FakeCluster(.init(hasStatusKind: false), configuration: configuration, nodes: labNodes)
        let verification = verification(cluster)
        try await verification.run()
        #expect(lines(verification).contains("announcing node: w1, by its event (this MetalLB has no ServiceL2Status)"))
        #expect(verification.log.all.allSatisfy { $0.result == .passed })
    }

    @Test("left-overs of a run that was killed are removed first, a node's label included")
    func leftovers() async throws {
        let killed = Probe(
            namespace: "team", target: .init(addresses: [], port: 6443), pool: nil)
        let excluded = node(
            "w2", "192.168.56.12", labels: [FailoverDrill.excludeLabel: "", FailoverDrill.mark: "true"])
        let cluster = FakeCluster(configuration: configuration, nodes: [labNodes[0], labNodes[1], excluded])
        await cluster.put(.service, killed.service)
        await cluster.put(.endpointSlice, killed.endpointSlice)
        let verification = verification(cluster)
        try await verification.run()
        #expect(
            lines(verification).first
                == "left-overs: removed label \(FailoverDrill.excludeLabel) of Node w2, Service team/labctl-probe, EndpointSlice team/labctl-probe"
        )
        #expect(await cluster.node("w2")?[["metadata", "labels"]] == .map([:]))
        #expect(await cluster.probeObjects.isEmpty)
    }

    @Test("fail-over: the address moves, answers, and comes back")
    func failover() async throws {
        let cluster = FakeCluster(.init(announcers: ["w1", "w2"]), configuration: configuration, nodes: labNodes)
        let laptop = FakeLaptop(table: {
            let excluded = await cluster.node("w1")?[["metadata", "labels"]]?.map?[FailoverDrill.excludeLabel] != nil
            return [
                ("192.168.56.200", excluded ? "02:00:00:00:00:12" : "02:00:00:00:00:11"),
                ("192.168.56.11", "02:00:00:00:00:11"), ("192.168.56.12", "02:00:00:00:00:12"),
            ]
        })
        let verification = verification(cluster, laptop, failover: true)
        try await verification.run()
        #expect(verification.log.all.allSatisfy { $0.result == .passed })
        #expect(
            lines(verification).contains(
                "fail-over: 192.168.56.200 moved from w1 to w2, answered there, and came back"))
        #expect(await cluster.node("w1")?[["metadata", "labels"]] == .map([:]))
    }

    @Test("fail-over where the old node goes on answering fails, and is not said to have passed")
    func failoverStays() async throws {
        let cluster = FakeCluster(.init(announcers: ["w1", "w2"]), configuration: configuration, nodes: labNodes)
        let verification = verification(cluster, failover: true, expiring: \.announcement)
        try await verification.run()
        #expect(
            verification.log.all.filter { $0.name == "fail-over" }.map(\.line) == [
                "fail-over: FAILED: the neighbour table does not show w2 for 192.168.56.200"
            ])
        #expect(await cluster.node("w1")?[["metadata", "labels"]] == .map([:]))
    }

    @Test("a pool over BGP: the nodes that tell their peers, and TLS where this machine has a route of its own")
    func bgp() async throws {
        let objects = [pool("lab-pool", ["10.9.9.0/28"]), advertisement("b", kind: "BGPAdvertisement"), bgpPeer("r1")]
        let behaviour = FakeCluster.Behaviour(address: "10.9.9.4", announcers: [], bgpNodes: ["w2", "w1"])
        let away = verification(FakeCluster(behaviour, configuration: objects, nodes: labNodes), failover: true)
        try await away.run()
        #expect(
            lines(away) == [
                "left-overs: none of an earlier run", "address: 10.9.9.4 from pool lab-pool",
                "announcing nodes: w1, w2, over BGP, by their events",
                "TLS through the address: not checked: this machine has no route to 10.9.9.4 but the default one, so nothing "
                    + "was sent; verify from a machine that has the router's routes",
                "removal: the probe's objects are gone",
            ])
        var laptop = FakeLaptop()
        laptop.routes = ["10.9.9.4/32"]
        let near = verification(FakeCluster(behaviour, configuration: objects, nodes: labNodes), laptop, failover: true)
        try await near.run()
        #expect(
            Array(lines(near).dropFirst(3)) == [
                "TLS through the address: 10.9.9.4:443 presents the API server's certificate; HTTP/2 status 200",
                "neighbour table: not checked: no L2Advertisement announces pool lab-pool, so no node answers ARP for it",
                "fail-over: not checked: pool lab-pool is announced over BGP, where the router chooses the node",
                "removal: the probe's objects are gone",
            ])
    }

    @Test("nobody who tells a peer is a failure")
    func bgpSilent() async throws {
        let objects = [pool("lab-pool", ["10.9.9.0/28"]), advertisement("b", kind: "BGPAdvertisement"), bgpPeer("r1")]
        let cluster = FakeCluster(
            .init(address: "10.9.9.4", announcers: [], hasEvents: false), configuration: objects, nodes: labNodes)
        let verification = verification(cluster, expiring: \.announcement)
        try await verification.run()
        #expect(
            lines(verification).contains(
                "announcing nodes: FAILED: no node says that it announces 10.9.9.4 of pool lab-pool over BGP"))
    }

    @Test("routes of their own, as Linux and BSD print them")
    func routes() throws {
        let table = """
            Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
            eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
            eth1\t0038A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
            *\t0009090A\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0
            """
        func leads(_ text: String) throws -> Bool {
            RouteTable(proc: table).leads(to: try #require(IPAddress(text)))
        }
        #expect(try leads("192.168.56.200"))
        #expect(try !leads("8.8.8.8"))
        #expect(try !leads("10.9.9.4"), "a route that rejects leads nowhere")
        #expect(RouteTable.leads(bsd: "   route to: 10.9.9.4\ndestination: 10.9.9.4\n  interface: en0\n"))
        #expect(!RouteTable.leads(bsd: "   route to: 8.8.8.8\ndestination: default\n       mask: default\n"))
    }

    @Test("fail-over with nobody to take over fails, and the node is put back")
    func failoverFails() async throws {
        let cluster = FakeCluster(configuration: configuration, nodes: labNodes)
        let verification = verification(cluster, failover: true, expiring: \.failover)
        try await verification.run()
        #expect(
            lines(verification).contains(
                "fail-over: FAILED: no other node took 192.168.56.200 over from w1 within 0.1 s"))
        #expect(await cluster.node("w1")?[["metadata", "labels"]] == .map([:]))
    }

    @Test("cancelled at any request, the probe is removed all the same", arguments: 1...14)
    func cancellation(after count: Int) async throws {
        let running = Mutex<Task<Void, any Error>?>(nil)
        let seen = Mutex(0)
        var behaviour = FakeCluster.Behaviour()
        behaviour.announcers = ["w1"]
        behaviour.onRequest = { _ in
            let isLast = seen.withLock { seen in
                seen += 1
                return seen == count
            }
            if isLast { running.withLock { $0 }?.cancel() }
        }
        let cluster = FakeCluster(behaviour, configuration: configuration, nodes: labNodes)
        let verification = verification(cluster)
        let (start, go) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            for await _ in start { break }
            try await verification.run()
        }
        running.withLock { $0 = task }
        go.yield()
        _ = await task.result
        #expect(await cluster.probeObjects.isEmpty)
    }

    @Test("a request that fails ends the verification with that error, and the probe is removed")
    func requestFails() async throws {
        var behaviour = FakeCluster.Behaviour()
        behaviour.onRequest = { if $0 == "create EndpointSlice" { throw ModuleError("forbidden") } }
        let cluster = FakeCluster(behaviour, configuration: configuration, nodes: labNodes)
        await #expect(throws: ModuleError.self) { try await verification(cluster).run() }
        #expect(await cluster.probeObjects.isEmpty)
    }

    @Test("objects that do not go away are told, with the command that removes them")
    func removalFails() async throws {
        var behaviour = FakeCluster.Behaviour()
        behaviour.deletes = false
        let verification = verification(
            FakeCluster(behaviour, configuration: configuration, nodes: labNodes), expiring: \.removal)
        try await verification.run()
        let last = try #require(verification.log.all.last)
        #expect(last.result == .failed)
        #expect(last.detail.contains("Service default/labctl-probe"))
        #expect(last.hint?.contains("kubectl delete services,endpointslices -A -l") == true)
    }

    @Test("several pools are tried one after the other, each by name")
    func severalPools() async throws {
        let two = [
            pool("lab-pool", ["192.168.56.200-192.168.56.250"]), pool("six", ["fd00::/120"]), advertisement("all"),
        ]
        let cluster = FakeCluster(configuration: two, nodes: labNodes)
        let verification = verification(cluster, pools: [])
        try await verification.run()
        #expect(
            lines(verification).contains(
                "pool six: not checked: it has no IPv4 addresses, and the API server that the probe leads to is IPv4"))
        #expect(lines(verification).contains("address: 192.168.56.200 from pool lab-pool"))
    }

    @Test("a pool that is not there is told with the nearest name")
    func unknownPool() async throws {
        let verification = verification(FakeCluster(configuration: configuration, nodes: labNodes), pools: ["lab-pol"])
        let error = await #expect(throws: ModuleError.self) { try await verification.run() }
        #expect(error?.diagnostics.first?.message == "there is no address pool 'lab-pol' in namespace metallb-system")
        #expect(error?.diagnostics.first?.hint == "did you mean 'lab-pool'?")
    }

    @Test("the probe leads to the API server, and asks for a pool only when told to")
    func probeObjects() async throws {
        let target = try await Probe.target(in: FakeCluster(configuration: [], nodes: []))
        #expect(target.port == 6443)
        #expect(target.addresses.map(\.description) == ["192.168.56.10"])
        let plain = Probe(namespace: "default", target: target, pool: nil)
        #expect(plain.service[["metadata", "annotations"]] == nil)
        #expect(plain.service[["spec", "ports"]]?.list?.first?["targetPort"] == 6443)
        #expect(plain.endpointSlice[["metadata", "labels"]]?["kubernetes.io/service-name"] == "labctl-probe")
        let asking = Probe(namespace: "default", target: target, pool: "p")
        #expect(asking.service[["metadata", "annotations", "metallb.io/address-pool"]] == "p")
    }

    @Test("this machine's networks have loopback among them")
    func localNetworks() throws {
        let loopback = try LocalNetwork.all().first { $0.address.description == "127.0.0.1" }
        #expect(loopback?.network.description == "127.0.0.0/8")
    }
}
