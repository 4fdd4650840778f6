import LabCore
import LabTransport
import NIOCore
import NIOPosix

/// A TCP connection made by this process, for an API server that is reached without a node in between.
///
/// One reader at a time.
package actor DirectChannel: ByteChannel {
    private let channel: any Channel
    private let inbound: AsyncThrowingStream<[UInt8], any Error>

    private init(channel: any Channel, inbound: AsyncThrowingStream<[UInt8], any Error>) {
        self.channel = channel
        self.inbound = inbound
    }

    /// Connects to `host:port`.
    ///
    /// - Throws: `KubeError` of kind `unreachable`; `CancellationError`.
    package static func open(
        host: String, port: Int, timeout: Duration = .seconds(10)
    ) async throws -> DirectChannel {
        let (inbound, continuation) = AsyncThrowingStream.makeStream(of: [UInt8].self)
        do {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(timeout.timeAmount)
                .channelOption(.allowRemoteHalfClosure, value: true)
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Reader(continuation))
                    }
                }
                .connect(host: host, port: port).get()
            return DirectChannel(channel: channel, inbound: inbound)
        } catch {
            try Task.checkCancellation()
            throw KubeError(
                .unreachable, "the API server at \(host):\(port) cannot be reached",
                notes: [Diagnostic.Note(plainReason(error))],
                hint: "is kube-apiserver running, and is the server of the kubeconfig right?")
        }
    }

    package func read() async throws -> [UInt8]? {
        // The iterator is a fresh one each time, but all of them take from the one buffer.
        for try await piece in inbound { return piece }
        return nil
    }

    package func write(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    package func closeWriting() async throws { try await channel.close(mode: .output).get() }

    package func close() async { try? await channel.close().get() }

    private final class Reader: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let continuation: AsyncThrowingStream<[UInt8], any Error>.Continuation

        init(_ continuation: AsyncThrowingStream<[UInt8], any Error>.Continuation) { self.continuation = continuation }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            continuation.yield(Array(unwrapInboundIn(data).readableBytesView))
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .inputClosed? = event as? ChannelEvent { continuation.finish() }
        }

        func channelInactive(context: ChannelHandlerContext) { continuation.finish() }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            continuation.finish(throwing: error)
            context.close(promise: nil)
        }
    }
}
