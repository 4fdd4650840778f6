import CLibSSH
import LabTransport

/// A public key as known_hosts(5) writes it.
struct HostKey: Sendable, Hashable {
    /// `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa` …
    let type: String
    /// The key's blob in base64.
    let blob: String
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    let fingerprint: String
}

/// The lines of known_hosts files (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
struct KnownHosts: Sendable {
    enum Marker: Sendable { case plain, certificateAuthority, revoked }

    struct Entry: Sendable {
        let marker: Marker
        /// The first field: patterns with commas, or one hashed name.
        let names: String
        let type: String
        let blob: String
        let file: String
        let line: Int
        /// The first character of `names` is `|`.
        var isHashed: Bool { names.hasPrefix("|") }
        var place: String { "\(file):\(line)" }
    }

    /// What the files say of a key that a server shows.
    enum Verdict: Sendable {
        case known
        case revoked(Entry)
        /// Other keys are on record.
        case changed([Entry])
        /// None is; perhaps there is an authority for it.
        case unknown(authority: Entry?)
    }

    private(set) var entries: [Entry] = []
    /// The entries that a plain name finds, by it, and those whose patterns or hashes have to be looked at: a file has a
    /// line for every host, and every host looks.
    private var byName: [String: [Int]] = [:]
    private var patterned: [Int] = []

    /// Adds a file's lines. Lines that are no entry are passed over, as OpenSSH does.
    mutating func add(_ text: String, file: String) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\r" })[...]
            guard let first = fields.first, !first.hasPrefix("#") else { continue }
            var marker = Marker.plain
            if first.hasPrefix("@") {
                switch first {
                case "@revoked": marker = .revoked
                case "@cert-authority": marker = .certificateAuthority
                default: continue
                }
                fields = fields.dropFirst()
            }
            guard fields.count >= 3 else { continue }
            let parts = Array(fields.prefix(3).map(String.init))
            append(Entry(marker: marker, names: parts[0], type: parts[1], blob: parts[2], file: file, line: index + 1))
        }
    }

    private mutating func append(_ entry: Entry) {
        let index = entries.count
        entries.append(entry)
        if entry.isHashed || entry.names.contains(where: { "*?!".contains($0) }) {
            patterned.append(index)
            return
        }
        for name in Set(entry.names.split(separator: ",").map { Self.plainPattern($0.lowercased()) }) {
            byName[name, default: []].append(index)
        }
    }

    /// The entries for a name of the form that `name(of:port:)` gives.
    func entries(for name: String) -> [Entry] {
        let indices = (byName[name] ?? []) + patterned.filter { Self.matches(entries[$0], name) }
        return indices.sorted().map { entries[$0] }
    }

    /// How known_hosts names a host: bare on port 22, else `[host]:port`.
    static func name(of host: String, port: Int) -> String {
        port == 22 ? host.lowercased() : "[\(host.lowercased())]:\(port)"
    }

    /// What is on record for a host.
    func host(_ host: String, port: Int) -> HostEntries {
        HostEntries(
            own: entries(for: Self.name(of: host, port: port)),
            bare: port == 22 ? [] : entries(for: Self.name(of: host, port: 22)))
    }

    /// The lines for one host, looked up once: a hashed name costs a digest for each line of the files.
    struct HostEntries: Sendable {
        /// Those for the host with its port.
        let own: [Entry]
        /// Those for the name without a port that is not 22: OpenSSH looks at these when the others say nothing good.
        let bare: [Entry]

        func verdict(on key: HostKey) -> Verdict {
            if let revoked = revocation(of: [key.blob]) { return .revoked(revoked) }
            let plain = own.filter { $0.marker == .plain }
            if plain.contains(where: { $0.blob == key.blob }) { return .known }
            if !plain.isEmpty { return .changed(plain) }
            // As OpenSSH does: an entry without the port will do, when it has this very key.
            if bare.contains(where: { $0.marker == .plain && $0.blob == key.blob }) { return .known }
            return .unknown(authority: authorities.first)
        }

        /// The certificate authorities for the host.
        var authorities: [Entry] { (own + bare).filter { $0.marker == .certificateAuthority } }

        /// The line that revokes one of the keys, each a blob in base64.
        func revocation(of blobs: [String]) -> Entry? {
            (own + bare).first { $0.marker == .revoked && blobs.contains($0.blob) }
        }

        /// The key types on record, to ask the server for one of these first; otherwise a server with several keys would
        /// show one that was never recorded.
        var recordedTypes: [String] {
            var types: [String] = []
            for entry in own.isEmpty ? bare : own where entry.marker == .plain && !types.contains(entry.type) {
                types.append(entry.type)
            }
            return types
        }
    }

    // MARK: Names

    private static func matches(_ entry: Entry, _ name: String) -> Bool {
        if entry.isHashed { return matchesHash(entry, name) }
        var matched = false
        for pattern in entry.names.split(separator: ",") {
            if pattern.hasPrefix("!") {
                if matchesPattern(pattern.dropFirst().lowercased(), name) { return false }
            } else if matchesPattern(pattern.lowercased(), name) {
                matched = true
            }
        }
        return matched
    }

    /// `|1|salt|HMAC-SHA1(salt, name)`: libssh has the digest, so libssh compares.
    private static func matchesHash(_ entry: Entry, _ name: String) -> Bool {
        var parsed: UnsafeMutablePointer<ssh_knownhosts_entry>?
        let line = "\(entry.names) \(entry.type) \(entry.blob)"
        let result = ssh_known_hosts_parse_line(name, line, &parsed)
        if let parsed { ssh_knownhosts_entry_free(parsed) }
        return result == SSH_OK
    }

    private static func matchesPattern(_ pattern: String, _ name: String) -> Bool {
        Wildcard.matches(Array(plainPattern(pattern).utf8)[...], Array(name.utf8)[...])
    }

    /// `[host]:22` means the bare name.
    private static func plainPattern(_ pattern: String) -> String {
        pattern.hasPrefix("[") && pattern.hasSuffix("]:22") ? String(pattern.dropFirst().dropLast(4)) : pattern
    }
}
