import LabCore
import LabTransport
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The configuration files of a run, each read once however many hosts there are. Blocks: for helper threads.
final class ConfigurationFiles: Sendable {
    private let home: String
    private let cache = Mutex<[String: Result<SSHConfiguration?, InputError>]>([:])

    init(home: String) { self.home = home }

    /// The files that exist, parsed, in the order given.
    func read(_ paths: [String]) throws(InputError) -> [SSHConfiguration] {
        var files: [SSHConfiguration] = []
        for path in paths {
            let result = cache.withLock { cache in
                if let known = cache[path] { return known }
                let result = Result { () throws(InputError) in try parse(path) }
                cache[path] = result
                return result
            }
            if let file = try result.get() { files.append(file) }
        }
        return files
    }

    private func parse(_ path: String) throws(InputError) -> SSHConfiguration? {
        guard let file = try source(path) else { return nil }
        // Relative names are beside the user's file, or beside the system's (ssh_config(5), Include).
        let folder = path.hasPrefix("/etc/") ? "/etc/ssh" : home + "/.ssh"
        return try SSHConfiguration.parse(file) { pattern throws(InputError) in
            var pattern = pattern
            if pattern == "~" || pattern.hasPrefix("~/") { pattern = self.home + pattern.dropFirst() }
            if !pattern.hasPrefix("/") { pattern = folder + "/" + pattern }
            var files: [SourceFile] = []
            for path in matches(pattern) {
                if let file = try self.source(path) { files.append(file) }
            }
            return files
        }
    }

    private func source(_ path: String) throws(InputError) -> SourceFile? {
        switch readWholeFile(path) {
        case .success(let bytes): return SourceFile(path: path, bytes: bytes)
        case .failure(let error) where error.number == ENOENT || error.number == ENOTDIR: return nil
        case .failure(let error):
            throw InputError("cannot read \(path): \(systemError(error.number))")
        }
    }
}

/// The files that a pattern of the shell's names, sorted.
private func matches(_ pattern: String) -> [String] {
    var result = glob_t()
    defer { globfree(&result) }
    guard glob(pattern, 0, nil, &result) == 0, let paths = result.gl_pathv else { return [] }
    return (0..<Int(result.gl_pathc)).compactMap { paths[$0].map { String(cString: $0) } }
}

/// Runs a `Match exec` command; whether it succeeded. Blocks.
func runMatchCommand(_ command: String) -> Bool {
    var arguments: [UnsafeMutablePointer<CChar>?] =
        ["/bin/sh", "-c", command].map { (word: String) in strdup(word) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid: pid_t = 0
    guard withOrdinarySignals({ posix_spawn(&pid, "/bin/sh", nil, $0, &arguments, environ) }) == 0 else { return false }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 {
        if errno != EINTR { return false }
    }
    return status == 0
}
