import LabCore
import LabTransport
import NIOCore
import NIOHTTP2
import NIOPosix
import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What an error of the libraries below means, as a sentence without their names, numbers and source files.
func plainReason(_ error: any Error) -> String {
    switch error {
    case let error as any DiagnosticError: error.diagnostics.first?.message ?? "the link failed"
    case let error as IOError: plainReason(errno: error.errnoCode)
    case let error as NIOConnectionError: connectReason(error)
    case let error as ChannelError: channelReason(error)
    case is NIOSSLError, is BoringSSLError: tlsReason("\(error)")
    case is any NIOHTTP2Error: "the server broke off the exchange"
    default: "the link failed"
    }
}

private func plainReason(errno code: CInt) -> String {
    switch code {
    case ECONNREFUSED: "nothing listens there"
    case ETIMEDOUT: "nothing answers there; it may be filtered"
    case EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN: "there is no route to it"
    case ECONNRESET, EPIPE, ECONNABORTED: "the other side ended the connection"
    case EMFILE, ENFILE: "too many files are open here"
    default: String(cString: strerror(code)).lowercased()
    }
}

private func connectReason(_ error: NIOConnectionError) -> String {
    if error.connectionErrors.isEmpty, error.dnsAError != nil || error.dnsAAAAError != nil {
        return "the name \(error.host) is not known here"
    }
    return error.connectionErrors.first.map { plainReason($0.error) } ?? "the link failed"
}

private func channelReason(_ error: ChannelError) -> String {
    switch error {
    case .connectTimeout: "nothing answers there; it may be filtered"
    case .eof, .inputClosed, .outputClosed, .ioOnClosedChannel, .alreadyClosed: "the other side ended the connection"
    default: "the link failed"
    }
}

/// What BoringSSL's names for a failure say (RFC 8446, section 6, for the alerts).
private let tlsReasons: [(name: String, sentence: String)] = [
    ("WRONG_VERSION_NUMBER", "what answers there does not speak TLS"),
    ("HTTP_REQUEST", "what answers there speaks HTTP without TLS"),
    ("ALERT_UNKNOWN_CA", "the server does not know the CA that issued it"),
    ("ALERT_CERTIFICATE_REQUIRED", "the server wants a client certificate, and none was sent"),
    ("ALERT_CERTIFICATE_EXPIRED", "by the server's clock it has expired"),
    ("ALERT_CERTIFICATE_REVOKED", "it was revoked"),
    ("ALERT_UNSUPPORTED_CERTIFICATE", "the server does not support its kind"),
    ("ALERT_BAD_CERTIFICATE", "the server cannot verify it: it is of another CA, or broken"),
    ("ALERT_CERTIFICATE_UNKNOWN", "the server cannot verify it"),
    ("ALERT_DECRYPT_ERROR", "the server found its signature wrong: certificate and key may not belong together"),
    ("ALERT_UNRECOGNIZED_NAME", "the server does not go by the name that it was asked for"),
    ("PROTOCOL_VERSION", "the server speaks no version of TLS that labctl does (1.2 and 1.3)"),
    ("UNSUPPORTED_PROTOCOL", "the server speaks no version of TLS that labctl does (1.2 and 1.3)"),
    ("HANDSHAKE_FAILURE", "the server and labctl have no common way to encrypt"),
    ("NO_SHARED_CIPHER", "the server and labctl have no common way to encrypt"),
    ("uncleanShutdown", "the other side ended the connection"),
    ("zeroReturn", "the other side ended the connection"),
    ("syscallError", "the other side ended the connection"),
]

/// What a failure of TLS means, from the text of the library.
func tlsReason(_ text: String) -> String {
    tlsReasons.first { text.contains($0.name) }?.sentence ?? "TLS failed"
}
