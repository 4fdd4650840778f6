import Crypto
import LabTransport

/// Asks an SSH server for its host certificate, and leaves before any key is in use.
///
/// libssh (0.10 to 0.12) does not negotiate host certificates. But a server shows its certificate in the clear, in its answer
/// to the client's public value (RFC 4253 section 8, RFC 5656 section 4), so a connection that goes no further learns
/// it. Nothing here has to be believed: whether the certificate is good is told by its signature, and whether the server has
/// the key that it certifies by the handshake of the connection that is then used.
struct HostCertificateProbe {
    /// Why no answer came.
    struct Failure: Error {
        let text: String
        /// The server ended the connection before it said anything, as sshd does with too many logins under way.
        var isDrop = false
    }

    private enum Message {
        static let disconnect: UInt8 = 1
        static let keyExchangeInit: UInt8 = 20
        static let publicValue: UInt8 = 30
        static let publicValueAnswer: UInt8 = 31
    }

    private static let ciphers = [
        "chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes192-ctr",
        "aes128-ctr", "aes256-cbc", "aes128-cbc",
    ]
    private static let macs = [
        "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512",
        "hmac-sha1-etm@openssh.com", "hmac-sha1", "umac-128-etm@openssh.com", "umac-128@openssh.com",
    ]
    private static let keyExchanges = [
        "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521", "diffie-hellman-group16-sha512", "diffie-hellman-group14-sha256",
        "diffie-hellman-group18-sha512", "diffie-hellman-group14-sha1",
    ]

    private let stream: any ByteChannel
    private var unread: [UInt8] = []
    /// The server has said that it speaks SSH. One with too many logins under way says something else first, or nothing.
    private(set) var hasMet = false

    /// - Parameter stream: to the server, from the first byte on. The caller closes it.
    init(_ stream: any ByteChannel) { self.stream = stream }

    /// The server's certificate, for the first of the algorithms that it has; nil when it has none.
    ///
    /// - Parameter algorithms: names that end in `-cert-v01@openssh.com`.
    /// - Throws: `Failure`; whatever the stream throws.
    mutating func certificate(_ algorithms: [String]) async throws -> HostCertificate? {
        try await stream.write(Array("SSH-2.0-labctl\r\n".utf8))
        try await readVersion()
        var reader = WireReader(try await message(Message.keyExchangeInit))
        guard reader.bytes(16) != nil, let exchanges = reader.names(), let keys = reader.names() else {
            throw Failure(text: "its first message cannot be read")
        }
        guard algorithms.contains(where: keys.contains) else { return nil }
        guard let exchange = Self.keyExchanges.first(where: exchanges.contains),
            let value = Self.publicValue(exchange)
        else { throw Failure(text: "it has none of the key exchanges that labctl has") }
        // Only now: an offer that a server cannot take is in its log as an attack.
        let request = Self.packet(Self.offer(algorithms)) + Self.packet([Message.publicValue] + Wire.string(value))
        try await stream.write(request)
        var answer = WireReader(try await message(Message.publicValueAnswer))
        guard let blob = answer.string(), let certificate = HostCertificate(blob) else {
            throw Failure(text: "its certificate cannot be read")
        }
        return certificate
    }

    /// Says goodbye and waits until the server has gone: until then this counts as a login under way (MaxStartups), beside
    /// the one that follows. Ends when the stream is closed.
    func leave() async {
        // By application (RFC 4253 section 11.1).
        let farewell = [Message.disconnect] + Wire.number(11) + Wire.string("done") + Wire.string("")
        try? await stream.write(Self.packet(farewell))
        while let bytes = try? await stream.read(), !bytes.isEmpty {}
    }

    // MARK: What is sent

    private static func offer(_ algorithms: [String]) -> [UInt8] {
        let cookie = (0..<16).map { _ in UInt8.random(in: 0...255) }
        let lists = [keyExchanges, algorithms, ciphers, ciphers, macs, macs, ["none"], ["none"], [], []]
        return [Message.keyExchangeInit] + cookie + lists.flatMap(Wire.names) + [0] + Wire.number(0)
    }

    /// A public value that the server will take. Its private half is never needed.
    private static func publicValue(_ exchange: String) -> [UInt8]? {
        switch exchange {
        case "ecdh-sha2-nistp256": return Array(P256.KeyAgreement.PrivateKey().publicKey.x963Representation)
        case "ecdh-sha2-nistp384": return Array(P384.KeyAgreement.PrivateKey().publicKey.x963Representation)
        case "ecdh-sha2-nistp521": return Array(P521.KeyAgreement.PrivateKey().publicKey.x963Representation)
        case let name where name.hasPrefix("curve25519"):
            return Array(Curve25519.KeyAgreement.PrivateKey().publicKey.rawRepresentation)
        // Any number below the group's prime is one; all have 2048 bits at least.
        case let name where name.hasPrefix("diffie-hellman"):
            return [0x40] + (0..<250).map { _ in UInt8.random(in: 0...255) }
        default: return nil
        }
    }

    /// A packet as before the first exchange of keys (RFC 4253 section 6).
    private static func packet(_ payload: [UInt8]) -> [UInt8] {
        let padding = 4 + (8 - (5 + payload.count + 4) % 8) % 8
        return Wire.number(UInt32(1 + payload.count + padding)) + [UInt8(padding)] + payload
            + [UInt8](repeating: 0, count: padding)
    }

    // MARK: What comes

    /// Reads the server's version line, and what it may say before (RFC 4253 section 4.2).
    private mutating func readVersion() async throws {
        for _ in 0..<64 {
            let line = try await line()
            if line.starts(with: Array("SSH-".utf8)) {
                hasMet = true
                return
            }
        }
        throw Failure(text: "it does not speak SSH")
    }

    private mutating func line() async throws -> [UInt8] {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                defer { unread.removeFirst(end + 1) }
                return Array(unread[..<end])
            }
            guard unread.count < 8192 else { throw Failure(text: "it does not speak SSH") }
            try await readMore()
        }
    }

    /// The payload of the next message of a type, without the type. Others, but for a farewell, are passed over.
    private mutating func message(_ type: UInt8) async throws -> [UInt8] {
        for _ in 0..<64 {
            let payload = try await payload()
            switch payload.first {
            case type: return Array(payload.dropFirst())
            case Message.disconnect:
                var reader = WireReader(Array(payload.dropFirst()))
                _ = reader.number()
                throw Failure(text: "it said: \((reader.text() ?? "").printable)")
            default: continue
            }
        }
        throw Failure(text: "it does not answer")
    }

    private mutating func payload() async throws -> [UInt8] {
        var reader = WireReader(try await take(5))
        guard let length = reader.number(), let padding = reader.byte(), (2...262_144).contains(length),
            Int(padding) < Int(length)
        else { throw Failure(text: "it does not speak SSH") }
        return Array(try await take(Int(length) - 1).dropLast(Int(padding)))
    }

    private mutating func take(_ count: Int) async throws -> [UInt8] {
        while unread.count < count { try await readMore() }
        defer { unread.removeFirst(count) }
        return Array(unread[..<count])
    }

    private mutating func readMore() async throws {
        guard let bytes = try await stream.read() else {
            throw Failure(text: "it ended the connection", isDrop: !hasMet)
        }
        unread += bytes
    }
}
