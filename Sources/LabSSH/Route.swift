import LabCore
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension Route {
    /// Decides everything from the endpoint, its options and the defaults of ssh_config(5).
    ///
    /// - Throws: `configuration` for an option's value that makes no sense.
    init(_ endpoint: Endpoint, _ settings: SSHSettings) throws {
        var values: [String: [String]] = [:]
        for option in endpoint.options { values[option.name.lowercased(), default: []].append(option.value) }
        func first(_ name: String) -> String? { values[name]?.first }
        let home = settings.home
        func expand(_ path: String) -> String {
            path == "~" ? home : path.hasPrefix("~/") ? home + path.dropFirst() : path
        }
        hostName = endpoint.hostName
        address = first("hostname") ?? endpoint.address
        port = endpoint.port ?? first("port").flatMap(Int.init) ?? 22
        user = endpoint.user ?? first("user") ?? settings.environment["USER"] ?? "root"
        keyName = first("hostkeyalias") ?? address
        identityFiles = endpoint.identityFiles.map(expand) + (values["identityfile"] ?? []).map(expand)
        defaultIdentityFiles =
            identityFiles.isEmpty
            ? ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"].map { home + "/.ssh/" + $0 } : []
        identitiesOnly = first("identitiesonly")?.lowercased() == "yes"
        agentSocket = settings.environment["SSH_AUTH_SOCK"]
        password = endpoint.password
        userKnownHostsFiles =
            first("userknownhostsfile").map { $0.split(separator: " ").map { expand(String($0)) } }
            ?? [home + "/.ssh/known_hosts", home + "/.ssh/known_hosts2"]
        globalKnownHostsFiles =
            first("globalknownhostsfile").map { $0.split(separator: " ").map(String.init) }
            ?? ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]
        hostKeyPolicy = endpoint.hostKeyPolicy
        switch first("stricthostkeychecking")?.lowercased() {
        case "no", "off": hostKeyPolicy = .off
        case "accept-new": hostKeyPolicy = .acceptNew
        case "yes", "ask": hostKeyPolicy = .strict
        default: break
        }
        connectTimeout = endpoint.connectTimeout
        algorithms = [:]
    }
}
