import LabTransport

extension JumpHosts {
    /// Follows the way to a jump host by the configuration alone, before anything waits for anything.
    ///
    /// - Throws: `configuration` when it leads back to where it was: `Host *` with a `ProxyJump` that is meant for all hosts
    ///   but the jump host itself.
    static func checkForLoop(_ jump: Endpoint, for endpoint: Endpoint, _ shared: SharedState) async throws {
        var next = jump
        var visited: Set<String> = []
        while true {
            let route = try await Session.make(next, shared).route
            guard case .jump(let hosts) = route.proxy, let last = hosts.last else { return }
            guard visited.insert("\(route.user)@\(route.address):\(route.port) \(hosts.count)").inserted else {
                throw ConnectionError(
                    .configuration, hostName: endpoint.hostName,
                    "the jump host \(jump.address) is reached through itself",
                    hint: "leave it out of its own ProxyJump: Host * !\(jump.address)")
            }
            guard var further = jumpEndpoint(last, for: endpoint) else { return }
            if hosts.count > 1 {
                further.options.insert(Endpoint.Option("ProxyJump", hosts.dropLast().joined(separator: ",")), at: 0)
            }
            next = further
        }
    }
}
