import Crypto
import LabCore
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the authorities of known_hosts say of a host.
enum Vouching: Sendable {
    /// None is on record for it.
    case notAsked
    /// There is no certificate to look at: a clause.
    case missing(String)
    /// The certificate does not count: a clause whose subject it is.
    case flawed(HostCertificate, String)
    /// An authority that is trusted for the host certifies this key.
    case good(HostCertificate)

    /// The type of the key that is vouched for.
    var keyType: String? {
        if case .good(let certificate) = self { certificate.keyType } else { nil }
    }

    /// What the server showed.
    var certificate: HostCertificate? {
        switch self {
        case .notAsked, .missing: nil
        case .flawed(let certificate, _), .good(let certificate): certificate
        }
    }
}

extension HostCertificate {
    /// For messages.
    var title: String { "the host's certificate `\(identity.printable)` (serial \(serial))" }
}

extension Session {
    /// Looks whether an authority vouches for the host, where known_hosts has one for it.
    ///
    /// - Throws: why the server cannot be reached; `Abandoned.timedOut`; `CancellationError`. What the server makes of the
    ///   question is told in the result: the connection that follows has errors of its own.
    func askForCertificate(_ known: KnownHosts.HostEntries, until deadline: ContinuousClock.Instant) async throws
        -> Vouching
    {
        let authorities = known.authorities
        guard !authorities.isEmpty else { return .notAsked }
        let listed = route.algorithms[.hostKey].map { AlgorithmList.names($0, usual: HostKeyAlgorithms.usual) }
        let algorithms = (listed ?? HostKeyAlgorithms.usual).filter(HostCertificate.algorithms.contains)
        guard !algorithms.isEmpty else { return .missing("HostKeyAlgorithms allows no certificates") }
        do {
            guard let certificate = try await probe(algorithms, until: deadline) else {
                return .missing("the server has no host certificate")
            }
            return judge(certificate, authorities)
        } catch let failure as HostCertificateProbe.Failure {
            return .missing("the server was asked for its host certificate, but \(failure.text)")
        }
    }

    private func judge(_ certificate: HostCertificate, _ authorities: [KnownHosts.Entry]) -> Vouching {
        guard authorities.contains(where: { $0.blob == Base64.encode(certificate.authority) }) else {
            let digest = Base64.encode(Array(SHA256.hash(data: certificate.authority))).prefix { $0 != "=" }
            return .flawed(certificate, "is from another authority, SHA256:\(digest)")
        }
        let flaw = certificate.flaw(
            for: route.keyName.lowercased(), at: UInt64(max(0, time(nil))), algorithms: route.authorityAlgorithms)
        return flaw.map { .flawed(certificate, $0) } ?? .good(certificate)
    }

    /// Asks again when the server has too many logins under way, as long as there is time.
    private func probe(
        _ algorithms: [String], until deadline: ContinuousClock.Instant
    ) async throws -> HostCertificate? {
        var pause = Duration.milliseconds(100)
        while true {
            do {
                return try await probeOnce(algorithms, until: deadline)
            } catch let failure as HostCertificateProbe.Failure {
                guard failure.isDrop, .now + pause * 2 < deadline, route.proxy == .none else { throw failure }
                shared.gate.noteDrop()
                try await Task.sleep(for: pause * Double.random(in: 0.5...1.5))
                pause = min(pause * 2, .seconds(1))
            }
        }
    }

    private func probeOnce(
        _ algorithms: [String], until deadline: ContinuousClock.Instant
    ) async throws -> HostCertificate? {
        let held = holds.count
        defer { holds.removeLast(holds.count - held) }
        let socket = try await reach(until: deadline)
        if route.proxy == .none { vouchedAddress = peerAddress(socket) }
        let stream = SocketStream(socket: socket, thread: thread, hostName: hostName)
        stage = "asking for the host certificate"
        let timer = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            await stream.close()
        }
        defer { timer.cancel() }
        var probe = HostCertificateProbe(stream)
        let result: Result<HostCertificate?, any Error>
        do {
            result = .success(try await probe.certificate(algorithms))
            let hurry = Task {
                try await Task.sleep(for: .seconds(1))
                await stream.close()
            }
            await probe.leave()
            hurry.cancel()
        } catch {
            result = .failure(error)
        }
        await stream.close()
        if case .success(let certificate) = result { return certificate }
        try Task.checkCancellation()
        if .now >= deadline { throw Abandoned.timedOut }
        do {
            return try result.get()
        } catch let error as ConnectionError where error.kind == .lost || error.kind == .closed {
            throw HostCertificateProbe.Failure(text: "it ended the connection", isDrop: !probe.hasMet)
        }
    }
}
