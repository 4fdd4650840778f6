import CLibSSH
import LabCore
import LabTransport

/// A parsed private key, or a public one, on its way from the helper thread that read it.
final class LoadedKey: @unchecked Sendable {
    // A C handle that nobody changes after it was read.
    let handle: ssh_key
    init(_ handle: ssh_key) { self.handle = handle }
    deinit { ssh_key_free(handle) }
}

extension Session {
    /// Tries the ways to log in, in OpenSSH's order: public keys, keyboard-interactive, password.
    func authenticate(_ link: Link, until deadline: ContinuousClock.Instant) async throws {
        var result = try await call(link, until: deadline) { labctl_ssh_auth_none($0) }
        if result == LABCTL_AUTH_SUCCESS { return }
        if offers(link, LABCTL_METHOD_PUBLICKEY) {
            result = try await publicKeys(link, until: deadline)
            if result == LABCTL_AUTH_SUCCESS { return }
        }
        if !withholdsPassword, route.password != nil || settings.prompt != nil {
            if route.password != nil, offers(link, LABCTL_METHOD_PASSWORD) {
                result = try await password(link, until: deadline)
                if result == LABCTL_AUTH_SUCCESS { return }
            }
            if offers(link, LABCTL_METHOD_INTERACTIVE) {
                result = try await interactive(link, until: deadline)
                if result == LABCTL_AUTH_SUCCESS { return }
            }
        }
        throw denied(link)
    }

    private func call(
        _ link: Link, until deadline: ContinuousClock.Instant, _ body: (ssh_session) -> Int32
    ) async throws -> Int32 {
        // SSH_AUTH_AGAIN has another value than SSH_AGAIN.
        let result = try await link.complete(until: deadline) { session in
            let result = body(session)
            return result == LABCTL_AUTH_AGAIN ? SSH_AGAIN : result == SSH_AGAIN ? Int32(LABCTL_AUTH_DENIED) : result
        }
        if let failure = link.failure { throw failure }
        return result
    }

    private func offers(_ link: Link, _ method: Int) -> Bool {
        guard let session = try? link.session() else { return false }
        return Int(ssh_userauth_list(session, nil)) & method != 0
    }

    // MARK: Keys

    private func publicKeys(_ link: Link, until deadline: ContinuousClock.Instant) async throws -> Int32 {
        for path in route.identityFiles {
            let result = try await keyFile(path, link, isNamed: true, until: deadline)
            if result == LABCTL_AUTH_SUCCESS { return result }
        }
        if let socket = route.agentSocket, !route.identitiesOnly {
            let result = try await agent(socket, link, until: deadline)
            if result == LABCTL_AUTH_SUCCESS { return result }
        }
        if route.identityFiles.isEmpty || !route.identitiesOnly {
            for path in route.defaultIdentityFiles {
                let result = try await keyFile(path, link, isNamed: false, until: deadline)
                if result == LABCTL_AUTH_SUCCESS { return result }
            }
        }
        return Int32(LABCTL_AUTH_DENIED)
    }

    private func keyFile(
        _ path: String, _ link: Link, isNamed: Bool, until deadline: ContinuousClock.Instant
    ) async throws -> Int32 {
        var loaded = try await abandonable(until: deadline) { KeyFile.load(path, passphrase: nil) }
        if case .needsPassphrase = loaded {
            // Only ask for a key that the server would take, where the public half tells.
            let publicKey = try await abandonable(until: deadline) { KeyFile.loadPublic(path) }
            if let publicKey {
                let accepted = try await call(link, until: deadline) { labctl_ssh_auth_try($0, publicKey.handle) }
                guard accepted == LABCTL_AUTH_SUCCESS else {
                    tried.append("key \(path): not accepted")
                    return accepted
                }
            }
            guard let passphrase = try await settings.prompt?(.passphrase(keyFile: path)) else {
                tried.append("key \(path): needs a passphrase, and nobody can be asked")
                return Int32(LABCTL_AUTH_DENIED)
            }
            loaded = try await abandonable(until: nil) { KeyFile.load(path, passphrase: passphrase) }
            if case .needsPassphrase = loaded { loaded = .unreadable("the passphrase is wrong") }
        }
        switch loaded {
        case .key(let key):
            let result = try await call(link, until: max(deadline, .now + .seconds(5))) {
                labctl_ssh_auth_key($0, key.handle)
            }
            if result != LABCTL_AUTH_SUCCESS { tried.append("key \(path): not accepted") }
            return result
        case .missing:
            if isNamed { tried.append("key \(path): no such file") }
        case .unreadable(let why): tried.append("key \(path): \(why)")
        case .needsPassphrase: break
        }
        return Int32(LABCTL_AUTH_DENIED)
    }

    /// libssh talks to the agent with blocking calls, so the session is lent to a helper thread while it does.
    private func agent(_ path: String, _ link: Link, until deadline: ContinuousClock.Instant) async throws -> Int32 {
        Int32(LABCTL_AUTH_DENIED)
    }

    // MARK: Passwords

    private func password(_ link: Link, until deadline: ContinuousClock.Instant) async throws -> Int32 {
        guard let password = route.password else { return Int32(LABCTL_AUTH_DENIED) }
        let result = try await call(link, until: deadline) { labctl_ssh_auth_password($0, password.reveal()) }
        if result != LABCTL_AUTH_SUCCESS { tried.append("password: not accepted") }
        return result
    }

    private func interactive(_ link: Link, until deadline: ContinuousClock.Instant) async throws -> Int32 {
        var deadline = deadline
        var result = try await call(link, until: deadline) { labctl_ssh_auth_interactive($0) }
        var passwordUsed = false
        while result == LABCTL_AUTH_INFO {
            let session = try link.session()
            let count = max(0, ssh_userauth_kbdint_getnprompts(session))
            for index in 0..<UInt32(count) {
                var echo: CChar = 0
                guard let text = ssh_userauth_kbdint_getprompt(session, index, &echo) else { continue }
                let prompt = String(cString: text)
                var answer: Secret?
                if echo == 0, !passwordUsed, let password = route.password {
                    passwordUsed = true
                    answer = password
                } else if let ask = settings.prompt {
                    answer = try await ask(.challenge(host: hostName, prompt: prompt, echo: echo != 0))
                    // Whoever thinks about an answer is not the host's fault.
                    deadline = max(deadline, .now + route.connectTimeout)
                }
                guard let answer else {
                    tried.append("keyboard-interactive: nobody can be asked for \(prompt.debugDescription)")
                    return Int32(LABCTL_AUTH_DENIED)
                }
                let current = try link.session()
                guard ssh_userauth_kbdint_setanswer(current, index, answer.reveal()) == 0 else {
                    return Int32(LABCTL_AUTH_DENIED)
                }
            }
            result = try await call(link, until: deadline) { labctl_ssh_auth_interactive($0) }
        }
        if result != LABCTL_AUTH_SUCCESS { tried.append("keyboard-interactive: not accepted") }
        return result
    }

    private func denied(_ link: Link) -> ConnectionError {
        var names: [String] = []
        for (method, name) in [
            (LABCTL_METHOD_PUBLICKEY, "publickey"), (LABCTL_METHOD_PASSWORD, "password"),
            (LABCTL_METHOD_INTERACTIVE, "keyboard-interactive"),
        ] where offers(link, method) { names.append(name) }
        var notes = tried.isEmpty ? ["there was no key and no password to try"] : tried
        if !names.isEmpty { notes.append("the server accepts \(names.joined(separator: ", "))") }
        return ConnectionError(
            .authenticationDenied, hostName: hostName, "login as \(route.user) was denied", notes: notes,
            hint: "set ansible_ssh_private_key_file, or load the key into the agent with ssh-add")
    }
}
