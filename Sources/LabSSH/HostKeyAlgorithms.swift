import LabTransport

/// The names of signature algorithms by key type, for the offer to the server.
enum HostKeyAlgorithms {
    /// As libssh orders them, without those of the SHA-1 age.
    private static let all = [
        "ssh-ed25519", "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp256",
        "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "rsa-sha2-512", "rsa-sha2-256",
    ]

    /// What a HostKeyAlgorithms of ssh_config(5) leaves of certificates and keys: a list with wildcards, or one that is
    /// added (`+`) to the usual ones, taken from them (`-`) or put before them (`^`).
    static func listed(_ configured: String?) -> [String] {
        let usual = HostCertificate.algorithms + all
        guard let configured else { return usual }
        let patterns = configured.drop { "+-^".contains($0) }.split(separator: ",").map(String.init)
        func matches(_ pattern: String) -> (String) -> Bool {
            { Wildcard.matches(Array(pattern.utf8)[...], Array($0.utf8)[...]) }
        }
        // A name that is not known here is left to libssh: `ssh-rsa` is one.
        let named = patterns.flatMap { pattern in
            pattern.contains(where: { "*?".contains($0) }) ? usual.filter(matches(pattern)) : [pattern]
        }
        let names =
            switch configured.first {
            case "+": usual + named
            case "-": usual.filter { name in !patterns.contains { matches($0)(name) } }
            case "^": named + usual
            default: named
            }
        return unique(names)
    }

    /// The list for libssh; nil for its own.
    ///
    /// - Parameters:
    ///   - configured: HostKeyAlgorithms. Names of certificates stand for those of their keys: the certificates are asked for
    ///     before (`HostCertificateProbe`).
    ///   - certified: the type of the key that a certificate vouches for.
    ///   - recorded: the key types in known_hosts, which come first unless the user gave an order.
    static func offer(configured: String?, certified: String?, recorded: [String]) -> String? {
        if configured == nil, certified == nil, recorded.isEmpty { return nil }
        let isOrdered = configured.map { !$0.hasPrefix("+") && !$0.hasPrefix("-") } ?? false
        let names = unique(listed(configured).map(HostCertificate.keyAlgorithm))
        let first = algorithms(of: (certified.map { [$0] } ?? []) + (isOrdered ? [] : recorded)).filter(names.contains)
        return unique(first + names).joined(separator: ",")
    }

    private static func unique(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    private static func algorithms(of types: [String]) -> [String] {
        types.flatMap { $0 == "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [$0] }.filter(all.contains)
    }
}
