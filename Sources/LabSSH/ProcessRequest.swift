import LabTransport

/// What to start on a channel of its own, with its streams as they are.
package struct ProcessRequest: Sendable {
    /// What the channel runs.
    package enum Program: Sendable {
        /// The login user's shell, as `ssh HOST` starts it.
        case loginShell
        /// A line for the login shell, as `ssh HOST LINE` runs it.
        case line(String)
        /// A command with its directory, environment and `become`, through a shell of ours; its input and output are the
        /// process's. The command's own `standardInput`, `timeout` and `onOutput` are not used.
        case command(Command)
    }

    /// A terminal on the node (RFC 4254 section 6.2).
    package struct Terminal: Sendable, Hashable {
        /// The value of `TERM`.
        package var type: String
        package var columns: Int
        package var rows: Int

        package init(type: String, columns: Int, rows: Int) {
            self.type = type
            self.columns = columns
            self.rows = rows
        }
    }

    package var program: Program
    package var terminal: Terminal?
    /// Variables that the node's sshd is asked to set; it takes those that its AcceptEnv names.
    package var environment: [(name: String, value: String)]
    /// Whether programs on the node may use the laptop's SSH agent.
    package var forwardsAgent: Bool

    package init(
        _ program: Program, terminal: Terminal? = nil, environment: [(name: String, value: String)] = [],
        forwardsAgent: Bool = false
    ) {
        self.program = program
        self.terminal = terminal
        self.environment = environment
        self.forwardsAgent = forwardsAgent
    }
}

/// A program that runs on a node, with streams of any length.
package final class RemoteProcess: Sendable {
    // The connection, and not only its session: it closes the session when it goes.
    private let connection: SSHConnection
    private let session: Session
    private let process: ProcessBox

    init(connection: SSHConnection, session: Session, process: ProcessBox) {
        self.connection = connection
        self.session = session
        self.process = process
    }

    // A process that was dropped without being closed must not keep its channel.
    deinit {
        let (session, process) = (session, process)
        Task { await session.end(process) }
    }

    /// What the program has written since the last call, at least one piece; nil at the end of all output. What is not
    /// read stays with the node: no more than 1 MB is held here.
    ///
    /// - Throws: why the link is over; `CancellationError`.
    package func read() async throws -> [OutputPiece]? { try await session.read(process) }

    /// Returns when the bytes were handed to the link.
    ///
    /// - Throws: `ConnectionError` with kind `closed` when the program has ended; why the link is over.
    package func write(_ bytes: [UInt8]) async throws { try await session.write(bytes, to: process) }

    /// Says that no more will be written.
    package func closeWriting() async { await session.closeWriting(process) }

    /// Tells the node that the terminal has another size.
    package func resize(columns: Int, rows: Int) async { await session.resize(process, columns, rows) }

    /// How the program ended, once `read` has given nil: 128 + n for signal n, as shells report it.
    package var exit: (status: Int, signal: String?) { get async { await session.exit(of: process) } }

    /// Ends the channel; sshd hangs up on what still runs. Does nothing the second time.
    package func close() async { await session.end(process) }
}
