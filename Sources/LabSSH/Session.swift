import CLibSSH
import LabCore
import LabTransport

/// One SSH session: an actor that runs on the I/O thread which polls its socket.
actor Session {
    nonisolated let hostName: String
    nonisolated let thread: IOThread
    let route: Route
    var link: Link?
    let endpoint: Endpoint
    let shared: SharedState
    private var keepalive: Task<Void, Never>?
    /// Ways to log in that were tried, for the message when none was accepted.
    var tried: [String] = []
    /// An answer to an attempt has told which methods the server has.
    var hasAskedServer = false
    /// What the authorities of known_hosts say of the host's key.
    var vouching = Vouching.notAsked
    /// The address that showed the certificate: a name may lead to several machines, each with a key of its own.
    var vouchedAddress: [UInt8]?
    /// The host key is another than the recorded one, and the user's configuration says to go on.
    var withholdsPassword = false
    /// The descriptor that libssh takes for the agent's.
    var agentDescriptor: Int32 = -1
    /// The certificate files that were tried with a key of the agent's.
    var agentsCertificates: Set<String> = []
    /// What is being done until the login is complete, for the message when it takes too long.
    var stage = ""
    /// The jump host's connection or the proxy command's process, as long as this session needs it.
    var holds: [any Sendable] = []
    /// How many channels may run commands at the same time: sshd's MaxSessions is 10 unless set, some are kept free for
    /// killing commands, and it shrinks when the server refuses one.
    var channelCapacity = 8
    var usedChannels = 0
    let channelFreed = Condition()
    /// Shells that wait for their next command.
    var idleShells: [RemoteShell] = []
    /// Commands that are being killed.
    var terminations: [Task<Void, Never>] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(endpoint: Endpoint, route: Route, shared: SharedState) throws(ConnectionError) {
        self.endpoint = endpoint
        self.route = route
        self.hostName = route.hostName
        self.shared = shared
        thread = try IOThreads.next()
    }

    /// Connects, checks the host key, logs in, as soon as there is room for another login.
    func open() async throws {
        let isDirect = route.proxy == .none
        let place = "\(route.address):\(route.port) \(route.proxy)"
        try await shared.gate.enter(place, countsForAll: isDirect)
        do {
            try await logIn()
        } catch {
            shared.gate.leave(place, countsForAll: isDirect, wentWell: false)
            throw error
        }
        shared.gate.leave(place, countsForAll: isDirect, wentWell: true)
    }

    private func logIn() async throws {
        let deadline = ContinuousClock.now + route.connectTimeout
        stage = "connecting to \(route.address):\(route.port)"
        do {
            let (link, known) = try await shakeHands(until: deadline)
            stage = "checking the host key"
            try await checkHostKey(link, known, until: deadline)
            stage = "logging in as \(route.user)"
            try await authenticate(link, until: deadline)
            startKeepalive()
        } catch {
            shutDown()
            if error is Abandoned {
                throw ConnectionError(
                    .timedOut, hostName: hostName, "no answer within \(route.connectTimeout.shortText)",
                    notes: ["it was \(stage)"],
                    hint:
                        "look whether the host is up; --connect-timeout (or ConnectTimeout in ssh_config) sets how long to wait"
                )
            }
            throw error
        }
    }

    /// Connects until the keys are exchanged. A server with too many logins under way (MaxStartups) drops some at random
    /// before it says anything: those try again for as long as there is time.
    private func shakeHands(until deadline: ContinuousClock.Instant) async throws -> (Link, KnownHosts.HostEntries) {
        var pause = Duration.milliseconds(100)
        let known = try await readKnownHosts(until: deadline)
        vouching = try await askForCertificate(known, until: deadline)
        stage = "connecting to \(route.address):\(route.port)"
        while true {
            let socket = try await reach(until: deadline)
            let link = try Link(hostName: hostName, thread: thread, socket: socket)
            self.link = link
            try configure(link, known)
            stage = "the SSH handshake with \(route.address):\(route.port)"
            do {
                try await handshake(link, until: deadline)
                return (link, known)
            } catch let error as ConnectionError {
                guard !link.hasMet, link.isDisconnected, .now + pause * 2 < deadline, route.proxy == .none
                else { throw error }
                link.shutDown()
                self.link = nil
                shared.gate.noteDrop()
                try await Task.sleep(for: pause * Double.random(in: 0.5...1.5))
                pause = min(pause * 2, .seconds(1))
            }
        }
    }

    var isUp: Bool { link.map { $0.failure == nil } ?? false }

    /// The link, if it is still up.
    ///
    /// - Throws: why it is not.
    func liveLink() throws(ConnectionError) -> Link {
        guard let link else { throw ConnectionError(.closed, hostName: hostName, "the connection was closed") }
        if let failure = link.failure { throw failure }
        return link
    }

    /// Ends the session. What is being killed gets two seconds for that.
    func close() async {
        if link?.failure == nil, !terminations.isEmpty {
            let promise = Promise<Void>()
            let waiter = Task { [terminations] in
                for termination in terminations { await termination.value }
                promise.resolve(.success(()))
            }
            // Not in the caller's task: that may be cancelled, and the commands are to be killed all the same.
            await Task { try? await promise.value(until: .now + .seconds(2)) }.value
            waiter.cancel()
            for termination in terminations { termination.cancel() }
        }
        shutDown()
    }

    func shutDown() {
        keepalive?.cancel()
        keepalive = nil
        idleShells = []
        link?.shutDown()
        link = nil
        holds = []
        thread.signal(channelFreed)
    }

    private func configure(_ link: Link, _ known: KnownHosts.HostEntries) throws(ConnectionError) {
        let session = try link.session()
        var results = [
            labctl_ssh_read_no_files(session),
            labctl_ssh_set_string(session, SSH_OPTIONS_HOST, route.address),
            labctl_ssh_set_port(session, UInt32(route.port)),
            labctl_ssh_set_string(session, SSH_OPTIONS_USER, route.user),
            labctl_ssh_set_socket(session, link.socket),
        ]
        if route.compresses { results.append(labctl_ssh_set_string(session, SSH_OPTIONS_COMPRESSION, "yes")) }
        var algorithms = route.algorithms
        algorithms[.hostKey] = HostKeyAlgorithms.offer(
            configured: algorithms[.hostKey], certified: vouching.keyType,
            recorded: known.recordedTypes)
        for (algorithm, configured) in algorithms {
            let list = AlgorithmList.names(configured, usual: algorithm.usual).joined(separator: ",")
            let options: [ssh_options_e] =
                switch algorithm {
                case .keyExchange: [SSH_OPTIONS_KEY_EXCHANGE]
                case .hostKey: [SSH_OPTIONS_HOSTKEYS]
                case .cipher: [SSH_OPTIONS_CIPHERS_C_S, SSH_OPTIONS_CIPHERS_S_C]
                case .mac: [SSH_OPTIONS_HMAC_C_S, SSH_OPTIONS_HMAC_S_C]
                case .publicKey: [SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES]
                }
            for option in options { results.append(labctl_ssh_set_string(session, option, list)) }
        }
        guard results.allSatisfy({ $0 == SSH_OK }) else {
            throw ConnectionError(.configuration, hostName: hostName, link.lastError.lowercasedFirst)
        }
    }

    private func handshake(_ link: Link, until deadline: ContinuousClock.Instant) async throws {
        let result = try await link.complete(until: deadline) { ssh_connect($0) }
        guard result == SSH_OK else {
            let detail = link.lastError.lowercasedFirst
            throw ConnectionError(
                .protocolMismatch, hostName: hostName,
                "no SSH session with \(route.address):\(route.port)", notes: [detail],
                hint: detail.contains("banner") || detail.contains("socket error") || detail.contains("disconnected")
                    ? "look whether an SSH server listens on this port, and whether it is overloaded (MaxStartups)"
                    : nil)
        }
        link.markEstablished()
    }

    // MARK: Keepalive

    private func startKeepalive() {
        guard route.keepaliveInterval > .zero else { return }
        keepalive = Task { [weak self, interval = route.keepaliveInterval] in
            var pause = interval
            while !Task.isCancelled {
                try? await Task.sleep(for: pause)
                guard !Task.isCancelled, let next = await self?.checkAlive() else { return }
                pause = next
            }
        }
    }

    /// Asks the server whether it is there when it has been silent, and gives up when it does not answer.
    ///
    /// - Returns: when to look again; nil when the link is over.
    private func checkAlive() async -> Duration? {
        guard let link, link.failure == nil, let session = try? link.session() else { return nil }
        let silent = ContinuousClock.now - link.lastHeard
        if link.isLent || silent < route.keepaliveInterval { return route.keepaliveInterval - min(silent, .zero) }
        // libssh sends a request and, when called again, takes in the answer to it without sending another (0.10.6
        // src/channels.c, ssh_global_request, not blocking): every second question would not be asked.
        let sent = link.bytesSent
        _ = ssh_send_keepalive(session)
        if link.bytesSent == sent { _ = ssh_send_keepalive(session) }
        // Counted from the question, so that a laptop which slept does not take the pause for silence.
        let asked = ContinuousClock.now
        while link.lastHeard < asked, link.failure == nil {
            let wake = await thread.wait(for: link.progress, until: asked + route.keepaliveTimeout)
            if wake == .cancelled { return nil }
            if wake == .timedOut, link.lastHeard < asked {
                // A laptop that slept meanwhile has heard nothing because it slept: it asks again.
                if .now - asked > route.keepaliveTimeout * 2 { return .zero }
                link.fail(
                    ConnectionError(
                        .lost, hostName: hostName, "the connection was lost",
                        notes: ["the server has not answered for \((.now - link.lastHeard).shortText)"]))
                return nil
            }
        }
        return route.keepaliveInterval
    }
}

extension Duration {
    /// `10s`, `1.5s`, `200ms`: for messages.
    var shortText: String {
        let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        if milliseconds < 1000 { return "\(milliseconds)ms" }
        let tenths = milliseconds / 100
        return tenths % 10 == 0 ? "\(tenths / 10)s" : "\(tenths / 10).\(tenths % 10)s"
    }
}
