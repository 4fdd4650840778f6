import NIOCore
import NIOPosix
import Synchronization

/// An HTTP proxy on loopback that knows `CONNECT` (RFC 9110, section 9.3.6), and leads names to ports of this machine.
package final class ConnectProxy: Sendable {
    private typealias Link = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private let task: Task<Void, Never>
    private let log: Log
    package let port: Int

    /// - Parameters:
    ///   - routes: which port of 127.0.0.1 stands for which `host:port`; others are answered with 403.
    ///   - authorization: what `Proxy-Authorization` has to say; nil lets everybody in.
    package init(_ routes: [String: Int], authorization: String? = nil) async throws {
        let log = Log()
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture { try Link(wrappingChannelSynchronously: channel) }
            }
        port = listener.channel.localAddress?.port ?? 0
        self.log = log
        task = Task {
            try? await listener.executeThenClose { links in
                await withDiscardingTaskGroup { group in
                    do {
                        for try await link in links {
                            group.addTask { await Self.serve(link, routes, authorization, log) }
                        }
                    } catch {}
                }
            }
        }
    }

    /// What was asked to be connected to, in order: `raw.githubusercontent.com:443`.
    package var requests: [String] { log.entries.withLock { $0.map(\.target) } }
    /// How many bytes went through, both ways, by the target.
    package var carried: [String: Int] {
        log.entries.withLock { Dictionary($0.map { ($0.target, $0.bytes) }, uniquingKeysWith: +) }
    }

    package func stop() async {
        task.cancel()
        await task.value
    }

    private final class Log: Sendable {
        let entries = Mutex<[(target: String, bytes: Int)]>([])

        func add(_ target: String) -> Int {
            entries.withLock {
                $0.append((target, 0))
                return $0.count - 1
            }
        }

        func count(_ bytes: Int, at index: Int) { entries.withLock { $0[index].bytes += bytes } }
    }

    private static func serve(
        _ near: Link, _ routes: [String: Int], _ authorization: String?, _ log: Log
    ) async {
        try? await near.executeThenClose { inbound, outbound in
            var reader = inbound.makeAsyncIterator()
            var head = ByteBuffer()
            var lines: [Substring] = []
            while lines.isEmpty {
                guard var piece = try await reader.next(), head.readableBytes < 1 << 16 else { return }
                head.writeBuffer(&piece)
                let text = String(buffer: head)
                // Nothing may follow the head before the answer, so the head is all that there is.
                if text.hasSuffix("\r\n\r\n") { lines = text.split(separator: "\r\n") }
            }
            let words = lines[0].split(separator: " ")
            guard words.count == 3, words[0] == "CONNECT" else {
                try await outbound.write(ByteBuffer(string: "HTTP/1.1 405 Method Not Allowed\r\n\r\n"))
                return
            }
            let target = String(words[1])
            let index = log.add(target)
            if let authorization,
                !lines.contains(where: { $0.lowercased() == "proxy-authorization: \(authorization)".lowercased() })
            {
                try await outbound.write(
                    ByteBuffer(string: "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"))
                return
            }
            guard let port = routes[target] else {
                try await outbound.write(ByteBuffer(string: "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"))
                return
            }
            let far = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(host: "127.0.0.1", port: port) { channel in
                    channel.eventLoop.makeCompletedFuture { try Link(wrappingChannelSynchronously: channel) }
                }
            // A client that is gone already must not keep the far end from being closed.
            try await far.executeThenClose { farInbound, farOutbound in
                try await outbound.write(ByteBuffer(string: "HTTP/1.1 200 Connection established\r\n\r\n"))
                async let down: Void = {
                    for try await piece in farInbound {
                        log.count(piece.readableBytes, at: index)
                        try await outbound.write(piece)
                    }
                    outbound.finish()
                }()
                while let piece = try await reader.next() {
                    log.count(piece.readableBytes, at: index)
                    try await farOutbound.write(piece)
                }
                farOutbound.finish()
                try await down
            }
        }
    }
}
