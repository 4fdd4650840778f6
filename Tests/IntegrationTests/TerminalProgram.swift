import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A program on a terminal of its own, at which the test types and reads.
final class TerminalProgram: Sendable {
    struct Failure: Error { let what: String }

    private let master: Int32
    let process: pid_t
    private let shown = Mutex<[UInt8]>([])
    private let status = Mutex<Int32?>(nil)

    /// Starts `program` as the leader of a session whose terminal has the given size.
    init(
        _ program: URL, _ arguments: [String], in folder: URL, environment: [String: String], columns: Int = 90,
        rows: Int = 30
    ) throws {
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        var ends: (master: Int32, slave: Int32) = (-1, -1)
        var buffer = [CChar](repeating: 0, count: 128)
        guard openpty(&ends.master, &ends.slave, &buffer, nil, &size) == 0 else { throw Failure(what: "no terminal") }
        master = ends.master
        _ = fcntl(master, F_SETFD, FD_CLOEXEC)
        // Kept until the program has its own, so that the first read finds somebody there.
        defer { close(ends.slave) }
        _ = fcntl(ends.slave, F_SETFD, FD_CLOEXEC)
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
            let newSession = Int16(POSIX_SPAWN_SETSID)
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
            let newSession = Int16(0x80)
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The first terminal that a session's leader opens becomes the session's.
        posix_spawnattr_setflags(&attributes, newSession)
        posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        let words = ["/bin/sh", "-c", #"cd "$1" && shift && exec "$@""#, "sh", folder.path, program.path] + arguments
        var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var child = pid_t()
        let code = posix_spawn(&child, "/bin/sh", &actions, &attributes, &argv, &envp)
        guard code == 0 else { throw Failure(what: String(cString: strerror(code))) }
        process = child
        let thread = Thread { [self] in collect() }
        thread.start()
    }

    /// Starts labctl in a project, as `Project.labctl` does.
    static func labctl(
        _ arguments: String..., in project: Project, environment: [String: String] = [:]
    ) throws -> TerminalProgram {
        var variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        for name in ["LABCTL_INVENTORY", "ANSIBLE_INVENTORY", "KUBECONFIG", "SSH_AUTH_SOCK"] { variables[name] = nil }
        variables["HOME"] = project.folder.appending(path: "home").path
        return try TerminalProgram(Labctl.binary, arguments, in: project.folder, environment: variables)
    }

    private func collect() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(master, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            // EIO: the last one who had the terminal open has gone.
            guard count > 0 else { return }
            shown.withLock { $0 += buffer[..<count] }
        }
    }

    deinit {
        if isRunning { kill(process, SIGKILL) }
        _ = wait()
        close(master)
    }

    /// What stood on the screen so far, with its control characters.
    var screen: String { shown.withLock { String(decoding: $0, as: UTF8.self) } }

    func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(master, bytes, bytes.count)
    }

    /// Waits until the screen has the text; false when it does not within 30 seconds.
    func shows(_ text: String) throws -> Bool { try Tool.wait { screen.contains(text) } }

    /// Changes the window, which sends SIGWINCH to whoever is in front.
    func resize(columns: Int, rows: Int) {
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
    }

    /// The terminal's settings, as one text to compare.
    var settings: String {
        var settings = termios()
        guard tcgetattr(master, &settings) == 0 else { return "none" }
        return "\(settings.c_iflag) \(settings.c_oflag) \(settings.c_lflag)"
    }

    var isRunning: Bool {
        status.withLock { status in
            guard status == nil else { return false }
            var raw: Int32 = 0
            guard waitpid(process, &raw, WNOHANG) != 0 else { return true }
            let signal = raw & 0x7f
            status = signal == 0 ? (raw >> 8) & 0xff : 128 + signal
            return false
        }
    }

    /// Waits for the program's end, 30 seconds at most, and gives its status as a shell has it.
    func wait() -> Int32 {
        let end = ContinuousClock.now + .seconds(30)
        while isRunning {
            if ContinuousClock.now > end { kill(process, SIGKILL) }
            usleep(2000)
        }
        return status.withLock { $0 } ?? -1
    }
}
