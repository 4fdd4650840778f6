import CLibSSH
import LabTransport

extension Session {
    /// Starts a program whose input and output the caller moves.
    ///
    /// - Throws: `becomeDenied` and the like when a command's shell never came; why the link is over.
    func start(_ request: ProcessRequest) async throws -> ProcessBox {
        let link = try liveLink()
        let deadline = ContinuousClock.now + route.connectTimeout
        let channel = try await openProcessChannel(link, until: deadline)
        // What the caller does not read stays with the node.
        channel.bufferLimit = 1 << 20
        let process = ProcessBox(channel)
        do {
            try await equip(channel, request, until: deadline)
            switch request.program {
            case .loginShell:
                try await demand(channel, "start the login shell", until: deadline) { ssh_channel_request_shell($0) }
            case .line(let line):
                try await demand(channel, "run a command", until: deadline) { ssh_channel_request_exec($0, line) }
            case .command(let command): try await open(command, process, until: deadline)
            }
            return process
        } catch {
            end(process)
            if error is Abandoned {
                throw ConnectionError(
                    .timedOut, hostName: hostName,
                    "the node started no program within \(route.connectTimeout.shortText)")
            }
            throw error
        }
    }

    private func openProcessChannel(_ link: Link, until deadline: ContinuousClock.Instant) async throws -> Channel {
        let command = Command(.arguments([]), timeout: route.connectTimeout)
        while true {
            while usedChannels >= channelCapacity {
                if idleShells.isEmpty {
                    try await waitForFreedChannel(link, command, until: deadline)
                } else {
                    release(idleShells.removeFirst().channel)
                }
            }
            if let channel = try await openSessionChannel(link, command, until: deadline) { return channel }
        }
    }

    /// Terminal, environment and agent, each of which the server may refuse.
    private func equip(
        _ channel: Channel, _ request: ProcessRequest, until deadline: ContinuousClock.Instant
    ) async throws {
        if request.forwardsAgent { try await requestAgent(channel, until: deadline) }
        if let terminal = request.terminal {
            try await demand(channel, "give a terminal", until: deadline) {
                ssh_channel_request_pty_size($0, terminal.type, Int32(terminal.columns), Int32(terminal.rows))
            }
        }
        for (name, value) in request.environment {
            // Most servers take LANG and LC_* alone, and say so for each of the others.
            _ = try await ask(channel, until: deadline) { ssh_channel_request_env($0, name, value) }
        }
    }

    func ask(
        _ channel: Channel, until deadline: ContinuousClock.Instant, _ call: (ssh_channel) -> Int32
    ) async throws -> Bool {
        let link = channel.link
        let result = try await link.complete(until: deadline) { _ in channel.handle.map(call) ?? SSH_ERROR }
        if result != SSH_OK, let failure = link.failure { throw failure }
        return result == SSH_OK
    }

    private func demand(
        _ channel: Channel, _ what: String, until deadline: ContinuousClock.Instant, _ call: (ssh_channel) -> Int32
    ) async throws {
        guard try await !ask(channel, until: deadline, call) else { return }
        throw ConnectionError(
            .protocolMismatch, hostName: hostName, "the server refused to \(what)",
            notes: [channel.link.lastError.lowercasedFirst])
    }

    /// The way to a shell that takes our frame, and the frame.
    private func open(
        _ command: Command, _ process: ProcessBox, until deadline: ContinuousClock.Instant
    ) async throws {
        let channel = process.channel
        var opening = ShellOpening(become: command.become, hostName: hostName, nonce: Nonce.make())
        try await demand(channel, "run a command", until: deadline) {
            ssh_channel_request_exec($0, opening.launchLine)
        }
        let frame = opening.frame(CommandScript.text(for: command))
        if opening.takesFramesAtOnce { try await write(frame, to: process) }
        while !opening.isReady {
            for piece in channel.takeOutput() {
                let step = opening.receive(piece)
                if step.mustAbort { throw opening.failure(exitStatus: 1) }
                if !step.reply.isEmpty { try await write(step.reply, to: process) }
                if !step.rest.isEmpty { process.early.append(piece.replacing(step.rest)) }
            }
            if opening.isReady { break }
            if let failure = channel.link.failure { throw failure }
            if channel.isClosed { throw opening.failure(exitStatus: channel.exit.status) }
            if channel.hasOutput { continue }
            try await channel.link.wait(for: channel.changed, until: deadline)
        }
        process.opening = opening
        if !opening.takesFramesAtOnce { try await write(frame, to: process) }
    }

    // MARK: Streams

    func read(_ process: ProcessBox) async throws -> [OutputPiece]? {
        let channel = process.channel
        while true {
            channel.refill()
            var pieces = process.early
            process.early = []
            for piece in channel.takeOutput() {
                // Standard error has a mark of its own, which may come later than that of standard output.
                guard process.opening != nil else {
                    pieces.append(piece)
                    continue
                }
                let rest = process.opening?.receive(piece).rest ?? []
                if !rest.isEmpty { pieces.append(piece.replacing(rest)) }
            }
            if !pieces.isEmpty { return pieces }
            if channel.hasOutput { continue }
            if channel.isClosed {
                let ended = channel.exitStatus != nil || channel.exitSignal != nil
                if !ended, let failure = channel.link.failure { throw failure }
                return nil
            }
            if let failure = channel.link.failure { throw failure }
            try await channel.link.wait(for: channel.changed, until: nil)
        }
    }

    func write(_ bytes: [UInt8], to process: ProcessBox) async throws {
        let channel = process.channel
        var rest = bytes[...]
        while !rest.isEmpty {
            if let failure = channel.link.failure { throw failure }
            if channel.isClosed { throw processEnded }
            let count = try channel.write(rest)
            rest = rest.dropFirst(count)
            if count == 0 { try await channel.link.wait(for: channel.link.progress, until: nil) }
        }
    }

    private var processEnded: ConnectionError {
        ConnectionError(.closed, hostName: hostName, "the program on the node has ended")
    }

    func closeWriting(_ process: ProcessBox) {
        if !process.channel.isClosed { process.channel.sendEOF() }
    }

    func resize(_ process: ProcessBox, _ columns: Int, _ rows: Int) {
        guard let handle = process.channel.handle, !process.channel.isClosed else { return }
        ssh_channel_change_pty_size(handle, Int32(columns), Int32(rows))
    }

    func exit(of process: ProcessBox) -> (status: Int, signal: String?) { process.channel.exit }

    func end(_ process: ProcessBox) {
        guard !process.isEnded else { return }
        process.isEnded = true
        release(process.channel)
    }
}

/// Carries a running program's channel outside of its session's isolation, unopened.
final class ProcessBox: @unchecked Sendable {
    // Only the session's actor looks inside.
    fileprivate let channel: Channel
    /// Set for a command: takes what the way to it printed out of the output.
    fileprivate var opening: ShellOpening?
    /// Output that came together with the shell's first words.
    fileprivate var early: [OutputPiece] = []
    fileprivate var isEnded = false

    init(_ channel: Channel) { self.channel = channel }
}

extension OutputPiece {
    /// Other bytes of the same stream.
    fileprivate func replacing(_ bytes: [UInt8]) -> OutputPiece {
        switch self {
        case .standardOutput: .standardOutput(bytes)
        case .standardError: .standardError(bytes)
        }
    }
}
