import LabCore
import LabSSH
import LabTransport

/// A node as one side of a copy.
struct RemoteCopyEnd: CopyEnd {
    /// Up to this size a file is one command of the shell that is there already; a larger one gets a channel of its own and
    /// is never held whole.
    private static let smallFile = 128 << 10

    let connection: SSHConnection
    let become: Become?

    private func run(_ script: String, input: [UInt8]? = nil) async throws -> CommandResult {
        try await connection.run(Command(.shell(script), standardInput: input, become: become))
    }

    /// Runs a script that must succeed.
    private func perform(_ script: String, input: [UInt8]? = nil, _ what: @autoclosure () -> String) async throws {
        let result = try await run(script, input: input)
        guard result.exitStatus == 0 else { throw Self.failure(what(), result.errorText, result.exitStatus) }
    }

    private static func failure(_ what: String, _ errors: String, _ status: Int) -> CopyFailure {
        let lines = errors.split(whereSeparator: \.isNewline).map(String.init)
        return CopyFailure(message: what, notes: lines.isEmpty ? ["it ended with status \(status)"] : lines.suffix(3))
    }

    func survey(_ path: String, isRecursive: Bool) async throws -> (trees: [CopyTree], failures: [CopyFailure]) {
        let result = try await run(CopyScripts.survey(path, isRecursive: isRecursive))
        let failures = result.errorText.split(whereSeparator: \.isNewline).map { CopyFailure(message: String($0)) }
        let trees = CopyScripts.trees(result.standardOutput)
        if trees.isEmpty, failures.isEmpty {
            return (
                [],
                [CopyFailure(message: "cannot look at \(path)", notes: ["it ended with status \(result.exitStatus)"])]
            )
        }
        return (trees, failures)
    }

    func kind(of path: String) async throws -> CopyPathKind {
        let result = try await run(CopyScripts.kind(of: path))
        guard let kind = CopyPathKind(rawValue: result.outputText.split(separator: "\n").first.map(String.init) ?? "")
        else { throw Self.failure("cannot look at \(path)", result.errorText, result.exitStatus) }
        return kind
    }

    func open(_ entry: CopyEntry) async throws -> any CopyStream {
        let script = CopyScripts.read(entry.path)
        if entry.size <= Self.smallFile {
            let result = try await run(script)
            guard result.exitStatus == 0 else {
                throw Self.failure("cannot read \(entry.path)", result.errorText, result.exitStatus)
            }
            return WholeStream(result.standardOutput)
        }
        let process = try await connection.start(ProcessRequest(.command(Command(.shell(script), become: become))))
        await process.closeWriting()
        return RemoteStream(process: process, path: entry.path)
    }

    func write(
        _ entry: CopyEntry, to path: String, keeps: Bool, from stream: any CopyStream, count: @Sendable (Int) -> Void
    ) async throws {
        let nonce = String(UInt32.random(in: .min ... .max), radix: 36)
        let script = CopyScripts.write(entry, to: path, nonce: nonce, keeps: keeps)
        if entry.size <= Self.smallFile {
            var bytes: [UInt8] = []
            while bytes.count < entry.size, let piece = try await stream.read() { bytes += piece }
            let whole = Array(bytes.prefix(entry.size))
            try await perform(script, input: whole, "cannot write \(path)")
            return count(whole.count)
        }
        let process = try await connection.start(ProcessRequest(.command(Command(.shell(script), become: become))))
        do {
            try await send(stream, entry.size, to: process, count)
            var errors: [UInt8] = []
            while let pieces = try await process.read() {
                for case .standardError(let bytes) in pieces { errors += bytes }
            }
            let status = await process.exit.status
            await process.close()
            guard status == 0 else {
                throw Self.failure("cannot write \(path)", String(decoding: errors, as: UTF8.self), status)
            }
        } catch {
            // The script sees its input end too early, and takes away what it has.
            await process.close()
            throw error
        }
    }

    private func send(
        _ stream: any CopyStream, _ size: Int, to process: RemoteProcess, _ count: @Sendable (Int) -> Void
    ) async throws {
        var rest = size
        while rest > 0, let bytes = try await stream.read() {
            let piece = bytes.count > rest ? Array(bytes[..<rest]) : bytes
            do {
                try await process.write(piece)
            } catch let error as ConnectionError where error.kind == .closed {
                // The script has given up; what it said tells why.
                return
            }
            rest -= piece.count
            count(piece.count)
        }
        await process.closeWriting()
    }

    func makeFolders(_ paths: [String]) async throws {
        // A command line has its limits.
        for start in stride(from: 0, to: paths.count, by: 200) {
            let part = Array(paths[start..<min(start + 200, paths.count)])
            try await perform(CopyScripts.makeFolders(part), "cannot make the folder \(part[0])")
        }
    }

    func makeLink(_ path: String, to target: String) async throws {
        try await perform(CopyScripts.link(path, to: target), "cannot make the link \(path)")
    }

    func setAttributes(_ folders: [(path: String, entry: CopyEntry)]) async throws {
        for start in stride(from: 0, to: folders.count, by: 200) {
            let part = Array(folders[start..<min(start + 200, folders.count)])
            try await perform(CopyScripts.setAttributes(part), "cannot set the mode and the time of folders")
        }
    }
}

/// A file that was small enough to be read at once.
private actor WholeStream: CopyStream {
    private var bytes: [UInt8]?

    init(_ bytes: [UInt8]) { self.bytes = bytes.isEmpty ? nil : bytes }

    func read() -> [UInt8]? {
        defer { bytes = nil }
        return bytes
    }

    func close() {}
}

/// The output of `cat` on a node.
private actor RemoteStream: CopyStream {
    private let process: RemoteProcess
    private let path: String
    private var errors: [UInt8] = []

    init(process: RemoteProcess, path: String) {
        self.process = process
        self.path = path
    }

    func read() async throws -> [UInt8]? {
        while let pieces = try await process.read() {
            var bytes: [UInt8] = []
            for piece in pieces {
                switch piece {
                case .standardOutput(let more): if bytes.isEmpty { bytes = more } else { bytes += more }
                case .standardError(let more): errors += more
                }
            }
            if !bytes.isEmpty { return bytes }
        }
        // Only a `cat` that says so has read the file to its end.
        let status = await process.exit.status
        guard status == 0 else {
            let lines = String(decoding: errors, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
            throw CopyFailure(
                message: "cannot read \(path)",
                notes: lines.isEmpty ? ["it ended with status \(status)"] : lines.suffix(3))
        }
        return nil
    }

    func close() async { await process.close() }
}
