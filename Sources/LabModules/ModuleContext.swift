import LabCore
import LabTransport

/// What a module may use while it plans and applies: the host, the laptop, and the task's settings.
package struct ModuleContext: Sendable {
    /// The host that the task runs on (after `delegate_to`).
    package var hostName: String
    /// The name of the task, for messages.
    package var taskName = ""
    /// Gives the connection to that host, made at the first use and shared by all tasks of the run.
    package var connection: @Sendable () async throws -> any Connection
    /// The laptop, where files of the role are and downloads go.
    package var controller: any Connection
    /// The task's `environment`, rendered.
    package var environment: [(name: String, value: String)]
    package var become: Become?
    /// Where relative `src` paths are looked for, in this order (the role's `files/`, `templates/`, the role, the play).
    package var searchPaths: [String]
    /// All variables of the host at this task, rendered on demand; nil for an undefined name.
    package var variable: @Sendable (String) throws -> Value?
    /// Renders a template text with the host's variables (the `template` module; `definition` files).
    package var render: @Sendable (_ text: String, _ path: String) throws -> Value
    /// Renders a file with a format of its own and further variables (the `template` module).
    package var renderFile: @Sendable (_ text: String, _ path: String, _ format: TemplateFormat) throws -> String
    /// Objects that live as long as the run and are shared by modules (connections to API servers).
    package var shared: RunStorage
    /// Evaluates an expression (`debug: var`) with the host's variables.
    package var evaluate: @Sendable (_ expression: String, _ span: SourceSpan?) throws -> Value
    /// Evaluates a condition (`assert: that`) with the host's variables.
    package var condition: @Sendable (_ expression: Value, _ span: SourceSpan?) throws -> Bool
    /// Shows progress under the task's line: `waiting for DaemonSet metallb-system/speaker: 2 of 3 ready`.
    package var progress: @Sendable (String) -> Void
    /// Gets the output of running commands as it arrives; nil when nobody listens.
    package var output: (@Sendable (OutputPiece) -> Void)?
    /// Knows what some commands change (`kubectl apply`); nil when nothing is known of any.
    package var insight: (any CommandInsight)?
    /// Whether the task runs on the laptop itself (`delegate_to: localhost`), so that paths are the laptop's.
    package var isLocal: Bool
    /// Whether only plans are made (`--check`, `check_mode: true`).
    package var checkMode: Bool
    /// Whether the differences of texts are wanted (`--diff`, `diff: true`).
    package var wantsDiff: Bool
    /// How much people want to read: 0, and one more for each `-v`.
    package var verbosity: Int
    /// The recorded set of objects that the task's role keeps (`galaxy_info.labctl.prune`); nil where it keeps none.
    package var roleSet: RoleSet?

    package init(
        hostName: String, connection: @escaping @Sendable () async throws -> any Connection,
        controller: any Connection, environment: [(name: String, value: String)] = [], become: Become? = nil,
        searchPaths: [String] = [], variable: @escaping @Sendable (String) throws -> Value? = { _ in nil },
        render: @escaping @Sendable (String, String) throws -> Value = { text, _ in .string(text) },
        renderFile: @escaping @Sendable (String, String, TemplateFormat) throws -> String = { text, _, _ in text },
        evaluate: @escaping @Sendable (String, SourceSpan?) throws -> Value = { text, _ in .string(text) },
        condition: @escaping @Sendable (Value, SourceSpan?) throws -> Bool = { value, _ in value.bool ?? false },
        shared: RunStorage, progress: @escaping @Sendable (String) -> Void = { _ in },
        output: (@Sendable (OutputPiece) -> Void)? = nil, insight: (any CommandInsight)? = nil,
        isLocal: Bool = false, checkMode: Bool = false, wantsDiff: Bool = false, verbosity: Int = 0
    ) {
        self.hostName = hostName
        self.connection = connection
        self.controller = controller
        self.environment = environment
        self.become = become
        self.searchPaths = searchPaths
        self.variable = variable
        self.render = render
        self.shared = shared
        self.renderFile = renderFile
        self.evaluate = evaluate
        self.condition = condition
        self.progress = progress
        self.output = output
        self.insight = insight
        self.isLocal = isLocal
        self.checkMode = checkMode
        self.wantsDiff = wantsDiff
        self.verbosity = verbosity
    }
}

/// How the `template` module wants a file to be rendered.
package struct TemplateFormat: Sendable {
    /// The line break after a block is dropped.
    package var trimsBlocks: Bool
    /// White space before a block is dropped.
    package var stripsBeforeBlocks: Bool
    /// `{{` and the like, where the task has others; nil for Jinja's own.
    package var variableMarkers: (start: String, end: String)?
    package var blockMarkers: (start: String, end: String)?
    package var commentMarkers: (start: String, end: String)?
    /// Variables that only this file sees (`template_path`, `ansible_managed`).
    package var variables: ValueMap

    package init(
        trimsBlocks: Bool = true, stripsBeforeBlocks: Bool = false,
        variableMarkers: (start: String, end: String)? = nil,
        blockMarkers: (start: String, end: String)? = nil, commentMarkers: (start: String, end: String)? = nil,
        variables: ValueMap = [:]
    ) {
        self.trimsBlocks = trimsBlocks
        self.stripsBeforeBlocks = stripsBeforeBlocks
        self.variableMarkers = variableMarkers
        self.blockMarkers = blockMarkers
        self.commentMarkers = commentMarkers
        self.variables = variables
    }
}
