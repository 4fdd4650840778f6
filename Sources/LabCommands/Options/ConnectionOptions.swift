import ArgumentParser
import LabCore
import LabModel
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension HostKeyPolicy: ExpressibleByArgument {}

/// How hosts are logged in to.
struct ConnectionOptions: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "Log in as this user where the inventory names none; '-e ansible_user=…' wins over the inventory.",
            valueName: "user"))
    var user: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Log in with this private key as well, after those that the inventory names.", valueName: "file"))
    var privateKey: String?

    @Flag(name: [.customShort("k"), .long], help: "Ask for the login password.")
    var askPass = false

    @Flag(name: [.short, .long], help: "Run tasks as another user (root, unless --become-user says otherwise).")
    var become = false

    @Option(name: .long, help: ArgumentHelp("The user to become.", valueName: "user"))
    var becomeUser: String?

    @Flag(name: [.customShort("K"), .long], help: "Ask for the password that sudo wants.")
    var askBecomePass = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "What to do with a host key that known_hosts does not have: yes refuses it, accept-new takes it and writes it down.",
            valueName: "policy"))
    var hostKeyChecking: HostKeyPolicy?

    @Option(
        name: .long, help: ArgumentHelp("How long connecting and logging in may take.", valueName: "seconds"))
    var connectTimeout: Int = 10

    func validate() throws {
        // Other keys would log in silently in its place. `~` is expanded where it is used.
        if let privateKey, !privateKey.hasPrefix("~"), access(privateKey, R_OK) != 0 {
            throw ValidationError("--private-key \(privateKey): \(String(cString: strerror(errno)).lowercased())")
        }
        guard connectTimeout > 0 else { throw ValidationError("--connect-timeout is a number of seconds above 0") }
    }
}

extension ConnectionOptions {
    /// Adds what the command line says of the way to a host, which the inventory's words win over.
    func adjust(_ endpoint: inout Endpoint) {
        if endpoint.user == nil {
            endpoint.user = user
        } else if endpoint.user != user {
            endpoint.overruledUser = user
        }
        if let privateKey { endpoint.identityFiles.append(privateKey) }
        if let hostKeyChecking { endpoint.hostKeyPolicy = hostKeyChecking }
        endpoint.connectTimeout = min(endpoint.connectTimeout, .seconds(connectTimeout))
    }

    /// The keywords that the command line sets for tasks that have none of their own.
    func directives() throws -> Directives {
        var directives = Directives()
        if become { directives.become = try Templated("become", SourceValue(true)) }
        if let becomeUser { directives.becomeUser = try Templated("become_user", SourceValue(.string(becomeUser))) }
        return directives
    }
}
