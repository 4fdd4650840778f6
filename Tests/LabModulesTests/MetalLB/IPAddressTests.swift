import Testing

@testable import LabModules

@Suite("IP addresses")
struct IPAddressTests {
    @Test(
        "a text that spells an address is written back in its canonical form",
        arguments: [
            ("192.168.56.200", "192.168.56.200"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
            ("::", "::"), ("::1", "::1"), ("fd00::", "fd00::"), ("FD00:0:0:0:0:0:0:1", "fd00::1"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::ffff:10.0.0.1", "10.0.0.1"),
            ("64:ff9b::1.2.3.4", "64:ff9b::102:304"),
        ])
    func canonical(text: String, expected: String) {
        #expect(IPAddress(text)?.description == expected)
    }

    @Test(
        "what Go's net.ParseIP refuses is no address",
        arguments: [
            "", "192.168.56", "192.168.56.256", "192.168.56.1.1", "192.168.056.1", "192.168.56.-1", "1..2.3",
            " 10.0.0.1",
            ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "fd00::1%eth0", "12345::",
            "g::1", "fd00:", ":fd00", "::1.2.3", "::1.2.3.4:5", "host", "+1::", "1:2:3:4:5:6:7:1.2.3.4",
        ])
    func refused(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(
        "loopback",
        arguments: [
            ("127.0.0.1", true), ("127.255.0.9", true), ("::1", true), ("128.0.0.1", false), ("10.127.0.1", false),
            ("::2", false),
        ])
    func loopback(text: String, isLoopback: Bool) {
        #expect(IPAddress(text)?.isLoopback == isLoopback)
    }

    @Test(
        "the fewest blocks hold a range",
        arguments: [
            (
                "192.168.56.200", "192.168.56.250",
                [
                    "192.168.56.200/29", "192.168.56.208/28", "192.168.56.224/28", "192.168.56.240/29",
                    "192.168.56.248/31", "192.168.56.250/32",
                ]
            ),
            ("10.0.0.0", "10.0.0.255", ["10.0.0.0/24"]), ("10.0.0.1", "10.0.0.1", ["10.0.0.1/32"]),
            ("0.0.0.0", "255.255.255.255", ["0.0.0.0/0"]),
            ("255.255.255.254", "255.255.255.255", ["255.255.255.254/31"]),
            ("fd00::1", "fd00::4", ["fd00::1/128", "fd00::2/127", "fd00::4/128"]), ("::", "::", ["::/128"]),
            ("fd00::", "fd00::ffff", ["fd00::/112"]),
            ("ffff:ffff:ffff:ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ["ffff:ffff:ffff:ffff::/64"]),
            ("10.0.0.1", "fd00::1", []), ("10.0.0.2", "10.0.0.1", []),
        ])
    func summaries(first: String, last: String, expected: [String]) throws {
        let first = try #require(IPAddress(first))
        let last = try #require(IPAddress(last))
        #expect(IPNetwork.summarize(from: first, to: last).map(\.description) == expected)
    }

    @Test("the blocks of every range of a /26 hold its addresses and no others")
    func summariesAreExact() throws {
        let base = try #require(IPAddress("10.0.0.0")).bits
        for first in 0..<64 {
            for last in first..<64 {
                let blocks = IPNetwork.summarize(
                    from: IPAddress(bits: base + UInt128(first)), to: IPAddress(bits: base + UInt128(last)))
                let held = blocks.flatMap { Array($0.address.bits - base...$0.last.bits - base) }
                #expect(held == Array(UInt128(first)...UInt128(last)))
            }
        }
    }

    @Test(
        "blocks and their host bits",
        arguments: [
            ("192.168.56.0/24", "192.168.56.0/24", false), ("192.168.56.200/24", "192.168.56.0/24", true),
            ("10.1.2.3/32", "10.1.2.3/32", false), ("10.1.2.3/0", "0.0.0.0/0", true), ("fd00::1/64", "fd00::/64", true),
            ("fd00::/64", "fd00::/64", false), ("::/0", "::/0", false),
        ])
    func blocks(text: String, network: String, hasHostBits: Bool) throws {
        let parsed = try #require(IPNetwork.parse(text))
        #expect(parsed.network.description == network)
        #expect(parsed.hasHostBits == hasHostBits)
    }

    @Test(arguments: [
        "192.168.56.0", "192.168.56.0/33", "192.168.56.0/", "192.168.56.0/-1", "192.168.56.300/24", "fd00::/129", "/24",
        "10.0.0.0/24/8",
    ])
    func noBlocks(text: String) {
        #expect(IPNetwork.parse(text) == nil)
    }
}
