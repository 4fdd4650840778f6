import CLibSSH
import LabCore
import LabTransport

extension Session {
    /// What the known_hosts files have for the host, read and looked up on a helper thread.
    func readKnownHosts(until deadline: ContinuousClock.Instant) async throws -> KnownHosts.HostEntries {
        let paths = route.userKnownHostsFiles + route.globalKnownHostsFiles
        let (hostName, cache, name, port) = (hostName, shared.knownHosts, route.keyName, route.keyPort)
        let result: Result<KnownHosts.HostEntries, ConnectionError> = try await abandonable(until: deadline) {
            Result { () throws(ConnectionError) in try cache.read(paths, hostName: hostName).host(name, port: port) }
        }
        return try result.get()
    }

    /// Compares the server's key with what is on record, and with what an authority says of it.
    func checkHostKey(_ link: Link, _ known: KnownHosts.HostEntries, until deadline: ContinuousClock.Instant)
        async throws
    {
        let key = try serverKey(link)
        var blobs = [key.blob]
        var isVouchedFor = false
        if let certificate = vouching.certificate, Base64.encode(certificate.keyBlob) == key.blob {
            // Who revoked an authority wants no host that shows its certificate, whatever else is on record.
            blobs.append(Base64.encode(certificate.authority))
            if case .good = vouching { isVouchedFor = true }
        }
        if let path = route.revokedHostKeysFile, path != "none" {
            let hostName = hostName
            let result: Result<String?, ConnectionError> = try await abandonable(until: deadline) { [blobs] in
                Result { () throws(ConnectionError) in try KnownHostsFile.revoked(blobs, path, hostName: hostName) }
            }
            if let blob = try result.get() { throw revoked(key, path, authority: blob != key.blob) }
        }
        if let entry = known.revocation(of: blobs) {
            throw revoked(key, entry.place, authority: entry.blob != key.blob)
        }
        if isVouchedFor { return }
        switch known.verdict(on: key) {
        case .known: return
        case .revoked(let entry):
            throw revoked(key, entry.place)
        case .changed(let entries):
            if route.hostKeyPolicy == .off {
                // As OpenSSH does: go on, but give no secret to what may be someone else.
                withholdsPassword = true
                return
            }
            throw changed(key, entries)
        case .unknown(let authority):
            switch route.hostKeyPolicy {
            case .off: return
            case .strict: throw unknown(key, authority)
            case .acceptNew:
                // Who trusts an authority for this host does not mean any key that comes.
                if authority != nil { throw unknown(key, authority) }
                try await record(key, until: deadline)
            }
        }
    }

    private func serverKey(_ link: Link) throws(ConnectionError) -> HostKey {
        var key: ssh_key?
        guard ssh_get_server_publickey(try link.session(), &key) == SSH_OK, let key else {
            throw ConnectionError(.protocolMismatch, hostName: hostName, "the server showed no host key")
        }
        defer { ssh_key_free(key) }
        guard let described = describe(key) else {
            throw ConnectionError(.protocolMismatch, hostName: hostName, "the server's host key cannot be read")
        }
        return described
    }

    private func record(_ key: HostKey, until deadline: ContinuousClock.Instant) async throws {
        guard let path = route.userKnownHostsFiles.first, path != "/dev/null", path != "none" else { return }
        let (host, port, hashed, hostName) = (route.keyName, route.keyPort, route.hashesKnownHosts, hostName)
        let result: Result<KnownHosts.Verdict, ConnectionError> = try await abandonable(until: deadline) {
            Result { () throws(ConnectionError) in
                try KnownHostsFile.record(key, host: host, port: port, in: path, hashed: hashed, hostName: hostName)
            }
        }
        // Between our reading and the lock someone else may have recorded another key.
        if case .changed(let entries) = try result.get() { throw changed(key, entries) }
    }

    private func revoked(_ key: HostKey, _ place: String, authority: Bool = false) -> ConnectionError {
        ConnectionError(
            .hostKeyRevoked, hostName: hostName,
            "the \(authority ? "authority of the host certificate" : "host key") is revoked (\(place))",
            notes: ["the server shows \(key.type) \(key.fingerprint)"],
            hint: "do not connect; give the host a new \(authority ? "certificate" : "key")")
    }

    private func changed(_ key: HostKey, _ entries: [KnownHosts.Entry]) -> ConnectionError {
        let name = KnownHosts.name(of: route.keyName, port: route.keyPort)
        let sameType = entries.filter { $0.type == key.type }
        var notes = ["the server shows \(key.type) \(key.fingerprint)"]
        for entry in sameType.isEmpty ? entries : sameType {
            notes.append("\(entry.place) has \(entry.type) \(fingerprint(of: entry))")
        }
        if case .notAsked = vouching {} else { notes.append("no authority vouches for it: \(vouchingText)") }
        return ConnectionError(
            .hostKeyChanged, hostName: hostName,
            sameType.isEmpty
                ? "the host key is of another type than the recorded ones" : "the host key has changed",
            notes: notes,
            hint: "if the machine was rebuilt, remove the old key: "
                + removal(of: entries, name) + "; if not, somebody may be in between"
        )
    }

    /// The one command that takes the entries away.
    private func removal(of entries: [KnownHosts.Entry], _ name: String) -> String {
        var commands: [String] = []
        for file in Set(entries.map(\.file)).sorted() {
            let stale = entries.filter { $0.file == file }
            // ssh-keygen removes names, hashed ones too, but no patterns.
            let isNamed = stale.allSatisfy { entry in
                entry.isHashed || entry.names.lowercased().split(separator: ",").contains { $0 == name }
            }
            let path = ShellQuoting.quote(file)
            commands.append(
                isNamed
                    ? "ssh-keygen -f \(path) -R \(ShellQuoting.quote(name))"
                    : "sed -i.old '\(stale.map { "\($0.line)d" }.joined(separator: ";"))' \(path)")
        }
        return commands.joined(separator: " && ")
    }

    private func unknown(_ key: HostKey, _ authority: KnownHosts.Entry?) -> ConnectionError {
        let name = KnownHosts.name(of: route.keyName, port: route.keyPort)
        var notes = ["the server shows \(key.type) \(key.fingerprint)"]
        if let authority {
            notes.append("\(authority.place) trusts a certificate authority for it, but \(vouchingText)")
        } else if let first = route.userKnownHostsFiles.first {
            notes.append(
                "looked for \(name) in \(([first] + route.userKnownHostsFiles.dropFirst()).joined(separator: ", "))")
        }
        return ConnectionError(
            .hostKeyUnknown, hostName: hostName, "the host key is not known", notes: notes,
            hint: authority == nil
                ? "log in once with ssh to check and record the key, or take it with --host-key-checking accept-new"
                : "give the host a certificate of that authority (ssh-keygen -s CA -h -I NAME -n \(ShellQuoting.quote(route.keyName.lowercased())) KEY.pub), "
                    + "or record the key itself, after comparing its fingerprint: ssh-keyscan -t \(scanType(key)) -p \(route.port) "
                    + "\(ShellQuoting.quote(route.address)) >> "
                    + ShellQuoting.quote(route.userKnownHostsFiles.first ?? "~/.ssh/known_hosts"))
    }

    /// Why no authority vouches for the key, a clause.
    private var vouchingText: String {
        switch vouching {
        case .notAsked: "it was not asked"
        case .missing(let clause): clause
        case .flawed(let certificate, let clause): "\(certificate.title) \(clause)"
        case .good(let certificate): "\(certificate.title) is for another key than the one it shows"
        }
    }

    /// The name that ssh-keyscan has for a key's type.
    private func scanType(_ key: HostKey) -> String {
        key.type.hasPrefix("ecdsa") ? "ecdsa" : key.type == "ssh-rsa" ? "rsa" : "ed25519"
    }

    private func fingerprint(of entry: KnownHosts.Entry) -> String {
        var key: ssh_key?
        guard ssh_pki_import_pubkey_base64(entry.blob, ssh_key_type_from_name(entry.type), &key) == SSH_OK, let key
        else { return "(unreadable)" }
        defer { ssh_key_free(key) }
        return describe(key)?.fingerprint ?? "(unreadable)"
    }
}

/// A key of libssh's in our words, or nil when libssh cannot write it.
func describe(_ key: ssh_key) -> HostKey? {
    var base64: UnsafeMutablePointer<CChar>?
    guard ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK, let base64 else { return nil }
    defer { ssh_string_free_char(base64) }
    var hash: UnsafeMutablePointer<UInt8>?
    var length = 0
    guard ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &length) == SSH_OK else { return nil }
    defer { ssh_clean_pubkey_hash(&hash) }
    guard let print = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, length) else { return nil }
    defer { ssh_string_free_char(print) }
    guard let type = ssh_key_type_to_char(ssh_key_type(key)) else { return nil }
    return HostKey(
        type: String(cString: type), blob: String(cString: base64), fingerprint: String(cString: print))
}
