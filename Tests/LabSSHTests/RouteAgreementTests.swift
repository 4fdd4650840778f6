import LabCore
import LabTransport
import Testing

@testable import LabSSH

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What labctl decides about a connection beside what OpenSSH decides: the options as `ssh -G` prints them, and the paths
/// and commands as `ssh -v` says that it uses them.
@Suite(.enabled(if: access("/usr/bin/ssh", X_OK) == 0, "ssh is not installed"))
struct RouteAgreementTests {
    /// Runs `body` with a configuration file and, beside it, the files that it includes.
    private func with(
        _ text: String, included: String? = nil, _ body: (String, ConfigurationFiles, SSHSettings) async throws -> Void
    ) async throws {
        let folder = try temporaryFolder()
        defer { try? shell("rm -rf \(folder)") }
        try writeFile(text.replacing("$DIR", with: folder), to: folder + "/config")
        if let included { try writeFile(included.replacing("$DIR", with: folder), to: folder + "/included.conf") }
        // OpenSSH takes the home from the user database, whatever HOME says.
        let home = getpwuid(getuid()).map { String(cString: $0.pointee.pw_dir) } ?? "/"
        let settings = SSHSettings(
            configurationFiles: [folder + "/config"],
            environment: ["HOME": home, "LAB_VAR": "/lab var", "USER": currentUser])
        try await body(folder + "/config", ConfigurationFiles(home: home), settings)
    }

    private func openSSH(_ arguments: [String]) async throws -> CommandResult {
        try await LocalConnection().run(
            Command(.arguments(["ssh"] + arguments), environment: [("LAB_VAR", "/lab var")], timeout: .seconds(20)))
    }

    static let configurations: [(text: String, host: String)] = [
        ("Host a\n HostName A.lab\n Port 2222\n User u\nHost *\n Port 23\n User v", "a"), ("Host a\n Port 9", "A"),
        ("Host A\n Port 9", "A"), ("Host a b !c\n Port 9", "b"), ("Host * !b\n User u", "b"),
        ("Host=\"a\"\nPort=9", "a"),
        ("Host *\n HostName %h.lab\nMatch host a.lab\n User m", "a"), ("HostName %%x%h", "a"),
        ("Match host A\n User m", "a"), ("Match originalhost a user \(currentUser)\n Port 6", "a"),
        ("Match localuser \(currentUser) host b,a\n Port 6", "a"), ("Match !user nobody\n Port 6", "a"),
        (
            "Match exec \"test %h = a && test %n = a && test %p = 22 && test %r = %u && test -n '%l' -a -n '%L'\"\n User e",
            "a"
        ),
        ("Port 77\nMatch exec \"test %p = 77 && test %d = $HOME && test %i = $(id -u)\"\n User e", "a"),
        ("Match !exec false\n User e", "a"), ("Match exec=\"exit 1\"\n User e", "a"),
        ("HostName B.Lab\nMatch final\n User x\nHost b.lab\n Port 9", "a"),
        ("HostName z\nMatch final host z\n User x", "a"),
        ("Port 9\nMatch final all\n Port 10\n User x", "a"), ("Match canonical\n Port 9", "a"),
        ("Match all\n Port 9", "a"),
        ("Host b\n Include $DIR/included.conf\nHost a\n Include $DIR/in*.conf\n Port 10", "a"),
        ("Include $DIR/nosuch $DIR/included.conf\nHost *\n Port 10", "z"),
        ("ProxyJump none\nProxyCommand x %h", "a"), ("ProxyJump none\nProxyJump y", "a"),
        ("ProxyCommand none\nProxyJump y", "a"),
        ("ProxyCommand nc -X 5 \"%h\" %%p\nProxyJump y", "a"), ("ProxyJump u@[::1]:22,b\nProxyCommand x", "a"),
        ("ProxyCommand none\nProxyCommand x", "a"), ("Host a\n ProxyJump x,u@y:22\nHost *\n ProxyJump none", "a"),
        ("IdentityFile /k1\nIdentityFile \"/k 2\"\nIdentityFile /k1\nIdentitiesOnly TRUE", "a"),
        ("IdentityFile none", "a"),
        ("CertificateFile /c1\nCertificateFile /c2\nIdentityAgent none", "a"),
        ("IdentityAgent /sock\nBatchMode yes", "a"),
        ("UserKnownHostsFile /a \"/b c\" /d\nGlobalKnownHostsFile /g", "a"),
        ("UserKnownHostsFile none\nHashKnownHosts yes", "a"),
        ("HostKeyAlias other\nPort 2200\nRevokedHostKeys /r", "a"), ("StrictHostKeyChecking no", "a"),
        ("StrictHostKeyChecking accept-new", "a"), ("StrictHostKeyChecking ASK\nConnectTimeout 1m30s", "a"),
        ("ConnectTimeout none\nServerAliveInterval 2m\nServerAliveCountMax 5", "a"), ("ServerAliveInterval 0", "a"),
        ("AddressFamily INET6\nBindAddress ::1\nCompression yes", "a"), ("AddressFamily any", "a"),
        ("KexAlgorithms curve25519-sha256,ecdh-sha2-nistp256\nCiphers aes256-ctr\nMACs hmac-sha2-256", "a"),
        ("HostKeyAlgorithms ssh-ed25519,rsa-sha2-512\nPubkeyAcceptedAlgorithms ssh-ed25519", "a"),
        ("PubkeyAcceptedKeyTypes ssh-ed25519", "a"),
        ("PasswordAuthentication no\nKbdInteractiveAuthentication no", "a"),
        ("PubkeyAuthentication no\nPreferredAuthentications password", "a"),
        ("ChallengeResponseAuthentication no", "a"),
        (
            "SendEnv A B\nSendEnv C\nSetEnv X=1 Y=2\nSetEnv Z=3\nRequestTTY force\nForwardAgent yes\nEscapeChar none",
            "a"
        ),
        ("User 'x y'\nHost a\n\tPort\t=\t9 # rest\r", "a"), ("user u\nPORT 9\nhostName h", "a"),
    ]

    @Test(arguments: configurations)
    func agreesWithDashG(text: String, host: String) async throws {
        try await with(text, included: "Host a\n User inner\n Port 99\nHost *\n User all") { path, files, settings in
            let answer = try await openSSH(["-G", "-F", path, host])
            try #require(answer.exitStatus == 0, "\(answer.errorText)")
            let endpoint = Endpoint(hostName: host, address: host)
            let route = try Route(endpoint, settings, files)
            let lines = answer.outputText.split(whereSeparator: \.isNewline).map(String.init)
            func theirs(_ name: String) -> [String] {
                lines.filter { $0.lowercased().hasPrefix(name + " ") }.map { String($0.dropFirst(name.count + 1)) }
            }
            func one(_ name: String) -> String? { theirs(name).first }
            #expect(one("hostname") == route.address)
            #expect(one("port") == "\(route.port)")
            #expect(one("user") == route.user)
            #expect((one("hostkeyalias") ?? route.address) == route.keyName)
            #expect((one("hostkeyalias") == nil ? route.port : 22) == route.keyPort)
            let named = theirs("identityfile")
            if named.first?.hasPrefix("~/.ssh/id_") == true {
                #expect(route.identityFiles.isEmpty)
                #expect(route.defaultIdentityFiles.first?.hasSuffix("/.ssh/id_rsa") == true)
            } else {
                #expect(named.filter { $0 != "none" } == route.identityFiles)
                #expect(route.defaultIdentityFiles.isEmpty)
            }
            #expect(theirs("certificatefile") == route.certificateFiles)
            #expect((one("identitiesonly") == "yes") == route.identitiesOnly)
            #expect(one("identityagent").map { $0 == "none" ? nil : $0 } ?? nil == route.agentSocket)
            #expect((one("batchmode") == "yes") == route.isBatch)
            #expect((one("hashknownhosts") == "yes") == route.hashesKnownHosts)
            #expect(one("revokedhostkeys") == route.revokedHostKeysFile)
            #expect(one("userknownhostsfile") == route.userKnownHostsFiles.joined(separator: " "))
            #expect(one("globalknownhostsfile") == route.globalKnownHostsFiles.joined(separator: " "))
            // labctl asks nobody about an unknown key, so it refuses it.
            let policies = ["true": HostKeyPolicy.strict, "ask": .strict, "accept-new": .acceptNew, "false": .off]
            #expect(one("stricthostkeychecking").flatMap { policies[$0] } == route.hostKeyPolicy)
            if let seconds = one("connecttimeout").flatMap({ Int($0) }) {
                #expect(route.connectTimeout == .seconds(seconds))
            }
            // Debian's ssh has an interval of its own with BatchMode.
            if text.contains("ServerAliveInterval"), let seconds = one("serveraliveinterval").flatMap({ Int($0) }),
                seconds > 0
            {
                #expect(route.keepaliveInterval == .seconds(seconds))
                let count = one("serveralivecountmax").flatMap { Int($0) } ?? 3
                #expect(route.keepaliveTimeout == .seconds(seconds * count))
            }
            let families = ["any": AF_UNSPEC, "inet": AF_INET, "inet6": AF_INET6]
            #expect(one("addressfamily").flatMap { families[$0] } == route.addressFamily)
            #expect(one("bindaddress") == route.bindAddress)
            #expect((one("compression") == "yes") == route.compresses)
            switch route.proxy {
            case .none: #expect(one("proxyjump") == nil && one("proxycommand") == nil)
            case .jump(let hosts): #expect(one("proxyjump") == hosts.joined(separator: ","))
            // Theirs before the tokens are expanded.
            case .command(let command):
                #expect(one("proxycommand")?.replacing("%h", with: route.address).replacing("%%", with: "%") == command)
            }
            let algorithms: [(String, Route.Algorithm)] = [
                ("kexalgorithms", .keyExchange), ("hostkeyalgorithms", .hostKey), ("ciphers", .cipher), ("macs", .mac),
                ("pubkeyacceptedalgorithms", .publicKey),
            ]
            for (name, algorithm) in algorithms {
                if let list = route.algorithms[algorithm] { #expect(one(name) == list) }
            }
            let methods = one("preferredauthentications")
            if methods == nil {
                #expect(
                    (one("pubkeyauthentication") != "no" && one("pubkeyauthentication") != "false")
                        == route.allowsPublicKey)
                #expect((one("passwordauthentication") == "yes") == route.allowsPassword)
                #expect((one("kbdinteractiveauthentication") == "yes") == route.allowsInteractive)
            }
            #expect(theirs("sendenv") == route.interactive.sendEnvironment)
            #expect(theirs("setenv") == route.interactive.setEnvironment)
            #expect((one("forwardagent") == "yes") == route.interactive.forwardsAgent)
            #expect((one("escapechar") == "none") == (route.interactive.escapeCharacter == nil))
        }
    }

    /// `ssh -v` tells the key files that it looks for and the proxy command that it runs, with their tokens expanded.
    @Test(arguments: [
        ("a", "/k/%h-%n-%p-%r-%u-%i-%%-%k"), ("b", "%d/x"), ("a", "~/y"), ("a", "${LAB_VAR}/k"), ("a", "/l/%l-%L"),
        ("alias", "/k/%k"),
    ])
    func tokensAreExpandedAlike(host: String, file: String) async throws {
        let text = """
            Host a
             HostName A.lab
             Port 2222
             User u
            Host alias
             HostKeyAlias other
            Host *
             IdentityFile "\(file)"
             ProxyCommand false %h %n %p %r %%
            """
        try await with(text) { path, files, settings in
            let answer = try await openSSH(["-v", "-F", path, "-o", "BatchMode=yes", host, "true"])
            let route = try Route(Endpoint(hostName: host, address: host), settings, files)
            let lines = answer.errorText.split(whereSeparator: \.isNewline)
            let key = lines.lazy.compactMap { $0.firstMatch(of: /identity file (.*) type -1/)?.output.1 }.first
            #expect(key.map(String.init) == route.identityFiles.first)
            let command = lines.lazy.compactMap { $0.firstMatch(of: /Executing proxy command: exec (.*)/)?.output.1 }
                .first
            guard case .command(let ours) = route.proxy else {
                Issue.record("no proxy command")
                return
            }
            #expect(command.map(String.init) == ours)
        }
    }

    /// What OpenSSH refuses, labctl refuses, with a place.
    @Test(arguments: [
        "Port 0", "Port 65536", "Port", "Host", "Match", "Match host", "Match hots a", "Match all host a", "Prot 22",
        "User a b",
        "HostName \"a", "AddressFamily inet7", "Compression maybe", "StrictHostKeyChecking maybe",
        "ConnectTimeout soon",
        "IdentitiesOnly perhaps", "BatchMode 2", "ServerAliveInterval x", "Host a\n Port 9 10",
    ])
    func refusesWhatOpenSSHRefuses(text: String) async throws {
        try await with(text) { path, files, settings in
            let answer = try await openSSH(["-G", "-F", path, "a"])
            #expect(answer.exitStatus != 0)
            let error = #expect(throws: InputError.self) {
                try Route(Endpoint(hostName: "a", address: "a"), settings, files)
            }
            #expect(error?.diagnostics.allSatisfy { $0.span?.file.path == path } == true)
        }
    }

    @Test func jumpHostsThatGoInCirclesAreTold() async throws {
        let text = "Host *\n ProxyJump bastion\n"
        try await with(text) { _, _, settings in
            let error = await #expect(throws: ConnectionError.self) {
                try await SSHTransport(configuration: settings).connect(
                    to: Endpoint(hostName: "a", address: "127.0.0.1", connectTimeout: .seconds(5)))
            }
            #expect(error?.kind == .configuration)
            #expect(error?.message.hasSuffix("the jump host bastion is reached through itself") == true)
        }
    }
}
