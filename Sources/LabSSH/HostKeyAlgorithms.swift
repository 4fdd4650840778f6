/// The names of signature algorithms by key type, for the offer to the server.
enum HostKeyAlgorithms {
    /// As libssh orders them, without those of the SHA-1 age.
    private static let all = [
        "ssh-ed25519", "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp256",
        "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "rsa-sha2-512", "rsa-sha2-256",
    ]

    /// Certificates and keys, as OpenSSH orders them.
    static var usual: [String] { HostCertificate.algorithms + all }

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
        let listed = configured.map { AlgorithmList.names($0, usual: usual) } ?? usual
        let names = AlgorithmList.unique(listed.map(HostCertificate.keyAlgorithm))
        let first = algorithms(of: (certified.map { [$0] } ?? []) + (isOrdered ? [] : recorded)).filter(names.contains)
        return AlgorithmList.unique(first + names).joined(separator: ",")
    }

    private static func algorithms(of types: [String]) -> [String] {
        types.flatMap { $0 == "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [$0] }.filter(all.contains)
    }
}
