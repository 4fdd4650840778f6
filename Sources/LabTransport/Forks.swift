#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// How many hosts are under way at once when nobody says (`--forks`).
package enum Forks {
    /// What this machine carries: 32 hosts a core, from 50 to 256, and no more than its descriptors allow.
    package static let adaptive = adaptive(
        cores: Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))), descriptors: descriptorLimit)

    /// A host needs one descriptor, and up to four with a proxy command or forwarded streams.
    static func adaptive(cores: Int, descriptors: Int) -> Int {
        max(1, min(max(50, min(cores * 32, 256)), (descriptors - 64) / 4))
    }

    /// What the soft limit may be raised to.
    private static var descriptorLimit: Int {
        var limit = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        guard getrlimit(resource, &limit) == 0 else { return 256 }
        return Int(min(limit.rlim_max, 10_240))
    }
}
