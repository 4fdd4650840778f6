import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// An HTTPS server on loopback that answers from a table and remembers what it was asked.
package final class SecureSite: Sendable {
    private let channel: any Channel
    private let log: Log

    /// - Parameter files: the bodies by their paths: `/m.yaml`.
    package init(_ files: [String: [UInt8]], certificate leaf: TestAuthority.Leaf) async throws {
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(leaf.certificate.utf8))
                    .map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(leaf.key.utf8), format: .pem))))
        let log = Log()
        channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let operations = channel.pipeline.syncOperations
                    try operations.addHandler(NIOSSLServerHandler(context: context))
                    try operations.configureHTTPServerPipeline()
                    try operations.addHandler(Handler(files: files, log: log))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.log = log
    }

    package var port: Int { channel.localAddress?.port ?? 0 }
    /// Host and path of each request: `raw.example/m.yaml`.
    package var requests: [String] { log.entries.withLock { $0 } }
    package func stop() async { try? await channel.close().get() }

    private final class Log: Sendable {
        let entries = Mutex<[String]>([])
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let files: [String: [UInt8]]
        private let log: Log

        init(files: [String: [UInt8]], log: Log) {
            self.files = files
            self.log = log
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .head(let head) = unwrapInboundIn(data) else { return }
            log.entries.withLock { $0.append((head.headers.first(name: "host") ?? "") + head.uri) }
            let body = files[head.uri] ?? []
            let answer = HTTPResponseHead(
                version: .http1_1, status: files[head.uri] == nil ? .notFound : .ok,
                headers: ["Content-Length": String(body.count)])
            context.write(wrapOutboundOut(.head(answer)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
