import CLibSSH
import LabTransport

/// One channel of a session. Lives on the session's thread.
///
/// libssh's callbacks only note what arrived and wake whoever waits; all calls to libssh are made by those.
final class Channel {
    let link: Link
    /// nil once the channel is freed.
    private(set) var handle: ssh_channel?
    private let callbacks: UnsafeMutablePointer<ssh_channel_callbacks_struct>

    /// Signalled when any of the following changes.
    let changed = Condition()
    private var output: [OutputPiece] = []
    private(set) var bufferedBytes = 0
    /// More than this is left with libssh, which then does not grow the window: the peer stops sending.
    var bufferLimit = Int.max
    private(set) var sawEOF = false
    private(set) var isClosed = false
    private(set) var exitStatus: Int?
    private(set) var exitSignal: String?

    convenience init(_ link: Link) throws(ConnectionError) {
        guard let handle = ssh_channel_new(try link.session()) else {
            throw ConnectionError(.lost, hostName: link.hostName, "no channel: \(link.lastError)")
        }
        self.init(link, handle)
    }

    /// - Parameter handle: owned by the channel from here on.
    init(_ link: Link, _ handle: ssh_channel) {
        self.link = link
        self.handle = handle
        callbacks = .allocate(capacity: 1)
        callbacks.initialize(to: ssh_channel_callbacks_struct())
        labctl_ssh_callbacks_init(callbacks)
        callbacks.pointee.userdata = Unmanaged.passUnretained(self).toOpaque()
        callbacks.pointee.channel_data_function = { _, _, data, length, isError, user in
            guard let data, let channel = Channel.from(user) else { return 0 }
            return channel.receive(UnsafeRawBufferPointer(start: data, count: Int(length)), isError: isError != 0)
        }
        callbacks.pointee.channel_eof_function = { _, _, user in
            Channel.from(user)?.note { $0.sawEOF = true }
        }
        callbacks.pointee.channel_close_function = { _, _, user in
            Channel.from(user)?.note { $0.isClosed = true }
        }
        callbacks.pointee.channel_exit_status_function = { _, _, status, user in
            Channel.from(user)?.note { $0.exitStatus = Int(status) }
        }
        callbacks.pointee.channel_exit_signal_function = { _, _, signal, _, _, _, user in
            let name = signal.map { String(cString: $0) }
            Channel.from(user)?.note { $0.exitSignal = name ?? "UNKNOWN" }
        }
        ssh_set_channel_callbacks(handle, callbacks)
        link.register(self)
    }

    deinit {
        free()
        callbacks.deallocate()
    }

    private static func from(_ user: UnsafeMutableRawPointer?) -> Channel? {
        user.map { Unmanaged<Channel>.fromOpaque($0).takeUnretainedValue() }
    }

    private func note(_ change: (Channel) -> Void) {
        change(self)
        link.thread.signal(changed)
    }

    private func receive(_ bytes: UnsafeRawBufferPointer, isError: Bool) -> Int32 {
        let count = min(bytes.count, max(0, bufferLimit - bufferedBytes))
        guard count > 0 else { return 0 }
        bufferedBytes += count
        let piece = Array(bytes[..<count])
        output.append(isError ? .standardError(piece) : .standardOutput(piece))
        link.thread.signal(changed)
        return Int32(count)
    }

    // MARK: For the session

    /// The exit status as shells report it. A server may close without one (RFC 4254 section 6.10 only recommends it).
    var exit: (status: Int, signal: String?) {
        if let exitSignal { return (128 + SignalName.number(of: exitSignal), exitSignal) }
        return (exitStatus ?? 255, nil)
    }

    var hasOutput: Bool { !output.isEmpty }

    /// What arrived since the last call.
    func takeOutput() -> [OutputPiece] {
        defer {
            output = []
            bufferedBytes = 0
        }
        return output
    }

    /// Fetches what a full buffer left with libssh, which calls back only for new data.
    func refill() {
        guard let handle, bufferedBytes < bufferLimit, bufferLimit != .max else { return }
        var buffer = [UInt8](repeating: 0, count: 32_768)
        for isError in [false, true] {
            while bufferedBytes < bufferLimit {
                let wanted = UInt32(min(buffer.count, bufferLimit - bufferedBytes))
                let count = ssh_channel_read_nonblocking(handle, &buffer, wanted, isError ? 1 : 0)
                guard count > 0 else { break }
                bufferedBytes += Int(count)
                let piece = Array(buffer[..<Int(count)])
                output.append(isError ? .standardError(piece) : .standardOutput(piece))
            }
        }
    }

    /// Hands bytes to libssh: as many as the peer's window takes.
    func write(_ bytes: ArraySlice<UInt8>) throws(ConnectionError) -> Int {
        guard let handle else { throw link.failure ?? link.closedError }
        let count = bytes.withUnsafeBytes { ssh_channel_write(handle, $0.baseAddress, UInt32(min($0.count, 65_536))) }
        guard count >= 0 else { throw link.failure ?? channelError("cannot write") }
        return Int(count)
    }

    func sendEOF() { if let handle { ssh_channel_send_eof(handle) } }

    func send(signal: String) { if let handle { ssh_channel_request_send_signal(handle, signal) } }

    func channelError(_ what: String) -> ConnectionError {
        ConnectionError(.lost, hostName: link.hostName, "\(what): \(link.lastError.lowercasedFirst)")
    }

    /// Closes the channel and frees it. Does nothing the second time.
    func free() {
        guard let handle else { return }
        self.handle = nil
        ssh_remove_channel_callbacks(handle, callbacks)
        ssh_channel_free(handle)
        link.unregister(self)
        isClosed = true
        link.thread.signal(changed)
    }

    /// libssh has freed, or is about to free, the handle together with the session.
    func forget() {
        handle = nil
        isClosed = true
        link.thread.signal(changed)
    }
}
