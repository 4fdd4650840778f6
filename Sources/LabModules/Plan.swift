import LabCore

/// What a module would change.
package struct Plan: Sendable {
    /// Whether the module would change something, as far as it can know.
    package enum Verdict: Sendable {
        /// Nothing would change: the step is `ok`, and proved.
        case nothing
        /// These things would change.
        case changes([Change])
        /// The module cannot know before it runs (`command`); `reason` says so to people, for example
        /// `a command has no plan; give it creates, removes or changed_when`.
        case unpredictable(reason: String)
        /// The module never changes anything (`debug`, `assert`, `stat`): running it is the whole step.
        case readOnly
    }

    package var verdict: Verdict
    /// What the task's `register` gets when nothing is applied (verdict `nothing`, or check mode).
    package var values: ValueMap
    /// Sentences for the report: what was kept although it differs, whose fields would be taken.
    package var notes: [String]
    package var warnings: [String]
    /// The module's own, from `plan` to `apply`.
    package var payload: (any Sendable)?

    package init(
        _ verdict: Verdict, values: ValueMap = [:], notes: [String] = [], warnings: [String] = [],
        payload: (any Sendable)? = nil
    ) {
        self.verdict = verdict
        self.values = values
        self.notes = notes
        self.warnings = warnings
        self.payload = payload
    }
}

/// One thing that would change: a file, an object of the cluster.
package struct Change: Sendable, Hashable {
    /// What is done to the thing; `run` stands for a command.
    package enum Action: String, Sendable, Hashable { case create, update, delete, run }

    /// One field of the thing. `before` is nil when it is added, `after` is nil when it is removed.
    package struct Field: Sendable, Hashable {
        /// As the thing's own tools write it: `.spec.addresses[0]`, `mode`, `content`.
        package var path: String
        package var before: Value?
        package var after: Value?
        /// Who set the field before, where that is known: `MetalLB (Update)`.
        package var owner: String?

        package init(_ path: String, before: Value?, after: Value?, owner: String? = nil) {
            self.path = path
            self.before = before
            self.after = after
            self.owner = owner
        }
    }

    package var action: Action
    /// What changes, as people name it: `Deployment metallb-system/controller`, `/etc/motd`.
    package var subject: String
    package var fields: [Field]
    /// The change as a unified diff, for things that are texts.
    package var textDiff: String?

    package init(_ action: Action, _ subject: String, fields: [Field] = [], textDiff: String? = nil) {
        self.action = action
        self.subject = subject
        self.fields = fields
        self.textDiff = textDiff
    }
}

/// What applying a plan did.
package struct ModuleResult: Sendable {
    /// nil when the module cannot tell (`command`); the engine then asks `changed_when`, else says `changed`.
    package var changed: Bool?
    /// What the task's `register` gets: Ansible's return values of the module, without `changed` and `failed`.
    package var values: ValueMap
    /// What was changed; the plan's changes where the module has nothing more exact.
    package var changes: [Change]
    package var notes: [String]
    package var warnings: [String]
    /// Why the module calls the step failed although it ran (`rc` not 0); nil when it succeeded.
    package var failure: String?
    /// Whether the module had nothing to do and says so (`debug` with a verbosity that is not reached).
    package var isSkipped: Bool
    /// What the module knows of the step's idempotence where it could not plan; nil leaves it to the engine.
    package var proof: ProofClaim?
    /// Variables that the step defines for the host.
    package var variables: VariableEffect?

    /// What a module that cannot plan says of a step's idempotence after it ran.
    package enum ProofClaim: Sendable, Hashable {
        /// The step would change nothing if it ran again; `by` says how that is known.
        case proved(by: String)
        /// Nothing is known; `reason` says why.
        case unproved(reason: String)
        /// The step would change these things again.
        case unstable([Change])
    }

    /// Variables that a step defines, by the precedence that they get.
    package enum VariableEffect: Sendable {
        /// Of `set_fact` and of modules that gather facts.
        case facts(ValueMap)
        /// Of `include_vars`: templates in them are rendered when they are used.
        case included([SourceValue.Entry])
    }

    package init(
        changed: Bool?, values: ValueMap = [:], changes: [Change] = [], notes: [String] = [],
        warnings: [String] = [], failure: String? = nil, isSkipped: Bool = false, proof: ProofClaim? = nil,
        variables: VariableEffect? = nil
    ) {
        self.changed = changed
        self.values = values
        self.changes = changes
        self.notes = notes
        self.warnings = warnings
        self.failure = failure
        self.isSkipped = isSkipped
        self.proof = proof
        self.variables = variables
    }
}

/// A call that cannot succeed, told to a person.
package struct ModuleError: DiagnosticError {
    package let diagnostics: [Diagnostic]
    package let failureClass: FailureClass
    /// What the task's `register` gets besides `failed` and `msg`.
    package let values: ValueMap
    /// Whether trying again may help (a webhook that does not answer yet).
    package let isTransient: Bool

    package init(
        _ message: String, span: SourceSpan? = nil, notes: [Diagnostic.Note] = [], hint: String? = nil,
        values: ValueMap = [:], failureClass: FailureClass = .failed, isTransient: Bool = false
    ) {
        self.init(
            [Diagnostic(message, span: span, notes: notes, hint: hint)], values: values, failureClass: failureClass,
            isTransient: isTransient)
    }

    /// Several things that are wrong at once; at least one.
    package init(
        _ diagnostics: [Diagnostic], values: ValueMap = [:], failureClass: FailureClass = .failed,
        isTransient: Bool = false
    ) {
        self.diagnostics = diagnostics
        self.failureClass = failureClass
        self.values = values
        self.isTransient = isTransient
    }
}
