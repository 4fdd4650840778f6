import LabCore
import LabTransport

/// Why something was not copied: one line, and what the system said.
struct CopyFailure: Error, Sendable {
    let message: String
    var notes: [String] = []
    var hint: String?
}

/// One side of a copy: this machine, or a node.
protocol CopyEnd: Sendable {
    /// What a path stands for, by patterns too; and what could not be looked at.
    ///
    /// - Throws: `ConnectionError`; `CancellationError`.
    func survey(_ path: String, isRecursive: Bool) async throws -> (trees: [CopyTree], failures: [CopyFailure])

    /// The bytes of a file.
    func open(_ entry: CopyEntry) async throws -> any CopyStream

    func kind(of path: String) async throws -> CopyPathKind

    func makeFolders(_ paths: [String]) async throws

    /// Writes a file of exactly `entry.size` bytes whole, or not at all.
    ///
    /// - Parameter count: called with the number of bytes that have gone.
    func write(
        _ entry: CopyEntry, to path: String, keeps: Bool, from stream: any CopyStream, count: @Sendable (Int) -> Void
    ) async throws

    func makeLink(_ path: String, to target: String) async throws

    /// Gives folders modes and times.
    func setAttributes(_ folders: [(path: String, entry: CopyEntry)]) async throws
}

enum CopyPathKind: String, Sendable { case folder, file, none }

/// A file that is being read.
protocol CopyStream: Sendable {
    /// The next bytes, at least one; nil at the end.
    ///
    /// - Throws: `CopyFailure` when the file cannot be read to its end; `ConnectionError`.
    func read() async throws -> [UInt8]?
    func close() async
}
