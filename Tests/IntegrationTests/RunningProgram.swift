import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A program under way, with its output in files.
///
/// Not Foundation's `Process`: on Linux that takes a program for running as long as anything it started holds an
/// inherited descriptor, and what `sandbox up` starts outlives it.
final class RunningProgram: Sendable {
    struct Failure: Error { let code: Int32 }

    private let process: pid_t
    private let scratch: URL
    private let status = Mutex<Int32?>(nil)
    private let deadline: ContinuousClock.Instant

    /// Starts `program`, which is killed after `deadline` seconds. It reads nothing and has no terminal.
    init(
        _ program: URL, _ arguments: [String], in folder: URL, environment: [String: String], deadline: Int
    ) throws {
        scratch = FileManager.default.temporaryDirectory.appending(path: "labctl-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        self.deadline = .now + .seconds(deadline)
        // posix_spawn's own change of folder needs macOS 26 or a new glibc, so the shell does it.
        let words = [
            "/bin/sh", "-c", #"cd "$1" && out=$2 err=$3 && shift 3 && exec "$@" </dev/null >"$out" 2>"$err""#, "sh",
            folder.path, scratch.appending(path: "output").path, scratch.appending(path: "errors").path, program.path,
        ]
        var argv: [UnsafeMutablePointer<CChar>?] = (words + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        // A thread of the tests blocks most signals, and the program would inherit that.
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
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var child = pid_t()
        let code = posix_spawn(&child, "/bin/sh", nil, &attributes, &argv, &envp)
        guard code == 0 else { throw Failure(code: code) }
        process = child
    }

    deinit {
        if isRunning { kill(process, SIGKILL) }
        _ = wait()
        try? FileManager.default.removeItem(at: scratch)
    }

    /// What it has written to its standard output so far.
    var output: String { text(of: "output") }

    /// What it has written to its standard error so far.
    var errors: String { text(of: "errors") }

    private func text(of file: String) -> String {
        (try? String(decoding: Data(contentsOf: scratch.appending(path: file)), as: UTF8.self)) ?? ""
    }

    /// Whether it has not ended yet.
    var isRunning: Bool {
        status.withLock { status in
            guard status == nil else { return false }
            var raw: Int32 = 0
            guard waitpid(process, &raw, WNOHANG) != 0 else { return true }
            // As a shell has it: the exit code, or 128 and the signal.
            let signal = raw & 0x7f
            status = signal == 0 ? (raw >> 8) & 0xff : 128 + signal
            return false
        }
    }

    /// Sends what Ctrl-C sends.
    func interrupt() { send(SIGINT) }

    /// Sends a signal.
    func send(_ signal: Int32) { kill(process, signal) }

    func send(signal: Int32) { kill(process, signal) }

    /// Waits for its end, and kills it when the time is up, so that a hang fails a test.
    func wait() -> Labctl.Outcome {
        while isRunning {
            if ContinuousClock.now > deadline { kill(process, SIGKILL) }
            usleep(2000)
        }
        return Labctl.Outcome(status: status.withLock { $0 } ?? -1, output: output, errors: errors)
    }
}
