import LabCore
import LabSandbox
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import Synchronization

/// An HTTPS client for one connection, over HTTP/1.1 or HTTP/2.
final class TestClient: Sendable {
    struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let bytes: [UInt8]

        var text: String { String(decoding: bytes, as: UTF8.self) }
        var json: Value { (try? Value(json: bytes)) ?? .null }
        /// The events of a watch.
        var lines: [Value] { text.split(separator: "\n").compactMap { try? Value(json: String($0)) } }
    }

    struct ConnectionLost: Error {}

    private let channel: any Channel
    private let multiplexer: NIOHTTP2Handler.StreamMultiplexer?
    private let authority: String

    private init(channel: any Channel, multiplexer: NIOHTTP2Handler.StreamMultiplexer?, authority: String) {
        self.channel = channel
        self.multiplexer = multiplexer
        self.authority = authority
    }

    /// - Parameter identity: nil for a client without a certificate.
    static func connect(
        to server: SandboxAPIServer, identity: SandboxIdentity?, http2: Bool = false
    ) async throws -> TestClient {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates(
            try NIOSSLCertificate.fromPEMBytes(Array(server.certificates.authorityPEM.utf8)))
        tls.applicationProtocols = [http2 ? "h2" : "http/1.1"]
        if let identity {
            tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(identity.certificatePEM.utf8)).map {
                .certificate($0)
            }
            tls.privateKey = .privateKey(
                try NIOSSLPrivateKey(bytes: Array(identity.privateKeyPEM.utf8), format: .pem))
        }
        let context = try NIOSSLContext(configuration: tls)
        let multiplexer = Mutex<NIOHTTP2Handler.StreamMultiplexer?>(nil)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                let secured = channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: context, serverHostname: "localhost"))
                }
                guard http2 else {
                    return secured.flatMap { channel.pipeline.addHTTPClientHandlers() }
                }
                return secured.flatMap {
                    channel.configureHTTP2Pipeline(
                        mode: .client, connectionConfiguration: .init(), streamConfiguration: .init()
                    ) { $0.eventLoop.makeSucceededVoidFuture() }
                }.map { made in multiplexer.withLock { $0 = made } }
            }
            .connect(host: "127.0.0.1", port: server.port).get()
        return TestClient(
            channel: channel, multiplexer: multiplexer.withLock { $0 }, authority: "localhost:\(server.port)")
    }

    func request(
        _ method: String, _ path: String, body: [UInt8]? = nil, contentType: String? = nil,
        accept: String? = "application/json", userAgent: String? = nil
    ) async throws -> Answer {
        var headers: HTTPHeaders = ["Host": authority]
        if let accept { headers.add(name: "Accept", value: accept) }
        if let contentType { headers.add(name: "Content-Type", value: contentType) }
        if let userAgent { headers.add(name: "User-Agent", value: userAgent) }
        if let body { headers.add(name: "Content-Length", value: String(body.count)) }
        let head = HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: method), uri: path, headers: headers)
        let promise = channel.eventLoop.makePromise(of: Answer.self)
        let stream: any Channel
        do {
            stream = try await open(promise)
        } catch {
            promise.fail(error)
            throw error
        }
        stream.write(HTTPClientRequestPart.head(head), promise: nil)
        if let body {
            stream.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        }
        // A channel that closed before the handler came tells nobody else.
        stream.writeAndFlush(HTTPClientRequestPart.end(nil)).whenFailure { promise.fail($0) }
        return try await promise.futureResult.get()
    }

    private func open(_ promise: EventLoopPromise<Answer>) async throws -> any Channel {
        guard let multiplexer else {
            try await channel.eventLoop.submit { [channel] in
                try channel.pipeline.syncOperations.addHandler(
                    ResponseCollector(promise: promise, removesItself: true))
            }.get()
            return channel
        }
        let opened = channel.eventLoop.makePromise(of: (any Channel).self)
        multiplexer.createStreamChannel(promise: opened) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandlers([
                    HTTP2FramePayloadToHTTP1ClientCodec(httpProtocol: .https),
                    ResponseCollector(promise: promise, removesItself: false),
                ])
            }
        }
        return try await opened.futureResult.get()
    }

    func close() async { try? await channel.close() }

    /// Server-side apply as `manager`.
    func apply(
        _ path: String, _ object: Value, manager: String = "labctl", options: String = ""
    ) async throws -> Answer {
        try await request(
            "PATCH", "\(path)?fieldManager=\(manager)\(options)", body: object.jsonBytes(),
            contentType: "application/apply-patch+yaml")
    }
}

private final class ResponseCollector: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let promise: EventLoopPromise<TestClient.Answer>
    private let removesItself: Bool
    private var head: HTTPResponseHead?
    private var bytes: [UInt8] = []
    private var isDone = false

    init(promise: EventLoopPromise<TestClient.Answer>, removesItself: Bool) {
        self.promise = promise
        self.removesItself = removesItself
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body(let buffer): bytes.append(contentsOf: buffer.readableBytesView)
        case .end:
            isDone = true
            let head = head
            promise.succeed(
                TestClient.Answer(
                    status: Int(head?.status.code ?? 0), headers: head?.headers ?? [:], bytes: bytes))
            if removesItself { context.pipeline.syncOperations.removeHandler(self, promise: nil) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isDone { promise.fail(TestClient.ConnectionLost()) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !isDone { promise.fail(error) }
        isDone = true
        context.close(promise: nil)
    }
}
