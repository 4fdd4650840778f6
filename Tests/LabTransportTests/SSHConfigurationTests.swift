import LabCore
import LabTransport
import Testing

@Suite struct SSHConfigurationTests {
    private func parse(_ text: String) throws -> SSHConfiguration {
        try SSHConfiguration.parse(SourceFile(path: "config", text: text))
    }

    private func resolved(_ text: String, _ host: String) throws -> [String] {
        try parse(text).resolve(host: host).map { "\($0.name)=\($0.value)" }
    }

    @Test func readsWhatVagrantWrites() throws {
        let text = """
            Host default
              HostName 127.0.0.1
              User vagrant
              Port 2222
              UserKnownHostsFile /dev/null
              StrictHostKeyChecking no
              PasswordAuthentication no
              IdentityFile "/home/a b/.vagrant/machines/default/virtualbox/private_key"
              IdentitiesOnly yes
              LogLevel FATAL
              PubkeyAcceptedKeyTypes +ssh-rsa
              HostKeyAlgorithms +ssh-rsa

            Host w1
              HostName 127.0.0.1
              Port 2200
            """
        let configuration = try parse(text)
        #expect(configuration.hostAliases == ["default", "w1"])
        #expect(
            configuration.resolve(host: "w1") == [
                Endpoint.Option("HostName", "127.0.0.1"), Endpoint.Option("Port", "2200"),
            ])
        #expect(
            configuration.resolve(host: "default").contains(
                Endpoint.Option("IdentityFile", "/home/a b/.vagrant/machines/default/virtualbox/private_key")))
    }

    @Test(arguments: [
        ("Host a\n Port 1\nHost *\n Port 2\n User u", "a", ["Port=1", "User=u"]),
        ("Host a\n Port 1\nHost *\n Port 2\n User u", "b", ["Port=2", "User=u"]),
        ("Port 3\nHost a\n Port 1", "a", ["Port=3"]),
        ("Host * !a\n Port 1", "a", []),
        ("Host a?c *.lab\n Port 1", "abc", ["Port=1"]),
        ("Host A\n Port 1", "a", []), ("Match host A\n Port 1", "a", ["Port=1"]),
        ("SetEnv A=1 B=2\nSetEnv C=3", "a", ["SetEnv=A=1", "SetEnv=B=2"]),
        ("SendEnv A B\nSendEnv C", "a", ["SendEnv=A", "SendEnv=B", "SendEnv=C"]),
        (
            "Host a\n IdentityFile x\nHost *\n IdentityFile y\n IdentityFile x", "a",
            ["IdentityFile=x", "IdentityFile=y"]
        ),
        ("Host=a\nPort = 5\nUser=\"x y\" # comment", "a", ["Port=5", "User=x y"]),
        ("Match all\n Port 1", "a", ["Port=1"]),
        ("Match host a,b !originalhost b\n Port 1", "a", ["Port=1"]),
        ("Match host a,b !originalhost b\n Port 1", "b", []),
        ("Host a\n HostName b.lab\nMatch host *.lab\n Port 1", "a", ["HostName=b.lab", "Port=1"]),
        ("Host a\n User u\nMatch user u\n Port 1", "a", ["User=u", "Port=1"]),
        ("Match final host a\n Port 1\nHost a\n Port 2", "a", ["Port=2"]),
        ("Match canonical\n Port 1", "a", []),
        ("ProxyCommand nc  \"%h\" %p # not a comment", "a", ["ProxyCommand=nc  \"%h\" %p # not a comment"]),
        ("UserKnownHostsFile a \"b c\"", "x", ["UserKnownHostsFile=a \"b c\""]),
        ("IgnoreUnknown Foo*\nFooBar yes\nPort 1", "x", ["IgnoreUnknown=Foo*", "Port=1"]),
        ("\t# comment\r\n  Port 7\r\n", "x", ["Port=7"]),
    ])
    func resolves(text: String, host: String, expected: [String]) throws {
        #expect(try resolved(text, host) == expected)
    }

    @Test(arguments: [
        ("Host a\n  Prot 22", "config:2:3", "unknown keyword `Prot`", "did you mean `port`?"),
        ("Port x", "config:1:1", "`x` is no port", nil),
        ("Port", "config:1:1", "`Port` has no value", nil),
        ("Host \"a", "config:1:1", "a quotation mark is not closed", nil),
        (
            "StrictHostKeyChecking maybe", "config:1:1", "`maybe` is no value for StrictHostKeyChecking",
            "it is one of yes, no, ask, off, accept-new, true, false"
        ),
        ("Match hots a", "config:1:1", "unknown criterion `hots`", "did you mean `host`?"),
        (
            "User a b", "config:1:1", "`User` takes one value, and there are 2",
            "put a value with spaces in quotation marks"
        ),
        ("Match all host a", "config:1:1", "`Match all` stands alone", nil),
        ("Match host", "config:1:1", "`Match host` has no value", nil),
        ("AddressFamily inet7", "config:1:1", "`inet7` is no value for AddressFamily", "it is one of any, inet, inet6"),
        ("ConnectTimeout soon", "config:1:1", "`soon` is no time", "write seconds, or a number with s, m, h or d"),
    ])
    func locatesMistakes(text: String, place: String, message: String, hint: String?) throws {
        let error = try #require(throws: InputError.self) { _ = try parse(text) }
        #expect(error.diagnostics.map { $0.span?.description } == [place])
        #expect(error.diagnostics.first?.message == message)
        #expect(error.diagnostics.first?.hint == hint)
    }

    @Test func includesApplyWithinTheirBlock() throws {
        let included = SourceFile(path: "inner", text: "Port 9\nHost b\n User inner")
        let configuration = try SSHConfiguration.parse(
            SourceFile(path: "config", text: "Host a b\n Include inner\n User outer")
        ) { pattern throws(InputError) in pattern == "inner" ? [included] : [] }
        #expect(configuration.resolve(host: "a").map(\.value) == ["9", "outer"])
        #expect(configuration.resolve(host: "b").map(\.value) == ["9", "inner"])
        #expect(configuration.resolve(host: "c").isEmpty)
        #expect(configuration.hostAliases == ["a", "b"])
    }

    @Test func mistakesOfIncludedFilesAreLocatedThere() throws {
        let error = try #require(throws: InputError.self) {
            _ = try SSHConfiguration.parse(SourceFile(path: "config", text: "Prot 1\nInclude a b\nPort x")) {
                pattern throws(InputError) in
                switch pattern {
                case "a":
                    return [SourceFile(path: "a", text: "Host x\n  Userr y"), SourceFile(path: "a2", text: "Port 0")]
                default: throw InputError("cannot read b: permission denied")
                }
            }
        }
        #expect(
            error.diagnostics.map { "\($0.span?.description ?? "-") \($0.message)" } == [
                "config:1:1 unknown keyword `Prot`", "a:2:3 unknown keyword `Userr`", "a2:1:1 `0` is no port",
                "config:2:1 cannot read b: permission denied", "config:3:1 `x` is no port",
            ])
    }

    @Test func includesThatGoInCirclesEnd() throws {
        let error = try #require(throws: InputError.self) {
            _ = try SSHConfiguration.parse(SourceFile(path: "config", text: "Include config")) {
                _ throws(InputError) in [SourceFile(path: "config", text: "Include config")]
            }
        }
        #expect(error.diagnostics.map(\.message) == ["includes are nested too deeply"])
    }

    @Test(arguments: [
        ("90", 90), ("10s", 10), ("2m", 120), ("1h30m", 5400), ("1d", 86_400), ("0", 0),
    ])
    func readsTimes(text: String, seconds: Int) {
        #expect(SSHConfiguration.duration(text) == .seconds(seconds))
    }

    @Test(arguments: [
        ("", []), ("-o StrictHostKeyChecking=no", ["StrictHostKeyChecking=no"]),
        ("-oPort=22 -p 23", ["Port=22", "Port=23"]),
        ("-J a,b -i '/x y/key'", ["ProxyJump=a,b", "IdentityFile=/x y/key"]),
        ("-o 'ProxyCommand=ssh -W %h:%p \"gate way\"'", ["ProxyCommand=ssh -W %h:%p \"gate way\""]),
        ("-o \"User vagrant\" -C4", ["User=vagrant", "Compression=yes", "AddressFamily=inet"]),
        ("-F /dev/null -l root", ["ConfigFile=/dev/null", "User=root"]),
        ("-o ControlMaster=auto -o ControlPersist=60s", ["ControlMaster=auto", "ControlPersist=60s"]),
    ])
    func readsArguments(text: String, expected: [String]) throws {
        #expect(try SSHArguments.parse(text).map { "\($0.name)=\($0.value)" } == expected)
    }

    @Test(arguments: [
        ("-L 80:a:80", "the ssh option `-L` has no meaning for labctl"), ("host", "`host` is no option of ssh"),
        ("-p", "the ssh option `-p` has no value"),
        ("-o StrictHostKeyCheking=no", "unknown ssh option `StrictHostKeyCheking`"),
        ("-i 'x", "a quotation mark is not closed in these ssh arguments: -i 'x"),
        ("-o Port=", "the ssh option `Port` has no value"),
    ])
    func refusesArguments(text: String, message: String) throws {
        let error = try #require(throws: InputError.self) { _ = try SSHArguments.parse(text) }
        #expect(error.diagnostics.first?.message == message)
    }
}
