import LabCore

/// Why something could not be done with a cluster, told to a person.
package struct KubeError: DiagnosticError {
    /// What went wrong, for callers that tell the cases apart.
    package enum Kind: String, Sendable, Hashable {
        /// The kubeconfig is missing, unreadable or wrong.
        case kubeconfig
        /// Nothing answers where the kubeconfig says that the API server is.
        case unreachable
        /// The server's or the client's certificate cannot be trusted or used.
        case certificate
        /// The link ended while an answer was awaited.
        case lost
        /// No answer came in time.
        case timedOut
        /// What answered does not speak the API's protocol.
        case malformedAnswer
        /// 401.
        case unauthorized
        /// 403 by the server's own rules.
        case forbidden
        /// 403 by an admission webhook: `denied the request`. Never worth a retry.
        case denied
        /// 404.
        case notFound
        /// The cluster serves no such kind.
        case unknownKind
        /// 409 with `FieldManagerConflict` causes: another manager owns a field. Never retried.
        case fieldConflict
        /// 409 of any other cause: somebody else wrote at the same time.
        case race
        /// 400 or 422: the object is wrong.
        case invalid
        /// 500 `failed to create typed patch object`: the object has a field that the schema does not have.
        case schema
        /// 500 `failed calling webhook`, or a conversion webhook that does not answer.
        case webhookUnavailable
        /// 410: the resource version to resume from is too old.
        case expired
        /// 429.
        case tooManyRequests
        /// Any other answer that is no success.
        case server
        /// Something did not become ready in time.
        case notReady
        /// The user's objects are wrong before anything was sent.
        case input
        /// labctl itself refuses: it would destroy or take what is somebody else's.
        case refused
    }

    package let kind: Kind
    package let diagnostics: [Diagnostic]
    /// What the server answered, where it did.
    package let status: APIStatus?

    package init(
        _ kind: Kind, _ message: String, span: SourceSpan? = nil, notes: [Diagnostic.Note] = [], hint: String? = nil,
        status: APIStatus? = nil
    ) {
        self.kind = kind
        self.diagnostics = [Diagnostic(message, span: span, notes: notes, hint: hint)]
        self.status = status
    }

    package init(_ kind: Kind, diagnostics: [Diagnostic], status: APIStatus? = nil) {
        self.kind = kind
        self.diagnostics = diagnostics
        self.status = status
    }

    /// How many objects may fail in the same way before only the first of them is told.
    private static let mostAlike = 3

    /// The failures of several objects as one, in their order; the first decides the kind.
    ///
    /// Whoever may not do one thing may not do the others: refusals of rights are told once, with the number of the
    /// other objects. So are failures of any other kind when there are many of it.
    package init?(merging errors: [KubeError]) {
        guard let first = errors.first else { return nil }
        var groups: [Likeness: [KubeError]] = [:]
        for error in errors { groups[Likeness(error), default: []].append(error) }
        var told: Set<Likeness> = []
        var diagnostics: [Diagnostic] = []
        for error in errors {
            let likeness = Likeness(error)
            let count = groups[likeness]?.count ?? 1
            guard count > (likeness.isOfRights ? 1 : Self.mostAlike) else {
                diagnostics += error.diagnostics
                continue
            }
            guard told.insert(likeness).inserted else { continue }
            var own = error.diagnostics
            if !own.isEmpty {
                let others = count == 2 ? "1 more object" : "\(count - 1) more objects"
                let reason = likeness.isOfRights ? "for the same reason" : "with an error of the same kind"
                own[own.endIndex - 1].notes.append(Diagnostic.Note("and \(others), \(reason)"))
            }
            diagnostics += own
        }
        self.init(first.kind, diagnostics: diagnostics, status: first.status)
    }

    /// What failures have in common that are told as one.
    private struct Likeness: Hashable {
        let kind: Kind
        let code: Int?
        let reason: String?

        init(_ error: KubeError) {
            kind = error.kind
            code = error.status?.code
            reason = error.status?.reason
        }

        var isOfRights: Bool { kind == .forbidden || kind == .unauthorized }
    }

    package var message: String { diagnostics.first?.message ?? "" }

    /// Whether the same request may succeed a little later without anybody changing anything.
    package var isTransient: Bool {
        switch kind {
        case .webhookUnavailable, .tooManyRequests, .lost, .timedOut, .race: true
        // A full etcd stays full until somebody frees it (etcd's alarm NOSPACE).
        case .server: [500, 502, 503, 504].contains(status?.code) && status?.isOutOfSpace != true
        default: false
        }
    }

    package var failureClass: FailureClass {
        switch kind {
        case .input: .input
        case .unreachable: .unreachable
        default: .failed
        }
    }
}

/// What an API server says when it has no object to answer with (`kind: Status`, apimachinery meta/v1).
package struct APIStatus: Sendable, Hashable {
    /// One reason for the answer, and the field that it is about.
    package struct Cause: Sendable, Hashable {
        package let reason: String
        package let message: String
        /// As the server writes it: `.data.k`, `spec.ports[0].port`.
        package let field: String

        package init(reason: String, message: String, field: String) {
            self.reason = reason
            self.message = message
            self.field = field
        }
    }

    package let code: Int
    package let reason: String
    package let message: String
    package let causes: [Cause]
    package let retryAfterSeconds: Int?

    package init(code: Int, reason: String = "", message: String, causes: [Cause] = [], retryAfterSeconds: Int? = nil) {
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// Reads the body of an answer: a Status object, or the plain text that unknown paths get.
    package init(code: Int, body: [UInt8]) {
        guard let value = try? Value(json: body), value["kind"]?.string == "Status" else {
            let text = String(decoding: body.prefix(400), as: UTF8.self)
            let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
            self.init(code: code, message: line)
            return
        }
        self.init(code: code, status: value)
    }

    /// Reads a Status object.
    package init(code: Int, status value: Value) {
        let causes = (value[["details", "causes"]]?.list ?? []).map { cause in
            Cause(
                reason: cause["reason"]?.string ?? "", message: cause["message"]?.string ?? "",
                field: cause["field"]?.string ?? "")
        }
        self.init(
            code: value["code"]?.int ?? code, reason: value["reason"]?.string ?? "",
            message: value["message"]?.string ?? "", causes: causes,
            retryAfterSeconds: value[["details", "retryAfterSeconds"]]?.int)
    }

    /// Whether etcd refuses every write because its quota is used up: the API server hands etcd's error through as a 500
    /// with no reason (apiserver responsewriters/status.go; etcd v3rpc/rpctypes, ErrNoSpace).
    package var isOutOfSpace: Bool { code == 500 && message.contains("etcdserver: mvcc: database space exceeded") }

    /// The causes that name another field manager.
    package var fieldConflicts: [Cause] { causes.filter { $0.reason == "FieldManagerConflict" } }

    /// What kind of failure the answer is (ground truth, sections 1 and 6: which answers are worth a retry).
    package var kind: KubeError.Kind {
        switch code {
        case 401: .unauthorized
        case 403: message.contains("denied the request") ? .denied : .forbidden
        case 404: .notFound
        case 409: fieldConflicts.isEmpty ? .race : .fieldConflict
        case 400 where message.contains("denied the request"): .denied
        case 400, 422: message.contains("denied the request") ? .denied : .invalid
        case 410: .expired
        case 429: .tooManyRequests
        case 500 where message.contains("failed to create typed patch object"): .schema
        case 500
        where message.contains("failed calling webhook") || message.contains("conversion webhook for"):
            .webhookUnavailable
        default: message.contains("denied the request") ? .denied : .server
        }
    }
}

extension KubeError {
    /// The error that an answer amounts to. `action` says what was asked, as in `apply Deployment default/web`.
    package init(_ status: APIStatus, action: String, span: SourceSpan? = nil) {
        let said = status.message.isEmpty ? "status \(status.code)" : status.message
        switch status.kind {
        case .unauthorized:
            self.init(
                .unauthorized, "the API server does not accept the credentials of the kubeconfig", span: span,
                notes: [Diagnostic.Note("asked to \(action); the server said: \(said)")],
                hint: "check the token or client certificate of the kubeconfig's user; it may have expired",
                status: status)
        case .forbidden:
            self.init(
                .forbidden, "the API server forbids to \(action): \(said)", span: span,
                hint: "use a kubeconfig whose user may do this, or have its role extended", status: status)
        case .server where status.isOutOfSpace:
            self.init(
                .server, "cannot \(action): the cluster's etcd is full and takes no writes", span: span,
                notes: [Diagnostic.Note("the server said: \(said)")],
                hint: "free it on its node with etcdctl (compact, defrag, then alarm disarm), or give it a larger "
                    + "--quota-backend-bytes; then run labctl again", status: status)
        default:
            self.init(status.kind, "cannot \(action): \(said)", span: span, status: status)
        }
    }
}
