import LabCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file that is either kept whole or not at all. Used by one task at a time.
final class TemporaryFile: Sendable {
    private let path: String
    private let descriptor: Int32

    init(_ path: String) throws(ModuleError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw ModuleError(
                "cannot write \(path): \(systemMessage(errno))",
                hint: "does the folder exist, and may it be written to?")
        }
    }

    func write(_ bytes: [UInt8]) throws(ModuleError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { systemWrite(descriptor, $0) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw ModuleError("cannot write \(path): \(systemMessage(errno))")
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Puts the file in its place.
    func keep(as final: String, mode: Int?) throws(ModuleError) {
        let mask = umask(0)
        umask(mask)
        let bits = mode.map { mode_t($0) } ?? (0o666 & ~mask)
        guard fchmod(descriptor, bits) == 0, fsync(descriptor) == 0, rename(path, final) == 0 else {
            throw ModuleError("cannot write \(final): \(systemMessage(errno))")
        }
    }

    /// Removes what was not kept, and lets go of the file.
    func discard() {
        close(descriptor)
        unlink(path)
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, bytes.count)
}

extension LocalFiles {
    /// Makes a folder with those above it.
    ///
    /// - Throws: `ModuleError` with the system's reason.
    static func makeFolder(_ path: String) throws(ModuleError) {
        if path.isEmpty || path == "." || status(path)?.isDirectory == true { return }
        try makeFolder(parent(of: path))
        guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
            throw ModuleError("cannot make \(path): \(systemMessage(errno))")
        }
    }

    /// Writes a file whole, beside its place first.
    ///
    /// - Throws: `ModuleError` with the system's reason.
    static func write(_ bytes: [UInt8], to path: String) throws(ModuleError) {
        let file = try TemporaryFile("\(path).\(processNumber())-\(UInt32.random(in: .min ... .max)).part")
        defer { file.discard() }
        try file.write(bytes)
        try file.keep(as: path, mode: status(path)?.mode)
    }
}
