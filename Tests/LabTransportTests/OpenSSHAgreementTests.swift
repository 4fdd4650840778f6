import LabCore
import LabTransport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Our reading of ssh_config(5) against that of `ssh -G`, OpenSSH's own.
@Suite(.enabled(if: access("/usr/bin/ssh", X_OK) == 0, "ssh is not installed"))
struct OpenSSHAgreementTests {
    @Test(arguments: [
        ("Host a\n HostName a.lab\n Port 2222\n User u\nHost *\n Port 23\n User v", "a"),
        ("Host a\n HostName a.lab\n Port 2222\n User u\nHost *\n Port 23\n User v", "b"),
        ("Host * !b\n User u", "a"), ("Host * !b\n User u", "b"), ("Host a* ?b\n Port 7", "xb"),
        ("Host a\n IdentityFile /k1\nHost *\n IdentityFile /k2\n IdentityFile \"/k 3\"", "a"),
        ("Host a\n ProxyJump x,u@y:22\nHost *\n ProxyJump none", "a"), ("ProxyCommand nc -X 5  \"%h\" %p", "a"),
        ("Match host a\n User m\nHost a\n User h", "a"), ("Host a\n HostName z\nMatch host z\n User m", "a"),
        ("Host a\n HostName z\nMatch host a\n User m", "a"),
        ("Host a\n HostName z\nMatch originalhost a\n User m", "a"),
        ("Match !host a\n User m", "a"), ("Match !host a\n User m", "b"), ("Match exec \"test %h = a\"\n User e", "a"),
        ("Match exec \"test %h = a\"\n User e", "b"), ("Match final\n User f\nHost a\n Port 9", "a"),
        ("Host a\n User h\nMatch user h\n Port 8", "a"), ("StrictHostKeyChecking accept-new\nConnectTimeout 7", "a"),
        ("UserKnownHostsFile /a \"/b c\"\nGlobalKnownHostsFile /g", "a"),
        ("ServerAliveInterval 5\nServerAliveCountMax 9", "a"),
        ("Host=a\n\tport = 99\r\n  user\t=\tq # rest", "a"),
        ("IdentitiesOnly yes\nHostKeyAlias other\nBatchMode yes", "a"),
        ("AddressFamily inet\nBindAddress 127.0.0.1\nCompression yes", "a"), ("Host \"a\" b\n Port 5", "a"),
        ("Match originalhost a,b user root\n Port 6", "b"), ("PreferredAuthentications publickey,password", "a"),
    ])
    func agrees(text: String, host: String) async throws {
        let path = "/tmp/labctl-agree-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        let connection = LocalConnection()
        try await connection.writeFile(Array(text.utf8), to: path, attributes: FileAttributes(), become: nil)
        defer { unlink(path) }
        let answer = try await connection.run(Command(.arguments(["ssh", "-G", "-F", path, host])))
        #expect(answer.exitStatus == 0, "\(answer.errorText)")
        let theirs = answer.outputText.split(whereSeparator: \.isNewline).map(String.init)
        var user = "root"
        if let entry = getpwuid(getuid()) { user = String(cString: entry.pointee.pw_name) }
        let ours = SSHConfiguration.resolve(
            [try SSHConfiguration.parse(SourceFile(path: path, text: text))],
            SSHConfiguration.Query(host: host, localUser: user) { command in
                command == "test a = a"
            })
        for option in ours {
            let name = option.name.lowercased()
            // ssh prints lists without the quotation marks that keep their parts together.
            var value = option.value.replacing("\"", with: name == "proxycommand" ? "\"" : "")
            if let word = Self.printed[name]?[value] { value = word }
            #expect(theirs.contains("\(name) \(value)") || value == "none", "\(name) \(value)")
        }
        // And nothing that ssh takes from the file is missing here.
        for name in ["user", "port", "hostname", "proxyjump", "identityfile"] {
            let theirValues = theirs.filter { $0.hasPrefix(name + " ") }.map { String($0.dropFirst(name.count + 1)) }
            let ourValues = ours.filter { $0.name.lowercased() == name && $0.value != "none" }.map(\.value)
            if ourValues.isEmpty {
                let defaults = ["user": user, "port": "22", "hostname": host]
                if let expected = defaults[name] { #expect(theirValues == [expected]) }
            } else {
                #expect(theirValues == ourValues)
            }
        }
    }

    /// Values that ssh prints in other words than it reads.
    private static let printed: [String: [String: String]] = ["stricthostkeychecking": ["yes": "true", "no": "false"]]
}
