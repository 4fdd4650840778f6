import LabCore
import LabModel
import LabReport
import LabSSH
import LabTransport
import Synchronization

/// One command on many hosts.
struct ExecRun: Sendable {
    private typealias Job = Reach.Target

    private enum Ending: Sendable {
        case ended(CommandResult)
        case failed([Diagnostic], isUnreachable: Bool)
        case interrupted
    }

    private let reach: Reach
    private let command: [String]
    private let output: OutputOptions
    private let column: Int
    private let style: Style

    init(reach: Reach, command: [String], output: OutputOptions) {
        self.reach = reach
        self.command = command
        self.output = output
        column = (reach.targets.map(\.host) + reach.broken.map(\.host)).map(\.count).max() ?? 0
        style = Surroundings.style(.output, noColor: output.noColor)
    }

    /// Runs the command on all hosts, `forks` at once, and shows what it prints line by line.
    ///
    /// - Returns: the exit status of labctl.
    func run(forks: Int) async -> Int32 {
        for (host, error) in reach.broken {
            if output.output == .json {
                StandardStream.output.line(
                    object(.failed(error.diagnostics, isUnreachable: false), host).json())
            } else {
                Failure.show(error)
            }
        }
        let transport = Reach.transport()
        let endings = await withTaskGroup(of: (Job, Ending).self) { group in
            var endings: [Ending] = []
            var waiting = reach.targets[...]
            for job in waiting.prefix(max(forks, 1)) {
                waiting = waiting.dropFirst()
                group.addTask { (job, await run(job, transport)) }
            }
            while let (job, ending) = await group.next() {
                show(ending, of: job.host)
                endings.append(ending)
                if let next = waiting.popFirst() {
                    group.addTask { (next, await run(next, transport)) }
                }
            }
            return endings
        }
        return status(endings)
    }

    private func run(_ job: Job, _ transport: SSHTransport) async -> Ending {
        guard !_Concurrency.Task.isCancelled else { return .interrupted }
        do {
            let link: any Connection =
                switch job.access {
                case .local: LocalConnection(hostName: job.host)
                case .ssh(let endpoint): try await transport.connect(to: endpoint)
                }
            let lines = LineSplitter { line, isError in
                guard output.output == .text else { return }
                (isError ? StandardStream.error : StandardStream.output)
                    .write(bytes: Array(prefix(job.host).utf8) + line + [0x0A])
            }
            let program: Command.Program = command.count == 1 ? .shell(command[0]) : .arguments(command)
            do {
                let result = try await link.run(Command(program, become: job.become, onOutput: { lines.take($0) }))
                lines.finish()
                await link.close()
                return .ended(result)
            } catch {
                lines.finish()
                await link.close()
                throw (error as? ConnectionError)?.ofRunningCommand ?? error
            }
        } catch is CancellationError {
            return .interrupted
        } catch let error as ConnectionError {
            return .failed(error.diagnostics, isUnreachable: error.isUnreachable)
        } catch let error as any DiagnosticError {
            return .failed(error.diagnostics, isUnreachable: false)
        } catch {
            return .failed([Diagnostic("\(job.host): \(error)")], isUnreachable: false)
        }
    }

    private func prefix(_ host: String) -> String {
        style.text(host + String(repeating: " ", count: column - host.count) + " | ", .faint)
    }

    private func show(_ ending: Ending, of host: String) {
        if output.output == .json {
            StandardStream.output.line(object(ending, host).json())
            return
        }
        switch ending {
        case .ended(let result):
            guard result.exitStatus != 0 else { return }
            let by = result.signal.map { " (signal \($0))" } ?? ""
            StandardStream.error.line(prefix(host) + style.text("exit status \(result.exitStatus)\(by)", .failed))
        case .failed(let diagnostics, _): Failure.show(diagnostics)
        case .interrupted: StandardStream.error.line(prefix(host) + style.text("interrupted", .failed))
        }
    }

    private func object(_ ending: Ending, _ host: String) -> Value {
        switch ending {
        case .ended(let result):
            [
                "host": .string(host), "rc": .int(result.exitStatus), "stdout": .string(result.outputText),
                "stderr": .string(result.errorText),
                "duration_ms": .int(Int((result.duration / .milliseconds(1)).rounded())),
            ]
        case .failed(let diagnostics, let isUnreachable):
            [
                "host": .string(host), "unreachable": .bool(isUnreachable),
                "errors": .list(diagnostics.map(JSONDiagnostic.object)),
            ]
        case .interrupted: ["host": .string(host), "interrupted": true]
        }
    }

    private func status(_ endings: [Ending]) -> Int32 {
        var highest = reach.broken.isEmpty ? Int32(0) : FailureClass.input.rawValue
        for ending in endings {
            switch ending {
            case .interrupted: return FailureClass.interrupted.rawValue
            case .failed(_, let isUnreachable):
                highest = max(highest, (isUnreachable ? FailureClass.unreachable : .failed).rawValue)
            case .ended(let result): highest = max(highest, Int32(clamping: result.exitStatus))
            }
        }
        return highest
    }
}

/// Puts pieces of output together to lines, so that hosts do not mix within one. The bytes stay as they are.
private final class LineSplitter: Sendable {
    private let pending = Mutex<(output: [UInt8], error: [UInt8])>(([], []))
    private let show: @Sendable (ArraySlice<UInt8>, Bool) -> Void

    init(show: @escaping @Sendable (ArraySlice<UInt8>, Bool) -> Void) { self.show = show }

    func take(_ piece: OutputPiece) {
        pending.withLock { pending in
            switch piece {
            case .standardOutput(let bytes): Self.take(bytes, &pending.output) { show($0, false) }
            case .standardError(let bytes): Self.take(bytes, &pending.error) { show($0, true) }
            }
        }
    }

    /// Shows a last line that has no line break.
    func finish() {
        pending.withLock { pending in
            if !pending.output.isEmpty { show(pending.output[...], false) }
            if !pending.error.isEmpty { show(pending.error[...], true) }
            pending = ([], [])
        }
    }

    private static func take(_ bytes: [UInt8], _ rest: inout [UInt8], _ show: (ArraySlice<UInt8>) -> Void) {
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: 0x0A) {
            show(rest.isEmpty ? bytes[start..<end] : rest + bytes[start..<end])
            rest = []
            start = end + 1
        }
        rest += bytes[start...]
    }
}
