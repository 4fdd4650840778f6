import LabCore

/// What the transport is told by its caller.
package struct SSHSettings: Sendable {
    /// What a question to the user is about.
    package enum Question: Sendable, Hashable {
        /// The passphrase of a key file.
        case passphrase(keyFile: String)
        /// The password for logging in.
        case password(user: String, host: String)
        /// One prompt of a keyboard-interactive login, in the server's words.
        case challenge(host: String, prompt: String, echo: Bool)
    }

    /// Asks the user; nil when nobody can be asked. Called for one question at a time, from no particular thread.
    package typealias Prompt = @Sendable (Question) async throws -> Secret?

    package var prompt: Prompt?
    /// The user's configuration files, the first that says something wins; empty to read none.
    package var configurationFiles: [String]
    /// The environment (`HOME`, `SSH_AUTH_SOCK`).
    package var environment: [String: String]
    /// After this long without a byte the server is asked whether it is there; zero never asks.
    package var keepaliveInterval: Duration
    /// After this long without an answer to that the connection is lost.
    package var keepaliveTimeout: Duration
    /// After this long `sudo`, `su` or `doas` must have started a shell: what has not waits for something else than a
    /// password.
    package var becomeTimeout: Duration

    package init(
        prompt: Prompt? = nil, configurationFiles: [String]? = nil, environment: [String: String],
        keepaliveInterval: Duration = .seconds(5), keepaliveTimeout: Duration = .seconds(10),
        becomeTimeout: Duration = .seconds(30)
    ) {
        let home = environment["HOME"] ?? "/"
        self.prompt = prompt
        self.configurationFiles = configurationFiles ?? [home + "/.ssh/config", "/etc/ssh/ssh_config"]
        self.environment = environment
        self.keepaliveInterval = keepaliveInterval
        self.keepaliveTimeout = keepaliveTimeout
        self.becomeTimeout = becomeTimeout
    }

    package var home: String { environment["HOME"] ?? "/" }
}
