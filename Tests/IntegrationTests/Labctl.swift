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
