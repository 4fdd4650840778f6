import LabCore
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What an authority says of a key, in the form that OpenSSH gave it (OpenSSH's PROTOCOL.certkeys).
struct HostCertificate: Sendable, Equatable {
    /// The kinds of certificate.
    enum Purpose: Sendable, Equatable {
        case user, host
        case other(UInt32)
    }

    /// The certified key's type, `ssh-ed25519`, and its blob, as the server shows it without a certificate.
    let keyType: String
    let keyBlob: [UInt8]
    let serial: UInt64
    let purpose: Purpose
    /// The name that the authority gave the certificate (`ssh-keygen -I`).
    let identity: String
    /// The host names that it is for, with wildcards.
    let principals: [String]
    /// Seconds since 1970; `validBefore` is the first one at which it no longer is.
    let validAfter: UInt64
    let validBefore: UInt64
    /// No such option is defined for hosts, so a certificate that has some is not understood.
    let hasCriticalOptions: Bool
    /// The blob of the authority's key.
    let authority: [UInt8]
    let signature: [UInt8]
    /// What was signed: everything before the signature.
    let signed: [UInt8]

    private static let suffix = "-cert-v01@openssh.com"

    /// How many fields a key of the type has after its type.
    private static let fields = [
        "ssh-ed25519": 1, "ssh-rsa": 2, "ecdsa-sha2-nistp256": 2, "ecdsa-sha2-nistp384": 2, "ecdsa-sha2-nistp521": 2,
        "sk-ssh-ed25519@openssh.com": 2, "sk-ecdsa-sha2-nistp256@openssh.com": 3,
    ]

    /// The algorithms to ask a server for, in the order of OpenSSH (ssh_config(5), HostKeyAlgorithms).
    static let algorithms = [
        "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "sk-ssh-ed25519",
        "sk-ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256",
    ].map { $0 + suffix }

    /// The algorithm of the key alone: `ssh-ed25519-cert-v01@openssh.com` is for an `ssh-ed25519`.
    static func keyAlgorithm(_ algorithm: String) -> String {
        guard algorithm.hasSuffix(suffix) else { return algorithm }
        let name = String(algorithm.dropLast(suffix.count))
        return name.hasPrefix("sk-") ? name + "@openssh.com" : name
    }

    /// - Parameter blob: the public key as in KEX_ECDH_REPLY. Gives nil when it is no certificate, or not whole.
    init?(_ blob: [UInt8]) {
        var reader = WireReader(blob)
        guard let type = reader.text(), type.hasSuffix(Self.suffix), reader.string() != nil else { return nil }
        let keyType = Self.keyAlgorithm(type)
        guard let count = Self.fields[keyType] else { return nil }
        var keyBlob = Wire.string(keyType)
        for _ in 0..<count {
            guard let field = reader.string() else { return nil }
            keyBlob += Wire.string(field)
        }
        guard let serial = reader.longNumber(), let purpose = reader.number(), let identity = reader.text(),
            let principals = reader.string(), let after = reader.longNumber(), let before = reader.longNumber(),
            let critical = reader.string(), reader.string() != nil, reader.string() != nil,
            let authority = reader.string()
        else { return nil }
        signed = Array(blob.dropLast(reader.remaining.count))
        guard let signature = reader.string(), reader.isAtEnd else { return nil }
        var names = WireReader(principals)
        var texts: [String] = []
        while !names.isAtEnd {
            // As many as OpenSSH takes.
            guard texts.count < 256, let text = names.text() else { return nil }
            texts.append(text)
        }
        self.keyType = keyType
        self.keyBlob = keyBlob
        self.serial = serial
        self.purpose = purpose == 1 ? .user : purpose == 2 ? .host : .other(purpose)
        self.identity = identity
        self.principals = texts
        validAfter = after
        validBefore = before
        hasCriticalOptions = !critical.isEmpty
        self.authority = authority
        self.signature = signature
    }

    /// Why the certificate does not vouch for a host, as a clause whose subject is the certificate; nil when it does.
    ///
    /// The rules are those of OpenSSH's sshkey_cert_check_host as of 10.3: before it, wildcards did not count and a
    /// certificate without names was for all hosts. That the authority is trusted is not asked here.
    /// - Parameters:
    ///   - name: the host's name, in lower case and without a port.
    ///   - now: seconds since 1970.
    ///   - algorithms: the signature algorithms that authorities may use (ssh_config(5), CASignatureAlgorithms).
    func flaw(for name: String, at now: UInt64, algorithms: [String]) -> String? {
        // First of all: what is not signed says nothing.
        if let flaw = AuthoritySignature.flaw(signature, by: authority, over: signed, algorithms: algorithms) {
            return flaw
        }
        guard purpose == .host else { return "is not for hosts" }
        if now < validAfter { return "is not valid before \(Self.timeText(validAfter))" }
        if now >= validBefore { return "expired at \(Self.timeText(validBefore))" }
        if principals.isEmpty { return "names no host that it is for" }
        guard principals.contains(where: { Wildcard.matches(Array($0.utf8)[...], Array(name.utf8)[...]) }) else {
            let more = principals.count > 3 ? " and \(principals.count - 3) more" : ""
            let names = principals.prefix(3).map(\.printable).joined(separator: ", ") + more
            return "is for \(names) and not for \(name)"
        }
        return hasCriticalOptions ? "has critical options, which host certificates do not have" : nil
    }

    /// `2027-01-31 08:00:00 UTC`.
    static func timeText(_ seconds: UInt64) -> String {
        var parts = tm()
        var buffer = [CChar](repeating: 0, count: 64)
        guard var time = time_t(exactly: seconds), gmtime_r(&time, &parts) != nil else { return "the end of time" }
        let length = strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M:%S UTC", &parts)
        return String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension String {
    /// For messages: what somebody at the other end wrote, in one line and not too long.
    var printable: String {
        let line = unicodeScalars.prefix(80).map { $0.properties.generalCategory == .control ? "?" : String($0) }
            .joined()
        return unicodeScalars.count > 80 ? line + "…" : line
    }
}
