import LabCore
import NIOCore
import NIOHTTP1
import NIOSSL

/// Collects one request of an HTTP/1.1 connection or an HTTP/2 stream, has it answered, and writes the answer.
final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// Larger bodies are refused with 413, as a real server does at about this size.
    private static let bodyLimit = 3 * 1024 * 1024

    private let cluster: Cluster
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private var isTooLarge = false
    private var answering: Task<Void, Never>?

    init(cluster: Cluster) { self.cluster = cluster }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
            isTooLarge = false
        case .body(let buffer):
            if body.count + buffer.readableBytes > Self.bodyLimit {
                isTooLarge = true
            } else {
                body.append(contentsOf: buffer.readableBytesView)
            }
        case .end:
            guard let head else { return }
            self.head = nil
            let body = self.body
            self.body = []
            answer(head, body, context: context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answering?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ head: HTTPRequestHead, _ body: [UInt8], context: ChannelHandlerContext) {
        let request = APIRequest(
            method: head.method.rawValue, target: head.uri, contentType: head.headers.first(name: "content-type"),
            accept: head.headers.first(name: "accept"), userAgent: head.headers.first(name: "user-agent"),
            body: body, user: user(context.channel))
        let channel = context.channel
        let cluster = cluster
        let keepsAlive = head.isKeepAlive
        let tooLarge = isTooLarge
        let isHTTP1 = head.version.major == 1
        // `@Sendable` keeps the handler's own state out of the task: it belongs to the event loop.
        answering = Task { @Sendable in
            let response = await Self.response(to: request, cluster, isTooLarge: tooLarge)
            try? await Self.write(response, to: channel, keepsAlive: keepsAlive, isHTTP1: isHTTP1)
        }
    }

    private static func response(
        to request: APIRequest, _ cluster: Cluster, isTooLarge: Bool
    ) async -> APIResponse {
        guard !isTooLarge else {
            return .failure(
                APIStatus(413, "RequestEntityTooLarge", "Request entity too large: limit is \(bodyLimit)"))
        }
        return await cluster.answer(request)
    }

    private func user(_ channel: any Channel) -> APIUser {
        let certificate =
            (try? channel.pipeline.syncOperations.nioSSL_peerCertificate())
            ?? (try? channel.parent?.pipeline.syncOperations.nioSSL_peerCertificate())
        guard let certificate, let bytes = try? certificate.toDERBytes() else { return .anonymous }
        return APIUser(certificate: bytes) ?? .anonymous
    }

    private static func write(
        _ response: APIResponse, to channel: any Channel, keepsAlive: Bool, isHTTP1: Bool
    ) async throws {
        if case .cut = response.body {
            // An HTTP/2 stream's parent is its connection; an HTTP/1.1 connection's parent is the listening socket.
            let connection = isHTTP1 ? channel : channel.parent ?? channel
            try await connection.close()
            return
        }
        var headers = HTTPHeaders(response.headers.map { ($0.name, $0.value) })
        if case .bytes(let bytes) = response.body { headers.add(name: "Content-Length", value: String(bytes.count)) }
        if isHTTP1, !keepsAlive { headers.add(name: "Connection", value: "close") }
        let head = HTTPResponseHead(
            version: isHTTP1 ? .http1_1 : .http2, status: HTTPResponseStatus(statusCode: response.status),
            headers: headers)
        switch response.body {
        case .bytes(let bytes):
            channel.write(HTTPServerResponsePart.head(head), promise: nil)
            channel.write(
                HTTPServerResponsePart.body(.byteBuffer(channel.allocator.buffer(bytes: bytes))), promise: nil)
            try await channel.writeAndFlush(HTTPServerResponsePart.end(nil))
        case .stream(let chunks):
            try await channel.writeAndFlush(HTTPServerResponsePart.head(head))
            for await chunk in chunks {
                let buffer = channel.allocator.buffer(bytes: chunk)
                try await channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(buffer)))
            }
            try await channel.writeAndFlush(HTTPServerResponsePart.end(nil))
        case .cut: break
        }
        if isHTTP1, !keepsAlive { try await channel.close() }
    }
}
