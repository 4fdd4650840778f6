import Crypto
import SwiftASN1
import X509

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A certificate and its private key, as PEM texts.
package struct SandboxIdentity: Sendable {
    package let certificatePEM: String
    package let privateKeyPEM: String

    package init(certificatePEM: String, privateKeyPEM: String) {
        self.certificatePEM = certificatePEM
        self.privateKeyPEM = privateKeyPEM
    }
}

/// A certificate authority made for one sandbox, and what it signs (P-256, valid for a year).
package struct SandboxCertificates: Sendable {
    /// The authority's certificate.
    package let authorityPEM: String
    private let authorityKey: P256.Signing.PrivateKey
    private let authorityName: DistinguishedName
    private let start: Date

    /// Makes a new authority.
    ///
    /// - Throws: what swift-certificates throws when it cannot sign.
    package init(name: String = "labctl-sandbox") throws {
        start = Date(timeIntervalSinceNow: -300)
        authorityKey = P256.Signing.PrivateKey()
        authorityName = try DistinguishedName { CommonName(name) }
        let key = Certificate.PrivateKey(authorityKey)
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey, notValidBefore: start,
            notValidAfter: start.addingTimeInterval(366 * 86_400), issuer: authorityName, subject: authorityName,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(digitalSignature: true, keyCertSign: true, cRLSign: true))
            }, issuerPrivateKey: key)
        authorityPEM = try certificate.serializeAsPEM().pemString
    }

    /// Signs a server's certificate for host names and IPv4 addresses.
    package func server(names: [String], addresses: [String]) throws -> SandboxIdentity {
        var alternatives = names.map { GeneralName.dnsName($0) }
        for address in addresses {
            guard let parsed = IPAddress(address), !parsed.isV6 else { continue }
            let bytes = (0..<4).map { UInt8(truncatingIfNeeded: parsed.bits >> UInt128(24 - 8 * $0)) }
            alternatives.append(.ipAddress(ASN1OctetString(contentBytes: bytes[...])))
        }
        return try issue(
            subject: try DistinguishedName { CommonName("kube-apiserver") },
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(alternatives)
            })
    }

    /// Signs a client's certificate: user and groups as Kubernetes reads them from CN and O.
    package func client(user: String, groups: [String]) throws -> SandboxIdentity {
        let name = try DistinguishedName {
            for group in groups { OrganizationName(group) }
            CommonName(user)
        }
        return try issue(
            subject: name,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.clientAuth])
            })
    }

    private func issue(subject: DistinguishedName, extensions: Certificate.Extensions) throws -> SandboxIdentity {
        let key = P256.Signing.PrivateKey()
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(key.publicKey), notValidBefore: start,
            notValidAfter: start.addingTimeInterval(365 * 86_400), issuer: authorityName, subject: subject,
            signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions,
            issuerPrivateKey: Certificate.PrivateKey(authorityKey))
        return SandboxIdentity(
            certificatePEM: try certificate.serializeAsPEM().pemString,
            privateKeyPEM: key.pemRepresentation + "\n")
    }
}

extension APIUser {
    /// The user of a verified client certificate: CN is the name, every O a group.
    init?(certificate der: [UInt8]) {
        guard let certificate = try? Certificate(derEncoded: der) else { return nil }
        var name: String?
        var groups = ["system:authenticated"]
        for part in certificate.subject {
            for attribute in part {
                guard let value = String(attribute.value) else { continue }
                if attribute.type == .RDNAttributeType.commonName { name = value }
                if attribute.type == .RDNAttributeType.organizationName { groups.append(value) }
            }
        }
        guard let name else { return nil }
        self.init(name: name, groups: groups)
    }
}
