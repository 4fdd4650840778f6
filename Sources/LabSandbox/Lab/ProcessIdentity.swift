import LabCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A process, told apart from a later one that was given the same number.
struct ProcessIdentity: Sendable, Hashable {
    let pid: pid_t
    /// When it started, in the system's own terms.
    let start: String

    init(pid: pid_t, start: String) {
        self.pid = pid
        self.start = start
    }

    /// The process that has this number now; nil when none has.
    init?(running pid: pid_t) {
        guard pid > 1, let start = Self.startTime(pid) else { return nil }
        self.init(pid: pid, start: start)
    }

    var isAlive: Bool { Self.startTime(pid) == start }

    /// Sends a signal, but never to another process that has the number by now.
    func signal(_ number: Int32) { if isAlive { kill(pid, number) } }

    /// Ends the process and everything it started: politely first, then not.
    func terminate(within limit: Duration = .seconds(3)) async {
        let all = [self] + Self.descendants(of: pid)
        for process in all { process.signal(SIGTERM) }
        let end = ContinuousClock.now + limit
        while all.contains(where: \.isAlive), ContinuousClock.now < end {
            // A child of this very process stays as a zombie until it is waited for.
            for process in all { waitpid(process.pid, nil, WNOHANG) }
            try? await Task.sleep(for: .milliseconds(10))
        }
        for process in all where process.isAlive { process.signal(SIGKILL) }
        for process in all { waitpid(process.pid, nil, WNOHANG) }
    }
}

#if os(Linux)
    extension ProcessIdentity {
        /// Field 22 of `/proc/<pid>/stat`, in clock ticks since boot; nil for zombies.
        private static func startTime(_ pid: pid_t) -> String? {
            guard let fields = stat(pid), fields.count > 19, fields[0] != "Z" else { return nil }
            return String(fields[19])
        }

        /// The fields after the program's name, which is in brackets and may hold anything: from field 3 on.
        private static func stat(_ pid: pid_t) -> [Substring]? {
            guard let text = readProcess("/proc/\(pid)/stat"), let bracket = text.lastIndex(of: ")") else { return nil }
            return text[text.index(after: bracket)...].split(separator: " ")
        }

        private static func readProcess(_ path: String) -> String? {
            let file = open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { return nil }
            defer { close(file) }
            var bytes = [UInt8](repeating: 0, count: 8192)
            let count = read(file, &bytes, bytes.count)
            return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
        }

        private static var all: [pid_t] {
            ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }
        }

        static func descendants(of pid: pid_t) -> [ProcessIdentity] {
            var parents: [pid_t: pid_t] = [:]
            for process in all { parents[process] = stat(process).flatMap { $0.count > 1 ? pid_t($0[1]) : nil } }
            return parents.keys.filter { candidate in
                var current = candidate
                for _ in 0..<64 {
                    guard let parent = parents[current], parent > 1 else { return false }
                    if parent == pid { return true }
                    current = parent
                }
                return false
            }.compactMap { ProcessIdentity(running: $0) }
        }

        /// The processes of a sandbox by their command lines, for left-overs that no record knows of. An editor that
        /// has one of its files open is none of them.
        static func naming(_ root: String) -> [ProcessIdentity] {
            all.filter { pid in
                guard pid != getpid(), let line = readProcess("/proc/\(pid)/cmdline") else { return false }
                let words = line.split(separator: "\0").map { String($0) }
                // sshd writes its title over its arguments.
                if let title = words.first, title.hasPrefix("sshd: ") { return title.contains(" -f \(root)/nodes/") }
                if words.first?.hasSuffix("sshd") == true {
                    return words.contains { $0.hasPrefix(root + "/nodes/") && $0.hasSuffix("/sshd_config") }
                }
                return words.suffix(4) == ["sandbox", "serve", "--directory", root]
                    || words.contains("--data-dir=\(root)/api/etcd") || words.contains("--cert-dir=\(root)/api/certs")
            }.compactMap { ProcessIdentity(running: $0) }
        }
    }
#else
    extension ProcessIdentity {
        private static func information(_ pid: pid_t) -> kinfo_proc? {
            var name = [CTL_KERN, KERN_PROC, KERN_PROC_PID, pid]
            var information = kinfo_proc()
            var size = MemoryLayout<kinfo_proc>.stride
            guard sysctl(&name, u_int(name.count), &information, &size, nil, 0) == 0, size > 0,
                information.kp_proc.p_pid == pid
            else { return nil }
            return information
        }

        private static func startTime(_ pid: pid_t) -> String? {
            guard let information = information(pid), information.kp_proc.p_stat != CChar(SZOMB) else { return nil }
            let time = information.kp_proc.p_un.__p_starttime
            return "\(time.tv_sec).\(time.tv_usec)"
        }

        static func descendants(of pid: pid_t) -> [ProcessIdentity] {
            var children = [pid_t](repeating: 0, count: 1024)
            let count = proc_listchildpids(pid, &children, Int32(children.count * MemoryLayout<pid_t>.stride))
            guard count > 0 else { return [] }
            return children.prefix(Int(count)).flatMap { child in
                (ProcessIdentity(running: child).map { [$0] } ?? []) + descendants(of: child)
            }
        }

        /// Other users' command lines cannot be read here: the records and pid files have to do.
        static func naming(_ path: String) -> [ProcessIdentity] { [] }
    }
#endif
