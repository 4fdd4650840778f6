import LabCore
import LabTransport
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization
import X509

/// One TLS connection to an API server over a byte stream: HTTP/2 where the server speaks it, else HTTP/1.1.
final class HTTPConnection: Sendable {
    typealias Multiplexer = NIOHTTP2Handler.AsyncStreamMultiplexer<Void>

    private enum Version: Sendable {
        case http2(Multiplexer)
        case http1
    }

    private let channel: any Channel
    private let version: Version
    private let authority: String
    private let pump: ChannelPump
    private let draining: DrainingFlag
    private let settings: TLSSettings
    private let outcome: VerificationOutcome
    /// Which of the user's certificates it was made with.
    let certificateNumber: Int

    private init(
        channel: any Channel, version: Version, settings: TLSSettings, pump: ChannelPump, draining: DrainingFlag,
        outcome: VerificationOutcome, certificateNumber: Int
    ) {
        self.certificateNumber = certificateNumber
        self.settings = settings
        self.outcome = outcome
        self.channel = channel
        self.version = version
        self.authority = settings.authority
        self.pump = pump
        self.draining = draining
    }

    /// Whether another request may be sent: the link lives and the server has not said that it goes away.
    var isUsable: Bool { channel.isActive && !draining.value }
    /// Whether requests may overlap.
    var isMultiplexed: Bool { if case .http2 = version { true } else { false } }

    /// Makes TLS on a byte stream, verifies the server and agrees on the protocol.
    ///
    /// - Throws: `KubeError` of kind `certificate`, `unreachable` or `timedOut`; `CancellationError`.
    static func open(
        over stream: any ByteChannel, settings: TLSSettings, group: any EventLoopGroup, timeout: Duration,
        certificateNumber: Int = 0
    ) async throws -> HTTPConnection {
        let sockets = try ChannelPump.socketPair()
        let pump: ChannelPump
        do {
            pump = try await ChannelPump.start(stream, descriptor: sockets.far, group: group)
        } catch {
            ChannelPump.discard(sockets.near)
            await stream.close()
            throw error
        }
        let outcome = VerificationOutcome()
        let draining = DrainingFlag()
        do {
            let context = try settings.sslContext()
            let (channel, negotiation) = try await ClientBootstrap(group: group)
                .withConnectedSocket(sockets.near) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let tls = try settings.handler(context: context, outcome: outcome)
                        let negotiator = NIOTypedApplicationProtocolNegotiationHandler<Version> { result, channel in
                            configure(channel, for: result, draining: draining)
                        }
                        try channel.pipeline.syncOperations.addHandlers(
                            tls, AlertHandler(settings: settings, outcome: outcome), negotiator)
                        return (channel, negotiator.protocolNegotiationResult)
                    }
                }
            let deadline = channel.eventLoop.scheduleTask(in: timeout.timeAmount) {
                outcome.fail(
                    KubeError(
                        .timedOut,
                        "the API server at \(settings.authority) did not answer the TLS handshake within \(timeout.text)"
                    ))
                channel.close(promise: nil)
            }
            defer { deadline.cancel() }
            let version = try await withTaskCancellationHandler {
                try await negotiation.get()
            } onCancel: {
                channel.close(promise: nil)
            }
            return HTTPConnection(
                channel: channel, version: version, settings: settings, pump: pump, draining: draining,
                outcome: outcome, certificateNumber: certificateNumber)
        } catch {
            await pump.stop()
            try Task.checkCancellation()
            throw settings.handshakeError(error, found: outcome.error)
        }
    }

    private static func configure(
        _ channel: any Channel, for result: ALPNResult, draining: DrainingFlag
    ) -> EventLoopFuture<Version> {
        channel.eventLoop.makeCompletedFuture {
            let operations = channel.pipeline.syncOperations
            guard case .negotiated("h2") = result else {
                try operations.addHTTPClientHandlers()
                return .http1
            }
            // Larger windows than the protocol's 64 KiB: lists arrive without waiting for window updates.
            var configuration = NIOHTTP2Handler.Configuration()
            configuration.stream.targetWindowSize = 1 << 20
            let multiplexer = try operations.configureAsyncHTTP2Pipeline(
                mode: .client, configuration: configuration
            ) { (channel: any Channel) -> EventLoopFuture<Void> in
                // API servers push nothing.
                channel.close()
            }
            try operations.addHandler(GoAwayHandler(draining: draining))
            return .http2(multiplexer)
        }
    }

    /// Sends a request and gives its whole answer.
    ///
    /// - Throws: `KubeError` of kind `lost` or `timedOut`; `CancellationError`.
    func send(_ request: HTTPRequest, token: Secret?, timeout: Duration) async throws -> HTTPResponse {
        let promise = channel.eventLoop.makePromise(of: HTTPResponse.self)
        let answer = AnswerCollector(promise)
        let exchange: any Channel
        do {
            exchange = try await start(request, token) { answer.receive($0) }
        } catch {
            promise.fail(error)
            throw lost(error)
        }
        // A stream that had not become active when the link went tells its handlers nothing.
        exchange.closeFuture.whenComplete { _ in promise.fail(ChannelError.eof) }
        let isShared = isMultiplexed
        let deadline = exchange.eventLoop.scheduleTask(in: timeout.timeAmount) {
            promise.fail(
                KubeError(.timedOut, "the API server did not answer \(request.summary) within \(timeout.text)"))
            exchange.close(promise: nil)
        }
        defer { deadline.cancel() }
        do {
            return try await withTaskCancellationHandler {
                try await promise.futureResult.get()
            } onCancel: {
                promise.fail(CancellationError())
                exchange.close(promise: nil)
            }
        } catch {
            if !isShared { exchange.close(promise: nil) }
            throw lost(error)
        }
    }

    /// Sends a request whose answer comes piece by piece for as long as the reader reads (a watch).
    ///
    /// - Throws: as `send`. The pieces end with an error of the same kinds when the link ends early.
    func stream(
        _ request: HTTPRequest, token: Secret?, timeout: Duration
    ) async throws -> (head: HTTPResponse, body: AsyncThrowingStream<[UInt8], any Error>) {
        let head = channel.eventLoop.makePromise(of: HTTPResponse.self)
        let (body, continuation) = AsyncThrowingStream.makeStream(of: [UInt8].self)
        let exchange: any Channel
        do {
            exchange = try await start(request, token) { event in
                switch event {
                case .head(let response): head.succeed(response)
                case .body(let buffer): continuation.yield(Array(buffer.readableBytesView))
                case .end: continuation.finish()
                case .failed(let error):
                    head.fail(error)
                    continuation.finish(throwing: self.lost(error))
                }
            }
        } catch {
            head.fail(error)
            throw lost(error)
        }
        exchange.closeFuture.whenComplete { _ in
            head.fail(ChannelError.eof)
            continuation.finish(throwing: self.lost(ChannelError.eof))
        }
        continuation.onTermination = { _ in exchange.close(promise: nil) }
        let deadline = exchange.eventLoop.scheduleTask(in: timeout.timeAmount) {
            head.fail(KubeError(.timedOut, "the API server did not answer \(request.summary) within \(timeout.text)"))
            exchange.close(promise: nil)
        }
        defer { deadline.cancel() }
        do {
            let response = try await withTaskCancellationHandler {
                try await head.futureResult.get()
            } onCancel: {
                head.fail(CancellationError())
                exchange.close(promise: nil)
            }
            return (response, body)
        } catch {
            throw lost(error)
        }
    }

    /// Ends the connection; requests under way fail with kind `lost`.
    func close() async {
        draining.set()
        try? await channel.close().get()
        await pump.stop()
    }

    /// Opens a stream (HTTP/2) or takes the connection (HTTP/1.1) and writes the request.
    private func start(
        _ request: HTTPRequest, _ token: Secret?, report: @escaping @Sendable (ResponseHandler.Event) -> Void
    ) async throws -> any Channel {
        let exchange: any Channel
        switch version {
        case .http2(let multiplexer):
            exchange = try await multiplexer.openStream { stream in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandlers(
                        HTTP2FramePayloadToHTTP1ClientCodec(httpProtocol: .https), ResponseHandler(report: report))
                    return stream
                }
            }
            // A stream that is opened on a link that has just gone would wait for ever to become active.
            guard channel.isActive else {
                exchange.close(promise: nil)
                throw ChannelError.ioOnClosedChannel
            }
        case .http1:
            let channel = channel
            exchange = try await channel.eventLoop.submit {
                let operations = channel.pipeline.syncOperations
                let handler = ResponseHandler(report: report)
                if let previous = try? operations.handler(type: ResponseHandler.self) {
                    operations.removeHandler(previous, promise: nil)
                }
                try operations.addHandler(handler)
                return channel
            }.get()
        }
        var head = HTTPRequestHead(
            version: isMultiplexed ? .http2 : .http1_1, method: HTTPMethod(rawValue: request.method.rawValue),
            uri: request.path)
        head.headers = headers(of: request, token)
        exchange.write(HTTPClientRequestPart.head(head), promise: nil)
        if !request.body.isEmpty {
            exchange.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: request.body))), promise: nil)
        }
        // A failed write shows as the end of the exchange, which the handler reports; an early answer is no failure.
        exchange.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        return exchange
    }

    private func headers(of request: HTTPRequest, _ token: Secret?) -> HTTPHeaders {
        var headers = HTTPHeaders([
            ("host", authority), ("user-agent", "labctl"), ("accept", request.accept),
        ])
        if let contentType = request.contentType { headers.add(name: "content-type", value: contentType) }
        if !request.body.isEmpty || request.method != .get {
            headers.add(name: "content-length", value: String(request.body.count))
        }
        if let token { headers.add(name: "authorization", value: "Bearer \(token.reveal())") }
        return headers
    }

    private func lost(_ error: any Error) -> any Error {
        if error is KubeError || error is CancellationError { return error }
        if let refused = outcome.error { return refused }
        return KubeError(
            .lost, "the connection to the API server at \(authority) was lost",
            notes: [Diagnostic.Note(plainReason(error))])
    }
}

/// Puts the pieces of one answer together.
private final class AnswerCollector: Sendable {
    private let promise: EventLoopPromise<HTTPResponse>
    private let response = Mutex(HTTPResponse(status: 0))

    init(_ promise: EventLoopPromise<HTTPResponse>) { self.promise = promise }

    func receive(_ event: ResponseHandler.Event) {
        switch event {
        case .head(let head): response.withLock { $0 = head }
        case .body(let buffer): response.withLock { $0.body.append(contentsOf: buffer.readableBytesView) }
        case .end: promise.succeed(response.withLock { $0 })
        case .failed(let error): promise.fail(error)
        }
    }
}

/// Set when no new request may be sent on a connection.
final class DrainingFlag: Sendable {
    private let flag = Atomic(false)
    var value: Bool { flag.load(ordering: .acquiring) }
    func set() { flag.store(true, ordering: .releasing) }
}

/// Notices the server's GOAWAY: what runs may finish, what is new needs another connection.
private final class GoAwayHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias InboundOut = HTTP2Frame

    private let draining: DrainingFlag

    init(draining: DrainingFlag) { self.draining = draining }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .goAway = unwrapInboundIn(data).payload { draining.set() }
        context.fireChannelRead(data)
    }
}

/// Notices that the server refuses the client's certificate: under TLS 1.3 its alert comes after the handshake.
private final class AlertHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let settings: TLSSettings
    private let outcome: VerificationOutcome

    init(settings: TLSSettings, outcome: VerificationOutcome) {
        self.settings = settings
        self.outcome = outcome
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let refusal = settings.refusal(error) { outcome.fail(refusal) }
        context.fireErrorCaught(error)
    }
}

extension HTTPRequest {
    /// Method and path without the query, for messages.
    var summary: String { "\(method.rawValue) \(path.prefix { $0 != "?" })" }
}

extension Duration {
    var timeAmount: TimeAmount {
        .nanoseconds(components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000)
    }

    /// For sentences: `30 s`.
    var text: String {
        let seconds = Double(components.seconds) + Double(components.attoseconds) / 1e18
        return seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\((seconds * 10).rounded() / 10) s"
    }
}
