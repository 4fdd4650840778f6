import LabCore
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Everything that is decided about one connection before the first packet.
struct Route: Sendable {
    enum Algorithm: Sendable, Hashable { case keyExchange, hostKey, cipher, mac, publicKey }

    enum Proxy: Sendable, Hashable {
        case none
        /// Hosts to go through, the first one first, each `[user@]host[:port]`.
        case jump([String])
        case command(String)
    }

    var hostName: String
    /// What to resolve and connect to.
    var address: String
    var port: Int
    var user: String
    /// `Endpoint.overruledUser`.
    var overruledUser: String?
    /// The name under which known_hosts has the key.
    var keyName: String
    /// The port of that name; 22 adds nothing to it.
    var keyPort: Int
    /// Key files that somebody named, in order.
    var identityFiles: [String] = []
    /// Key files that are tried because they have a usual name.
    var defaultIdentityFiles: [String] = []
    var certificateFiles: [String] = []
    /// Only the named files, and of the agent's keys only those.
    var identitiesOnly = false
    /// The agent's socket, or nil for no agent.
    var agentSocket: String?
    var password: Secret?
    /// The methods that the configuration allows.
    var allowsPublicKey = true
    var allowsPassword = true
    var allowsInteractive = true
    var isBatch = false
    var userKnownHostsFiles: [String] = []
    var globalKnownHostsFiles: [String] = []
    var revokedHostKeysFile: String?
    var hashesKnownHosts = false
    /// The signature algorithms that certificate authorities may use.
    var authorityAlgorithms = AuthoritySignature.algorithms
    var hostKeyPolicy: HostKeyPolicy
    var connectTimeout: Duration
    var keepaliveInterval: Duration
    var keepaliveTimeout: Duration
    var addressFamily: Int32 = AF_UNSPEC
    var bindAddress: String?
    var proxy = Proxy.none
    /// Options that libssh takes as they are.
    var algorithms: [Algorithm: String] = [:]
    var compresses = false
    var interactive = InteractiveSettings()
}

extension Route {
    /// Decides everything from the endpoint, its options, the configuration files and the defaults of ssh_config(5), in
    /// this order. Blocks (files, `Match exec`): for helper threads.
    ///
    /// - Throws: `configuration` for a value that makes no sense; `InputError` for a broken configuration file.
    init(_ endpoint: Endpoint, _ settings: SSHSettings, _ files: ConfigurationFiles) throws {
        let localUser = Self.localUser ?? settings.environment["USER"] ?? "root"
        var paths = settings.configurationFiles
        if let named = endpoint.options.first(where: { $0.name == SSHArguments.configurationFile })?.value {
            paths = named.lowercased() == "none" ? [] : [named]
        }
        let query = SSHConfiguration.Query(
            host: endpoint.address, user: endpoint.user, port: endpoint.port, localUser: localUser,
            tokens: [
                "d": settings.home, "i": String(getuid()), "l": Tokens.localHost,
                "L": String(Tokens.localHost.prefix { $0 != "." }),
            ], execute: runMatchCommand)
        let options = endpoint.options + SSHConfiguration.resolve(try files.read(paths), query)
        let values = OptionValues(
            options: options, hostName: endpoint.hostName, home: settings.home, environment: settings.environment)

        hostName = endpoint.hostName
        port = try endpoint.port ?? values.port() ?? 22
        user = endpoint.user ?? values["user"] ?? localUser
        address = (values["hostname"] ?? endpoint.address).replacing("%h", with: endpoint.address)
            .replacing("%%", with: "%").lowercased()
        keyName = values["hostkeyalias"] ?? address
        // An alias is the whole name, whatever the port.
        keyPort = values["hostkeyalias"] == nil ? port : 22
        connectTimeout = endpoint.connectTimeout
        hostKeyPolicy = endpoint.hostKeyPolicy
        keepaliveInterval = settings.keepaliveInterval
        keepaliveTimeout = settings.keepaliveTimeout

        let tokens = Tokens(
            address: address, original: endpoint.address, port: port, user: user, localUser: localUser,
            home: settings.home, keyName: values["hostkeyalias"] ?? endpoint.address, environment: settings.environment)
        chooseIdentities(endpoint, values, tokens, settings)
        try chooseHostKeys(endpoint, values, tokens)
        try chooseConnection(endpoint, values, tokens)
        interactive = try InteractiveSettings(values)
    }

    private mutating func chooseIdentities(
        _ endpoint: Endpoint, _ values: OptionValues, _ tokens: Tokens, _ settings: SSHSettings
    ) {
        var names = endpoint.identityFiles
        for name in values.all("identityfile") where !names.contains(name) { names.append(name) }
        names.removeAll { $0.lowercased() == "none" }
        identityFiles = names.map(tokens.expandPath)
        if values.all("identityfile").isEmpty, endpoint.identityFiles.isEmpty {
            // As ssh_config(5), IdentityFile lists them.
            defaultIdentityFiles = ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"]
                .map { settings.home + "/.ssh/" + $0 }
        }
        certificateFiles = values.all("certificatefile").map(tokens.expandPath)
        identitiesOnly = values.flag("identitiesonly") ?? false
        agentSocket = settings.environment["SSH_AUTH_SOCK"]
        if let agent = values["identityagent"] {
            switch agent {
            case "none": agentSocket = nil
            case "SSH_AUTH_SOCK": break
            default:
                agentSocket =
                    agent.hasPrefix("$") ? settings.environment[String(agent.dropFirst())] : tokens.expandPath(agent)
            }
        }
        if agentSocket?.isEmpty == true { agentSocket = nil }
        password = endpoint.password
        overruledUser = endpoint.overruledUser
        allowsPublicKey = values["pubkeyauthentication"]?.lowercased() != "no"
        allowsPassword = values.flag("passwordauthentication") ?? true
        allowsInteractive =
            values.flag("kbdinteractiveauthentication") ?? values.flag("challengeresponseauthentication") ?? true
        if let methods = values["preferredauthentications"]?.lowercased().split(separator: ",") {
            allowsPublicKey = allowsPublicKey && methods.contains("publickey")
            allowsPassword = allowsPassword && methods.contains("password")
            allowsInteractive = allowsInteractive && methods.contains("keyboard-interactive")
        }
        isBatch = values.flag("batchmode") ?? false
    }

    private mutating func chooseHostKeys(_ endpoint: Endpoint, _ values: OptionValues, _ tokens: Tokens) throws {
        userKnownHostsFiles = (values.list("userknownhostsfile") ?? ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"])
            .map(tokens.expandPath)
        globalKnownHostsFiles =
            (values.list("globalknownhostsfile") ?? ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"])
            .map(tokens.expandPath)
        revokedHostKeysFile = values["revokedhostkeys"].map(tokens.expandPath)
        hashesKnownHosts = values.flag("hashknownhosts") ?? false
        authorityAlgorithms = AuthoritySignature.algorithms(allowedBy: values["casignaturealgorithms"])
        switch values["stricthostkeychecking"]?.lowercased() {
        case nil: break
        case "no", "off", "false":
            // What the command line asked for is not weakened by a configuration file, only by the host's own options.
            if endpoint.hostKeyPolicy == .strict || values.isFromEndpoint("stricthostkeychecking", endpoint) {
                hostKeyPolicy = .off
            }
        case "accept-new": hostKeyPolicy = .acceptNew
        case "yes", "true", "ask":
            if values.isFromEndpoint("stricthostkeychecking", endpoint) { hostKeyPolicy = .strict }
        case let other?: throw values.wrong("StrictHostKeyChecking", other)
        }
    }

    private mutating func chooseConnection(_ endpoint: Endpoint, _ values: OptionValues, _ tokens: Tokens) throws {
        if let text = values["connecttimeout"], text.lowercased() != "none" {
            guard let time = SSHConfiguration.duration(text) else { throw values.wrong("ConnectTimeout", text) }
            let isDefault = endpoint.connectTimeout == .seconds(10)
            if isDefault || values.isFromEndpoint("connecttimeout", endpoint) {
                connectTimeout = max(time, .seconds(1))
            }
        }
        if let text = values["serveraliveinterval"] {
            guard let time = SSHConfiguration.duration(text) else { throw values.wrong("ServerAliveInterval", text) }
            if time > .zero {
                keepaliveInterval = time
                keepaliveTimeout = time * max(1, values["serveralivecountmax"].flatMap(Int.init) ?? 3)
            }
        }
        switch values["addressfamily"]?.lowercased() {
        case "inet": addressFamily = AF_INET
        case "inet6": addressFamily = AF_INET6
        default: addressFamily = AF_UNSPEC
        }
        bindAddress = values["bindaddress"]
        compresses = values.flag("compression") ?? false
        // Whichever of the two comes first counts (ssh_config(5), ProxyJump). As ssh has it, a jump to none leaves room for
        // a command, and no command leaves room for nothing.
        var hasJump = false
        scan: for option in values.options {
            let isNone = option.value.lowercased() == "none"
            switch option.name.lowercased() {
            case "proxyjump" where !hasJump:
                hasJump = true
                guard !isNone else { continue }
                proxy = .jump(option.value.split(separator: ",").map(String.init))
                break scan
            case "proxycommand":
                if !isNone { proxy = .command(tokens.expand(option.value)) }
                break scan
            default: continue
            }
        }
        if case .command = proxy, values.flag("proxyusefdpass") == true {
            throw ConnectionError(
                .configuration, hostName: hostName, "ProxyUseFdpass is not supported",
                hint: "let the proxy command carry the bytes itself")
        }
        algorithms[.keyExchange] = values["kexalgorithms"]
        algorithms[.hostKey] = values["hostkeyalgorithms"]
        algorithms[.cipher] = values["ciphers"]
        algorithms[.mac] = values["macs"]
        algorithms[.publicKey] = values["pubkeyacceptedalgorithms"] ?? values["pubkeyacceptedkeytypes"]
    }

    /// The name of whoever runs labctl.
    private static let localUser: String? = {
        var entry = passwd()
        var result: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 4096)
        guard getpwuid_r(getuid(), &entry, &buffer, buffer.count, &result) == 0, result != nil, let name = entry.pw_name
        else { return nil }
        return String(cString: name)
    }()
}

/// Options by name: the first value counts.
struct OptionValues: Sendable {
    let options: [Endpoint.Option]
    let hostName: String
    let home: String
    let environment: [String: String]

    subscript(name: String) -> String? { options.first { $0.name.lowercased() == name }?.value }

    func all(_ name: String) -> [String] { options.filter { $0.name.lowercased() == name }.map(\.value) }

    func flag(_ name: String) -> Bool? {
        switch self[name]?.lowercased() {
        case "yes", "true": true
        case "no", "false": false
        default: nil
        }
    }

    /// A value that is several words.
    func list(_ name: String) -> [String]? { self[name].map { SSHArguments.words($0) } }

    func port() throws(ConnectionError) -> Int? {
        guard let text = self["port"] else { return nil }
        guard let port = Int(text), (1...65_535).contains(port) else { throw wrong("Port", text) }
        return port
    }

    /// Whether the value comes from the host's own options and not from a file.
    func isFromEndpoint(_ name: String, _ endpoint: Endpoint) -> Bool {
        endpoint.options.contains { $0.name.lowercased() == name }
    }

    func wrong(_ name: String, _ value: String) -> ConnectionError {
        ConnectionError(.configuration, hostName: hostName, "`\(value)` is no value for the ssh option \(name)")
    }
}

/// The percent tokens of ssh_config(5), "TOKENS".
struct Tokens: Sendable {
    let address: String
    let original: String
    let port: Int
    let user: String
    let localUser: String
    let home: String
    let keyName: String
    let environment: [String: String]

    func expand(_ text: String) -> String {
        guard text.contains("%") else { return text }
        var result = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            guard character == "%", let token = rest.first else {
                result.append(character)
                continue
            }
            rest = rest.dropFirst()
            switch token {
            case "%": result += "%"
            case "h": result += address
            case "n": result += original
            case "p": result += String(port)
            case "r": result += user
            case "u": result += localUser
            case "d": result += home
            case "k": result += keyName
            case "i": result += String(getuid())
            case "l": result += Self.localHost
            case "L": result += String(Self.localHost.prefix { $0 != "." })
            default: result += "%" + String(token)
            }
        }
        return result
    }

    /// A path: `~`, tokens and `${VARIABLE}`.
    func expandPath(_ path: String) -> String {
        var path = path
        while let start = path.firstRange(of: "${"), let end = path[start.upperBound...].firstIndex(of: "}") {
            let value = environment[String(path[start.upperBound..<end])] ?? ""
            path.replaceSubrange(start.lowerBound...end, with: value)
        }
        path = expand(path)
        if path == "~" || path.hasPrefix("~/") { path = home + path.dropFirst() }
        return path
    }

    /// The name of this machine.
    static var localHost: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        return buffer.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "localhost" }
    }
}
