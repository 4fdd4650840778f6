import Dispatch
import LabSSH
import LabTransport
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A person, or a file, at one end and a program on a node at the other.
struct InteractiveSession: Sendable {
    private enum Ending: Sendable {
        case ended(status: Int)
        /// `~.`, or nobody reads the output any more.
        case disconnected
        case failed(any Error)
    }

    let process: RemoteProcess
    /// Whether the program has a terminal.
    let hasTerminal: Bool
    /// The character that starts an escape; nil for none.
    let escape: UInt8?

    private var isRaw: Bool { hasTerminal && RawTerminal.isPossible }

    /// Moves bytes both ways until the program has ended.
    ///
    /// - Returns: its exit status; 255, as ssh has it, when the person left it.
    /// - Throws: why the link is over; `CancellationError`.
    func run() async throws -> Int {
        if isRaw { RawTerminal.enter() }
        defer { if isRaw { RawTerminal.leave() } }
        let watchers = isRaw ? watchSize() : []
        defer { for watcher in watchers { watcher.cancel() } }
        let (endings, finish) = AsyncStream.makeStream(of: Ending.self)
        // Neither is waited for: a read of the keyboard ends with the next key.
        let input = Task { await sendInput(finish) }
        let output = Task { await showOutput(finish) }
        defer {
            input.cancel()
            output.cancel()
        }
        var first: Ending?
        for await ending in endings {
            first = ending
            break
        }
        switch first {
        case .ended(let status): return status
        case .disconnected:
            await process.close()
            return 255
        case .failed(let error): throw error
        case nil:
            await process.close()
            throw CancellationError()
        }
    }

    private func showOutput(_ finish: AsyncStream<Ending>.Continuation) async {
        let (standardOutput, standardError) = (BlockingPipe(STDOUT_FILENO), BlockingPipe(STDERR_FILENO))
        do {
            while let pieces = try await process.read() {
                for piece in pieces {
                    let isTaken =
                        switch piece {
                        case .standardOutput(let bytes): await standardOutput.write(bytes)
                        case .standardError(let bytes): await standardError.write(bytes)
                        }
                    guard isTaken else {
                        finish.yield(.disconnected)
                        return
                    }
                }
            }
            finish.yield(.ended(status: await process.exit.status))
        } catch {
            finish.yield(.failed(error))
        }
    }

    private func sendInput(_ finish: AsyncStream<Ending>.Continuation) async {
        let keyboard = BlockingPipe(STDIN_FILENO)
        var filter = EscapeFilter(escape: isRaw ? escape : nil)
        while let bytes = await keyboard.read(), !Task.isCancelled {
            for action in filter.feed(bytes) {
                switch action {
                case .send(let bytes):
                    // A program that has ended reads no more; its status comes with its output's end.
                    guard (try? await process.write(bytes)) != nil else { return }
                case .disconnect:
                    StandardStream.error.write("\(filter.shown).\r\n")
                    finish.yield(.disconnected)
                    return
                case .suspend:
                    StandardStream.error.write("\(filter.shown)^Z [suspended]\r\n")
                    RawTerminal.suspend()
                    await tellSize()
                case .help: StandardStream.error.write(help(filter.shown))
                }
            }
        }
        await process.closeWriting()
    }

    private func help(_ escape: String) -> String {
        """
        \(escape)?\r
        Supported escape sequences:\r
         \(escape).   - terminate the connection\r
         \(escape)^Z  - suspend labctl\r
         \(escape)?   - this message\r
         \(escape)\(escape)   - send the escape character by typing it twice\r
        (Escapes are only recognized immediately after a newline.)\r

        """
    }

    /// Tells the node when the window changes, also while this process was stopped.
    private func watchSize() -> [any DispatchSourceSignal] {
        let queue = DispatchQueue(label: "labctl.window")
        let changes = DispatchSource.makeSignalSource(signal: SIGWINCH, queue: queue)
        changes.setEventHandler { Task { await tellSize() } }
        changes.resume()
        return [changes]
    }

    private func tellSize() async {
        let size = RawTerminal.size
        await process.resize(columns: size.columns, rows: size.rows)
    }
}
