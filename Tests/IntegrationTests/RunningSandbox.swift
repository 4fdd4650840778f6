import Foundation
import Testing

/// A sandbox that is up in a project of its own; it goes with the last reference.
final class RunningSandbox: Sendable {
    /// The sandbox of the suite that is running.
    @TaskLocal static var current: RunningSandbox?

    static let isPossible = FileManager.default.isExecutableFile(atPath: "/usr/sbin/sshd")
    static let whyNot: Comment = "the sandbox needs OpenSSH's server at /usr/sbin/sshd"

    let project: Project

    init() throws {
        project = try Project(shipped: true)
        let outcome = try project.labctl("sandbox", "up")
        outcome.expect(status: 0, "it is up")
        try #require(outcome.status == 0)
    }

    deinit {
        guard let outcome = try? project.labctl("sandbox", "down") else { return }
        if outcome.status != 0 { Issue.record("the sandbox stays: \(outcome.everything)") }
    }

    var folder: URL { project.folder.appending(path: ".labctl/sandbox") }

    /// The kubeconfig with which the laptop itself reaches the API server.
    var kubeconfig: URL { folder.appending(path: "api/kubeconfig") }

    /// The option that has labctl's own small manifest used, so that nothing is downloaded.
    var manifest: String { "metallb_manifest=" + folder.appending(path: "metallb-miniature.yaml").path }

    /// The sandbox's inventory, and what group_vars say of MetalLB beside it, with `changes` made to its text.
    func inventory(named name: String, _ changes: (String) -> String) throws -> String {
        let shipped = try project.read("Inventory/group_vars/all.yml")
        try project.write(shipped, to: "\(name)/group_vars/all.yml")
        try project.write(changes(project.read(".labctl/sandbox/inventory.yml")), to: "\(name)/lab.yml")
        return "\(name)/lab.yml"
    }

    private struct State: Decodable {
        struct Part: Decodable {
            let role: String
            let pid: Int32
            let port: Int
        }
        let processes: [Part]
    }

    private func state() throws -> State {
        try JSONDecoder().decode(State.self, from: Data(contentsOf: folder.appending(path: "state.json")))
    }

    /// The processes by what they are: `API server`, `sshd of cp1` …
    func processes() throws -> [String: Int32] {
        Dictionary(try state().processes.map { ($0.role, $0.pid) }) { first, _ in first }
    }

    /// The port of a node's sshd.
    func port(of node: String) throws -> Int {
        try #require(state().processes.first { $0.role == "sshd of \(node)" }).port
    }

    /// Provisions MetalLB with the small manifest, so that a test finds it there.
    func converge() throws {
        let outcome = try project.labctl("provision", "metallb", "--sandbox", "-e", manifest)
        outcome.expect(status: 0)
        try #require(outcome.status == 0)
    }

    /// Runs kubectl against the API server and returns what it prints.
    @discardableResult
    func kubectl(_ arguments: String...) throws -> String { try kubectl(arguments) }

    @discardableResult
    func kubectl(_ arguments: [String]) throws -> String {
        let outcome = try Tool.run(["kubectl"] + arguments, in: project.folder, ["KUBECONFIG": kubeconfig.path])
        #expect(outcome.status == 0, "kubectl \(arguments): \(outcome.everything)")
        return outcome.output
    }
}

/// Has the tests of a suite share one sandbox, `RunningSandbox.current`.
struct SandboxTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await RunningSandbox.$current.withValue(RunningSandbox()) { try await function() }
    }
}

extension Trait where Self == SandboxTrait {
    static var sandbox: Self { Self() }
}

/// Programs that tests use beside labctl.
enum Tool {
    /// Runs a program of the PATH to its end.
    static func run(
        _ command: [String], in folder: URL, _ environment: [String: String] = [:]
    ) throws -> Labctl.Outcome {
        try start(command, in: folder, environment).wait()
    }

    /// Starts a program of the PATH.
    static func start(
        _ command: [String], in folder: URL, _ environment: [String: String] = [:], deadline: Int = 120
    ) throws -> RunningProgram {
        try RunningProgram(
            URL(filePath: "/usr/bin/env"), command, in: folder,
            environment: ProcessInfo.processInfo.environment.merging(["PATH": path]) { $1 }.merging(environment) { $1 },
            deadline: deadline)
    }

    /// The PATH, and after it what `Scripts/setup test` installs.
    static let path =
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin") + ":"
        + Labctl.root.appending(path: ".venv/bin").path

    static func isInstalled(_ name: String) -> Bool {
        path.split(separator: ":").contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
    }

    /// Whether the process is there and has not ended; one that waits for its parent to look has.
    static func isRunning(_ process: Int32) throws -> Bool {
        let state = try run(["ps", "-o", "stat=", "-p", String(process)], in: Labctl.root).output
        return !state.isEmpty && !state.hasPrefix("Z")
    }

    /// The processes that `parent` has started itself.
    static func children(of parent: Int32) throws -> [Int32] {
        try run(["ps", "-A", "-o", "pid=,ppid="], in: Labctl.root).output.split(separator: "\n").compactMap { line in
            let numbers = line.split(separator: " ").compactMap { Int32($0) }
            return numbers.count == 2 && numbers[1] == parent ? numbers[0] : nil
        }
    }

    /// Asks until `condition` holds; false when it does not within `seconds`. It keeps its thread: a test that gave
    /// it away would come back only when another has waited for its program.
    static func wait(seconds: Int = 30, until condition: () throws -> Bool) throws -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while try !condition() {
            guard ContinuousClock.now < end else { return false }
            usleep(20_000)
        }
        return true
    }
}

/// The data that lies beside the repository.
enum SharedData {
    /// The stock manifest of MetalLB 0.14.9; nil when the data is not here.
    static let manifest: URL? = folder.map { $0.appending(path: "metallb/metallb-native-v0.14.9.yaml") }

    /// The stock FRR manifest of MetalLB 0.14.9; nil when the data is not here.
    static let frrManifest: URL? = folder.map { $0.appending(path: "metallb/metallb-frr-v0.14.9.yaml") }

    private static let folder: URL? = {
        if let path = ProcessInfo.processInfo.environment["LABCTL_SHARED"] {
            return URL(filePath: path).appending(path: "data")
        }
        var folder = Labctl.root
        while folder.path != "/" {
            let candidate = folder.appending(path: "shared/data")
            if FileManager.default.fileExists(atPath: candidate.path) { return candidate }
            folder.deleteLastPathComponent()
        }
        return nil
    }()
}
