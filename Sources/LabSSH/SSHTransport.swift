import LabCore
import LabTransport

/// Connections over libssh.
package struct SSHTransport: Transport {
    private let settings: SSHSettings

    package init(configuration settings: SSHSettings) {
        self.settings = settings
    }

    package func connect(to endpoint: Endpoint) async throws -> any Connection {
        let route = try Route(endpoint, settings)
        let session = try Session(route: route, settings: settings)
        try await session.open()
        return SSHConnection(session)
    }
}

/// A host that is logged in to.
package final class SSHConnection: Connection {
    private let session: Session

    init(_ session: Session) { self.session = session }

    deinit {
        let session = session
        Task { await session.close() }
    }

    package var hostName: String { session.hostName }

    package func run(_ command: Command) async throws -> CommandResult {
        try await session.run(command)
    }

    package func openForward(host: String, port: Int) async throws -> any ByteChannel {
        try await session.forward(host: host, port: port)
    }

    package func writeFile(
        _ bytes: [UInt8], to path: String, attributes: FileAttributes, become: Become?
    ) async throws {
        let result = try await run(FileScripts.write(bytes, to: path, attributes: attributes, become: become))
        guard result.exitStatus == 0 else { throw FileScripts.refusal(result, "write", path, hostName: hostName) }
    }

    package func readFile(_ path: String, become: Become?) async throws -> [UInt8] {
        let result = try await run(FileScripts.read(path, become: become))
        guard result.exitStatus == 0 else { throw FileScripts.refusal(result, "read", path, hostName: hostName) }
        return result.standardOutput
    }

    package func close() async { await session.close() }
}
