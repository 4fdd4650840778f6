import LabCore
import NIOCore
import NIOSSL
import Synchronization
import X509

/// What a TLS connection to an API server needs to know: whom to trust and as whom to come.
struct TLSSettings: Sendable {
    /// `host:port`, for the Host header and for messages.
    var authority: String
    /// nil when the kubeconfig says not to verify.
    var identity: ServerIdentity?
    /// What the server is asked for by name (SNI); nil for an address.
    var serverName: String?
    var clientCertificate: [NIOSSLCertificate] = []
    var clientKey: NIOSSLPrivateKey?
    /// From when to when the client certificate is valid, for messages.
    var clientDates: String?

    func sslContext() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        // The system's roots are never asked: the callback replaces NIOSSL's own verification.
        configuration.trustRoots = .certificates([])
        configuration.certificateVerification = identity == nil ? .none : .noHostnameVerification
        configuration.certificateChain = clientCertificate.map { .certificate($0) }
        configuration.privateKey = clientKey.map { .privateKey($0) }
        return try NIOSSLContext(configuration: configuration)
    }

    func handler(context: NIOSSLContext, outcome: VerificationOutcome) throws -> NIOSSLClientHandler {
        guard let identity else { return try NIOSSLClientHandler(context: context, serverHostname: serverName) }
        return try NIOSSLClientHandler(
            context: context, serverHostname: serverName,
            customVerificationCallback: { presented, promise in
                promise.completeWithTask {
                    do {
                        let chain = try presented.map { try Certificate(derEncoded: $0.toDERBytes()) }
                        try await identity.verify(chain: chain)
                        return .certificateVerified
                    } catch let error as KubeError {
                        outcome.fail(error)
                    } catch {
                        outcome.fail(
                            KubeError(
                                .certificate, "the API server's certificate cannot be read",
                                hint: "renew it (kubeadm: kubeadm certs renew apiserver)"))
                    }
                    return .failed
                }
            })
    }

    /// Says why a handshake failed: what the verification found, else what TLS reported.
    func handshakeError(_ error: any Error, found: KubeError?) -> KubeError {
        if let found { return found }
        if let error = error as? KubeError { return error }
        if let refusal = refusal(error) { return refusal }
        if "\(error)".contains("WRONG_VERSION_NUMBER") {
            return KubeError(
                .unreachable, "what answers at \(authority) does not speak TLS",
                hint: "is the server of the kubeconfig right?")
        }
        return KubeError(
            .unreachable, "no TLS connection to the API server at \(authority)",
            notes: [Diagnostic.Note(plainReason(error))], hint: "is the API server running there?")
    }
}

extension TLSSettings {
    /// BoringSSL's names for the alerts that a server sends about a client's certificate (RFC 8446, section 6.2).
    private static let alerts = [
        "ALERT_UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_EXPIRED", "CERTIFICATE_REQUIRED", "CERTIFICATE_UNKNOWN",
        "CERTIFICATE_REVOKED", "ALERT_DECRYPT_ERROR",
    ]

    /// The error for a server that refuses the client's certificate, or nil for another error.
    func refusal(_ error: any Error) -> KubeError? {
        let text = "\(error)"
        guard text.contains("ALERT"), Self.alerts.contains(where: { text.contains($0) }) else { return nil }
        return KubeError(
            .certificate, "the API server at \(authority) refuses the client certificate of the kubeconfig",
            notes: ([tlsReason(text)] + [clientDates].compactMap(\.self)).map { Diagnostic.Note($0) },
            hint: "the kubeconfig may be of another or an earlier cluster; fetch the current one")
    }
}

/// What the verification of a server said, kept until the handshake's failure is reported.
final class VerificationOutcome: Sendable {
    private let found = Mutex<KubeError?>(nil)
    var error: KubeError? { found.withLock { $0 } }
    func fail(_ error: KubeError) { found.withLock { $0 = $0 ?? error } }
}
