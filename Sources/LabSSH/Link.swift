import CLibSSH
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The C side of one session: its handle, its socket, its channels. Lives on one `IOThread` and is touched only there.
final class Link: IOSource {
    let hostName: String
    let thread: IOThread
    /// nil after `shutDown`.
    private(set) var handle: ssh_session?
    private var event: ssh_event?
    private(set) var socket: Int32
    private let inode: UInt64?
    private let traffic: UnsafeMutablePointer<ssh_counter_struct>
    private var settledAt = Progress()
    private(set) var lastHeard = ContinuousClock.now
    /// Signalled whenever bytes came or went or the state of the link changed.
    let progress = Condition()
    /// Why the link is over; the first reason stays.
    private(set) var failure: ConnectionError?
    private var channels: [ObjectIdentifier: Channel] = [:]
    /// While a helper thread uses the session (the SSH agent blocks), this one leaves it alone.
    var isLent = false
    /// Set while programs on the node may use the laptop's SSH agent.
    var agentOffer: AgentOffer?

    private struct Progress: Equatable {
        var received: UInt64 = 0
        var sent: UInt64 = 0
        var status: Int32 = 0
    }

    /// - Parameter socket: connected and non-blocking; owned by the link from here on.
    init(hostName: String, thread: IOThread, socket: Int32) throws(ConnectionError) {
        guard let handle = ssh_new() else {
            close(socket)
            throw ConnectionError(.configuration, hostName: hostName, "out of memory")
        }
        self.hostName = hostName
        self.thread = thread
        self.handle = handle
        self.socket = socket
        inode = socketInode(socket)
        traffic = .allocate(capacity: 1)
        traffic.initialize(to: ssh_counter_struct())
        ssh_set_blocking(handle, 0)
        ssh_set_counters(handle, traffic, nil)
        thread.add(self)
    }

    deinit {
        traffic.deallocate()
    }

    // MARK: Calls

    /// The session's handle.
    ///
    /// - Throws: why the link is over.
    func session() throws(ConnectionError) -> ssh_session {
        if let failure { throw failure }
        guard let handle else { throw closedError }
        return handle
    }

    /// Repeats a call of libssh until it is done.
    ///
    /// - Parameter call: gives `SSH_AGAIN` while there is more to wait for.
    func complete(
        until deadline: ContinuousClock.Instant?, isolation: isolated (any Actor)? = #isolation,
        _ call: (ssh_session) -> Int32
    ) async throws -> Int32 {
        while true {
            let result = call(try session())
            noteFailure()
            guard result == SSH_AGAIN else { return result }
            attachEvent()
            try await wait(for: progress, until: deadline)
        }
    }

    /// Waits for the condition; the deadline becomes `Abandoned.timedOut`, cancellation `CancellationError`.
    func wait(
        for condition: Condition, until deadline: ContinuousClock.Instant?,
        isolation: isolated (any Actor)? = #isolation
    ) async throws {
        switch await thread.wait(for: condition, until: deadline) {
        case .signalled: return
        case .timedOut: throw Abandoned.timedOut
        case .cancelled: throw CancellationError()
        }
    }

    /// How much libssh has put into the socket.
    var bytesSent: UInt64 { traffic.pointee.out_bytes }
    /// Whether the server has said that it speaks SSH. One with too many logins under way says nothing, or why in a line.
    var hasMet: Bool {
        guard let handle, let line = ssh_get_serverbanner(handle) else { return false }
        return String(cString: line).hasPrefix("SSH-")
    }

    /// Whether the peer has closed the socket.
    var isDisconnected: Bool { handle.map { !isConnected($0) } ?? true }

    /// What libssh last complained about.
    var lastError: String {
        guard let handle else { return "the connection is closed" }
        return String(cString: labctl_ssh_error(handle))
    }

    var closedError: ConnectionError { ConnectionError(.closed, hostName: hostName, "the connection was closed") }

    /// Says that the link is over, and why.
    func fail(_ error: ConnectionError) {
        if failure == nil { failure = error }
        wakeAll()
    }

    // MARK: Channels

    func register(_ channel: Channel) { channels[ObjectIdentifier(channel)] = channel }
    func unregister(_ channel: Channel) { channels[ObjectIdentifier(channel)] = nil }

    private func wakeAll() {
        thread.signal(progress)
        for channel in channels.values { thread.signal(channel.changed) }
    }

    // MARK: IOSource

    var interest: (descriptor: Int32, events: Int16) {
        guard let handle, failure == nil else { return (-1, 0) }
        if isLent { return (-1, 0) }
        let flags = ssh_get_poll_flags(handle)
        return (socket, Int16(POLLIN) | (flags & SSH_WRITE_PENDING != 0 ? Int16(POLLOUT) : 0))
    }

    func ready(_ events: Int16) {
        guard let handle, !isLent else { return }
        attachEvent()
        guard let event else {
            // Not yet in an event: whoever waits calls libssh, and that reads.
            thread.signal(progress)
            return
        }
        // A bounded number of rounds, so that one flooded session does not starve the others of its thread.
        for _ in 0..<32 where ssh_event_dopoll(event, 0) == SSH_OK && isConnected(handle) {
            if !hasInput { break }
        }
        noteFailure()
    }

    func settle() {
        guard let handle, !isLent else { return }
        noteFailure()
        let now = Progress(
            received: traffic.pointee.in_bytes, sent: traffic.pointee.out_bytes, status: ssh_get_status(handle))
        guard now != settledAt else { return }
        if now.received != settledAt.received {
            lastHeard = .now
            if now.received - settledAt.received < 4096 { acknowledge() }
        }
        settledAt = now
        thread.signal(progress)
    }

    /// Has the system acknowledge what came at once. Until its first command runs, sshd holds a small packet back for as
    /// long as the one before is not acknowledged (Nagle; packet.c, ssh_packet_set_interactive), and Linux takes 40 ms for
    /// that by itself.
    private func acknowledge() {
        #if os(Linux)
            var yes: Int32 = 1
            setsockopt(socket, Int32(IPPROTO_TCP), TCP_QUICKACK, &yes, socklen_t(MemoryLayout<Int32>.size))
        #endif
    }

    private var hasInput: Bool {
        var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    private func isConnected(_ handle: ssh_session) -> Bool {
        ssh_get_status(handle) & (SSH_CLOSED | SSH_CLOSED_ERROR) == 0
    }

    /// An event drives the session's socket; libssh has something to put in it only after the first `ssh_connect`.
    private func attachEvent() {
        guard event == nil, let handle, let new = ssh_event_new() else { return }
        if ssh_event_add_session(new, handle) == SSH_OK { event = new } else { ssh_event_free(new) }
    }

    private var isEstablished = false

    /// From here on a closed socket is a lost link.
    func markEstablished() { isEstablished = true }

    private func noteFailure() {
        guard isEstablished, failure == nil, let handle, !isConnected(handle) || ssh_is_connected(handle) == 0 else {
            return
        }
        fail(ConnectionError(.lost, hostName: hostName, "the connection was lost", notes: [reasonForLoss(handle)]))
    }

    private func reasonForLoss(_ handle: ssh_session) -> String {
        // Before the next call, which has an error text of its own when there is no message.
        let message = String(cString: labctl_ssh_error(handle))
        if let farewell = ssh_get_disconnect_message(handle) {
            return "the server said: \(String(cString: farewell))"
        }
        return message.isEmpty ? "the server closed the connection" : message.lowercasedFirst
    }

    // MARK: End

    /// Frees everything. The C handles are gone after this.
    func shutDown() {
        guard let handle else { return }
        if failure == nil { failure = closedError }
        for channel in channels.values { channel.forget() }
        channels = [:]
        if let event {
            ssh_event_remove_session(event, handle)
        }
        // Since 0.10 a socket that was handed over stays open after ssh_disconnect, but libssh closes it on an error;
        // whether the number still means our socket is seen by its inode.
        let wasOpen = socketInode(socket) == inode
        ssh_disconnect(handle)
        ssh_free(handle)
        if let event { ssh_event_free(event) }
        self.event = nil
        self.handle = nil
        if wasOpen, socketInode(socket) == inode { close(socket) }
        socket = -1
        thread.remove(self)
        wakeAll()
    }

}

private func socketInode(_ descriptor: Int32) -> UInt64? {
    var status = stat()
    guard descriptor >= 0, fstat(descriptor, &status) == 0 else { return nil }
    return UInt64(status.st_ino)
}

extension String {
    /// libssh's sentences start with a capital; ours do not.
    var lowercasedFirst: String {
        guard let first, dropFirst().first?.isUppercase != true else { return self }
        return first.lowercased() + dropFirst()
    }
}
