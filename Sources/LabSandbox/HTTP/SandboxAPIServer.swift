import LabCore
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import Synchronization

/// The sandbox's API server: HTTPS on loopback, HTTP/2 and HTTP/1.1, clients known by their certificates.
///
/// It answers as a recorded kube-apiserver 1.36.2 did, keeps everything in memory, and says 501 where it does not know
/// better. It is not a real API server.
package final class SandboxAPIServer: Sendable {
    package let port: Int
    package let certificates: SandboxCertificates
    /// What is behind the server: faults, counters and objects for tests.
    package let cluster: Cluster
    /// A client of group `system:masters`.
    package let administrator: SandboxIdentity
    private let channel: Mutex<any Channel>
    private let bind: @Sendable (_ port: Int) async throws -> any Channel
    private let group: any EventLoopGroup
    private let connections: ConnectionList

    private init(
        channel: any Channel, port: Int, certificates: SandboxCertificates, administrator: SandboxIdentity,
        cluster: Cluster, group: any EventLoopGroup, connections: ConnectionList,
        bind: @escaping @Sendable (_ port: Int) async throws -> any Channel
    ) {
        self.channel = Mutex(channel)
        self.bind = bind
        self.port = port
        self.certificates = certificates
        self.administrator = administrator
        self.cluster = cluster
        self.group = group
        self.connections = connections
    }

    /// Starts a server with objects of a new cluster.
    ///
    /// - Parameters:
    ///   - port: 0 for any free one.
    ///   - names: the host names and addresses of its certificate.
    /// - Throws: when the port is taken, or a certificate cannot be made.
    package static func start(
        options: ClusterOptions = ClusterOptions(), host: String = "127.0.0.1", port: Int = 0,
        certificates: SandboxCertificates? = nil,
        names: [String] = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"],
        addresses: [String] = ["127.0.0.1", "10.96.0.1", "192.168.56.10"]
    ) async throws -> SandboxAPIServer {
        let certificates = try certificates ?? SandboxCertificates()
        let identity = try certificates.server(names: names, addresses: addresses)
        let context = try tlsContext(identity, authority: certificates.authorityPEM)
        let cluster = Cluster(options: options)
        await cluster.start()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let connections = ConnectionList()
        let bind: @Sendable (Int) async throws -> any Channel = { port in
            try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 256)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    connections.add(channel)
                    return channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    }.flatMap {
                        channel.configureCommonHTTPServerPipeline { stream in
                            stream.eventLoop.makeCompletedFuture {
                                try stream.pipeline.syncOperations.addHandler(RequestHandler(cluster: cluster))
                            }
                        }
                    }
                }
                .bind(host: host, port: port).get()
        }
        do {
            let channel = try await bind(port)
            return SandboxAPIServer(
                channel: channel, port: channel.localAddress?.port ?? port, certificates: certificates,
                administrator: try certificates.client(user: "kubernetes-admin", groups: ["system:masters"]),
                cluster: cluster, group: group, connections: connections, bind: bind)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private static func tlsContext(_ identity: SandboxIdentity, authority: String) throws -> NIOSSLContext {
        let chain = try NIOSSLCertificate.fromPEMBytes(Array(identity.certificatePEM.utf8))
        let key = try NIOSSLPrivateKey(bytes: Array(identity.privateKeyPEM.utf8), format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        configuration.certificateVerification = .optionalVerification
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(authority.utf8)))
        return try NIOSSLContext(configuration: configuration)
    }

    /// A kubeconfig for the server.
    ///
    /// - Parameters:
    ///   - identity: the client; the administrator when nil.
    ///   - server: another address to reach it under, as `https://192.168.56.10:6443`.
    package func kubeconfig(identity: SandboxIdentity? = nil, server: String? = nil) -> String {
        Kubeconfig.text(
            server: server ?? "https://127.0.0.1:\(port)", authorityPEM: certificates.authorityPEM,
            client: identity ?? administrator)
    }

    /// Cuts all connections, without taking new ones any worse: what a client sees when the network breaks.
    package func cutConnections() { connections.closeAll() }

    /// Ends all connections and listens no more for a while, then again on the same port: what clients see of a restart.
    /// The objects stay, as they do in etcd.
    package func restart(awayFor duration: Duration) async throws {
        let old = channel.withLock { $0 }
        try? await old.close()
        connections.closeAll()
        try await Task.sleep(for: duration)
        let new = try await bind(port)
        channel.withLock { $0 = new }
    }

    /// Waits until somebody closes the server.
    package func wait() async throws { try await channel.withLock { $0 }.closeFuture.get() }

    /// Stops listening, ends all watches and connections, and frees the threads.
    package func stop() async {
        try? await channel.withLock { $0 }.close()
        await cluster.stop()
        connections.closeAll()
        try? await group.shutdownGracefully()
    }
}
