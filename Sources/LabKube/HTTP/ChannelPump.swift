import LabTransport
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Makes a byte stream usable by NIO: one end of a socket pair is NIO's, the other is pumped to the stream, in both
/// directions and with their ends.
struct ChannelPump: Sendable {
    private let task: Task<Void, Never>

    /// Starts pumping between the stream and `descriptor`, which the pump owns from now on.
    static func start(
        _ stream: any ByteChannel, descriptor: CInt, group: any EventLoopGroup
    ) async throws -> ChannelPump {
        let far = try await ClientBootstrap(group: group)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .withConnectedSocket(descriptor) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return ChannelPump(task: Task { await pump(stream, far) })
    }

    /// Ends both streams and waits until the pump has stopped.
    func stop() async {
        task.cancel()
        await task.value
    }

    private static func pump(_ stream: any ByteChannel, _ far: NIOAsyncChannel<ByteBuffer, ByteBuffer>) async {
        // An error here shows on NIO's side as the end of the connection, which is where it is reported.
        try? await far.executeThenClose { inbound, outbound in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while let bytes = try await stream.read() { try await outbound.write(ByteBuffer(bytes: bytes)) }
                    outbound.finish()
                }
                group.addTask {
                    for try await buffer in inbound { try await stream.write(Array(buffer.readableBytesView)) }
                    // NIO's side is gone: nobody is left to read what may still come.
                    try? await stream.closeWriting()
                    throw CancellationError()
                }
                defer { group.cancelAll() }
                // Not `waitForAll`, which waits for the others when one fails: a reset stream would leave NIO's side open,
                // and its requests waiting.
                for try await _ in group {}
            }
        }
        await stream.close()
    }

    /// Closes a descriptor that nobody took over.
    static func discard(_ descriptor: CInt) { _ = close(descriptor) }

    /// Two connected stream sockets.
    ///
    /// - Throws: `IOError` when the process has no descriptors left.
    static func socketPair() throws -> (near: CInt, far: CInt) {
        var descriptors: [CInt] = [0, 0]
        #if os(Linux)
            let type = CInt(SOCK_STREAM.rawValue)
        #else
            let type = SOCK_STREAM
        #endif
        guard socketpair(AF_UNIX, type, 0, &descriptors) == 0 else {
            throw IOError(errnoCode: errno, reason: "socketpair")
        }
        return (descriptors[0], descriptors[1])
    }
}
