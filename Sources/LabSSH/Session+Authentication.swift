import CLibSSH
import LabCore
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A parsed key on its way from the helper thread that read it.
final class LoadedKey: @unchecked Sendable {
    // A C handle that nobody changes after it was read.
    let handle: ssh_key
    init(_ handle: ssh_key) { self.handle = handle }
    deinit { ssh_key_free(handle) }
}

extension Session {
    static let success = Int32(LABCTL_AUTH_SUCCESS)
    private static let denied = Int32(LABCTL_AUTH_DENIED)

    /// Tries the ways to log in: public keys, then keyboard-interactive and passwords.
    ///
    /// The order of keys is OpenSSH's but for one thing: a key file that somebody named and that needs no passphrase comes
    /// before the agent's other keys, because servers count attempts (MaxAuthTries).
    func authenticate(_ link: Link, until deadline: ContinuousClock.Instant) async throws {
        do {
            if route.allowsPublicKey, try await publicKeys(link, until: deadline) { return }
            if try await askedServer(link, until: deadline) { return }
            if try await passwords(link, until: deadline) { return }
            throw deniedError(link)
        } catch let error as ConnectionError where error.kind == .lost && !tried.isEmpty {
            // Servers end the connection after too many attempts.
            throw deniedError(link, note: error.notes.first)
        }
    }

    private func call(
        _ link: Link, until deadline: ContinuousClock.Instant, _ body: (ssh_session) -> Int32
    ) async throws -> Int32 {
        // SSH_AUTH_AGAIN has another value than SSH_AGAIN.
        let result = try await link.complete(until: deadline) { session in
            let result = body(session)
            return result == LABCTL_AUTH_AGAIN ? SSH_AGAIN : result == SSH_AGAIN ? Self.denied : result
        }
        if result != Self.success, let failure = link.failure { throw failure }
        hasAskedServer = true
        return result
    }

    /// Asks for nothing, to hear which methods there are, unless an attempt has told.
    private func askedServer(_ link: Link, until deadline: ContinuousClock.Instant) async throws -> Bool {
        guard !hasAskedServer else { return false }
        return try await call(link, until: deadline) { labctl_ssh_auth_none($0) } == Self.success
    }

    private func offers(_ link: Link, _ method: Int) -> Bool {
        guard let handle = link.handle else { return false }
        return Int(ssh_userauth_list(handle, nil)) & method != 0
    }

    // MARK: Keys

    private func publicKeys(_ link: Link, until deadline: ContinuousClock.Instant) async throws -> Bool {
        var agentKeys = try await agentKeys(until: deadline)
        // The agent's keys that are named by file, their certificates first.
        var named = try await certifiedAgentKeys(agentKeys, until: deadline)
        var locked: [String] = []
        for path in route.identityFiles where !agentKeys.isEmpty {
            guard let blob = try await abandonable(until: deadline, { KeyFile.publicBlob(path) }),
                let index = agentKeys.firstIndex(where: { Base64.encode($0.blob) == blob })
            else { continue }
            named.append(agentKeys.remove(at: index))
        }
        if try await agent(named, link, until: deadline) { return true }
        for path in route.identityFiles {
            switch try await shared.keys.load(path, until: deadline) {
            case .key(let key): if try await keyFile(path, key, link, until: deadline) { return true }
            case .missing: tried.append("key \(path): no such file")
            case .unreadable(let why): tried.append("key \(path): \(why)")
            case .needsPassphrase: locked.append(path)
            }
        }
        if !route.identitiesOnly, try await agent(agentKeys, link, until: deadline) { return true }
        for path in locked where try await lockedKeyFile(path, link, until: deadline) { return true }
        for path in route.defaultIdentityFiles {
            switch try await shared.keys.load(path, until: deadline) {
            case .key(let key): if try await keyFile(path, key, link, until: deadline) { return true }
            case .missing: continue
            case .unreadable(let why): tried.append("key \(path): \(why)")
            case .needsPassphrase: if try await lockedKeyFile(path, link, until: deadline) { return true }
            }
        }
        return false
    }

    private func keyFile(
        _ path: String, _ key: LoadedKey, _ link: Link, until deadline: ContinuousClock.Instant
    ) async throws -> Bool {
        let certificates = route.certificateFiles + [path + "-cert.pub"]
        for file in certificates where !agentsCertificates.contains(file) {
            let certified = try await abandonable(until: deadline) { KeyFile.certified(key, file) }
            guard let certified else { continue }
            let result = try await call(link, until: deadline) { labctl_ssh_auth_key($0, certified.handle) }
            if result == Self.success { return true }
            tried.append("certificate \(file): not accepted")
        }
        let result = try await call(link, until: deadline) { labctl_ssh_auth_key($0, key.handle) }
        if result != Self.success {
            tried.append("key \(path): \(result == LABCTL_AUTH_PARTIAL ? "accepted, but not enough" : "not accepted")")
        }
        return result == Self.success
    }

    private func lockedKeyFile(
        _ path: String, _ link: Link, until deadline: ContinuousClock.Instant
    ) async throws -> Bool {
        // Only a key that the server would take is worth a question, where the public half tells.
        if let publicKey = try await abandonable(until: deadline, { KeyFile.loadPublic(path) }) {
            let result = try await call(link, until: deadline) { labctl_ssh_auth_try($0, publicKey.handle) }
            guard result == Self.success else {
                tried.append("key \(path): not accepted")
                return false
            }
        }
        switch route.isBatch ? .unreadable("needs a passphrase") : try await shared.keys.unlock(path) {
        // Whoever thinks about a passphrase is not the host's fault.
        case .key(let key): return try await keyFile(path, key, link, until: max(deadline, .now + route.connectTimeout))
        case .unreadable(let why): tried.append("key \(path): \(why)")
        case .missing, .needsPassphrase: tried.append("key \(path): cannot be read")
        }
        return false
    }

    // MARK: Passwords

    private func passwords(_ link: Link, until deadline: ContinuousClock.Instant) async throws -> Bool {
        guard !withholdsPassword else {
            tried.append("passwords: not sent, because the host key is not the recorded one")
            return false
        }
        let mayAsk = shared.keys.canAsk && !route.isBatch
        guard route.password != nil || mayAsk else { return false }
        // A password that is known goes by the method that has no questions to misunderstand.
        if route.password != nil, route.allowsPassword, offers(link, LABCTL_METHOD_PASSWORD) {
            if try await password(link, until: deadline) { return true }
        } else if route.allowsInteractive, offers(link, LABCTL_METHOD_INTERACTIVE) {
            // Whoever mistypes may try again, as with ssh (NumberOfPasswordPrompts).
            var until = deadline
            for _ in 0..<(route.password == nil ? 3 : 1) {
                guard let isIn = try await interactive(link, mayAsk: mayAsk, until: until) else { break }
                if isIn { return true }
                // The time that somebody thought about the answer is not the host's.
                until = max(until, .now + route.connectTimeout)
            }
        }
        if route.password == nil, mayAsk, route.allowsPassword, offers(link, LABCTL_METHOD_PASSWORD) {
            for _ in 0..<3 {
                guard let answer = try await shared.keys.ask(.password(user: route.user, host: hostName)) else { break }
                let result = try await call(link, until: .now + route.connectTimeout) {
                    labctl_ssh_auth_password($0, answer.reveal())
                }
                if result == Self.success { return true }
                tried.append("password: not accepted")
            }
        }
        return false
    }

    private func password(_ link: Link, until deadline: ContinuousClock.Instant) async throws -> Bool {
        guard let password = route.password else { return false }
        let result = try await call(link, until: deadline) { labctl_ssh_auth_password($0, password.reveal()) }
        if result != Self.success { tried.append("password: not accepted") }
        return result == Self.success
    }

    /// - Returns: nil when a question was not answered.
    private func interactive(
        _ link: Link, mayAsk: Bool, until deadline: ContinuousClock.Instant
    ) async throws -> Bool? {
        var deadline = deadline
        var passwordUsed = false
        var result = try await call(link, until: deadline) { labctl_ssh_auth_interactive($0) }
        while result == LABCTL_AUTH_INFO {
            let count = max(0, ssh_userauth_kbdint_getnprompts(try link.session()))
            for index in 0..<UInt32(count) {
                var echo: CChar = 0
                guard let text = ssh_userauth_kbdint_getprompt(try link.session(), index, &echo) else { continue }
                let prompt = String(cString: text)
                var answer: Secret?
                if echo == 0, !passwordUsed, let password = route.password {
                    passwordUsed = true
                    answer = password
                } else if mayAsk {
                    answer = try await shared.keys.ask(.challenge(host: hostName, prompt: prompt, echo: echo != 0))
                    deadline = max(deadline, .now + route.connectTimeout)
                }
                guard let answer else {
                    tried.append("keyboard-interactive: nobody answers \(prompt.debugDescription)")
                    return nil
                }
                guard ssh_userauth_kbdint_setanswer(try link.session(), index, answer.reveal()) == 0 else {
                    return nil
                }
            }
            result = try await call(link, until: deadline) { labctl_ssh_auth_interactive($0) }
        }
        if result != Self.success { tried.append("keyboard-interactive: not accepted") }
        return result == Self.success
    }

    private func deniedError(_ link: Link, note: String? = nil) -> ConnectionError {
        var names: [String] = []
        for (method, name) in [
            (LABCTL_METHOD_PUBLICKEY, "publickey"), (LABCTL_METHOD_PASSWORD, "password"),
            (LABCTL_METHOD_INTERACTIVE, "keyboard-interactive"),
        ] where offers(link, method) { names.append(name) }
        var notes = tried.isEmpty ? ["there was no key and no password to try"] : tried
        if !names.isEmpty { notes.append("the server accepts \(names.joined(separator: ", "))") }
        if let note { notes.append(note) }
        if let user = route.overruledUser {
            notes.append(
                "the inventory's user goes before -u \(user); -e ansible_user=\(user) goes before the inventory's")
        }
        return ConnectionError(
            .authenticationDenied, hostName: hostName, "login as \(route.user) was denied", notes: notes,
            hint: note?.contains("Too many authentication failures") == true
                ? "the server takes only so many attempts (MaxAuthTries): name the right key with "
                    + "ansible_ssh_private_key_file, or with IdentityFile and IdentitiesOnly"
                : "set ansible_ssh_private_key_file, or load the key into the agent with ssh-add")
    }
}
