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
        let process = Process()
        process.executableURL = binary
        process.arguments = arguments
        process.currentDirectoryURL = folder
        var variables = ProcessInfo.processInfo.environment
        for name in ["LABCTL_INVENTORY", "ANSIBLE_INVENTORY", "KUBECONFIG", "SSH_AUTH_SOCK"] { variables[name] = nil }
        process.environment = variables.merging(environment) { $1 }
        let scratch = FileManager.default.temporaryDirectory.appending(path: "labctl-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }
        // Files, not pipes: a child that outlives labctl (the sandbox) must not keep a pipe open.
        let output = scratch.appending(path: "output")
        let errors = scratch.appending(path: "errors")
        try Data().write(to: output)
        try Data().write(to: errors)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        let killer = DispatchWorkItem { process.terminate(); kill(process.processIdentifier, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(deadline), execute: killer)
        process.waitUntilExit()
        killer.cancel()
        return Outcome(
            status: process.terminationStatus,
            output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
    }
}

/// A folder of its own for one test, removed afterwards.
struct Scratch: ~Copyable {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "labctl-scratch-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// Writes a file, with the folders above it, and returns its path.
    @discardableResult
    func write(_ text: String, to path: String) throws -> String {
        let file = folder.appending(path: path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
        return file.path
    }
}
