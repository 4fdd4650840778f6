#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Makes a write to a peer that has gone an error (EPIPE) instead of the end of the program.
///
/// A command may leave its input unread, and a server may go at any time; libssh and swift-subprocess write to both without
/// a flag against the signal. Children get the signal's default back.
package enum BrokenPipes {
    /// Takes effect the first time and stays for the life of the process.
    package static func becomeErrors() { _ = done }

    private static let done: Void = { _ = signal(SIGPIPE, SIG_IGN) }()
}
