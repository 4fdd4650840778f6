import CLibSSH
import LabCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Private key files. Blocks (files, and key derivation takes its time): for helper threads.
enum KeyFile {
    enum Loaded: Sendable {
        case key(LoadedKey)
        case missing
        case needsPassphrase
        /// Why, in one line.
        case unreadable(String)
    }

    static func load(_ path: String, passphrase: Secret?) -> Loaded {
        var status = stat()
        guard stat(path, &status) == 0 else {
            return errno == ENOENT || errno == ENOTDIR ? .missing : .unreadable(systemErrorText(errno))
        }
        if status.st_uid == getuid(), status.st_mode & 0o077 != 0 {
            return .unreadable("others may read it (mode \(String(status.st_mode & 0o777, radix: 8))); chmod 600 it")
        }
        guard case .success(let bytes) = readWholeFile(path) else { return .unreadable(systemErrorText(errno)) }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.contains("PRIVATE KEY-----") else { return .unreadable("no private key in a format that is known") }
        // Whether libssh asked for a passphrase tells an encrypted key from a broken one.
        var asked = false
        var key: ssh_key?
        let result = withUnsafeMutablePointer(to: &asked) { asked in
            ssh_pki_import_privkey_base64(
                text, passphrase?.reveal(),
                { _, _, _, _, _, user in
                    user?.assumingMemoryBound(to: Bool.self).pointee = true
                    return -1
                }, asked, &key)
        }
        if result == SSH_OK, let key { return .key(LoadedKey(key)) }
        if asked || passphrase != nil || isEncrypted(text) { return .needsPassphrase }
        if isFIDO(text) { return .unreadable("a FIDO key is used through the agent: ssh-add \(path)") }
        return .unreadable("the key is broken or of an unknown type")
    }

    /// Whether the key is in a security key: the file has only its handle, which libssh 0.10 does not know.
    private static func isFIDO(_ text: String) -> Bool {
        let body = text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("-----") }.joined()
        guard let content = Base64.decode(body) else { return false }
        return String(decoding: content, as: UTF8.self).firstMatch(
            of: /sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com/)
            != nil
    }

    /// The key's public half, from `path.pub`; nil where there is none.
    static func loadPublic(_ path: String) -> LoadedKey? {
        var key: ssh_key?
        guard ssh_pki_import_pubkey_file(path + ".pub", &key) == SSH_OK, let key else { return nil }
        return LoadedKey(key)
    }

    /// The public half's blob in base64.
    static func publicBlob(_ path: String) -> String? {
        loadPublic(path).flatMap { describe($0.handle)?.blob }
    }

    /// The private key together with a certificate; nil where there is none, or it is for another key.
    static func certified(_ key: LoadedKey, _ certificateFile: String) -> LoadedKey? {
        guard access(certificateFile, R_OK) == 0 else { return nil }
        var certificate: ssh_key?
        guard ssh_pki_import_cert_file(certificateFile, &certificate) == SSH_OK, let certificate else { return nil }
        defer { ssh_key_free(certificate) }
        guard let copy = ssh_key_dup(key.handle) else { return nil }
        let result = LoadedKey(copy)
        // libssh compares the keys.
        guard ssh_pki_copy_cert_to_privkey(certificate, copy) == SSH_OK else { return nil }
        return result
    }

    /// A certificate together with the key of an agent that it is for; nil where there is none, or it is for another key.
    ///
    /// A certificate has the fields of its key after its own type and a nonce (OpenSSH's PROTOCOL.certkeys).
    static func certificate(_ file: String, for key: AgentKey) -> AgentKey? {
        guard case .success(let content) = readWholeFile(file) else { return nil }
        let words = String(decoding: content, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count >= 2, let blob = Base64.decode(String(words[1])) else { return nil }
        var certificate = WireReader(blob)
        var plain = WireReader(key.blob)
        guard let type = certificate.string(), let plainType = plain.string(), certificate.string() != nil,
            String(decoding: type, as: UTF8.self)
                == String(decoding: plainType, as: UTF8.self).replacing("@openssh.com", with: "")
                + "-cert-v01@openssh.com",
            certificate.remaining.starts(with: plain.remaining)
        else { return nil }
        return AgentKey(blob: blob, comment: file, signer: key.blob)
    }

    /// PEM says so in a header; the OpenSSH format names a cipher other than "none" in its binary part, and libssh asks.
    private static func isEncrypted(_ text: String) -> Bool {
        text.contains("ENCRYPTED")
    }

    private static func systemErrorText(_ number: Int32) -> String { systemError(number) }
}
