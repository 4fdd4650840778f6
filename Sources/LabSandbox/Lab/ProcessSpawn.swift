import LabCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Starting programs.
enum ProcessSpawn {
    /// Starts a program in a session of its own, so that it outlives this process and no Ctrl-C reaches it. Its output
    /// goes to `log`.
    static func detached(
        _ program: String, _ arguments: [String], environment: [String] = [], log: String
    ) throws(SandboxError) -> ProcessIdentity {
        let pid = try spawn(program, arguments, environment: environment, output: log, detached: true)
        guard let process = ProcessIdentity(running: pid) else {
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            throw SandboxError("\(program) ended at once", notes: Files.tail(log))
        }
        return process
    }

    /// Runs a program to its end.
    ///
    /// - Throws: with the program's output, when it does not exit with 0.
    static func run(_ program: String, _ arguments: [String], log: String) throws(SandboxError) {
        let pid = try spawn(program, arguments, environment: [], output: log, detached: false)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) == -1, errno == EINTR {}
        guard status == 0 else { throw SandboxError("\(program) failed", notes: Files.tail(log)) }
    }

    /// Marks this process's descriptors as not for programs that it starts: whoever waits for labctl by a descriptor
    /// that it inherited must not wait for the sandbox too. (Darwin has a spawn flag for this, Linux has not.)
    private static func keepDescriptors() {
        #if !canImport(Darwin)
            for descriptor in Int32(3)..<Int32(1024) {
                let flags = fcntl(descriptor, F_GETFD)
                if flags >= 0 { _ = fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC) }
            }
        #endif
    }

    private static func spawn(
        _ program: String, _ arguments: [String], environment: [String], output: String, detached: Bool
    ) throws(SandboxError) -> pid_t {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        keepDescriptors()
        var flags = Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF)
        if detached { flags |= Int16(truncatingIfNeeded: setsidFlag) }
        #if canImport(Darwin)
            flags |= Int16(POSIX_SPAWN_CLOEXEC_DEFAULT)
        #endif
        posix_spawnattr_setflags(&attributes, flags)
        var mask = sigset_t()
        sigemptyset(&mask)
        posix_spawnattr_setsigmask(&attributes, &mask)
        var defaults = sigset_t()
        sigemptyset(&defaults)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT] { sigaddset(&defaults, signal) }
        posix_spawnattr_setsigdefault(&attributes, &defaults)

        var words = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        var variables = (inherited + environment).map { strdup($0) }
        variables.append(nil)
        defer { for text in words + variables { free(text) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, program, &actions, &attributes, words, variables)
        guard result == 0 else { throw SandboxError("cannot start \(program): \(errorText(result))") }
        return pid
    }

    private static var setsidFlag: Int32 {
        #if canImport(Darwin)
            Int32(POSIX_SPAWN_SETSID)
        #else
            0x80  // POSIX_SPAWN_SETSID, a macro that is not imported
        #endif
    }

    private static var inherited: [String] {
        ["PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "LD_LIBRARY_PATH"].compactMap { name -> String? in
            guard let value = getenv(name) else { return nil }
            return name + "=" + String(cString: value)
        }
    }
}
