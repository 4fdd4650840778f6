import LabCore

/// Certificates of simulated controllers: nobody checks them, they only have to look like what they stand for.
enum SimulatedCertificates {
    /// A new `caBundle`: random bytes in a PEM frame, in base 64. It is different each time, as a real one is.
    static func bundle() -> String {
        let body = Base64.encode((0..<600).map { _ in UInt8.random(in: .min ... .max) })
        var lines = ["-----BEGIN CERTIFICATE-----"]
        var rest = body[...]
        while !rest.isEmpty {
            lines.append(String(rest.prefix(64)))
            rest = rest.dropFirst(64)
        }
        lines.append("-----END CERTIFICATE-----\n")
        return Base64.encode(Array(lines.joined(separator: "\n").utf8))
    }
}
