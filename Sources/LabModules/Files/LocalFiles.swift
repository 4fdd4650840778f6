import LabCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Files of the laptop that roles bring along.
enum LocalFiles {
    struct Status: Sendable {
        var isDirectory: Bool
        var isLink: Bool
        /// Permission bits.
        var mode: Int
        var size: Int
    }

    /// What is at the path; nil when there is nothing.
    static func status(_ path: String, followingLinks: Bool = true) -> Status? {
        var information = stat()
        let result = followingLinks ? stat(path, &information) : lstat(path, &information)
        guard result == 0 else { return nil }
        let type = Int(information.st_mode) & 0o170000
        return Status(
            isDirectory: type == 0o040000, isLink: type == 0o120000, mode: Int(information.st_mode) & 0o7777,
            size: Int(information.st_size))
    }

    /// The bytes of a file.
    ///
    /// - Throws: `ModuleError` with the system's reason.
    static func read(_ path: String) throws(ModuleError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("read", path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(status(path)?.size ?? 0)
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Self.read(descriptor, into: &buffer)
            if count < 0 { throw failure("read", path) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    private static func read(_ descriptor: Int32, into buffer: inout [UInt8]) -> Int {
        while true {
            let count = buffer.withUnsafeMutableBytes { bytes in
                #if canImport(Darwin)
                    Darwin.read(descriptor, bytes.baseAddress, bytes.count)
                #elseif canImport(Glibc)
                    Glibc.read(descriptor, bytes.baseAddress, bytes.count)
                #else
                    Musl.read(descriptor, bytes.baseAddress, bytes.count)
                #endif
            }
            if count >= 0 || errno != EINTR { return count }
        }
    }

    /// The names in a folder, sorted, without `.` and `..`.
    ///
    /// - Throws: `ModuleError` with the system's reason.
    static func names(in folder: String) throws(ModuleError) -> [String] {
        guard let stream = opendir(folder) else { throw failure("list", folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// What a symbolic link holds; nil for anything else.
    static func linkTarget(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { readlink(path, $0.assumingMemoryBound(to: CChar.self), bytes.count) } ?? -1
        }
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }

    private static func failure(_ verb: String, _ path: String) -> ModuleError {
        ModuleError("cannot \(verb) \(path): \(systemMessage(errno))")
    }
}

extension ModuleContext {
    /// The laptop's file that a relative or absolute `src` means: the first search path that has it.
    ///
    /// - Throws: `ModuleError` that lists where it was looked for.
    func localFile(_ path: String, span: SourceSpan?) throws(ModuleError) -> String {
        if path.hasPrefix("/") {
            guard LocalFiles.status(path) != nil else {
                throw ModuleError("there is no file \(path)", span: span, failureClass: .input)
            }
            return path
        }
        let candidates = searchPaths.map { $0.hasSuffix("/") ? $0 + path : "\($0)/\(path)" }
        guard let found = candidates.first(where: { LocalFiles.status($0) != nil }) else {
            throw ModuleError(
                "there is no file '\(path)'", span: span,
                notes: candidates.isEmpty ? [] : [Diagnostic.Note("looked for: \(candidates.joined(separator: ", "))")],
                failureClass: .input)
        }
        return found
    }
}
