import LabCore

/// What a task calls: a kind of thing on a node (or in the cluster) that can be compared with what is wanted and
/// brought there.
///
/// `plan` reads and never writes. The engine calls `plan`, then `apply` if the plan is not empty, then `plan` again: an
/// empty second plan proves the step idempotent. What `register` gets after an apply are the values of the second plan,
/// overwritten by those of the apply.
package protocol Module: Sendable {
    var specification: ModuleSpecification { get }

    /// Says what the call would change, without changing anything.
    ///
    /// - Throws: `ModuleError` when the call cannot succeed; `ConnectionError`; `CancellationError`.
    func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan

    /// Whether `validate` has anything to say: only then are a task's arguments rendered before the run.
    var validatesBeforeRun: Bool { get }

    /// Finds mistakes that can be told without asking the node or the cluster. Called for every call whose arguments can
    /// be rendered before the run starts, so that nothing is sent when something is wrong. An error keeps the run from
    /// starting.
    func validate(_ call: ModuleCall, in scope: ValidationScope) -> [Diagnostic]

    /// Whether a call may be applied a second time when the link was lost while it was under way and nobody knows how far
    /// it came. True for what says how things are to be (a file that is written beside its place and renamed, an object
    /// that is applied) or looks first (`creates`); the engine then plans anew and applies what is still missing.
    func mayRepeat(_ call: ModuleCall) -> Bool

    /// Carries out a plan that `plan` made for the same call.
    ///
    /// - Throws: as `plan`.
    func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult
}

extension Module {
    package var validatesBeforeRun: Bool { false }

    package func mayRepeat(_ call: ModuleCall) -> Bool { false }

    package func validate(_ call: ModuleCall, in scope: ValidationScope) -> [Diagnostic] { [] }
}

/// What is known before a run starts, for `Module.validate`.
package struct ValidationScope: Sendable {
    /// The hosts of the inventory and the addresses that the inventory gives them.
    package var hostAddresses: [(host: String, address: String)]
    /// Where relative `src` and `template` paths are looked for.
    package var searchPaths: [String]
    /// Renders a template text with the host's variables.
    package var render: @Sendable (_ text: String, _ path: String) throws -> Value
    /// Where the variables that are in scope hold this text, so that a mistake in a rendered value is shown where the
    /// user wrote it; nil when no file holds it.
    package var spanOfText: @Sendable (String) -> SourceSpan?
    /// Where the variables that are in scope hold an empty list under a name that ends in the key (`addresses`); nil when
    /// no file does, or more than one place does.
    package var spanOfEmptyList: @Sendable (_ key: String) -> SourceSpan?
    /// Where the variables that are in scope hold `key` of the map whose `name` is `owner`, so that a wrong number is shown
    /// where the user wrote it. `holdTime` finds `hold_time`. Nil when no file has it.
    package var spanOfEntry: @Sendable (_ key: String, _ owner: String) -> SourceSpan?
    /// The host that the call is for (after `delegate_to`).
    package var hostName: String
    /// Where checks that need several calls keep what they have seen; nil judges the call by itself.
    package var record: ValidationRecord?

    package init(
        hostAddresses: [(host: String, address: String)] = [], searchPaths: [String] = [],
        render: @escaping @Sendable (String, String) throws -> Value = { text, _ in .string(text) },
        spanOfText: @escaping @Sendable (String) -> SourceSpan? = { _ in nil },
        spanOfEmptyList: @escaping @Sendable (String) -> SourceSpan? = { _ in nil },
        spanOfEntry: @escaping @Sendable (String, String) -> SourceSpan? = { _, _ in nil }, hostName: String = "",
        record: ValidationRecord? = nil
    ) {
        self.hostAddresses = hostAddresses
        self.searchPaths = searchPaths
        self.render = render
        self.spanOfText = spanOfText
        self.spanOfEmptyList = spanOfEmptyList
        self.spanOfEntry = spanOfEntry
        self.hostName = hostName
        self.record = record
    }
}

/// A module's names and parameters, known before anything runs so that mistakes are found at load time.
package struct ModuleSpecification: Sendable {
    /// One parameter as tasks write it: its names, its type, and what it may be.
    package struct Parameter: Sendable {
        /// What an argument is converted to; `any` is taken as it is.
        package enum Kind: Sendable { case string, path, int, float, bool, list, map, any }

        package var name: String
        package var aliases: [String]
        package var kind: Kind
        package var isRequired: Bool
        package var choices: [String]
        package var defaultValue: Value?

        package init(
            _ name: String, _ kind: Kind = .string, aliases: [String] = [], required: Bool = false,
            choices: [String] = [], default defaultValue: Value? = nil
        ) {
            self.name = name
            self.aliases = aliases
            self.kind = kind
            self.isRequired = required
            self.choices = choices
            self.defaultValue = defaultValue
        }
    }

    /// The fully qualified name: `ansible.builtin.copy`.
    package var name: String
    package var parameters: [Parameter]
    /// Whether the module takes a free-form string (`command: ls -l`).
    package var takesFreeForm: Bool
    /// Whether the module takes any parameter name (`set_fact`).
    package var takesAnyParameter: Bool
    /// Whether the module runs without a connection to the host (`debug`, `set_fact`, `assert`, `fail`).
    package var runsOnController: Bool

    package init(
        _ name: String, parameters: [Parameter], takesFreeForm: Bool = false, takesAnyParameter: Bool = false,
        runsOnController: Bool = false
    ) {
        self.name = name
        self.parameters = parameters
        self.takesFreeForm = takesFreeForm
        self.takesAnyParameter = takesAnyParameter
        self.runsOnController = runsOnController
    }
}

/// One use of a module: its rendered arguments and where they were written.
package struct ModuleCall: Sendable {
    /// The arguments under their canonical names, checked against the specification and converted to its kinds, with
    /// defaults filled in.
    package var arguments: ValueMap
    /// The free-form text, rendered.
    package var freeForm: String?
    /// The arguments as written, for the places in error messages.
    package var source: SourceValue
    /// Where the task stands.
    package var span: SourceSpan?

    package init(arguments: ValueMap, freeForm: String? = nil, source: SourceValue, span: SourceSpan? = nil) {
        self.arguments = arguments
        self.freeForm = freeForm
        self.source = source
        self.span = span
    }

    package subscript(name: String) -> Value? { arguments[name] }
}
