#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The limit of open descriptors: a connection needs one, and shells start programs with a limit of 1,024 or even 256.
enum DescriptorLimit {
    /// Raises the limit to what the system allows without asking, once.
    static func raise() { _ = done }

    private static let done: Void = {
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return }
        // macOS refuses more than OPEN_MAX however high the hard limit is.
        let wanted = min(limit.rlim_max, 10_240)
        guard limit.rlim_cur < wanted else { return }
        limit.rlim_cur = wanted
        _ = setrlimit(resource, &limit)
    }()
}
