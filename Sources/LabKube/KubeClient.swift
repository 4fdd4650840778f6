import LabCore
import LabTransport
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import X509

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A client of one API server, as one user, over byte streams that somebody else opens (forwarded by a node, or direct).
///
/// Requests may overlap; under HTTP/2 they share one connection. A lost connection is replaced and a request that may
/// be sent twice is sent again, once; 429 is waited out as the server asks.
package final class KubeClient: Sendable {
    /// Opens a byte stream to `host:port`.
    package typealias ChannelOpener = @Sendable (_ host: String, _ port: Int) async throws -> any ByteChannel

    package let kubeconfig: Kubeconfig
    package let discovery: Discovery
    private let connections: ConnectionKeeper
    private let warnings = Mutex<[String]>([])
    private let shownWarnings = Mutex<Set<String>>([])
    private let timeout: Duration

    /// Makes a client; nothing is opened before the first request.
    ///
    /// - Parameters:
    ///   - timeout: For one request; API servers give up after 34 s themselves (apiserver handlers/patch.go).
    /// - Throws: `KubeError` of kind `kubeconfig` or `certificate` when the kubeconfig's certificates or key are
    ///   unreadable, expired or not valid yet.
    package init(
        _ kubeconfig: Kubeconfig, timeout: Duration = .seconds(40), connectTimeout: Duration = .seconds(15),
        openChannel: @escaping ChannelOpener
    ) throws {
        self.kubeconfig = kubeconfig
        self.timeout = timeout
        let credentials = CredentialKeeper(kubeconfig.user)
        let settings = try TLSSettings(kubeconfig)
        let connections = ConnectionKeeper(
            openChannel: openChannel, host: kubeconfig.cluster.host, port: kubeconfig.cluster.port,
            group: MultiThreadedEventLoopGroup.singleton, timeout: connectTimeout
        ) { issue in
            issue.certificateNumber == 0 ? settings : try settings.replacingClient(by: issue.credential, kubeconfig)
        }
        self.connections = connections
        let exchange = Exchange(
            connections: connections, credentials: credentials, basePath: kubeconfig.cluster.basePath, timeout: timeout)
        self.exchange = exchange
        self.discovery = Discovery { try await exchange.send($0, timeout: timeout) }
    }

    private let exchange: Exchange

    /// Sends a request and gives the answer, whatever its status is.
    ///
    /// - Throws: `KubeError` of kinds `unreachable`, `certificate`, `lost`, `timedOut`; `ConnectionError` when the
    ///   link to the node fails; `CancellationError`.
    package func send(_ request: HTTPRequest, timeout: Duration? = nil) async throws -> HTTPResponse {
        let response = try await exchange.send(request, timeout: timeout ?? self.timeout)
        collectWarnings(of: response)
        return response
    }

    /// Sends a request whose answer comes in pieces (a watch); the caller reads until it has enough.
    func stream(
        _ request: HTTPRequest
    ) async throws -> (head: HTTPResponse, body: AsyncThrowingStream<[UInt8], any Error>) {
        try await exchange.stream(request, timeout: timeout)
    }

    /// The server's warnings (`Warning: 299`) since the last call, each only once per client.
    package func takeWarnings() -> [String] {
        warnings.withLock { all in
            defer { all = [] }
            return all
        }
    }

    /// Ends all connections. The client is of no use afterwards.
    package func close() async { await connections.close() }

    private func collectWarnings(of response: HTTPResponse) {
        for header in response.headers where header.name == "warning" {
            guard let text = warningText(header.value) else { continue }
            if shownWarnings.withLock({ $0.insert(text).inserted }) { warnings.withLock { $0.append(text) } }
        }
    }
}

/// The text of a `Warning` header: `299 - "metallb.io/v1beta1 BGPPeer is deprecated"` (RFC 7234, section 5.5).
func warningText(_ header: String) -> String? {
    guard header.hasPrefix("299 "), let open = header.firstIndex(of: "\"") else { return nil }
    var text = ""
    var isEscaped = false
    for character in header[header.index(after: open)...] {
        if isEscaped {
            text.append(character)
            isEscaped = false
        } else if character == "\\" {
            isEscaped = true
        } else if character == "\"" {
            break
        } else {
            text.append(character)
        }
    }
    return text.isEmpty ? nil : text
}

/// Sends requests over the kept connections: again when the link was lost, later when the server asks for it.
private struct Exchange: Sendable {
    /// How often one request is sent again because the server asked to.
    private static let maximumDelays = 20
    /// How often a request that writes nothing is sent again because the server failed.
    private static let maximumFailures = 3
    let connections: ConnectionKeeper
    let credentials: CredentialKeeper
    let basePath: String
    let timeout: Duration

    func send(_ request: HTTPRequest, timeout: Duration) async throws -> HTTPResponse {
        var request = request
        request.path = basePath + request.path
        var mayReconnect = request.isRepeatable
        var mayRenew = true
        var delays = 0
        var failures = 0
        var issue = try await credentials.current()
        while true {
            let connection = try await acquire(issue)
            let response: HTTPResponse
            do {
                response = try await connection.send(request, token: issue.credential.token, timeout: timeout)
            } catch let error as KubeError where error.kind == .lost {
                await connections.discard(connection)
                guard mayReconnect else { throw error }
                mayReconnect = false
                continue
            } catch {
                if !connection.isMultiplexed { await connections.discard(connection) }
                throw error
            }
            if !connection.isMultiplexed { await connections.release(connection) }
            // 401 says that nothing was done: with a new credential it may be asked again, whatever it is.
            if response.status == 401, mayRenew, let renewed = try await credentials.replacement(for: issue) {
                issue = renewed
                mayRenew = false
                continue
            }
            if let wait = delay(asked: response), delays < Self.maximumDelays {
                delays += 1
                try await Task.sleep(for: wait)
            } else if request.isReadOnly, failures < Self.maximumFailures, isPassing(response) {
                try await Task.sleep(for: .milliseconds(100 << (2 * failures)))
                failures += 1
            } else {
                return response
            }
        }
    }

    func stream(
        _ request: HTTPRequest, timeout: Duration
    ) async throws -> (head: HTTPResponse, body: AsyncThrowingStream<[UInt8], any Error>) {
        var request = request
        request.path = basePath + request.path
        var mayReconnect = true
        var mayRenew = true
        var issue = try await credentials.current()
        while true {
            let connection = try await acquire(issue)
            do {
                let answer = try await connection.stream(
                    request, token: issue.credential.token, timeout: timeout)
                guard answer.head.status == 401, mayRenew,
                    let renewed = try await credentials.replacement(for: issue)
                else { return answer }
                issue = renewed
                mayRenew = false
            } catch let error as KubeError where error.kind == .lost && mayReconnect {
                await connections.discard(connection)
                mayReconnect = false
            }
        }
    }

    /// A connection; one that broke while it was made is made a second time.
    private func acquire(_ issue: CredentialKeeper.Issue) async throws -> HTTPConnection {
        do {
            return try await connections.acquire(as: issue)
        } catch let error as KubeError where error.kind == .unreachable {
            return try await connections.acquire(as: issue)
        }
    }

    /// Whether the server failed in a way that may be over a moment later: etcd's leader changes, it is shutting down.
    private func isPassing(_ response: HTTPResponse) -> Bool {
        guard [500, 502, 503, 504].contains(response.status) else { return false }
        let status = APIStatus(code: response.status, body: response.body)
        return status.kind == .server && !status.isOutOfSpace
    }

    /// How long the server asks to wait: 429 always, 503 only with a Retry-After.
    private func delay(asked response: HTTPResponse) -> Duration? {
        switch response.status {
        case 429: min(response.retryAfter ?? .seconds(1), .seconds(30))
        case 503: response.retryAfter.map { min($0, .seconds(30)) }
        default: nil
        }
    }
}

extension TLSSettings {
    init(_ kubeconfig: Kubeconfig) throws {
        let cluster = kubeconfig.cluster
        let name = cluster.serverName ?? cluster.host
        let host = cluster.host.contains(":") ? "[\(cluster.host)]" : cluster.host
        var identity: ServerIdentity?
        if cluster.isVerified {
            var authorities: [Certificate]?
            if let pem = cluster.authority {
                let read = Result { try certificates(pem: pem) }
                guard case .success(let found) = read, !found.isEmpty else {
                    throw KubeError(
                        .kubeconfig,
                        "the certificate-authority of cluster '\(cluster.name)' in \(kubeconfig.path) is no certificate",
                        hint: "fetch the kubeconfig again")
                }
                authorities = found
            }
            identity = ServerIdentity(authorities: authorities, name: name, source: kubeconfig.path)
        }
        self.init(
            authority: "\(host):\(cluster.port)", identity: identity, serverName: isAddress(name) ? nil : name)
        try setClient(
            Credential(certificate: kubeconfig.user.certificate, key: kubeconfig.user.key), kubeconfig)
    }

    /// The same settings with another certificate of the same user.
    func replacingClient(by credential: Credential, _ kubeconfig: Kubeconfig) throws -> TLSSettings {
        var settings = self
        (settings.clientCertificate, settings.clientKey, settings.clientDates) = ([], nil, nil)
        try settings.setClient(credential, kubeconfig)
        return settings
    }

    private mutating func setClient(_ credential: Credential, _ kubeconfig: Kubeconfig) throws {
        let user = kubeconfig.user
        guard let pem = credential.certificate, let key = credential.key else { return }
        guard let parsed = try? certificates(pem: pem), let own = parsed.first else {
            throw KubeError(
                .kubeconfig, "the client certificate of user '\(user.name)' in \(kubeconfig.path) is unreadable")
        }
        let now = Date()
        guard own.isValid(at: now) else {
            throw KubeError(
                .certificate,
                "the client certificate of user '\(user.name)' in \(kubeconfig.path) \(own.validityProblem(at: now))",
                hint: "renew it (kubeadm: kubeadm certs renew admin.conf) or fetch the current kubeconfig")
        }
        clientDates = "it is valid from \(dateText(own.notValidBefore)) to \(dateText(own.notValidAfter))"
        do {
            clientCertificate = try NIOSSLCertificate.fromPEMBytes(Array(pem.utf8))
            clientKey = try NIOSSLPrivateKey(bytes: Array(key.reveal().utf8), format: .pem)
        } catch {
            // The error of the TLS library is not shown: it may quote what it could not read.
            throw KubeError(.kubeconfig, "the client key of user '\(user.name)' in \(kubeconfig.path) is unreadable")
        }
    }
}
