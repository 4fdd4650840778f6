#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Calls `body` with attributes by which a started process has the signals of one that a shell starts: none blocked, and
/// SIGPIPE as it is by default.
///
/// A child inherits the mask of the thread that starts it, and threads of Dispatch block almost everything: the process
/// could not be ended by SIGTERM.
func withOrdinarySignals<Result>(_ body: (UnsafePointer<SpawnAttributes>) -> Result) -> Result {
    #if canImport(Darwin)
        var attributes: posix_spawnattr_t?
    #else
        var attributes = posix_spawnattr_t()
    #endif
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK))
    return body(&attributes)
}

#if canImport(Darwin)
    typealias SpawnAttributes = posix_spawnattr_t?
#else
    typealias SpawnAttributes = posix_spawnattr_t
#endif
