import CLibSSH
import LabTransport

/// Takes the channels that a server opens to reach the laptop's SSH agent (OpenSSH's PROTOCOL, "auth-agent@openssh.com").
/// Lives on its link's thread.
final class AgentOffer {
    private unowned let link: Link
    private let take: (Channel) -> Void
    private let callbacks: UnsafeMutablePointer<ssh_callbacks_struct>

    /// - Parameter take: gets each channel as it is opened.
    init(_ link: Link, take: @escaping (Channel) -> Void) throws(ConnectionError) {
        let session = try link.session()
        self.link = link
        self.take = take
        callbacks = .allocate(capacity: 1)
        callbacks.initialize(to: ssh_callbacks_struct())
        labctl_ssh_session_callbacks_init(callbacks)
        callbacks.pointee.userdata = Unmanaged.passUnretained(self).toOpaque()
        callbacks.pointee.channel_open_request_auth_agent_function = { session, user in
            guard let session, let user else { return nil }
            return Unmanaged<AgentOffer>.fromOpaque(user).takeUnretainedValue().open(session)
        }
        ssh_set_callbacks(session, callbacks)
    }

    deinit { callbacks.deallocate() }

    private func open(_ session: ssh_session) -> ssh_channel? {
        guard let handle = ssh_channel_new(session) else { return nil }
        let channel = Channel(link, handle)
        channel.bufferLimit = 1 << 20
        take(channel)
        return handle
    }
}

extension Link {
    /// Lets the server open channels to the agent. Does nothing the second time.
    func offerAgent(take: @escaping (Channel) -> Void) throws(ConnectionError) {
        if agentOffer == nil { agentOffer = try AgentOffer(self, take: take) }
    }
}
