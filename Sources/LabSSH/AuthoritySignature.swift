import Crypto
import CryptoExtras

/// Signatures of certificate authorities (RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709, OpenSSH's PROTOCOL.u2f).
enum AuthoritySignature {
    /// What an authority may sign with unless CASignatureAlgorithms says otherwise: all but those with SHA-1.
    static let algorithms = [
        "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "rsa-sha2-512", "rsa-sha2-256",
    ]

    /// The algorithms that a CASignatureAlgorithms leaves. Of what this file does not know, nothing.
    static func algorithms(allowedBy option: String?) -> [String] {
        guard let option else { return algorithms }
        return algorithms.filter(Set(AlgorithmList.names(option, usual: algorithms)).contains)
    }

    /// Why a certificate's signature is none, as a clause whose subject is the certificate; nil when it is good.
    static func flaw(
        _ signature: [UInt8], by key: [UInt8], over message: [UInt8], algorithms: [String]
    ) -> String? {
        var reader = WireReader(signature)
        let algorithm = reader.text() ?? ""
        guard algorithms.contains(algorithm) else {
            return "is signed with \(algorithm.printable), which CASignatureAlgorithms does not allow"
        }
        if let bits = modulusBits(key), bits < 2048 { return "is signed with an RSA key of only \(bits) bits" }
        return isValid(signature, by: key, over: message) ? nil : "has a signature that is not its authority's"
    }

    /// The size of an RSA key; nil for others. Smaller ones are not taken by the library that checks.
    private static func modulusBits(_ key: [UInt8]) -> Int? {
        var reader = WireReader(key)
        guard reader.text() == "ssh-rsa", reader.magnitude() != nil, let modulus = reader.magnitude(),
            let first = modulus.first
        else { return nil }
        return modulus.count * 8 - first.leadingZeroBitCount
    }

    private static func isValid(_ signature: [UInt8], by key: [UInt8], over message: [UInt8]) -> Bool {
        var signature = WireReader(signature)
        var key = WireReader(key)
        guard let algorithm = signature.text(), let value = signature.string(), let type = key.text(),
            type == (algorithm.hasPrefix("rsa-sha2-") ? "ssh-rsa" : algorithm)
        else { return false }
        switch type {
        case "ssh-rsa": return isValid(rsa: value, by: &key, over: message, algorithm)
        case "ssh-ed25519": return isValid(ed25519: value, by: key.string(), over: message)
        case "sk-ssh-ed25519@openssh.com":
            let point = key.string()
            guard let message = confirmed(message, &signature, &key) else { return false }
            return isValid(ed25519: value, by: point, over: message)
        case "sk-ecdsa-sha2-nistp256@openssh.com":
            guard key.text() == "nistp256", let point = key.string(),
                let message = confirmed(message, &signature, &key)
            else { return false }
            return isValid(ecdsa: value, by: point, over: message, "nistp256")
        default:
            guard let curve = key.text(), type == "ecdsa-sha2-" + curve, let point = key.string() else { return false }
            return isValid(ecdsa: value, by: point, over: message, curve)
        }
    }

    private static func isValid(ed25519 signature: [UInt8], by point: [UInt8]?, over message: [UInt8]) -> Bool {
        guard let point, let key = try? Curve25519.Signing.PublicKey(rawRepresentation: point) else { return false }
        return key.isValidSignature(signature, for: message)
    }

    private static func isValid(
        rsa signature: [UInt8], by key: inout WireReader, over message: [UInt8], _ algorithm: String
    ) -> Bool {
        guard let exponent = key.magnitude(), let modulus = key.magnitude(),
            let key = try? _RSA.Signing.PublicKey(n: modulus, e: exponent)
        else { return false }
        // RFC 8332 has signatures as long as the modulus; older programs leave leading zeros away.
        let padded = [UInt8](repeating: 0, count: max(0, modulus.count - signature.count)) + signature
        let value = _RSA.Signing.RSASignature(rawRepresentation: padded)
        switch algorithm {
        case "rsa-sha2-512":
            return key.isValidSignature(value, for: SHA512.hash(data: message), padding: .insecurePKCS1v1_5)
        case "rsa-sha2-256":
            return key.isValidSignature(value, for: SHA256.hash(data: message), padding: .insecurePKCS1v1_5)
        default: return false
        }
    }

    private static func isValid(
        ecdsa signature: [UInt8], by point: [UInt8], over message: [UInt8], _ curve: String
    ) -> Bool {
        var numbers = WireReader(signature)
        guard let r = numbers.magnitude(), let s = numbers.magnitude(), numbers.isAtEnd else { return false }
        func raw(_ width: Int) -> [UInt8]? {
            guard r.count <= width, s.count <= width else { return nil }
            return [UInt8](repeating: 0, count: width - r.count) + r
                + [UInt8](repeating: 0, count: width - s.count) + s
        }
        switch curve {
        case "nistp256":
            guard let raw = raw(32), let key = try? P256.Signing.PublicKey(x963Representation: point),
                let value = try? P256.Signing.ECDSASignature(rawRepresentation: raw)
            else { return false }
            return key.isValidSignature(value, for: SHA256.hash(data: message))
        case "nistp384":
            guard let raw = raw(48), let key = try? P384.Signing.PublicKey(x963Representation: point),
                let value = try? P384.Signing.ECDSASignature(rawRepresentation: raw)
            else { return false }
            return key.isValidSignature(value, for: SHA384.hash(data: message))
        case "nistp521":
            guard let raw = raw(66), let key = try? P521.Signing.PublicKey(x963Representation: point),
                let value = try? P521.Signing.ECDSASignature(rawRepresentation: raw)
            else { return false }
            return key.isValidSignature(value, for: SHA512.hash(data: message))
        default: return false
        }
    }

    /// What a security key signs: the hashes of its application and of the message, with its flags and counter between.
    /// Nil when nobody touched it.
    private static func confirmed(
        _ message: [UInt8], _ signature: inout WireReader, _ key: inout WireReader
    ) -> [UInt8]? {
        guard let application = key.string(), let flags = signature.byte(), flags & 1 != 0,
            let counter = signature.bytes(4)
        else { return nil }
        return Array(SHA256.hash(data: application)) + [flags] + counter + Array(SHA256.hash(data: message))
    }
}
