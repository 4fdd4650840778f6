import Foundation
import Testing

/// Runs the labctl that this build made, as a user would.
enum Labctl {
    struct Outcome: Sendable {
        let status: Int32
        let output: String
        let errors: String
        var everything: String { output + errors }
    }

    /// The root of the repository.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The binary beside the test bundle, or `LABCTL_BINARY`.
    static let binary: URL = {
        if let path = ProcessInfo.processInfo.environment["LABCTL_BINARY"] { return URL(filePath: path) }
        // The bundle is .build/debug/labctlPackageTests.xctest; on macOS a folder, of which the executable is deeper.
        var folder = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        for _ in 0..<5 {
            let candidate = folder.appending(path: "labctl")
            if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
            folder.deleteLastPathComponent()
        }
        return root.appending(path: ".build/debug/labctl")
    }()

    /// Runs labctl to its end. It gets no terminal, and is killed after `deadline` so that a hang fails a test.
    static func run(
        _ arguments: [String], in folder: URL = root, environment: [String: String] = [:], deadline: Int = 120
    ) throws -> Outcome {
        try start(arguments, in: folder, environment: environment, deadline: deadline).wait()
    }

    /// Starts labctl and lets the test go on beside it.
    static func start(
        _ arguments: [String], in folder: URL = root, environment: [String: String] = [:], deadline: Int = 120
    ) throws -> RunningProgram {
        var variables = ProcessInfo.processInfo.environment
        for name in ["LABCTL_INVENTORY", "ANSIBLE_INVENTORY", "KUBECONFIG", "SSH_AUTH_SOCK"] { variables[name] = nil }
        return try RunningProgram(
            binary, arguments, in: folder, environment: variables.merging(environment) { $1 }, deadline: deadline)
    }
}

/// A program under way, with its output in files.
final class RunningProgram {
    private let process = Process()
    private let scratch: URL
    private let killer: DispatchWorkItem

    /// Starts `program`, which is killed after `deadline` seconds.
    init(
        _ program: URL, _ arguments: [String], in folder: URL, environment: [String: String], deadline: Int
    ) throws {
        process.executableURL = program
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = environment
        scratch = FileManager.default.temporaryDirectory.appending(path: "labctl-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        // Files, not pipes: a child that outlives labctl (the sandbox) must not keep a pipe open.
        let files = ["output", "errors"].map { [scratch] name in scratch.appending(path: name) }
        for file in files { try Data().write(to: file) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: files[0])
        process.standardError = try FileHandle(forWritingTo: files[1])
        try process.run()
        let identifier = process.processIdentifier
        killer = DispatchWorkItem { kill(identifier, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(deadline), execute: killer)
    }

    deinit {
        killer.cancel()
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: scratch)
    }

    /// What it has written to its standard output so far.
    var output: String {
        (try? String(decoding: Data(contentsOf: scratch.appending(path: "output")), as: UTF8.self)) ?? ""
    }

    /// What it has written to its standard error so far.
    var errors: String {
        (try? String(decoding: Data(contentsOf: scratch.appending(path: "errors")), as: UTF8.self)) ?? ""
    }

    var isRunning: Bool { process.isRunning }

    /// Sends what Ctrl-C sends.
    func interrupt() { kill(process.processIdentifier, SIGINT) }

    /// Waits for its end.
    func wait() -> Labctl.Outcome {
        process.waitUntilExit()
        killer.cancel()
        return Labctl.Outcome(status: process.terminationStatus, output: output, errors: errors)
    }
}
