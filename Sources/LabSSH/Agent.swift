import CLibSSH
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A public key that an SSH agent holds.
struct AgentKey: Sendable {
    let blob: [UInt8]
    let comment: String
    /// The key that signs, where this is a certificate from a file for one that the agent has without.
    var signer: [UInt8]?

    /// For people.
    var name: String { signer == nil ? "\(comment) (\(type))" : "certificate \(comment) with the agent's key" }

    /// The blob's key type, its first string (RFC 4253 section 6.6).
    var type: String {
        var reader = WireReader(blob)
        return reader.string().map { String(decoding: $0, as: UTF8.self) } ?? "unknown"
    }
}

/// What labctl itself says to an SSH agent (draft-miller-ssh-agent). Blocks: for helper threads.
enum Agent {
    private static let failure: UInt8 = 5
    private static let requestIdentities: UInt8 = 11
    private static let identitiesAnswer: UInt8 = 12
    private static let signRequest: UInt8 = 13

    /// The keys that the agent holds.
    static func keys(at path: String) -> Result<[AgentKey], SystemError> {
        let socket = connect(path)
        guard socket >= 0 else { return .failure(SystemError(number: errno)) }
        defer { close(socket) }
        guard send(socket, [requestIdentities]), let answer = receive(socket) else {
            return .failure(SystemError(number: EPROTO))
        }
        guard answer.first == identitiesAnswer else { return .success([]) }
        var reader = WireReader(Array(answer.dropFirst()))
        guard let count = reader.number() else { return .success([]) }
        var keys: [AgentKey] = []
        for _ in 0..<min(count, 10_000) {
            guard let blob = reader.string(), let comment = reader.string() else { break }
            keys.append(AgentKey(blob: blob, comment: String(decoding: comment, as: UTF8.self)))
        }
        return .success(keys)
    }

    /// Plays the agent for libssh on one end of a socket pair until that is closed: shows only the given keys, in the given
    /// order, and has the real agent sign. (libssh offers all keys of an agent, in the agent's order.)
    static func relay(_ end: Int32, to path: String, keys: [AgentKey]) {
        defer { close(end) }
        var agent: Int32 = -1
        defer { if agent >= 0 { close(agent) } }
        while let request = receive(end) {
            if request.first == requestIdentities {
                var answer = [identitiesAnswer] + Wire.number(UInt32(keys.count))
                for key in keys { answer += Wire.string(key.blob) + Wire.string(key.comment) }
                guard send(end, answer) else { return }
                continue
            }
            if agent < 0 { agent = connect(path) }
            guard agent >= 0, send(agent, signable(request, keys)), let answer = receive(agent) else {
                guard send(end, [failure]) else { return }
                continue
            }
            guard send(end, answer) else { return }
        }
    }

    /// A request to sign with a certificate, as one to sign with its key.
    private static func signable(_ request: [UInt8], _ keys: [AgentKey]) -> [UInt8] {
        guard request.first == signRequest else { return request }
        var reader = WireReader(Array(request.dropFirst()))
        guard let blob = reader.string(), let signer = keys.first(where: { $0.blob == blob })?.signer else {
            return request
        }
        return [signRequest] + Wire.string(signer) + reader.remaining
    }

    /// A connected socket, or -1 with `errno`.
    static func connect(_ path: String) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            errno = ENAMETOOLONG
            return -1
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let socket = makeSocket(AF_UNIX, labctl_stream_socket(), 0)
        guard socket >= 0 else { return -1 }
        _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                systemConnect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if result == 0 { return socket }
        let error = errno
        close(socket)
        errno = error
        return -1
    }

    private static func send(_ socket: Int32, _ message: [UInt8]) -> Bool {
        let bytes = Wire.string(message)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { sendWithoutSignal(socket, $0) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    private static func receive(_ socket: Int32) -> [UInt8]? {
        guard let header = receive(socket, 4) else { return nil }
        let length = header.reduce(0) { $0 << 8 | Int($1) }
        // OpenSSH's own limit for agent messages.
        guard length > 0, length <= 256 * 1024 else { return nil }
        return receive(socket, length)
    }

    private static func receive(_ socket: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let length = bytes[filled...].withUnsafeMutableBytes { read(socket, $0.baseAddress, $0.count) }
            if length < 0, errno == EINTR { continue }
            guard length > 0 else { return nil }
            filled += length
        }
        return bytes
    }
}

/// Writes to a socket whose other end may be gone, without being killed for it.
func sendWithoutSignal(_ socket: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    #if canImport(Glibc)
        send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
    #else
        send(socket, bytes.baseAddress, bytes.count, 0)
    #endif
}
