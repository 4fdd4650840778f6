#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Keeps two labctl from starting or ending the same sandbox at once.
enum SandboxLock {
    /// Runs `body` under the lock, which goes with the process as well.
    ///
    /// - Throws: when somebody holds it for longer than `limit`.
    static func held<Result>(
        _ directory: SandboxDirectory, within limit: Duration, _ body: () async throws -> Result
    ) async throws -> Result {
        try Files.makeDirectory(directory.project + "/.labctl")
        let file = open(directory.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SandboxError("cannot open \(directory.lock): \(errorText())") }
        defer { close(file) }
        let end = ContinuousClock.now + limit
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                throw SandboxError("cannot lock \(directory.lock): \(errorText())")
            }
            guard ContinuousClock.now < end else {
                throw SandboxError(
                    "another labctl is starting or stopping the sandbox of this project",
                    notes: ["\(directory.lock) is locked"], hint: "wait for it, or end that labctl")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        return try await body()
    }
}
