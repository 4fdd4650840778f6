import LabTransport

/// Lists of algorithms as ssh_config(5) has them: whole ones, and those that are added to the usual ones (`+`), taken from
/// them (`-`) or put before them (`^`). libssh 0.10 knows whole ones only.
enum AlgorithmList {
    /// The names that an option leaves, in order and once each.
    ///
    /// A pattern stands for the usual names that it matches. A name that is not known here is kept: libssh may know it.
    static func names(_ configured: String, usual: [String]) -> [String] {
        let patterns = configured.drop { "+-^".contains($0) }.split(separator: ",").map(String.init)
        func matches(_ pattern: String, _ name: String) -> Bool {
            Wildcard.matches(Array(pattern.utf8)[...], Array(name.utf8)[...])
        }
        let named = patterns.flatMap { pattern in
            pattern.contains(where: { "*?".contains($0) }) ? usual.filter { matches(pattern, $0) } : [pattern]
        }
        return switch configured.first {
        case "+": unique(usual + named)
        case "-": usual.filter { name in !patterns.contains { matches($0, name) } }
        case "^": unique(named + usual)
        default: unique(named)
        }
    }

    static func unique(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }
}

extension Route.Algorithm {
    /// What libssh offers by itself, in its order (0.10, src/kex.c); what a version does not know it leaves out.
    var usual: [String] {
        switch self {
        case .keyExchange:
            [
                "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
                "ecdh-sha2-nistp521", "diffie-hellman-group18-sha512", "diffie-hellman-group16-sha512",
                "diffie-hellman-group-exchange-sha256", "diffie-hellman-group14-sha256",
            ]
        case .hostKey: HostKeyAlgorithms.usual
        case .cipher:
            [
                "chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr",
                "aes192-ctr", "aes128-ctr",
            ]
        case .mac:
            [
                "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512",
            ]
        case .publicKey: HostKeyAlgorithms.usual
        }
    }
}
