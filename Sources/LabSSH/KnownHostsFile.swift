import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Reading and extending known_hosts files. Blocks: for helper threads.
enum KnownHostsFile {
    /// What all files say together. A file that does not exist says nothing.
    ///
    /// - Throws: `configuration` when a file exists and cannot be read: it might say that the key is revoked.
    static func read(_ paths: [String], hostName: String) throws(ConnectionError) -> KnownHosts {
        var known = KnownHosts()
        for path in paths where path != "/dev/null" && path != "none" {
            switch readWholeFile(path) {
            case .success(let bytes): known.add(String(decoding: bytes, as: UTF8.self), file: path)
            case .failure(let error) where error.number == ENOENT || error.number == ENOTDIR: continue
            case .failure(let error):
                throw ConnectionError(
                    .configuration, hostName: hostName, "cannot read \(path): \(systemError(error.number))")
            }
        }
        return known
    }

    /// The first of the keys, each a blob in base64, that a RevokedHostKeys file, a list of public keys, holds.
    ///
    /// - Throws: `configuration` when it cannot be read or is a binary revocation list: ssh_config(5) then refuses every
    ///   host, and so does labctl.
    static func revoked(_ blobs: [String], _ path: String, hostName: String) throws(ConnectionError) -> String? {
        switch readWholeFile(path) {
        case .success(let bytes):
            guard !bytes.starts(with: Array("SSHKRL\n\0".utf8)) else {
                throw ConnectionError(
                    .configuration, hostName: hostName,
                    "\(path) is a binary key revocation list, which labctl cannot read",
                    hint: "list the revoked public keys as text")
            }
            let listed = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).flatMap {
                $0.split(separator: " ").prefix(2).map(String.init)
            }
            return blobs.first(where: listed.contains)
        case .failure(let error):
            throw ConnectionError(
                .configuration, hostName: hostName, "cannot read \(path): \(systemError(error.number))",
                notes: ["it is the file of revoked host keys, so no host key can be trusted without it"])
        }
    }

    /// Records a key under a lock, unless someone else has just recorded it.
    ///
    /// - Returns: the verdict of the file as it is under the lock; `unknown` means that the key was written.
    static func record(
        _ key: HostKey, host: String, port: Int, in path: String, hashed: Bool, hostName: String
    ) throws(ConnectionError) -> KnownHosts.Verdict {
        func fail(_ what: String) -> ConnectionError {
            ConnectionError(.configuration, hostName: hostName, "cannot \(what) \(path): \(systemError(errno))")
        }
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            _ = mkdir(String(path[..<slash]), 0o700)
        }
        let file = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw fail("write") }
        defer { close(file) }
        while flock(file, LOCK_EX) != 0 {
            if errno != EINTR { throw fail("lock") }
        }
        guard case .success(let bytes) = readToEnd(file) else { throw fail("read") }
        var known = KnownHosts()
        known.add(String(decoding: bytes, as: UTF8.self), file: path)
        let verdict = known.host(host, port: port).verdict(on: key)
        guard case .unknown = verdict else { return verdict }
        let name = KnownHosts.name(of: host, port: port)
        var line = "\(hashed ? HashedName.make(name) : name) \(key.type) \(key.blob)\n"
        if let last = bytes.last, last != UInt8(ascii: "\n") { line = "\n" + line }
        let text = Array(line.utf8)
        // One write with O_APPEND, so that a program without our lock does not tear the line either.
        guard write(file, text, text.count) == text.count else { throw fail("write") }
        return verdict
    }
}

/// An error number, as an error.
struct SystemError: Error, Sendable { let number: Int32 }

/// The bytes of a file. Blocks.
func readWholeFile(_ path: String) -> Result<[UInt8], SystemError> {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return .failure(SystemError(number: errno)) }
    defer { close(file) }
    return readToEnd(file)
}

/// What is left of a descriptor. Blocks.
func readToEnd(_ file: Int32) -> Result<[UInt8], SystemError> {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(file, &buffer, buffer.count)
        if count == 0 { return .success(bytes) }
        if count < 0 {
            if errno == EINTR { continue }
            return .failure(SystemError(number: errno))
        }
        bytes += buffer[..<count]
    }
}
