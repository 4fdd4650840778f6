import CLibSSH
import LabTransport

extension Session {
    /// Runs a command in a shell that is there already, or in a new one.
    func run(_ command: Command) async throws -> CommandResult {
        // A big input would go through the shell's `head`; a channel of its own carries it straight to the command.
        if let input = command.standardInput, input.count > 1 << 20 { return try await execute(command) }
        if ShellOpening(become: command.become, hostName: hostName, nonce: "").needsTerminal {
            return try await execute(command)
        }
        let deadline = command.timeout.map { ContinuousClock.now + $0 }
        let shell = try await takeShell(command, until: deadline)
        shell.becomeLimit = shared.settings.becomeTimeout
        do {
            let result = try await shell.run(command, until: deadline)
            giveBack(shell)
            return result
        } catch {
            if error is CancellationError || error is Abandoned
                || (error as? ConnectionError)?.kind == .outputTooLarge
            {
                terminate(shell.opening.processID, command.become, shell.channel)
            }
            giveBack(shell)
            if error is Abandoned { throw timedOut(command) }
            throw error
        }
    }

    private func takeShell(_ command: Command, until deadline: ContinuousClock.Instant?) async throws -> RemoteShell {
        let link = try liveLink()
        while true {
            // One that has died in the meantime says so by its closed channel; one with output is polluted.
            idleShells.removeAll { shell in
                guard shell.channel.isClosed || shell.channel.hasOutput else { return false }
                discard(shell)
                return true
            }
            if let index = idleShells.lastIndex(where: { $0.become == command.become }) {
                return idleShells.remove(at: index)
            }
            if usedChannels >= channelCapacity, !idleShells.isEmpty {
                // An idle shell of another user makes room.
                discard(idleShells.removeFirst())
            }
            guard usedChannels < channelCapacity else {
                try await waitForFreedChannel(link, command, until: deadline)
                continue
            }
            guard let channel = try await openSessionChannel(link, command, until: deadline) else { continue }
            let opening = ShellOpening(become: command.become, hostName: hostName, nonce: Nonce.make())
            return RemoteShell(channel: channel, become: command.become, opening: opening, mark: Nonce.make())
        }
    }

    private func giveBack(_ shell: RemoteShell) {
        if shell.isSpent || link == nil {
            discard(shell)
        } else {
            idleShells.append(shell)
            // Whoever waits for a channel may take this shell, or its place.
            thread.signal(channelFreed)
        }
    }

    private func discard(_ shell: RemoteShell) { release(shell.channel) }
}
