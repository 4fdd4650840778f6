import LabSSH
import Testing

@testable import LabCommands

@Suite struct CommandLineTests {
    @Test(arguments: [
        ("file", CopyLocation.here("file")), ("/a:b", .here("/a:b")), ("./a:b", .here("./a:b")), (":x", .here(":x")),
        ("cp1:", .there(user: nil, pattern: "cp1", path: "")),
        ("cp1:/etc/motd", .there(user: nil, pattern: "cp1", path: "/etc/motd")),
        ("root@cp1:a:b", .there(user: "root", pattern: "cp1", path: "a:b")),
        ("workers,!w2:/tmp/", .there(user: nil, pattern: "workers,!w2", path: "/tmp/")),
        ("web[0:2]:x", .there(user: nil, pattern: "web[0:2]", path: "x")),
        ("[fd00::1]:x", .there(user: nil, pattern: "fd00::1", path: "x")),
        ("cp1:-x", .there(user: nil, pattern: "cp1", path: "-x")),
    ])
    func locations(text: String, expected: CopyLocation) {
        #expect(CopyLocation(text) == expected)
    }

    @Test(arguments: [
        ("8443:127.0.0.1:6443", "localhost", 8443, PortForward.Target.port(host: "127.0.0.1", port: 6443)),
        ("0:web:80", "localhost", 0, .port(host: "web", port: 80)),
        ("127.0.0.2:80:web:80", "127.0.0.2", 80, .port(host: "web", port: 80)),
        ("[::1]:80:[fd00::1]:443", "::1", 80, .port(host: "fd00::1", port: 443)),
        (":80:a:1", "*", 80, .port(host: "a", port: 1)),
        ("*:80:a:1", "*", 80, .port(host: "a", port: 1)),
        ("80:/run/a:b.sock", "localhost", 80, .socket("/run/a:b.sock")),
        ("[::]:80:/run/x", "::", 80, .socket("/run/x")),
    ])
    func forwards(text: String, bind: String, port: Int, target: PortForward.Target) throws {
        let specification = try ForwardSpecification(text)
        #expect(specification.bind == bind)
        #expect(specification.port == port)
        #expect(specification.target == target)
    }

    @Test(arguments: [
        ("80", "it has no target: write PORT:TARGET:PORT, as in 8443:127.0.0.1:6443"),
        ("web:80", "it has no port to listen on: write PORT:TARGET:PORT, as in 8443:127.0.0.1:6443"),
        ("80:web:x", "`x` is no port"), ("80:web:0", "`0` is no port"), ("x:web:80", "`x` is no port"),
        ("65536:web:80", "`65536` is no port"), ("::1:80", "`` is no port"), ("80::80", "the target has no host"),
        ("80:[::1:80", "a bracket is not closed"), ("80:[::1]x:80", "after a bracket comes a colon"),
        ("1:2:3:4:5", "it has too many parts; an IPv6 address stands in brackets, as in [::1]:8443:[fd00::1]:443"),
    ])
    func refusedForwards(text: String, message: String) {
        #expect(throws: ForwardSpecification.Mistake(message: message)) { try ForwardSpecification(text) }
    }

    @Test func progress() {
        var reading = CopyMeter.Reading()
        #expect(CopyProgress.text(reading, hosts: (0, 1), elapsed: .zero) == "looking")
        reading.expectedFiles = 3
        reading.files = 1
        reading.expectedBytes = 40_000_000
        reading.bytes = 10_000_000
        #expect(
            CopyProgress.text(reading, hosts: (1, 4), elapsed: .seconds(2))
                == "1 of 4 hosts  1 of 3 files  10.0 MB of 40.0 MB  25 %  5.0 MB/s  0:06 left")
    }

    @Test(arguments: [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1550, "1.6 kB"), (999_499, "999 kB"), (999_500, "1.0 MB"),
        (123_456_789, "123 MB"), (5_000_000_000, "5.0 GB"), (5_000_000_000_000, "5000 GB"),
    ])
    func sizes(bytes: Int, text: String) {
        #expect(CopyProgress.size(bytes) == text)
    }
}
