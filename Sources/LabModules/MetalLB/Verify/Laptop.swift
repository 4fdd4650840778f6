import LabCore
import LabKube
import LabTransport

/// The machine that labctl runs on, as `LaptopNetwork`.
struct Laptop: LaptopNetwork {
    /// Runs the commands that read the neighbour table.
    let connection: any Connection
    /// Whose certificate is demanded: the API server's, as its kubeconfig says.
    let kubeconfig: Kubeconfig
    /// How long one try may take.
    var patience: Duration = .seconds(5)

    func networks() throws -> [LocalNetwork] { try LocalNetwork.all() }

    func neighbours() async throws -> [Neighbour] { try await Neighbour.table(of: connection) }

    func nudge(_ address: IPAddress) async {
        // Whether the kubelet's port answers does not matter: the system asks for the hardware address first.
        guard (try? isLocal(address)) == true,
            let channel = try? await DirectChannel.open(
                host: address.description, port: 10250, timeout: .seconds(1))
        else { return }
        await channel.close()
    }

    func hasRoute(to address: IPAddress) async throws -> Bool {
        func output(_ arguments: [String]) async throws -> String? {
            let result = try await connection.run(Command(.arguments(arguments), timeout: .seconds(10)))
            return result.exitStatus == 0 ? result.outputText : nil
        }
        if address.isIPv4, let table = try await output(["cat", "/proc/net/route"]) {
            return RouteTable(proc: table).leads(to: address)
        }
        if let route = try await output(["route", "-n", "get", address.description]) {
            return RouteTable.leads(bsd: route)
        }
        return try isLocal(address)
    }

    /// Whether the address is in a network of this machine. What is not is never asked: over the default route the
    /// question would go to a stranger.
    private func isLocal(_ address: IPAddress) throws -> Bool {
        try networks().contains { $0.network.contains(address) }
    }

    func handshake(_ address: IPAddress, port: Int) async throws -> String {
        let isReachable = try isLocal(address) ? true : try await hasRoute(to: address)
        guard isReachable else {
            throw ModuleError("this machine has no interface in a network with \(address), so nothing was sent")
        }
        let client = try KubeClient(
            try await anonymous(), timeout: patience, connectTimeout: patience,
            openChannel: { [patience] _, _ in
                do {
                    return try await DirectChannel.open(host: address.description, port: port, timeout: patience)
                } catch let error as KubeError {
                    throw ModuleError(
                        "\(address):\(port) does not answer", notes: error.diagnostics.flatMap(\.notes))
                }
            })
        do {
            let response = try await client.send(HTTPRequest(.get, "/version"))
            await client.close()
            return "it answered a request with status \(response.status)"
        } catch {
            await client.close()
            throw error
        }
    }

    /// The kubeconfig without its user, demanding the name that the API server is known by, not the Service's address,
    /// which no certificate names.
    private func anonymous() async throws -> Kubeconfig {
        let name: Value = "probe"
        var cluster: ValueMap = [
            "server": .string(
                "https://\(kubeconfig.cluster.host.contains(":") ? "[\(kubeconfig.cluster.host)]" : kubeconfig.cluster.host):"
                    + "\(kubeconfig.cluster.port)"),
            "tls-server-name": .string(kubeconfig.cluster.serverName ?? kubeconfig.cluster.host),
        ]
        let authority = kubeconfig.cluster.authority
        if authority != nil { cluster["certificate-authority"] = "/authority" }
        if !kubeconfig.cluster.isVerified {
            throw ModuleError(
                "the kubeconfig does not verify the API server, so nothing proves that it is the API server that answers",
                hint:
                    "give the kubeconfig the cluster's CA (certificate-authority) in place of insecure-skip-tls-verify")
        }
        let document: Value = [
            "kind": "Config", "current-context": name,
            "clusters": [["name": name, "cluster": .map(cluster)]],
            "users": [["name": name, "user": ["token": .null]]],
            "contexts": [["name": name, "context": ["cluster": name, "user": name]]],
        ]
        return try await Kubeconfig.resolve(SourceValue(document), path: kubeconfig.path) { _ in
            Array((authority ?? "").utf8)
        }
    }
}
