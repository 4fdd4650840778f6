import CLibSSH
import LabTransport

extension Session {
    /// Opens a `direct-tcpip` channel (RFC 4254 section 7.2).
    func forward(host: String, port: Int) async throws -> ForwardedStream {
        try await forward(to: host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)") {
            ssh_channel_open_forward($0, host, Int32(port), "127.0.0.1", 0)
        }
    }

    /// Opens a `direct-streamlocal@openssh.com` channel.
    func forward(socketPath path: String) async throws -> ForwardedStream {
        try await forward(to: path) { ssh_channel_open_forward_unix($0, path, "127.0.0.1", 0) }
    }

    private func forward(to target: String, _ open: (ssh_channel) -> Int32) async throws -> ForwardedStream {
        let link = try liveLink()
        let channel = try Channel(link)
        channel.bufferLimit = 1 << 20
        let deadline = ContinuousClock.now + route.connectTimeout
        do {
            let result = try await link.complete(until: deadline) { _ in channel.handle.map(open) ?? SSH_ERROR }
            guard result == SSH_OK else {
                let refusal = ForwardRefusal(libraryText: link.lastError)
                throw link.failure
                    ?? ConnectionError(
                        .forwardRefused, hostName: hostName, "the node cannot connect to \(target)",
                        notes: [refusal.reason], hint: refusal.hint)
            }
            return ForwardedStream(session: self, channel: ChannelBox(channel))
        } catch {
            channel.free()
            if error is Abandoned {
                throw ConnectionError(
                    .forwardRefused, hostName: hostName,
                    "the node could not connect to \(target) within \(route.connectTimeout.shortText)")
            }
            throw error
        }
    }

    func read(_ box: ChannelBox) async throws -> [UInt8]? {
        let channel = box.channel
        while true {
            channel.refill()
            var bytes: [UInt8] = []
            for case .standardOutput(let piece) in channel.takeOutput() {
                if bytes.isEmpty { bytes = piece } else { bytes += piece }
            }
            if !bytes.isEmpty { return bytes }
            if channel.sawEOF || channel.isClosed {
                if let failure = channel.link.failure, failure.kind != .closed, !channel.sawEOF { throw failure }
                return nil
            }
            if let failure = channel.link.failure { throw failure }
            if channel.hasOutput { continue }
            try await channel.link.wait(for: channel.changed, until: nil)
        }
    }

    func write(_ bytes: [UInt8], to box: ChannelBox) async throws {
        let channel = box.channel
        var rest = bytes[...]
        while !rest.isEmpty {
            if channel.isClosed { throw channel.link.failure ?? streamClosed }
            let count = try channel.write(rest)
            rest = rest.dropFirst(count)
            if count == 0 { try await channel.link.wait(for: channel.link.progress, until: nil) }
        }
    }

    func closeWriting(_ box: ChannelBox) { box.channel.sendEOF() }

    func close(_ box: ChannelBox) { box.channel.free() }

    private var streamClosed: ConnectionError {
        ConnectionError(.closed, hostName: hostName, "the forwarded stream was closed")
    }
}

/// Why a node opens no connection for us (RFC 4254, section 5.1).
struct ForwardRefusal: Hashable {
    let reason: String
    /// What to do about it; nil where that depends on what was to be reached.
    let hint: String?

    /// Reads libssh's text, as in `Channel opening failure: channel 44 error (2) Connection refused`, where the server
    /// may have said nothing after the number.
    init(libraryText text: String) {
        let match = text.firstMatch(of: /error \((\d+)\) ?(.*)/.dotMatchesNewlines())
        let said = match.map { $0.output.2.trimmingSpaces.lowercasedFirst } ?? ""
        switch match?.output.1 {
        case "1":
            reason = "the node's SSH server forbids forwarding: administratively prohibited"
            hint = "allow it in the node's sshd_config (AllowTcpForwarding, PermitOpen, DisableForwarding)"
        case "2" where said.isEmpty || said == "connect failed" || said == "connection refused":
            reason = "nothing listens there, or it is filtered"
            hint = nil
        case "2":
            reason = said
            hint = nil
        case "4":
            reason = "the node has no resources left for another connection"
            hint = nil
        default:
            reason = said.isEmpty ? "the node's SSH server opens no connection" : said
            hint = nil
        }
    }
}

extension Substring {
    fileprivate var trimmingSpaces: String {
        var text = self
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

/// Carries a channel outside of its session's isolation, unopened.
final class ChannelBox: @unchecked Sendable {
    // Only the session's actor looks inside.
    fileprivate let channel: Channel
    init(_ channel: Channel) { self.channel = channel }
}

/// A TCP connection made by the node.
final class ForwardedStream: ByteChannel {
    private let session: Session
    private let channel: ChannelBox

    init(session: Session, channel: ChannelBox) {
        self.session = session
        self.channel = channel
    }

    // A stream that was dropped without being closed must not stay open on the node.
    deinit {
        let (session, channel) = (session, channel)
        Task { await session.close(channel) }
    }

    func read() async throws -> [UInt8]? { try await session.read(channel) }
    func write(_ bytes: [UInt8]) async throws { try await session.write(bytes, to: channel) }
    func closeWriting() async throws { await session.closeWriting(channel) }
    func close() async { await session.close(channel) }
}
