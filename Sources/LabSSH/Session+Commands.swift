import CLibSSH
import LabTransport

extension Session {
    /// Runs a command on an exec channel of its own.
    func execute(_ command: Command) async throws -> CommandResult {
        let start = ContinuousClock.now
        let deadline = command.timeout.map { start + $0 }
        let link = try liveLink()
        try await takeChannelSlot(link, until: deadline)
        defer { giveChannelSlot() }
        var dialogue = CommandDialogue(command, hostName: hostName, nonce: Nonce.make())
        let channel = try await openSessionChannel(link, until: deadline)
        defer { channel.free() }
        do {
            try await request(channel, until: deadline) { ssh_channel_request_exec($0, dialogue.launchLine) }
            try await converse(channel, &dialogue, until: deadline)
        } catch is CancellationError {
            terminate(dialogue.processID, command.become, channel)
            throw CancellationError()
        } catch is Abandoned {
            terminate(dialogue.processID, command.become, channel)
            throw ConnectionError(
                .commandTimedOut, hostName: hostName,
                "the command ran longer than \((command.timeout ?? .zero).shortText) and was killed")
        }
        let (status, signal) = exitOf(channel)
        return try dialogue.finish(exitStatus: status, signal: signal, duration: .now - start)
    }

    /// Moves bytes both ways until the command has ended.
    private func converse(
        _ channel: Channel, _ dialogue: inout CommandDialogue, until deadline: ContinuousClock.Instant?
    ) async throws {
        var pending: ArraySlice<UInt8> = []
        var mustClose = false
        func take(_ actions: [CommandDialogue.Action]) -> Bool {
            for action in actions {
                switch action {
                case .write(let bytes): pending += bytes
                case .closeInput: mustClose = true
                case .abort: return false
                }
            }
            return true
        }
        _ = take(dialogue.begin())
        while true {
            for piece in channel.takeOutput() where !take(dialogue.receive(piece)) { return }
            if channel.isClosed { break }
            if !pending.isEmpty, !channel.sawEOF {
                pending = pending.dropFirst(try channel.write(pending))
            }
            if pending.isEmpty, mustClose {
                mustClose = false
                channel.sendEOF()
            }
            if let failure = channel.link.failure { throw failure }
            if channel.hasOutput || channel.isClosed { continue }
            guard channel.exitStatus == nil, channel.exitSignal == nil else {
                // It has ended, but something that it left behind may hold its output open for ever.
                guard try await waitForLastOutput(channel) else { break }
                continue
            }
            try await waitForChange(channel, orProgress: !pending.isEmpty, until: deadline)
        }
        // The close came with the last data, or with the end of the link.
        for piece in channel.takeOutput() { _ = dialogue.receive(piece) }
        if channel.exitStatus == nil, channel.exitSignal == nil, let failure = channel.link.failure { throw failure }
    }

    /// Waits for news of the channel, or of its link when that is what writing waits for.
    private func waitForChange(
        _ channel: Channel, orProgress: Bool, until deadline: ContinuousClock.Instant?
    ) async throws {
        try await channel.link.wait(for: orProgress ? channel.link.progress : channel.changed, until: deadline)
    }

    /// - Returns: whether anything came within a quarter of a second.
    private func waitForLastOutput(_ channel: Channel) async throws -> Bool {
        do {
            try await channel.link.wait(for: channel.changed, until: .now + .milliseconds(250))
            return true
        } catch is Abandoned {
            return false
        }
    }

    private func exitOf(_ channel: Channel) -> (status: Int, signal: String?) {
        if let signal = channel.exitSignal { return (128 + SignalName.number(of: signal), signal) }
        // A server may close without a status (RFC 4254 section 6.10 only recommends one).
        return (channel.exitStatus ?? 255, nil)
    }

    // MARK: Channels

    /// Opens a channel for a command.
    func openSessionChannel(_ link: Link, until deadline: ContinuousClock.Instant?) async throws -> Channel {
        let channel = try Channel(link)
        do {
            let result = try await link.complete(until: deadline) { _ in
                channel.handle.map { ssh_channel_open_session($0) } ?? SSH_ERROR
            }
            guard result == SSH_OK else {
                throw link.failure
                    ?? ConnectionError(
                        .lost, hostName: hostName, "the server opened no channel",
                        notes: [link.lastError.lowercasedFirst],
                        hint: "look at MaxSessions in its sshd_config")
            }
            return channel
        } catch {
            channel.free()
            throw error
        }
    }

    private func request(
        _ channel: Channel, until deadline: ContinuousClock.Instant?, _ call: (ssh_channel) -> Int32
    ) async throws {
        let link = channel.link
        let result = try await link.complete(until: deadline) { _ in channel.handle.map(call) ?? SSH_ERROR }
        guard result == SSH_OK else {
            throw link.failure
                ?? ConnectionError(
                    .protocolMismatch, hostName: hostName, "the server refused to run a command",
                    notes: [link.lastError.lowercasedFirst])
        }
    }

    private func takeChannelSlot(_ link: Link, until deadline: ContinuousClock.Instant?) async throws {
        while freeChannels == 0 {
            try await link.wait(for: channelFreed, until: deadline)
            _ = try liveLink()
        }
        freeChannels -= 1
    }

    private func giveChannelSlot() {
        freeChannels += 1
        thread.signal(channelFreed)
    }

    // MARK: Killing

    /// Ends a command that nobody waits for any more, without waiting for that.
    private func terminate(_ processID: Int?, _ become: Become?, _ channel: Channel) {
        channel.send(signal: "KILL")
        guard let processID else { return }
        terminations.append(
            Task {
                let script =
                    "kill -TERM -- -\(processID) \(processID); sleep 1; kill -KILL -- -\(processID) \(processID)"
                let command = Command(.shell(script), become: become, timeout: .seconds(10))
                _ = try? await self.execute(command)
            })
    }
}

/// Names that occur in no output by chance.
enum Nonce {
    static func make() -> String {
        String(UInt64.random(in: .min ... .max), radix: 36) + String(UInt64.random(in: .min ... .max), radix: 36)
    }
}
