import NIOCore
import NIOHTTP1

/// Collects the answer to one request, or hands it on piece by piece, and reports a link that ends before the answer does.
final class ResponseHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart

    /// What the handler tells; `end` and `failed` come once, and nothing after them.
    enum Event: Sendable {
        case head(HTTPResponse)
        case body(ByteBuffer)
        case end
        case failed(any Error)
    }

    private let report: (Event) -> Void
    private var isFinished = false

    init(report: @escaping (Event) -> Void) { self.report = report }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        // 1xx answers announce the real one.
        case .head(let head) where (100..<200).contains(head.status.code): break
        case .head(let head):
            let headers = head.headers.map { (name: $0.name.lowercased(), value: $0.value) }
            report(.head(HTTPResponse(status: Int(head.status.code), headers: headers)))
        case .body(let buffer): report(.body(buffer))
        case .end: finish(.end)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failed(ChannelError.eof))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(.failed(error))
        context.fireErrorCaught(error)
    }

    func handlerRemoved(context: ChannelHandlerContext) { finish(.failed(ChannelError.eof)) }

    private func finish(_ event: Event) {
        guard !isFinished else { return }
        isFinished = true
        report(event)
    }
}
