#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Keeps what this process holds in memory, credentials among it, out of core files and crash reports.
enum CoreDumps {
    /// Set to 1 by whoever wants to debug labctl with one.
    static let variable = "LABCTL_CORE_DUMPS"

    /// The signals after which Swift's runtime prints a report.
    private static let crashes = [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV]

    /// Turns them off for this process. Only the soft limit is lowered: programs that labctl starts may raise it again.
    static func disable(environment: [String: String]) {
        // The report shows memory that registers point to, and goes wherever the output goes. Whoever wants it says so.
        if environment["SWIFT_BACKTRACE"] == nil {
            for number in crashes { signal(number, SIG_DFL) }
        }
        guard environment[variable] != "1" else { return }
        var limit = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_CORE.rawValue)
        #else
            let resource = RLIMIT_CORE
        #endif
        if getrlimit(resource, &limit) == 0 {
            limit.rlim_cur = 0
            _ = setrlimit(resource, &limit)
        }
        #if os(Linux)
            // The limit says nothing to a handler that core_pattern pipes to (core(5)); this does, and to ptrace too.
            // Swift does not see C's variadic functions; PR_SET_DUMPABLE is 4 (linux/prctl.h).
            typealias ProcessControl =
                @convention(c) (CInt, CUnsignedLong, CUnsignedLong, CUnsignedLong, CUnsignedLong)
                -> CInt
            if let symbol = dlsym(nil, "prctl") {
                _ = unsafeBitCast(symbol, to: ProcessControl.self)(4, 0, 0, 0, 0)
            }
        #endif
    }
}
