import LabCore

extension TrafficVerification {
    /// Which nodes tell their peers of the address, by MetalLB's own word: the speakers of 0.14 say so in events only.
    func checkPeering(of allocation: Allocation, _ surroundings: Surroundings) async throws {
        let step = "announcing nodes"
        let pool = allocation.pool
        let nodes = try await poll(for: surroundings.sandbox == nil ? pace.announcement : pace.interval * 4) {
            let nodes = Set(try await assignments(of: allocation, by: "bgp"))
            return nodes.isEmpty ? nil : nodes.sorted()
        }
        if let nodes {
            log.passed(step, "\(nodes.joined(separator: ", ")), over BGP, by their events")
        } else if let sandbox = surroundings.sandbox {
            log.unchecked(step, "no speaker says that it announces \(allocation.address): \(sandbox)")
        } else {
            log.failed(
                step, "no node says that it announces \(allocation.address) of pool \(pool.name) over BGP",
                notes: try await events(of: Probe.name, in: allocation.service.objectNamespace),
                hint: "are there BGPPeers, and do their sessions stand? kubectl -n \(namespace) logs daemonset/speaker "
                    + "-c speaker")
        }
    }
}
