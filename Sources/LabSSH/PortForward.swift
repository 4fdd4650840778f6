import LabTransport

/// A port of the laptop behind which stands something that a node reaches, as with `ssh -L`.
package struct PortForward: Sendable {
    /// What the node connects to.
    package enum Target: Sendable, Hashable, CustomStringConvertible {
        case port(host: String, port: Int)
        /// The path of a Unix socket on the node.
        case socket(String)

        package var description: String {
            switch self {
            case .port(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            case .socket(let path): path
            }
        }
    }

    /// What happened to one connection; `peer` is the address of the client on the laptop.
    package enum Event: Sendable {
        case opened(peer: String)
        /// The node could not reach the target, for this one connection.
        case refused(peer: String, ConnectionError)
        case closed(peer: String)
    }

    private let listeners: [LocalListener]
    private let target: Target
    private let connection: SSHConnection

    /// - Parameter listeners: closed at the end of `serve`.
    package init(listeners: [LocalListener], target: Target, connection: SSHConnection) {
        self.listeners = listeners
        self.target = target
        self.connection = connection
    }

    /// Takes connections until the link is lost or the task is cancelled. A connection that the node cannot make ends
    /// alone, and the others go on.
    ///
    /// - Throws: why the link is over; `CancellationError`.
    package func serve(_ tell: @escaping @Sendable (Event) -> Void) async throws {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for listener in listeners { group.addTask { try await serve(listener, tell) } }
                group.addTask { throw await connection.loss() }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch {
            for listener in listeners { await listener.close() }
            throw error
        }
        for listener in listeners { await listener.close() }
    }

    private func serve(_ listener: LocalListener, _ tell: @escaping @Sendable (Event) -> Void) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            while let (stream, peer) = try await listener.accept() {
                group.addTask { await carry(stream, from: peer, tell) }
            }
        }
    }

    private func carry(_ stream: any ByteChannel, from peer: String, _ tell: @Sendable (Event) -> Void) async {
        let remote: any ByteChannel
        do {
            remote =
                switch target {
                case .port(let host, let port): try await connection.openForward(host: host, port: port)
                case .socket(let path): try await connection.openForward(socketPath: path)
                }
        } catch {
            await stream.close()
            if let error = error as? ConnectionError, error.kind == .forwardRefused {
                tell(.refused(peer: peer, error))
            }
            return
        }
        tell(.opened(peer: peer))
        await pump(stream, remote)
        tell(.closed(peer: peer))
    }
}

extension Session {
    /// Waits for the end of the link.
    ///
    /// - Returns: why it is over; `CancellationError`.
    func loss() async -> any Error {
        while true {
            guard let link else { return ConnectionError(.closed, hostName: hostName, "the connection was closed") }
            if let failure = link.failure { return failure }
            do { try await link.wait(for: link.progress, until: nil) } catch { return error }
        }
    }
}
