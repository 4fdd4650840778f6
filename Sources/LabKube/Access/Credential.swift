import LabCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a user shows an API server to be known by it: a token, a certificate, or both.
package struct Credential: Sendable {
    package var token: Secret?
    /// Certificates in PEM, the user's first.
    package var certificate: String?
    /// The key of the first certificate, in PEM.
    package var key: Secret?
    /// From when on it is no good any more; nil when nobody says.
    package var expires: Date?

    package init(
        token: Secret? = nil, certificate: String? = nil, key: Secret? = nil, expires: Date? = nil
    ) {
        self.token = token
        self.certificate = certificate
        self.key = key
        self.expires = expires
    }
}

/// Where a user's credential comes from again when it has grown old.
package struct CredentialRenewal: Sendable {
    /// Reads it anew.
    package let renew: @Sendable () async throws -> Credential
    /// After how long it is read again although nothing is wrong with it; nil for as long as it is good.
    package let maximumAge: Duration?
    /// Whether one that was read before serves on when it cannot be read again.
    package let keepsOld: Bool

    package init(
        maximumAge: Duration? = nil, keepsOld: Bool = false, renew: @escaping @Sendable () async throws -> Credential
    ) {
        self.renew = renew
        self.maximumAge = maximumAge
        self.keepsOld = keepsOld
    }
}

/// Keeps the credential of a client's user, and gets a new one when it has expired, may have changed, or was refused.
///
/// Token files are read again every minute, as client-go does (transport/token_source.go), and plugins are run again once
/// their credential has expired or the server has answered 401 (plugin/pkg/client/auth/exec).
actor CredentialKeeper {
    /// A credential with the number of its certificate: a connection that was made with another has to be made anew.
    struct Issue: Sendable {
        let credential: Credential
        let certificateNumber: Int
        fileprivate let number: Int
    }

    private let renewal: CredentialRenewal?
    private var issue: Issue
    private var taken = ContinuousClock.now
    private var renewing: Task<Credential, any Error>?

    init(_ user: Kubeconfig.User) {
        renewal = user.renewal
        issue = Issue(
            credential: Credential(
                token: user.token, certificate: user.certificate, key: user.key, expires: user.expires),
            certificateNumber: 0, number: 0)
    }

    /// The credential to use now.
    ///
    /// - Throws: what the renewal throws, where the old one is no good any more.
    func current() async throws -> Issue {
        guard let renewal else { return issue }
        let hasExpired = issue.credential.expires.map { $0 <= Date() } ?? false
        let isOld = renewal.maximumAge.map { ContinuousClock.now - taken >= $0 } ?? false
        guard hasExpired || isOld else { return issue }
        try await renew(issue, by: renewal, mayKeep: !hasExpired)
        return issue
    }

    /// Another credential than the one that the server has refused; nil when there is none to be had.
    func replacement(for refused: Issue) async throws -> Issue? {
        guard let renewal else { return nil }
        if issue.number == refused.number { try await renew(refused, by: renewal, mayKeep: renewal.keepsOld) }
        let isSame =
            issue.credential.token == refused.credential.token
            && issue.credential.certificate == refused.credential.certificate
        return isSame ? nil : issue
    }

    /// Renews once for all who wait for it.
    private func renew(_ old: Issue, by renewal: CredentialRenewal, mayKeep: Bool) async throws {
        let task = renewing ?? Task { try await renewal.renew() }
        renewing = task
        let result = await withTaskCancellationHandler {
            await task.result
        } onCancel: {
            task.cancel()
        }
        // Whoever comes first after the wait takes the result over.
        guard renewing == task else { return }
        renewing = nil
        switch result {
        case .success(let new):
            taken = .now
            let isSameCertificate = new.certificate == issue.credential.certificate
            issue = Issue(
                credential: new,
                certificateNumber: issue.certificateNumber + (isSameCertificate ? 0 : 1), number: issue.number + 1)
        case .failure(let error):
            guard mayKeep, renewal.keepsOld else { throw error }
            taken = .now
        }
    }
}
