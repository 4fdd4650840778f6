import LabTesting
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization

@testable import LabKube

/// A request as the test server saw it.
struct SeenRequest: Sendable {
    var method: String
    var path: String
    var headers: [(name: String, value: String)]
    var body: [UInt8]
}

/// What the test server does with a request.
enum TestAnswer: Sendable {
    case answer(status: Int, headers: [(String, String)] = [], body: String)
    /// Pieces of a body that stays open.
    case pieces([String], thenClose: Bool)
    /// Ends the connection.
    case hangUp
    /// Never answers.
    case silence
}

/// A TLS server on loopback that answers as a closure says, over HTTP/2 or HTTP/1.1.
final class TestServer: Sendable {
    typealias Handler = @Sendable (SeenRequest) -> TestAnswer

    let port: Int
    private let channel: any Channel

    static func start(
        _ leaf: TestAuthority.Leaf, clientCA: String? = nil, protocols: [String] = ["h2", "http/1.1"],
        handler: @escaping Handler
    ) async throws -> TestServer {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(leaf.certificate.utf8)).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(leaf.key.utf8), format: .pem)))
        configuration.applicationProtocols = protocols
        if let clientCA {
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(clientCA.utf8)))
        }
        let context = try NIOSSLContext(configuration: configuration)
        let count = Counter()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                count.add()
                return channel.eventLoop.makeCompletedFuture {
                    let operations = channel.pipeline.syncOperations
                    try operations.addHandler(NIOSSLServerHandler(context: context))
                    try operations.addHandler(
                        ApplicationProtocolNegotiationHandler { result, channel in
                            channel.eventLoop.makeCompletedFuture {
                                let operations = channel.pipeline.syncOperations
                                if case .negotiated("h2") = result {
                                    _ = try operations.configureHTTP2Pipeline(
                                        mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()
                                    ) { stream in
                                        stream.eventLoop.makeCompletedFuture {
                                            try stream.pipeline.syncOperations.addHandlers(
                                                HTTP2FramePayloadToHTTP1ServerCodec(),
                                                AnswerHandler(connection: channel, handler: handler))
                                        }
                                    }
                                } else {
                                    try operations.configureHTTPServerPipeline()
                                    try operations.addHandler(AnswerHandler(connection: channel, handler: handler))
                                }
                            }
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return TestServer(channel: channel, count: count)
    }

    let count: Counter

    private init(channel: any Channel, count: Counter) {
        self.channel = channel
        self.port = channel.localAddress?.port ?? 0
        self.count = count
    }

    func stop() async { try? await channel.close().get() }
}

final class Counter: Sendable {
    private let state = Mutex(0)
    var value: Int { state.withLock { $0 } }
    @discardableResult func add() -> Int {
        state.withLock {
            $0 += 1
            return $0
        }
    }
}

private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let connection: any Channel
    private let handler: TestServer.Handler
    private var seen: SeenRequest?

    init(connection: any Channel, handler: @escaping TestServer.Handler) {
        self.connection = connection
        self.handler = handler
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            seen = SeenRequest(
                method: head.method.rawValue, path: head.uri, headers: head.headers.map { ($0.name, $0.value) },
                body: [])
        case .body(let buffer): seen?.body.append(contentsOf: buffer.readableBytesView)
        case .end:
            guard let seen else { return }
            respond(handler(seen), context)
        }
    }

    private func respond(_ answer: TestAnswer, _ context: ChannelHandlerContext) {
        func head(_ status: Int, _ headers: [(String, String)]) {
            let head = HTTPResponseHead(
                version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: HTTPHeaders(headers))
            context.write(wrapOutboundOut(.head(head)), promise: nil)
        }
        func body(_ text: String) {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
        }
        switch answer {
        case .answer(let status, let headers, let text):
            head(status, headers + [("content-length", String(text.utf8.count))])
            body(text)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        case .pieces(let pieces, let thenClose):
            head(200, [])
            for piece in pieces { body(piece) }
            context.flush()
            if thenClose { context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
        case .hangUp: connection.close(promise: nil)
        case .silence: break
        }
    }
}
