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
                if shell.opening.processID == nil, shell.hasSentFrames {
                    terminateOnceKnown(shell, command.become)
                    if error is Abandoned { throw timedOut(command) }
                    throw error
                }
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

    /// Ends a command that is on its way to a shell which has not said its process id yet: the command would begin after
    /// all, with nobody to end it.
    private func terminateOnceKnown(_ shell: RemoteShell, _ become: Become?) {
        terminations.append(
            Task {
                let deadline = ContinuousClock.now + .seconds(5)
                while shell.opening.processID == nil, !shell.channel.isClosed, shell.channel.link.failure == nil {
                    for piece in shell.channel.takeOutput() { _ = shell.opening.receive(piece) }
                    if shell.opening.processID != nil { break }
                    do {
                        try await shell.channel.link.wait(for: shell.channel.changed, until: deadline)
                    } catch {
                        break
                    }
                }
                if let processID = shell.opening.processID {
                    let command = Command(.shell(Self.killScript(processID)), become: become, timeout: .seconds(10))
                    _ = try? await self.execute(command)
                }
                discard(shell)
            })
    }

    private func discard(_ shell: RemoteShell) { release(shell.channel) }
}
