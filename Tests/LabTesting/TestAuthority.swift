import Crypto
import Foundation
import SwiftASN1
import X509

/// A certificate authority made for one test.
package struct TestAuthority: Sendable {
    package let certificate: Certificate
    private let key: Certificate.PrivateKey

    package init(
        name: String = "kubernetes", from: Date = Date(timeIntervalSinceNow: -3600),
        to: Date = Date(timeIntervalSinceNow: 86_400)
    ) throws {
        key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let subject = try DistinguishedName { CommonName(name) }
        certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey, notValidBefore: from,
            notValidAfter: to, issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(digitalSignature: true, keyCertSign: true))
            },
            issuerPrivateKey: key)
    }

    package var pem: String { get throws { try certificate.serializeAsPEM().pemString } }

    /// A certificate and its key, both in PEM.
    package struct Leaf: Sendable {
        package let certificate: String
        package let key: String
    }

    /// A certificate for these names and addresses, or for a client when there are none.
    package func issue(
        _ commonName: String, names: [String] = [], addresses: [[UInt8]] = [],
        from: Date = Date(timeIntervalSinceNow: -3600), to: Date = Date(timeIntervalSinceNow: 86_400)
    ) throws -> Leaf {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let isServer = !(names.isEmpty && addresses.isEmpty)
        let alternatives =
            names.map { GeneralName.dnsName($0) }
            + addresses.map { GeneralName.ipAddress(ASN1OctetString(contentBytes: $0[...])) }
        let leaf = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey, notValidBefore: from,
            notValidAfter: to, issuer: certificate.subject, subject: try DistinguishedName { CommonName(commonName) },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                try ExtendedKeyUsage([isServer ? .serverAuth : .clientAuth])
                if isServer { SubjectAlternativeNames(alternatives) }
            },
            issuerPrivateKey: self.key)
        return Leaf(certificate: try leaf.serializeAsPEM().pemString, key: try key.serializeAsPEM().pemString)
    }
}
