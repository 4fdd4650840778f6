import LabCore

/// How a host is reached: everything that an inventory and the command line say about the way to it.
package struct Endpoint: Sendable, Hashable {
    /// The inventory's name of the host, for messages.
    package var hostName: String
    /// What to connect to: a DNS name, an address, or a `Host` alias of the SSH configuration.
    package var address: String
    package var port: Int?
    package var user: String?
    /// A user that the command line names, where the inventory's goes before it; for messages.
    package var overruledUser: String?
    /// Private keys to try first, in this order.
    package var identityFiles: [String]
    package var password: Secret?
    /// Options in the form of ssh_config(5), from `ansible_ssh_common_args` and `vagrant ssh-config`, for example
    /// `("StrictHostKeyChecking", "no")`.
    package var options: [Option]
    /// How unknown host keys are treated.
    package var hostKeyPolicy: HostKeyPolicy
    /// How long connecting and logging in may take together.
    package var connectTimeout: Duration
    /// Where the inventory defines the host, for messages.
    package var span: SourceSpan?

    /// One keyword of ssh_config(5) and its value.
    package struct Option: Sendable, Hashable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(
        hostName: String, address: String, port: Int? = nil, user: String? = nil, identityFiles: [String] = [],
        password: Secret? = nil, options: [Option] = [], hostKeyPolicy: HostKeyPolicy = .strict,
        connectTimeout: Duration = .seconds(10), span: SourceSpan? = nil
    ) {
        self.hostName = hostName
        self.address = address
        self.port = port
        self.user = user
        self.identityFiles = identityFiles
        self.password = password
        self.options = options
        self.hostKeyPolicy = hostKeyPolicy
        self.connectTimeout = connectTimeout
        self.span = span
    }
}

/// What happens when known_hosts has no key for a host (ssh_config(5), `StrictHostKeyChecking`).
package enum HostKeyPolicy: String, Sendable, CaseIterable {
    /// Refuse.
    case strict = "yes"
    /// Take an unknown key and write it down; refuse a changed one.
    case acceptNew = "accept-new"
    /// Take any key. Only where the user's own configuration says so (Vagrant's does).
    case off = "no"
}
