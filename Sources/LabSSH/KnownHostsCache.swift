import LabTransport
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The known_hosts files of a run: a file has a line for each of many hosts, and is read again only when it has changed.
/// Blocks: for helper threads.
final class KnownHostsCache: Sendable {
    /// What tells one state of a file from another.
    private struct Stamp: Hashable {
        var inode: UInt64 = 0
        var size: Int64 = 0
        var seconds = 0
        var nanoseconds = 0

        init(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return }
            inode = UInt64(status.st_ino)
            size = Int64(status.st_size)
            #if canImport(Darwin)
                let time = status.st_mtimespec
            #else
                let time = status.st_mtim
            #endif
            (seconds, nanoseconds) = (time.tv_sec, time.tv_nsec)
        }
    }

    private let states = Mutex<[[String]: (stamps: [Stamp], known: KnownHosts)]>([:])

    /// What all files say together.
    ///
    /// - Throws: as `KnownHostsFile.read`.
    func read(_ paths: [String], hostName: String) throws(ConnectionError) -> KnownHosts {
        // Taken before reading: a change in between is noticed the next time.
        let stamps = paths.map(Stamp.init)
        if let state = states.withLock({ $0[paths] }), state.stamps == stamps { return state.known }
        let known = try KnownHostsFile.read(paths, hostName: hostName)
        states.withLock { $0[paths] = (stamps, known) }
        return known
    }
}
