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
    /// - Parameters:
    ///   - directory: `<project>/.labctl/sandbox`.
    ///   - isOnLabNetwork: Whether to listen where the simulated cluster says that its API server is, on port 6443 of every
    ///     address, for a lab in network namespaces.
    package static func serve(directory: String, isOnLabNetwork: Bool = false) async throws {
        guard let directory = SandboxDirectory(root: directory) else {
            throw UsageError("\(directory) is no sandbox's folder", hint: "this command is for labctl itself")
        }
        var options = ClusterOptions()
        options.isOnLabNetwork = isOnLabNetwork
        let server = try await start(directory, options: options)
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
        let server =
            options.isOnLabNetwork
            ? try await SandboxAPIServer.start(options: options, host: "0.0.0.0", port: 6443)
            : try await SandboxAPIServer.start(options: options)
        try Files.makeDirectory(directory.api)
        if options.isOnLabNetwork {
            try Files.write(MiniatureManifest.text, to: directory.manifest, mode: 0o644)
            try Files.write(MiniatureManifest.frrText, to: directory.frrManifest, mode: 0o644)
        }
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
