import LabCore
import Subprocess

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// Connections to the machine that labctl itself runs on (`ansible_connection: local`).
package struct LocalTransport: Transport {
    package init() {}

    package func connect(to endpoint: Endpoint) async throws -> any Connection {
        LocalConnection(hostName: endpoint.hostName)
    }
}

/// The laptop itself: commands are child processes, forwarded streams plain TCP connections.
package final class LocalConnection: Connection {
    package let hostName: String

    package init(hostName: String = "localhost") {
        self.hostName = hostName
        BrokenPipes.becomeErrors()
    }

    package func run(_ command: Command) async throws -> CommandResult {
        try await withThrowingTaskGroup(of: CommandResult?.self) { group in
            group.addTask { try await self.execute(command) }
            if let timeout = command.timeout {
                group.addTask {
                    try await Task.sleep(for: timeout)
                    return nil
                }
            }
            defer { group.cancelAll() }
            if case .some(.some(let result)) = try await group.next() { return result }
            try Task.checkCancellation()
            throw ConnectionError(
                .commandTimedOut, hostName: hostName, "the command ran longer than it may and was killed")
        }
    }

    private func execute(_ command: Command) async throws -> CommandResult {
        let start = ContinuousClock.now
        let nonce =
            String(UInt64.random(in: .min ... .max), radix: 36) + String(UInt64.random(in: .min ... .max), radix: 36)
        var dialogue = CommandDialogue(command, hostName: hostName, nonce: nonce)
        var options = PlatformOptions()
        // A session of its own, so that the command and what it started are killed together and get no Ctrl-C of ours.
        options.createSession = true
        options.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(1))]
        let launchLine = dialogue.launchLine
        let first = dialogue.begin()
        let outcome: ExecutionResult<CommandDialogue, SequenceOutput, SequenceOutput>
        do {
            outcome = try await Subprocess.run(
                .path("/bin/sh"), arguments: ["-c", launchLine], platformOptions: options, input: .inputWriter,
                output: .sequence, error: .sequence
            ) { [dialogue] execution in
                try await self.converse(execution, dialogue, first)
            }
        } catch let error as SubprocessError {
            try Task.checkCancellation()
            throw ConnectionError(.lost, hostName: hostName, "the command could not be run", notes: ["\(error)"])
        }
        try Task.checkCancellation()
        dialogue = outcome.closureResult
        let duration = ContinuousClock.now - start
        switch outcome.terminationStatus {
        case .exited(let code): return try dialogue.finish(exitStatus: Int(code), duration: duration)
        case .signaled(let signal):
            return try dialogue.finish(
                exitStatus: 128 + Int(signal), signal: SignalName.name(of: Int(signal)), duration: duration)
        }
    }

    /// Moves bytes both ways until both outputs have ended.
    private func converse(
        _ execution: Execution<CustomWriteInput, SequenceOutput, SequenceOutput>, _ dialogue: CommandDialogue,
        _ first: [CommandDialogue.Action]
    ) async throws -> CommandDialogue {
        var dialogue = dialogue
        let (pieces, feed) = AsyncStream.makeStream(of: OutputPiece.self)
        let (writes, pen) = AsyncStream.makeStream(of: [UInt8].self)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                async let errors: Void = {
                    for try await buffer in execution.standardError {
                        feed.yield(.standardError(buffer.withUnsafeBytes { Array($0) }))
                    }
                }()
                for try await buffer in execution.standardOutput {
                    feed.yield(.standardOutput(buffer.withUnsafeBytes { Array($0) }))
                }
                try await errors
                feed.finish()
            }
            group.addTask {
                let writer = execution.standardInputWriter
                do {
                    for await bytes in writes { _ = try await writer.write(bytes) }
                    try await writer.finish()
                } catch let error as SubprocessError {
                    // A command that does not read its input closes it; that is its right.
                    _ = error
                }
            }
            func perform(_ actions: [CommandDialogue.Action]) {
                for action in actions {
                    switch action {
                    case .write(let bytes): pen.yield(bytes)
                    case .closeInput: pen.finish()
                    case .abort:
                        pen.finish()
                        try? execution.send(signal: .kill, toProcessGroup: true)
                    }
                }
            }
            perform(first)
            for await piece in pieces {
                perform(dialogue.receive(piece))
                if dialogue.outputSize > CommandResult.outputLimit {
                    try? execution.send(signal: .kill, toProcessGroup: true)
                    throw ConnectionError.outputTooLarge(hostName: hostName)
                }
            }
            pen.finish()
            try await group.waitForAll()
            return dialogue
        }
    }

    package func openForward(host: String, port: Int) async throws -> any ByteChannel {
        try await LocalStream.connect(host: host, port: port, hostName: hostName)
    }

    package func writeFile(
        _ bytes: [UInt8], to path: String, attributes: FileAttributes, become: Become?
    ) async throws {
        let result = try await run(FileScripts.write(bytes, to: path, attributes: attributes, become: become))
        guard result.exitStatus == 0 else { throw FileScripts.refusal(result, "write", path, hostName: hostName) }
    }

    package func readFile(_ path: String, become: Become?) async throws -> [UInt8] {
        // Of what cannot be read so, the shell says why.
        if become == nil, let bytes = Self.regularFile(path) { return bytes }
        let result = try await run(FileScripts.read(path, become: become))
        guard result.exitStatus == 0 else { throw FileScripts.refusal(result, "read", path, hostName: hostName) }
        return result.standardOutput
    }

    /// A regular file's bytes; nil for what is none, cannot be read, or is more than a command may print.
    private static func regularFile(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { closeDescriptor(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_size <= CommandResult.outputLimit
        else { return nil }
        // Files that are made as they are read (/proc) have no size.
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: max(Int(status.st_size), 4096) + 1)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0, bytes.count + count <= CommandResult.outputLimit else { return nil }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    package func close() async {}
}

/// Signal numbers and names (RFC 4254 section 6.10), the same on Linux and macOS.
package enum SignalName {
    private static let numbers = [
        "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9, "SEGV": 11, "PIPE": 13, "ALRM": 14,
        "TERM": 15,
    ]

    /// 0 for a name that is not in the list.
    package static func number(of name: String) -> Int { numbers[name] ?? 0 }
    /// The name without `SIG`; nil for a number that is not in the list.
    package static func name(of number: Int) -> String? { numbers.first { $0.value == number }?.key }
}

/// The C library's `close`, which the connection's own hides.
private func closeDescriptor(_ descriptor: Int32) { close(descriptor) }
