import CLibSSH
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Logging in with the keys of an SSH agent.
extension Session {
    /// The agent's keys as the configuration's certificates have them (CertificateFile, and `-cert.pub` beside an
    /// IdentityFile): OpenSSH uses a certificate with a key that only the agent has, too (sshconnect2.c,
    /// sign_and_send_pubkey).
    func certifiedAgentKeys(
        _ keys: [AgentKey], until deadline: ContinuousClock.Instant
    ) async throws -> [AgentKey] {
        guard !keys.isEmpty else { return [] }
        let files =
            route.certificateFiles + (route.identityFiles + route.defaultIdentityFiles).map { $0 + "-cert.pub" }
        let certified = try await abandonable(until: deadline) {
            files.flatMap { file in keys.compactMap { KeyFile.certificate(file, for: $0).map { (file: file, key: $0) } }
            }
        }
        agentsCertificates = Set(certified.map(\.file))
        return certified.map(\.key)
    }

    func agentKeys(until deadline: ContinuousClock.Instant) async throws -> [AgentKey] {
        guard let path = route.agentSocket else { return [] }
        let result: Result<[AgentKey], SystemError>
        do {
            // A stuck agent gets a part of the time, so that key files still have their chance.
            result = try await abandonable(until: min(deadline, .now + route.connectTimeout / 2)) {
                Agent.keys(at: path)
            }
        } catch is Abandoned {
            tried.append("agent \(path): no answer")
            return []
        }
        switch result {
        case .success(let keys):
            if keys.isEmpty { tried.append("agent \(path): it has no keys") }
            return keys
        case .failure(let error):
            tried.append("agent \(path): \(systemError(error.number))")
            return []
        }
    }

    /// Has the agent sign. libssh talks to it with blocking calls, so the session is lent to a helper thread for these.
    func agent(_ keys: [AgentKey], _ link: Link, until deadline: ContinuousClock.Instant) async throws -> Bool {
        guard !keys.isEmpty, let path = route.agentSocket else { return false }
        var ends: [Int32] = [-1, -1]
        let made = socketpair(AF_UNIX, labctl_stream_socket(), 0, &ends)
        guard made == 0 else { return false }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let (ours, relayed) = (ends[0], ends[1])
        // libssh closes its end with the session; this duplicate is for hanging up.
        let hangUp = dup(ours)
        defer {
            shutdown(hangUp, Int32(SHUT_RDWR))
            closeDescriptor(hangUp)
        }
        // libssh closes the last one that it was given, and forgets the others.
        if agentDescriptor >= 0 { closeDescriptor(agentDescriptor) }
        agentDescriptor = ours
        ssh_set_agent_socket(try link.session(), ours)
        BlockingThreads.shared.submit { Agent.relay(relayed, to: path, keys: keys) }
        var result = Int32(LABCTL_AUTH_AGAIN)
        do {
            while true {
                result = try await lend(link, hangUp: hangUp, until: deadline) { labctl_ssh_auth_agent($0) }
                if result != LABCTL_AUTH_AGAIN { break }
                try await link.wait(for: link.progress, until: deadline)
            }
            hasAskedServer = true
            if result == Self.success { return true }
            if let failure = link.failure { throw failure }
        } catch let failure as ConnectionError {
            // Servers end the connection after too many attempts, and libssh does not tell how far it came.
            let names = keys.prefix(6).map(\.name).joined(separator: ", ")
            tried.append(
                "agent's keys \(names)\(keys.count > 6 ? " and \(keys.count - 6) more" : ""): the server ended the connection"
            )
            throw failure
        }
        for key in keys {
            tried.append(key.signer == nil ? "agent's key \(key.name): not accepted" : "\(key.name): not accepted")
        }
        return false
    }

    /// Calls libssh on a helper thread while this one leaves the session alone.
    private func lend(
        _ link: Link, hangUp: Int32, until deadline: ContinuousClock.Instant,
        _ body: @escaping @Sendable (ssh_session) -> Int32
    ) async throws -> Int32 {
        let borrowed = BorrowedSession(try link.session())
        link.isLent = true
        defer { link.isLent = false }
        let timer = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            shutdown(hangUp, Int32(SHUT_RDWR))
        }
        defer { timer.cancel() }
        // Not abandonable: the session must be back before anything else may happen to it. What can block is the agent,
        // and that ends when its socket is shut down.
        let result = await withTaskCancellationHandler {
            _ = self
            return await withCheckedContinuation { continuation in
                BlockingThreads.lent.submit { continuation.resume(returning: body(borrowed.handle)) }
            }
        } onCancel: {
            shutdown(hangUp, Int32(SHUT_RDWR))
        }
        try Task.checkCancellation()
        if .now >= deadline { throw Abandoned.timedOut }
        return result
    }
}

/// A session on its way to a helper thread that alone uses it for a while.
private struct BorrowedSession: @unchecked Sendable {
    // `Link.isLent` keeps the session's own thread away.
    let handle: ssh_session
    init(_ handle: ssh_session) { self.handle = handle }
}
