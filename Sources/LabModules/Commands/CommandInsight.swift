import LabCore
import LabTransport

/// A command that a task is about to run, as `command` and `shell` have it.
package struct ObservedCommand: Sendable {
    /// The program and its arguments; for `shell` what its text splits into when it is one simple command, else nil.
    package var arguments: [String]?
    /// The text of a `shell` task; nil for `command`.
    package var shellText: String?
    package var environment: [(name: String, value: String)]
    package var workingDirectory: String?
    package var standardInput: [UInt8]?
    package var become: Become?

    package init(
        arguments: [String]?, shellText: String? = nil, environment: [(name: String, value: String)] = [],
        workingDirectory: String? = nil, standardInput: [UInt8]? = nil, become: Become? = nil
    ) {
        self.arguments = arguments
        self.shellText = shellText
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.standardInput = standardInput
        self.become = become
    }
}

/// Knows what certain commands change, so that a task that runs them need not be called `changed` blindly.
///
/// For `kubectl apply` it reads the named objects before and after: changed is what a resourceVersion moved for.
package protocol CommandInsight: Sendable {
    /// What the command would change, where that can be known without running it; nil leaves it unplanned. A plan
    /// with verdict `nothing` keeps the command from running.
    func plan(_ command: ObservedCommand, in context: ModuleContext) async throws -> Plan?

    /// Looks at what the command will touch, before it runs; nil when nothing is known of such commands.
    func observe(_ command: ObservedCommand, in context: ModuleContext) async throws -> (any CommandObservation)?
}

extension CommandInsight {
    package func plan(_ command: ObservedCommand, in context: ModuleContext) async throws -> Plan? { nil }
}

/// What was seen before a command ran, waiting to be compared with what is there afterwards.
package protocol CommandObservation: Sendable {
    /// Looks again and says what the command changed. Called whether the command succeeded or not.
    func conclude(_ result: CommandResult) async throws -> CommandEffect
}

/// What a command changed, as somebody who watched the objects saw it.
package struct CommandEffect: Sendable {
    package var changed: Bool
    package var changes: [Change]
    package var notes: [String]
    package var warnings: [String]
    package var proof: ModuleResult.ProofClaim?

    package init(
        changed: Bool, changes: [Change] = [], notes: [String] = [], warnings: [String] = [],
        proof: ModuleResult.ProofClaim? = nil
    ) {
        self.changed = changed
        self.changes = changes
        self.notes = notes
        self.warnings = warnings
        self.proof = proof
    }
}
