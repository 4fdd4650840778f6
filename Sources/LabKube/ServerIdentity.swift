import LabCore
import SwiftASN1
import X509

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Whom a TLS server must prove to be, and how that is checked.
///
/// NIOSSL compares an address with the peer of its socket, which is a socket pair here, so the check is ours: the chain
/// to the kubeconfig's CA, the validity dates, the server-authentication purpose, and the name or address.
struct ServerIdentity: Sendable {
    /// The certificates to trust; nil trusts what the system trusts.
    var authorities: [Certificate]?
    /// A DNS name or an IP address, from the server's URL or `tls-server-name`.
    var name: String
    /// Where the trust comes from, for messages: `/home/vagrant/.kube/config`.
    var source: String

    /// Checks what the server presented, leaf first.
    ///
    /// - Throws: `KubeError` of kind `certificate` that says which of the demands is not met.
    func verify(chain: [Certificate], at now: Date = Date()) async throws(KubeError) {
        guard let leaf = chain.first else {
            throw KubeError(.certificate, "the API server presented no certificate")
        }
        let store = authorities.map { CertificateStore($0) } ?? .systemTrustRoots
        var verifier = Verifier(rootCertificates: store) {
            RFC5280Policy()
            ServerIdentityPolicy(
                serverHostname: isAddress(name) ? nil : name, serverIP: isAddress(name) ? name : nil)
        }
        let result = await verifier.validate(leaf: leaf, intermediates: CertificateStore(chain.dropFirst()))
        switch result {
        case .validCertificate:
            try checkPurpose(of: leaf)
        case .couldNotValidate(let failures):
            throw reason(leaf: leaf, chain: chain, failures: failures, now: now)
        }
    }

    private func checkPurpose(of leaf: Certificate) throws(KubeError) {
        guard let purposes = try? leaf.extensions.extendedKeyUsage else { return }
        guard purposes.contains(.serverAuth) || purposes.contains(.any) else {
            throw KubeError(.certificate, "the API server's certificate is not meant for servers")
        }
    }

    private func reason(
        leaf: Certificate, chain: [Certificate], failures: [CertificateValidationResult.PolicyFailure], now: Date
    ) -> KubeError {
        guard let failure = failures.first else {
            let trusted = (authorities ?? []).map { "\($0.subject)" }.joined(separator: "; ")
            return KubeError(
                .certificate, "the API server's certificate was not issued by the CA of the kubeconfig",
                notes: [
                    Diagnostic.Note("presented: \(leaf.subject), issued by \(leaf.issuer)"),
                    Diagnostic.Note(
                        authorities == nil ? "trusted: the system's CAs" : "trusted by \(source): \(trusted)"),
                ],
                hint: "the kubeconfig may be of another or an earlier cluster; fetch the current one")
        }
        if let expired = Array(failure.chain).first(where: { !$0.isValid(at: now) }) {
            let what = expired == leaf ? "the API server's certificate" : "the CA certificate \(expired.subject)"
            return KubeError(
                .certificate, "\(what) \(expired.validityProblem(at: now))",
                hint: "renew it (kubeadm: kubeadm certs renew apiserver), or set the clock right")
        }
        let names = leaf.identities
        if !names.contains(name) {
            return KubeError(
                .certificate, "the API server's certificate is not valid for \(name)",
                notes: [
                    Diagnostic.Note(
                        names.isEmpty ? "it names nobody" : "it is valid for \(names.joined(separator: ", "))")
                ],
                hint: "set tls-server-name in the kubeconfig to one of these, or issue a certificate that has \(name)")
        }
        return KubeError(.certificate, "the API server's certificate is refused: \(failure.policyFailureReason)")
    }
}

/// Whether a text is an IPv4 or IPv6 address rather than a name.
func isAddress(_ text: String) -> Bool {
    if text.contains(":") { return true }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
}

extension Certificate {
    func isValid(at time: Date) -> Bool { notValidBefore <= time && time <= notValidAfter }

    /// What is wrong with the dates, as the end of a sentence: `expired on 2022-08-18 09:30:00 UTC`.
    func validityProblem(at time: Date) -> String {
        time < notValidBefore
            ? "is not valid before \(dateText(notValidBefore))" : "expired on \(dateText(notValidAfter))"
    }

    /// The names and addresses that the certificate is for.
    var identities: [String] {
        guard let names = try? extensions.subjectAlternativeNames else { return [] }
        return names.compactMap { name in
            switch name {
            case .dnsName(let name): name
            case .ipAddress(let bytes): addressText(Array(bytes.bytes))
            default: nil
            }
        }
    }
}

private func addressText(_ bytes: [UInt8]) -> String? {
    switch bytes.count {
    case 4: return bytes.map(String.init).joined(separator: ".")
    case 16:
        let words = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        return words.map { String($0, radix: 16) }.joined(separator: ":")
    default: return nil
    }
}

/// A moment in UTC: `2022-08-18 09:30:00 UTC`.
func dateText(_ date: Date) -> String {
    let text = date.formatted(.iso8601)
    return text.replacing("T", with: " ").replacing("Z", with: " UTC")
}

/// The certificates of a PEM text, in their order.
///
/// - Throws: An error of swift-asn1 when the text is no PEM or holds a broken certificate.
func certificates(pem text: String) throws -> [Certificate] {
    try PEMDocument.parseMultiple(pemString: text)
        .filter { $0.discriminator == "CERTIFICATE" }
        .map { try Certificate(pemDocument: $0) }
}
