import LabCore

/// Why a link could not be made, was lost, or refused something.
package struct ConnectionError: DiagnosticError, Hashable {
    /// What went wrong, for callers that tell the cases apart.
    package enum Kind: String, Sendable, Hashable {
        /// The name has no address.
        case unresolved
        /// Nothing listens there.
        case refused
        /// No route, no answer to the connection request, or a network error.
        case unreachable
        /// The peer is no SSH server, or they have no algorithm in common.
        case protocolMismatch
        case hostKeyUnknown, hostKeyChanged, hostKeyRevoked
        /// No way to log in was accepted.
        case authenticationDenied
        /// Connecting or logging in took longer than it may.
        case timedOut
        /// A command ran longer than it may, and was killed.
        case commandTimedOut
        /// A command wrote more than is kept of an output, and was killed.
        case outputTooLarge
        /// The link ended while it was in use.
        case lost
        /// The link was closed on this side.
        case closed
        /// The node could not reach what a forwarded stream was asked for.
        case forwardRefused
        /// The node refused to read or write a file.
        case fileRefused
        /// `sudo`, `su` or `doas` refused.
        case becomeDenied
        /// The configuration of the connection is wrong (a key file that cannot be read, a bad option).
        case configuration
    }

    package let kind: Kind
    package let hostName: String
    /// What happened, in one lower-case line without the host's name: `connection refused by 192.168.56.10:22`.
    package let message: String
    /// Further lines, each one sentence.
    package let notes: [String]
    /// What to try.
    package let hint: String?
    package let span: SourceSpan?

    package init(
        _ kind: Kind, hostName: String, _ message: String, notes: [String] = [], hint: String? = nil,
        span: SourceSpan? = nil
    ) {
        self.kind = kind
        self.hostName = hostName
        self.message = message
        self.notes = notes
        self.hint = hint
        self.span = span
    }

    /// A command whose output is larger than `CommandResult.outputLimit`.
    package static func outputTooLarge(hostName: String) -> ConnectionError {
        ConnectionError(
            .outputTooLarge, hostName: hostName,
            "the command wrote more than \(CommandResult.outputLimit >> 20) MB and was killed",
            hint: "have it write to a file on the node")
    }

    /// The same error with further notes, and a hint where it has none.
    package func adding(notes more: [String], hint other: String? = nil) -> ConnectionError {
        ConnectionError(
            kind, hostName: hostName, message, notes: notes + more.filter { !notes.contains($0) }, hint: hint ?? other,
            span: span)
    }

    /// A loss of the link under a command that was under way: nobody knows how far it came.
    package var ofRunningCommand: ConnectionError {
        guard kind == .lost else { return self }
        return adding(
            notes: ["the command may or may not have finished"],
            hint: "look at the host before you run it again")
    }

    /// Whether connecting again may succeed by waiting: the host may be starting, or its server too busy.
    package var mayPass: Bool {
        switch kind {
        case .refused, .unreachable, .unresolved, .timedOut, .protocolMismatch, .lost, .closed: true
        default: false
        }
    }

    package var diagnostics: [Diagnostic] {
        [
            Diagnostic(
                "\(hostName): \(message)", span: span, notes: notes.map { Diagnostic.Note($0) }, hint: hint)
        ]
    }

    /// Whether the host counts as unreachable rather than the task as failed.
    package var isUnreachable: Bool {
        switch kind {
        case .forwardRefused, .fileRefused, .becomeDenied, .commandTimedOut, .outputTooLarge: false
        default: true
        }
    }

    package var failureClass: FailureClass {
        switch kind {
        case .configuration: .input
        default: isUnreachable ? .unreachable : .failed
        }
    }
}
