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

/// The background process of a simulated sandbox: `labctl sandbox serve --directory D`.
package enum SandboxServe {
    /// Serves until SIGTERM comes or the sandbox's folder is removed.
    ///
    /// - Parameter directory: `<project>/.labctl/sandbox`.
    package static func serve(directory: String) async throws {
        guard let directory = SandboxDirectory(root: directory) else {
            throw UsageError("\(directory) is no sandbox's folder", hint: "this command is for labctl itself")
        }
        let server = try await start(directory)
        let signals = TerminationSignals()
        // Whoever deletes the folder by hand must not leave a server behind.
        while !signals.wasTerminated, Files.exists(directory.ready) {
            try await Task.sleep(for: .milliseconds(200))
        }
        await server.stop()
    }

    /// Starts the server and tells the folder: the kubeconfig, then `ready.json`.
    package static func start(
        _ directory: SandboxDirectory, options: ClusterOptions = ClusterOptions()
    ) async throws -> SandboxAPIServer {
        let server = try await SandboxAPIServer.start(options: options)
        try Files.makeDirectory(directory.api)
        try Files.write(server.kubeconfig(), to: directory.kubeconfig)
        let ready: Value = ["port": .int(server.port), "pid": .int(Int(getpid()))]
        try Files.write(ready.json() + "\n", to: directory.ready)
        return server
    }
}

/// Knows whether SIGTERM or SIGINT came.
private final class TerminationSignals: Sendable {
    private static let flag = ManagedFlag()

    init() {
        // Made here, so that the handler finds it made.
        _ = Self.flag.isSet
        for number in [SIGTERM, SIGINT, SIGHUP] {
            signal(number) { _ in TerminationSignals.flag.set() }
        }
    }

    var wasTerminated: Bool { Self.flag.isSet }
}
