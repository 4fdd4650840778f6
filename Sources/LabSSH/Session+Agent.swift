import CLibSSH
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension Session {
    /// Asks the server to offer our agent to programs on the node. They reach it over channels that the server opens.
    ///
    /// A server that forbids it (AllowAgentForwarding) is not an error: as with OpenSSH, there is no agent then.
    func requestAgent(_ channel: Channel, until deadline: ContinuousClock.Instant) async throws {
        guard let path = route.agentSocket else { return }
        try channel.link.offerAgent { [weak self] channel in
            guard let self else { return }
            let stream = ForwardedStream(session: self, channel: ChannelBox(channel))
            Task { await self.serveAgent(stream, path) }
        }
        _ = try await ask(channel, until: deadline) { ssh_channel_request_auth_agent($0) }
    }

    private nonisolated func serveAgent(_ stream: ForwardedStream, _ path: String) async {
        guard let socket = try? await abandonable(until: .now + .seconds(10), { Agent.connect(path) }), socket >= 0
        else {
            return await stream.close()
        }
        _ = fcntl(socket, F_SETFL, O_NONBLOCK)
        await pump(stream, SocketStream(socket: socket, thread: thread, hostName: hostName))
    }
}
