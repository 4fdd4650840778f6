import NIOCore
import NIOPosix
import Synchronization

/// A TCP proxy on loopback that ends a connection for good after so many bytes in one direction.
package final class CuttingProxy: Sendable {
    private typealias Link = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    package enum Direction: String, Sendable, CaseIterable {
        case toServer = "to the server", toClient = "to the client"
    }

    /// Where a connection is cut: after `offset` bytes of that direction were handed on.
    package struct Cut: Sendable, Hashable {
        package let direction: Direction
        package let offset: Int

        package init(_ direction: Direction, after offset: Int) {
            self.direction = direction
            self.offset = offset
        }
    }

    private let task: Task<Void, Never>
    private let state: State
    package let port: Int

    /// - Parameter target: the port of 127.0.0.1 that connections are led to.
    package init(to target: Int) async throws {
        let state = State()
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture { try Link(wrappingChannelSynchronously: channel) }
            }
        port = listener.channel.localAddress?.port ?? 0
        self.state = state
        task = Task {
            try? await listener.executeThenClose { links in
                await withDiscardingTaskGroup { group in
                    do {
                        for try await link in links { group.addTask { await Self.serve(link, target, state) } }
                    } catch {}
                }
            }
        }
    }

    /// Has the next connection cut; the ones after it are not.
    package func cutNext(_ cut: Cut) {
        state.values.withLock {
            $0.next = cut
            $0.wasCut = false
        }
    }

    /// Whether the connection that was to be cut came so far.
    package var wasCut: Bool { state.values.withLock { $0.wasCut } }

    /// How many bytes the last connection that was not cut carried, in each direction.
    package var lastWhole: [Direction: Int] { state.values.withLock { $0.lastWhole } }

    package func stop() async {
        task.cancel()
        await task.value
    }

    private final class State: Sendable {
        struct Values {
            var next: Cut?
            var wasCut = false
            var lastWhole: [Direction: Int] = [:]
        }
        let values = Mutex(Values())
    }

    /// What one connection still may carry.
    private final class Account: Sendable {
        let cut: Cut?
        private let carried = Mutex<[Direction: Int]>([:])

        init(_ cut: Cut?) { self.cut = cut }

        var totals: [Direction: Int] { carried.withLock { $0 } }

        /// How many of `count` bytes may pass.
        func take(_ count: Int, _ direction: Direction) -> Int {
            carried.withLock {
                let before = $0[direction] ?? 0
                let allowed = cut?.direction == direction ? min(count, (cut?.offset ?? 0) - before) : count
                $0[direction] = before + allowed
                return allowed
            }
        }

        /// Whether the end is reached.
        var isOver: Bool { cut.map { totals[$0.direction] ?? 0 >= $0.offset } ?? false }
    }

    private struct Over: Error {}

    private static func serve(_ near: Link, _ target: Int, _ state: State) async {
        let account = Account(
            state.values.withLock { values in
                defer { values.next = nil }
                return values.next
            })
        defer {
            state.values.withLock {
                if account.isOver { $0.wasCut = true } else if account.cut == nil { $0.lastWhole = account.totals }
            }
        }
        try? await near.executeThenClose { inbound, outbound in
            guard !account.isOver else { return }
            let far = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .connect(host: "127.0.0.1", port: target) { channel in
                    channel.eventLoop.makeCompletedFuture { try Link(wrappingChannelSynchronously: channel) }
                }
            try await far.executeThenClose { farInbound, farOutbound in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await pass(inbound, to: farOutbound, .toServer, account) }
                    group.addTask { try await pass(farInbound, to: outbound, .toClient, account) }
                    // One end that is gone ends both.
                    defer { group.cancelAll() }
                    _ = try await group.next()
                }
            }
        }
    }

    private static func pass(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, to outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ direction: Direction, _ account: Account
    ) async throws {
        for try await piece in inbound {
            var piece = piece
            let allowed = account.take(piece.readableBytes, direction)
            if let part = piece.readSlice(length: allowed), allowed > 0 { try await outbound.write(part) }
            if account.isOver { throw Over() }
        }
    }
}
