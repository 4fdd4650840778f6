import LabCore
import LabTransport

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

    package init(
        prompt: Prompt? = nil, configurationFiles: [String]? = nil, environment: [String: String],
        keepaliveInterval: Duration = .seconds(5), keepaliveTimeout: Duration = .seconds(10)
    ) {
        let home = environment["HOME"] ?? "/"
        self.prompt = prompt
        self.configurationFiles = configurationFiles ?? [home + "/.ssh/config", "/etc/ssh/ssh_config"]
        self.environment = environment
        self.keepaliveInterval = keepaliveInterval
        self.keepaliveTimeout = keepaliveTimeout
    }

    package var home: String { environment["HOME"] ?? "/" }
}

/// Everything that is decided about one connection before the first packet.
struct Route: Sendable {
    var hostName: String
    /// What to resolve and connect to.
    var address: String
    var port: Int
    var user: String
    /// The name under which known_hosts has the key.
    var keyName: String
    /// Key files that somebody named, in order.
    var identityFiles: [String]
    /// Key files that are tried because they have a usual name.
    var defaultIdentityFiles: [String]
    /// Only the named files, and of the agent's keys only those.
    var identitiesOnly: Bool
    /// The agent's socket, or nil for no agent.
    var agentSocket: String?
    var password: Secret?
    var userKnownHostsFiles: [String]
    var globalKnownHostsFiles: [String]
    var hostKeyPolicy: HostKeyPolicy
    var connectTimeout: Duration
    /// Options that libssh takes as they are: algorithms.
    var algorithms: [Algorithm: String]

    enum Algorithm: Sendable, Hashable { case keyExchange, hostKey, cipher, mac, publicKey }
}
