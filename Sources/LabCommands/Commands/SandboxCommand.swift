import ArgumentParser
import LabCore
import LabSandbox

/// `labctl sandbox up|down|status`
struct SandboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox",
        abstract: "A lab on loopback, to try labctl with no machines.",
        discussion: """
            Three real sshd on loopback ports, run as the current user with fresh keys, and an API server behind them. \
            Its files are in .labctl/sandbox of the working directory. With KUBEBUILDER_ASSETS set to a folder with etcd \
            and kube-apiserver, those are used; else labctl's own simulation, which says so on every run.
            """,
        subcommands: [Up.self, Down.self, Status.self, Serve.self])

    struct Up: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "up", abstract: "Start the sandbox, or say that it is up.")

        func run() async throws {
            let output = StandardStream.output
            let use = try await withInterruption {
                try await SandboxUse.start { _ in }
            }
            output.line(use.sandbox.kind.sentence)
            if let replacement = use.replacement { output.line(replacement) }
            output.line(use.sandbox.wasRunning ? "it is up already" : "it is up")
            SandboxCommand.show(use.sandbox)
        }
    }

    struct Down: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "down", abstract: "End the sandbox and remove its files.")

        func run() async throws {
            let found = try await Sandbox.down(project: ".")
            StandardStream.output.line(found ? "the sandbox is down" : "there was no sandbox")
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status", abstract: "Say whether the sandbox is up.")

        func run() async throws {
            let output = StandardStream.output
            switch Sandbox.status(project: ".") {
            case .down: output.line("the sandbox is down")
            case .running(let sandbox):
                output.line(sandbox.kind.sentence)
                SandboxCommand.show(sandbox)
            case .broken(let faults):
                output.line("the sandbox is broken:")
                for fault in faults { output.line("  \(fault)") }
                output.line("`labctl sandbox up` starts it anew, `labctl sandbox down` removes what is left")
                throw ExitCode(FailureClass.failed.rawValue)
            }
        }
    }

    /// The API server's own process, started by `up`.
    struct Serve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "serve", abstract: "Run the sandbox's API server in this process.", shouldDisplay: false)

        @Option(help: "The sandbox's folder.")
        var directory: String

        @Flag(help: "Listen on port 6443 of every address, for a lab in network namespaces (Scripts/namespaces).")
        var labNetwork = false

        func run() async throws {
            try await SandboxServe.serve(directory: directory, isOnLabNetwork: labNetwork)
        }
    }

    private static func show(_ sandbox: Sandbox) {
        var rows = sandbox.nodes.map { ["  \($0.name)", "ssh \($0.user)@127.0.0.1:\($0.port)", $0.clusterAddress] }
        rows.append(["  API server", "https://127.0.0.1:\(sandbox.apiPort)", sandbox.kubeconfigPath])
        StandardStream.output.write(Columns.text(rows))
    }
}
