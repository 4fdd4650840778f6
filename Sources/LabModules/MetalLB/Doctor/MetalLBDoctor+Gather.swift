import LabCore
import LabKube
import LabTransport
import LabYAML
import Synchronization

extension MetalLBDoctor {
    /// Fetches what the checks need and judges it.
    ///
    /// - Parameters:
    ///   - laptop: The machine that labctl runs on; nil leaves out what is seen from there.
    ///   - nodes: Connections to nodes by their Kubernetes names; what they would tell of nodes that are not among them
    ///     is named as not checked.
    /// - Throws: `CancellationError`, and what `cluster` throws when the server cannot be reached at all. What is only
    ///   forbidden becomes a finding.
    package static func run(
        _ cluster: any ClusterObjects, namespace: String = "metallb-system",
        laptop: (any Connection)? = nil, nodes: [String: any Connection] = [:]
    ) async throws -> [Outcome] {
        let version = try await cluster.serverVersion()
        var lab = try await gather(cluster, namespace: namespace)
        lab.serverVersion = version
        if let laptop {
            // What answers for an address of a pool shows in the neighbour table once it was asked.
            if !SandboxVersion.isOnLoopback(version) { try await nudge(lab.metallb?.pools ?? []) }
            lab.laptop = try await look(from: laptop)
        } else {
            lab.unreadable.append(("laptop", "it was not asked for"))
        }
        if lab.controller != nil { lab.webhookAnswer = try await askWebhook(cluster, namespace) }
        await look(at: &lab, through: nodes)
        return judge(lab)
    }

    /// Tries a pool of an address that no lab has (RFC 5737), as a dry run. Whatever MetalLB itself says is an answer.
    private static func askWebhook(
        _ cluster: any ClusterObjects, _ namespace: String
    ) async throws -> LabSnapshot.WebhookAnswer? {
        let pool: Value = [
            "apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
            "metadata": ["name": "labctl-doctor", "namespace": .string(namespace)],
            "spec": ["addresses": ["192.0.2.1/32"]],
        ]
        do {
            try await cluster.tryOut(.pool, pool)
            return .answered
        } catch let error as any DiagnosticError {
            let diagnostic = error.diagnostics.first
            let said = ([diagnostic?.message ?? ""] + (diagnostic?.notes.map(\.message) ?? []))
            if said.contains(where: { $0.contains("denied the request") }) { return .answered }
            return said.first { $0.contains("failed calling webhook") }.map { .silent(why: $0) }
        }
    }

    /// The Kubernetes name of a host: the node that has its name, or one of its addresses.
    package static func node(of host: String, _ addresses: [String], among nodes: [Value]) -> String? {
        let names = nodes.map(\.objectName)
        if names.contains(host) { return host }
        return nodes.first { node in
            (node.addresses(ofType: "InternalIP") + node.addresses(ofType: "Hostname")).contains {
                $0 == host || addresses.contains($0)
            }
        }?.objectName
    }

    private static func gather(_ cluster: any ClusterObjects, namespace: String) async throws -> LabSnapshot {
        let fetcher = Fetcher(cluster: cluster)
        async let nodes = fetcher.list("nodes", .node)
        async let daemonSets = fetcher.list("daemonsets", .daemonSet)
        async let namespaces = fetcher.object("namespaces", .namespace, nil, namespace)
        async let pools = fetcher.list("pools", .pool, namespace)
        async let l2 = fetcher.list("pools", .l2Advertisement, namespace)
        async let bgp = fetcher.list("pools", .bgpAdvertisement, namespace)
        var lab = LabSnapshot(namespace: namespace)
        async let deployments = fetcher.list("deployments", .deployment)
        async let services = fetcher.list("services", .service)
        async let slices = fetcher.list("endpointslices", .endpointSlice, namespace)
        async let secrets = fetcher.list("secrets", .secret, namespace)
        async let webhooks = fetcher.list("webhook configurations", .validatingWebhooks)
        async let definitions = fetcher.list("definitions", .definition)
        async let events = fetcher.list("events", .event)
        async let kubeProxy = fetcher.object("kube-proxy", .configMap, "kube-system", "kube-proxy")
        lab.deployments = try await deployments
        lab.services = try await services
        lab.endpointSlices = try await slices
        lab.secrets = try await secrets
        lab.webhookConfigurations = try await webhooks
        lab.definitions = try await definitions
        lab.events = try await events
        lab.kubeProxy = configuration(ofKubeProxy: try await kubeProxy, fetcher)
        lab.nodes = try await nodes
        lab.daemonSets = try await daemonSets
        lab.namespaces = try await namespaces
        let configuration = (try await pools, try await l2, try await bgp)
        if let pools = configuration.0, let l2 = configuration.1, let bgp = configuration.2 {
            lab.configuration = pools + l2 + bgp
        }
        lab.unreadable = fetcher.unreadable
        return lab
    }

    /// kubeadm keeps kube-proxy's configuration as YAML in a ConfigMap; other installers have none.
    private static func configuration(ofKubeProxy objects: [Value]?, _ fetcher: Fetcher) -> Value? {
        guard let objects else { return nil }
        guard let text = objects.first?[["data", "config.conf"]]?.string else { return .null }
        do {
            let file = SourceFile(path: "<ConfigMap kube-system/kube-proxy>", text: text)
            return try YAML.load(file, schema: .kubernetes).first?.value ?? .null
        } catch {
            fetcher.note("kube-proxy", "its configuration is no YAML")
            return nil
        }
    }

    // MARK: The laptop and the nodes

    /// Has the system ask for every address of the pools that is on a network of this machine, at most 256 of each.
    private static func nudge(_ pools: [MetalLBObjects.Pool]) async throws {
        let networks = try LocalNetwork.all().filter { !$0.address.isLoopback }.map(\.network)
        let addresses = pools.flatMap { pool in
            pool.ranges.flatMap(\.range.networks).filter(\.address.isIPv4).flatMap { network -> [IPAddress] in
                let count = min(network.last.bits - network.address.bits, 255)
                return (0...count).map { IPAddress(bits: network.address.bits + $0) }
            }.prefix(256)
        }.filter { address in networks.contains { $0.contains(address) } }
        await withTaskGroup(of: Void.self) { group in
            for (index, address) in addresses.enumerated() {
                if index >= 64 { await group.next() }
                group.addTask {
                    // Whether the port answers does not matter: the system asks for the hardware address first.
                    let channel = try? await DirectChannel.open(
                        host: address.description, port: 10250, timeout: .milliseconds(500))
                    await channel?.close()
                }
            }
        }
    }

    private static func look(from laptop: any Connection) async throws -> LabSnapshot.Laptop {
        var seen = LabSnapshot.Laptop(addresses: try LocalNetwork.all().map(\.address))
        seen.neighbours = try await Neighbour.table(of: laptop)
        func output(_ arguments: [String]) async throws -> String? {
            let result = try await laptop.run(Command(.arguments(arguments), timeout: .seconds(10)))
            return result.exitStatus == 0 ? result.outputText : nil
        }
        let version = try await output(["VBoxManage", "--version"])
        seen.virtualBoxVersion = version?.split(whereSeparator: \.isNewline).last.map(String.init)
        if seen.virtualBoxVersion != nil {
            seen.dhcpRanges = LabSnapshot.DHCPRange.parse(
                try await output(["VBoxManage", "list", "dhcpservers"]) ?? "")
            seen.virtualBoxNetworks = try await output(["cat", "/etc/vbox/networks.conf"])
        }
        return seen
    }

    /// Interfaces, and the speakers' port from node to node.
    private static func look(at lab: inout LabSnapshot, through connections: [String: any Connection]) async {
        let nodes = lab.nodes ?? []
        guard !connections.isEmpty else {
            lab.unreadable += [("interfaces", "no node was asked"), ("port 7946", "no node was asked")]
            return
        }
        var interfaces: [String: [String]] = [:]
        var paths: [LabSnapshot.MemberlistPath] = []
        for (name, connection) in connections.sorted(by: { $0.key < $1.key }) {
            let command = Command(.arguments(["ls", "/sys/class/net"]), timeout: .seconds(10))
            if let result = try? await connection.run(command), result.exitStatus == 0 {
                interfaces[name] = result.outputText.split(whereSeparator: \.isWhitespace).map(String.init)
            }
            for other in nodes where other.objectName != name {
                guard let address = other.addresses(ofType: "InternalIP").first else { continue }
                let channel = try? await connection.openForward(host: address, port: 7946)
                await channel?.close()
                paths.append(.init(from: name, to: other.objectName, isOpen: channel != nil))
            }
        }
        lab.interfaces = interfaces
        // A node that refuses all forwarding says nothing about the ports.
        if paths.isEmpty || paths.allSatisfy({ !$0.isOpen }) && lab.speaker == nil {
            lab.unreadable.append(("port 7946", "no speaker runs"))
        } else {
            lab.memberlistPaths = paths
        }
    }
}

/// Fetches one thing after the other and keeps what could not be read.
private final class Fetcher: Sendable {
    private let cluster: any ClusterObjects
    private let failures = Mutex<[(what: String, why: String)]>([])

    init(cluster: any ClusterObjects) { self.cluster = cluster }

    var unreadable: [(what: String, why: String)] { failures.withLock { $0 } }

    func note(_ what: String, _ why: String) { failures.withLock { $0.append((what, why)) } }

    /// All objects of a kind; none when the cluster serves no such kind; nil when they may not be read.
    func list(_ what: String, _ kind: ClusterKind, _ namespace: String? = nil) async throws -> [Value]? {
        try await read(what) { try await self.cluster.list(kind, namespace: namespace, labels: nil) ?? [] }
    }

    /// One object, as a list of at most one.
    func object(_ what: String, _ kind: ClusterKind, _ namespace: String?, _ name: String) async throws -> [Value]? {
        try await read(what) {
            try await self.cluster.get(kind, namespace: namespace, name: name).map { [$0] } ?? []
        }
    }

    private func read(_ what: String, _ fetch: () async throws -> [Value]) async throws -> [Value]? {
        do {
            return try await fetch()
        } catch let error as any DiagnosticError {
            note(what, error.diagnostics.first?.message ?? "the server refused")
            return nil
        }
    }
}
