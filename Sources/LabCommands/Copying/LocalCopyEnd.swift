import LabCore
import LabModel
import LabTransport
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// This machine as one side of a copy.
struct LocalCopyEnd: CopyEnd {
    func survey(_ path: String, isRecursive: Bool) async throws -> (trees: [CopyTree], failures: [CopyFailure]) {
        guard let top = Self.entry(path, followsLink: true) else {
            return ([], [CopyFailure(message: "there is no \(path) here")])
        }
        var tree = CopyTree(path: path, entries: [top])
        var failures: [CopyFailure] = []
        if isRecursive, top.kind == .folder { Self.list(path, into: &tree, &failures) }
        return ([tree], failures)
    }

    private static func list(_ folder: String, into tree: inout CopyTree, _ failures: inout [CopyFailure]) {
        guard access(folder, R_OK | X_OK) == 0 else {
            failures.append(CopyFailure(message: "cannot look into \(folder): \(systemError(errno))"))
            return
        }
        for name in FileTree.entries(folder) {
            let path = folder.hasSuffix("/") ? folder + name : folder + "/" + name
            guard let entry = entry(path, followsLink: false) else {
                let isOdd = name.unicodeScalars.contains("\u{FFFD}")
                failures.append(
                    CopyFailure(message: "cannot copy \(path): \(isOdd ? "its name is no UTF-8" : systemError(errno))"))
                continue
            }
            tree.entries.append(entry)
            if entry.kind == .folder { list(path, into: &tree, &failures) }
        }
    }

    private static func entry(_ path: String, followsLink: Bool) -> CopyEntry? {
        var status = stat()
        guard (followsLink ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        #if canImport(Darwin)
            let modified = status.st_mtimespec
        #else
            let modified = status.st_mtim
        #endif
        let kind: CopyEntry.Kind
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFDIR: kind = .folder
        case S_IFLNK:
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = buffer.withUnsafeMutableBytes { bytes in
                bytes.withMemoryRebound(to: CChar.self) { text in
                    text.baseAddress.map { readlink(path, $0, text.count) } ?? -1
                }
            }
            guard count >= 0 else { return nil }
            kind = .link(String(decoding: buffer[..<count], as: UTF8.self))
        case S_IFSOCK: kind = .other("s")
        case S_IFIFO: kind = .other("p")
        default: kind = .other("c")
        }
        return CopyEntry(
            path: path, kind: kind, mode: Int(status.st_mode & 0o7777), size: Int(status.st_size),
            modified: CopyEntry.Time(seconds: modified.tv_sec, nanoseconds: Int(modified.tv_nsec)))
    }

    func open(_ entry: CopyEntry) async throws -> any CopyStream {
        // Without O_NONBLOCK a pipe that took the file's place meanwhile would hang.
        let file = systemOpen(entry.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw CopyFailure(message: "cannot read \(entry.path): \(systemError(errno))") }
        return LocalFile(file, path: entry.path)
    }

    func kind(of path: String) async throws -> CopyPathKind {
        if path.isEmpty { return .folder }
        return FileTree.isDirectory(path) ? .folder : FileTree.exists(path) || FileTree.isLink(path) ? .file : .none
    }

    func makeFolders(_ paths: [String]) async throws {
        for path in paths {
            var partial = path.hasPrefix("/") ? "/" : ""
            for part in path.split(separator: "/") {
                partial += partial.isEmpty || partial.hasSuffix("/") ? String(part) : "/" + part
                if mkdir(partial, 0o777) != 0, errno != EEXIST {
                    throw CopyFailure(message: "cannot make the folder \(partial): \(systemError(errno))")
                }
            }
            guard FileTree.isDirectory(path) else { throw CopyFailure(message: "\(path) is no folder") }
        }
    }

    func write(
        _ entry: CopyEntry, to path: String, keeps: Bool, from stream: any CopyStream, count: @Sendable (Int) -> Void
    ) async throws {
        var path = path
        if FileTree.isLink(path), let target = realpath(path, nil) {
            path = String(cString: target)
            free(target)
        }
        guard !FileTree.isDirectory(path) else { throw CopyFailure(message: "\(path) is a folder") }
        let folder = Path.directory(path)
        guard FileTree.isDirectory(folder) else { throw CopyFailure(message: "there is no folder \(folder)") }
        let number = UInt32.random(in: .min ... .max)
        let temporary =
            (folder.hasSuffix("/") ? folder : folder + "/") + ".labctl.\(getpid()).\(String(number, radix: 36))"
        func fail(_ number: Int32) -> CopyFailure {
            CopyFailure(message: "cannot write \(path): \(systemError(number))")
        }
        CopyScraps.note(temporary)
        defer { CopyScraps.remove(temporary) }
        let file = systemOpen(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw fail(errno) }
        defer { systemClose(file) }
        while let bytes = try await stream.read() {
            try _Concurrency.Task.checkCancellation()
            guard systemWrite(file, bytes) else { throw fail(errno) }
            count(bytes.count)
        }
        var mode = mode_t(entry.mode & 0o7777)
        var existing = stat()
        if keeps {
            var times = [timespec(), timespec()]
            times[1].tv_sec = time_t(entry.modified.seconds)
            times[1].tv_nsec = entry.modified.nanoseconds
            times[0] = times[1]
            futimens(file, times)
        } else if stat(path, &existing) == 0 {
            mode = existing.st_mode & 0o7777
            // Works where it may; the owner of whoever copies is the usual one.
            _ = fchown(file, existing.st_uid, existing.st_gid)
        } else {
            mode &= 0o777 & ~Self.umask
        }
        guard fchmod(file, mode) == 0, fsync(file) == 0 else { throw fail(errno) }
        try _Concurrency.Task.checkCancellation()
        guard rename(temporary, path) == 0 else { throw fail(errno) }
    }

    func makeLink(_ path: String, to target: String) async throws {
        func fail() -> CopyFailure { CopyFailure(message: "cannot make the link \(path): \(systemError(errno))") }
        if FileTree.isDirectory(path), !FileTree.isLink(path) { throw CopyFailure(message: "\(path) is a folder") }
        let temporary = path + ".labctl.\(getpid())"
        guard symlink(target, temporary) == 0 else { throw fail() }
        guard rename(temporary, path) == 0 else {
            let error = fail()
            unlink(temporary)
            throw error
        }
    }

    func setAttributes(_ folders: [(path: String, entry: CopyEntry)]) async throws {
        for (path, entry) in folders {
            var time = timespec()
            time.tv_sec = time_t(entry.modified.seconds)
            time.tv_nsec = entry.modified.nanoseconds
            guard chmod(path, mode_t(entry.mode & 0o7777)) == 0, utimensat(AT_FDCWD, path, [time, time], 0) == 0 else {
                throw CopyFailure(message: "cannot set the mode and the time of \(path): \(systemError(errno))")
            }
        }
    }

    private static let umask: mode_t = {
        // There is no way to read it without setting it.
        let mask = systemMask(0o077)
        _ = systemMask(mask)
        return mask
    }()
}

/// Temporary files of copies under way, taken away on every way out.
enum CopyScraps {
    private static let paths = Mutex<Set<String>>([])

    static func note(_ path: String) { paths.withLock { _ = $0.insert(path) } }

    static func remove(_ path: String) {
        unlink(path)
        paths.withLock { _ = $0.remove(path) }
    }

    /// For the second Ctrl-C, after which nothing else runs.
    static func removeAll() {
        for path in paths.withLock({ $0 }) { unlink(path) }
    }
}

/// A file of this machine, read in pieces.
private actor LocalFile: CopyStream {
    private var file: Int32
    private let path: String

    init(_ file: Int32, path: String) {
        self.file = file
        self.path = path
    }

    deinit { if file >= 0 { systemClose(file) } }

    func read() throws -> [UInt8]? {
        guard file >= 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = systemRead(file, &buffer)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw CopyFailure(message: "cannot read \(path): \(systemError(errno))") }
            if count == 0 { return nil }
            buffer.removeLast(buffer.count - count)
            return buffer
        }
    }

    func close() {
        if file >= 0 { systemClose(file) }
        file = -1
    }
}

// Where methods hide the system's functions of the same names.
private func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t = 0) -> Int32 { open(path, flags, mode) }
private func systemClose(_ file: Int32) { close(file) }
private func systemMask(_ mask: mode_t) -> mode_t { umask(mask) }
private func systemRead(_ file: Int32, _ buffer: inout [UInt8]) -> Int { read(file, &buffer, buffer.count) }

private func systemWrite(_ file: Int32, _ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        rest = rest.dropFirst(count)
    }
    return true
}

private func systemError(_ number: Int32) -> String { String(cString: strerror(number)).lowercased() }
