import LabCore
import LabTransport

/// What a module may use while it plans and applies: the host, the laptop, and the task's settings.
package struct ModuleContext: Sendable {
    /// The host that the task runs on (after `delegate_to`).
    package var hostName: String
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
    /// Objects that live as long as the run and are shared by modules (connections to API servers).
    package var shared: RunStorage
    /// Shows progress under the task's line: `waiting for DaemonSet metallb-system/speaker: 2 of 3 ready`.
    package var progress: @Sendable (String) -> Void

    package init(
        hostName: String, connection: @escaping @Sendable () async throws -> any Connection,
        controller: any Connection, environment: [(name: String, value: String)] = [], become: Become? = nil,
        searchPaths: [String] = [], variable: @escaping @Sendable (String) throws -> Value? = { _ in nil },
        render: @escaping @Sendable (String, String) throws -> Value = { text, _ in .string(text) },
        shared: RunStorage, progress: @escaping @Sendable (String) -> Void = { _ in }
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
        self.progress = progress
    }
}
