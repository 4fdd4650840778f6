import LabModules
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An HTTP server on loopback that answers from a table and remembers what it was asked.
final class WebServer: Sendable {
    struct Answer: Sendable {
        var status: HTTPResponseStatus = .ok
        var headers: HTTPHeaders = [:]
        var body = ""
        /// Says that more comes than does, and hangs up.
        var breaksOff = false
    }

    private let channel: any Channel
    private let log: Log

    init(_ answers: [String: Answer]) async throws {
        let log = Log()
        channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(answers: answers, log: log))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.log = log
    }

    var port: Int { channel.localAddress?.port ?? 0 }
    var requests: [(uri: String, headers: HTTPHeaders)] { log.entries.withLock { $0 } }
    func stop() async { try? await channel.close().get() }

    final class Log: Sendable {
        let entries = Mutex<[(uri: String, headers: HTTPHeaders)]>([])
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        let answers: [String: Answer]
        let log: Log

        init(answers: [String: Answer], log: Log) {
            self.answers = answers
            self.log = log
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .head(let head) = unwrapInboundIn(data) else { return }
            log.entries.withLock { $0.append((head.uri, head.headers)) }
            let answer = answers[head.uri] ?? Answer(status: .notFound)
            var headers = answer.headers
            headers.add(name: "Content-Length", value: String(answer.body.utf8.count + (answer.breaksOff ? 10 : 0)))
            context.write(
                wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers))),
                promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.body)))), promise: nil)
            if answer.breaksOff {
                context.flush()
                context.close(promise: nil)
            } else {
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
