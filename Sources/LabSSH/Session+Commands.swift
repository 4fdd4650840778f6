import CLibSSH
import LabTransport

extension Session {
    /// Runs a command on an exec channel of its own.
    func execute(_ command: Command) async throws -> CommandResult {
        let start = ContinuousClock.now
        let deadline = command.timeout.map { start + $0 }
        let link = try liveLink()
        var dialogue = CommandDialogue(command, hostName: hostName, nonce: Nonce.make())
        var opened: Channel?
        while opened == nil {
            try await waitForRoom(link, command, until: deadline)
            opened = try await openSessionChannel(link, command, until: deadline)
        }
        guard let channel = opened else { throw link.closedError }
        defer { release(channel) }
        do {
            if dialogue.needsTerminal {
                try await request(channel, until: deadline) { ssh_channel_request_pty_size($0, "dumb", 80, 24) }
            }
            try await request(channel, until: deadline) { ssh_channel_request_exec($0, dialogue.launchLine) }
            let becomeEnd = command.become.map { _ in ContinuousClock.now + shared.settings.becomeTimeout }
            try await converse(channel, &dialogue, until: deadline, startingBefore: becomeEnd)
        } catch is CancellationError {
            terminate(dialogue.processID, command.become, channel)
            throw CancellationError()
        } catch is Abandoned {
            terminate(dialogue.processID, command.become, channel)
            if !dialogue.hasStarted, command.become != nil, deadline.map({ .now < $0 }) ?? true {
                throw dialogue.silence(after: shared.settings.becomeTimeout.shortText)
            }
            throw timedOut(command)
        } catch let error as ConnectionError where error.kind == .outputTooLarge {
            terminate(dialogue.processID, command.become, channel)
            throw error
        }
        let (status, signal) = channel.exit
        return try dialogue.finish(exitStatus: status, signal: signal, duration: .now - start)
    }

    /// Moves bytes both ways until the command has ended.
    private func converse(
        _ channel: Channel, _ dialogue: inout CommandDialogue, until deadline: ContinuousClock.Instant?,
        startingBefore becomeEnd: ContinuousClock.Instant?
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
            if dialogue.outputSize > CommandResult.outputLimit {
                throw ConnectionError.outputTooLarge(hostName: hostName)
            }
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
            let limits = [deadline, dialogue.hasStarted ? nil : becomeEnd].compactMap { $0 }
            try await waitForChange(channel, orProgress: !pending.isEmpty, until: limits.min())
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

    func timedOut(_ command: Command) -> ConnectionError {
        ConnectionError(
            .commandTimedOut, hostName: hostName,
            "the command ran longer than \((command.timeout ?? .zero).shortText) and was killed")
    }

    // MARK: Channels

    /// Opens a channel for a command.
    ///
    /// - Returns: nil when the server refused because there are too many (sshd's MaxSessions) and some of these are ours: it
    ///   will work when one of them is closed.
    func openSessionChannel(
        _ link: Link, _ command: Command, until deadline: ContinuousClock.Instant?
    ) async throws -> Channel? {
        let channel = try Channel(link)
        usedChannels += 1
        do {
            let result = try await link.complete(until: deadline) { _ in
                channel.handle.map { ssh_channel_open_session($0) } ?? SSH_ERROR
            }
            if result == SSH_OK { return channel }
            if let failure = link.failure { throw failure }
            let others = usedChannels - 1
            guard others > 0 else {
                throw ConnectionError(
                    .lost, hostName: hostName, "the server opened no channel", notes: [link.lastError.lowercasedFirst],
                    hint: "look at MaxSessions in its sshd_config")
            }
            channelCapacity = min(channelCapacity, others)
            release(channel)
            return nil
        } catch {
            release(channel)
            if error is Abandoned { throw timedOut(command) }
            throw error
        }
    }

    /// Closes a channel that ran commands; whoever waits for one may go on.
    func release(_ channel: Channel) {
        channel.free()
        usedChannels -= 1
        thread.signal(channelFreed)
    }

    /// Waits until one more channel may be opened.
    private func waitForRoom(_ link: Link, _ command: Command, until deadline: ContinuousClock.Instant?) async throws {
        while usedChannels >= channelCapacity {
            if !idleShells.isEmpty {
                release(idleShells.removeFirst().channel)
                continue
            }
            try await waitForFreedChannel(link, command, until: deadline)
        }
    }

    func waitForFreedChannel(
        _ link: Link, _ command: Command, until deadline: ContinuousClock.Instant?
    ) async throws {
        do {
            try await link.wait(for: channelFreed, until: deadline)
            _ = try liveLink()
        } catch is Abandoned {
            throw timedOut(command)
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

    // MARK: Killing

    /// Ends a command that nobody waits for any more, without waiting for that.
    func terminate(_ processID: Int?, _ become: Become?, _ channel: Channel) {
        // OpenSSH's server signals the whole group, but not for every user; so the group is killed by hand as well.
        if become == nil { channel.send(signal: "TERM") }
        guard let processID else { return }
        terminations.append(
            Task {
                let command = Command(
                    .shell(Self.killScript(processID)), become: become, timeout: .seconds(10))
                _ = try? await self.execute(command)
            })
    }

    /// Kills the process group of a process: politely, and after half a second for certain.
    static func killScript(_ processID: Int) -> String {
        // `ps` is missing on small systems, /proc on others. Never group 0 or 1, and not the group of this very shell.
        """
        p=\(processID)
        g=$(ps -o pgid= -p $p 2>/dev/null | tr -dc 0-9)
        [ -n "$g" ] || read -r _ _ _ _ g _ < /proc/$p/stat
        [ "${g:-0}" -gt 1 ] || exit 0
        kill -TERM -$g
        for _ in 1 2 3 4 5; do kill -0 -$g 2>/dev/null || exit 0; sleep 0.1 2>/dev/null || sleep 1; done
        kill -KILL -$g
        """
    }
}

/// Names that occur in no output by chance.
enum Nonce {
    static func make() -> String {
        String(UInt64.random(in: .min ... .max), radix: 36) + String(UInt64.random(in: .min ... .max), radix: 36)
    }
}
