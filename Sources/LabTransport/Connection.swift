/// One live link to a host, on which commands run, files go up and byte streams are forwarded.
///
/// Safe to use from several tasks at once. Every method reacts to cancellation of the calling task by throwing
/// `CancellationError` and leaves the connection usable.
package protocol Connection: Sendable {
    /// The inventory's name of the host.
    var hostName: String { get }

    /// Whether the link is up, as far as is known: false once it was lost or closed.
    var isUp: Bool { get async }

    /// Runs a command to its end.
    ///
    /// - Throws: `ConnectionError` when the link fails or the command's timeout passes; never for an exit status.
    func run(_ command: Command) async throws -> CommandResult

    /// Opens a byte stream to `host:port` as seen from the node (`direct-tcpip`, RFC 4254 section 7.2).
    ///
    /// - Throws: `ConnectionError` with kind `forwardRefused` when the node cannot reach it.
    func openForward(host: String, port: Int) async throws -> any ByteChannel

    /// Writes a file whole: to a temporary file beside it, mode and owner set, then renamed over `path`.
    ///
    /// - Throws: `ConnectionError`; kind `fileRefused` when the node says no.
    func writeFile(_ bytes: [UInt8], to path: String, attributes: FileAttributes, become: Become?) async throws

    /// Reads a whole file.
    ///
    /// - Throws: `ConnectionError`; kind `fileRefused` when the node says no (`detail` has its words).
    func readFile(_ path: String, become: Become?) async throws -> [UInt8]

    /// Ends the link; commands that still run get `ConnectionError.Kind.closed`. Does nothing the second time.
    func close() async
}

extension Connection {
    package var isUp: Bool { get async { true } }
}

/// The mode and the owner that a file gets.
package struct FileAttributes: Sendable, Hashable {
    /// Permission bits, for example `0o644`; nil keeps an existing file's and gives a new one the umask's.
    package var mode: Int?
    package var owner: String?
    package var group: String?

    package init(mode: Int? = nil, owner: String? = nil, group: String? = nil) {
        self.mode = mode
        self.owner = owner
        self.group = group
    }
}

/// A stream of bytes in both directions.
package protocol ByteChannel: Sendable {
    /// The next bytes, at least one; nil at the end of the stream.
    func read() async throws -> [UInt8]?
    /// Returns when the bytes were handed to the link.
    func write(_ bytes: [UInt8]) async throws
    /// Says that no more will be written.
    func closeWriting() async throws
    /// Ends the stream in both directions. Does nothing the second time.
    func close() async
}

/// Makes connections to hosts. One per way of reaching hosts: SSH, the laptop itself, a test's own.
package protocol Transport: Sendable {
    /// Connects and logs in, within the endpoint's deadline.
    ///
    /// - Throws: `ConnectionError`, or `CancellationError`.
    func connect(to endpoint: Endpoint) async throws -> any Connection
}
