import Testing

@testable import LabModules

@Suite("Neighbour tables")
struct NeighbourTests {
    private let expected = ["192.168.56.200 02:42:ac:11:00:02 vboxnet0"]

    private func texts(_ neighbours: [Neighbour]) -> [String] {
        neighbours.map { "\($0.address) \($0.hardwareAddress) \($0.interface)" }
    }

    @Test("/proc/net/arp: incomplete entries are none")
    func proc() {
        let text = """
            IP address       HW type     Flags       HW address            Mask     Device
            192.168.56.200   0x1         0x2         02:42:AC:11:00:02     *        vboxnet0
            192.168.56.201   0x1         0x0         00:00:00:00:00:00     *        vboxnet0
            192.168.56.202   0x1         0x2         00:00:00:00:00:00     *        vboxnet0

            """
        #expect(texts(Neighbour.parse(proc: text)) == expected)
    }

    @Test("ip neigh: failed and incomplete entries are none, IPv6 is read")
    func ipNeigh() {
        let text = """
            192.168.56.200 dev vboxnet0 lladdr 02:42:ac:11:00:02 REACHABLE
            192.168.56.201 dev vboxnet0 FAILED
            192.168.56.202 dev vboxnet0 INCOMPLETE
            192.168.56.203 dev vboxnet0 lladdr 02:42:ac:11:00:03 FAILED
            fd00::5 dev vboxnet0 lladdr 02:42:ac:11:00:02 router STALE

            """
        #expect(texts(Neighbour.parse(ipNeigh: text)) == expected + ["fd00::5 02:42:ac:11:00:02 vboxnet0"])
    }

    @Test("macOS' arp leaves out leading zeros")
    func arp() {
        let text = """
            ? (192.168.56.200) at 2:42:ac:11:0:2 on vboxnet0 ifscope [ethernet]
            ? (192.168.56.201) at (incomplete) on vboxnet0 ifscope [ethernet]

            """
        #expect(texts(Neighbour.parse(arp: text)) == expected)
    }

    @Test(
        "other texts hold no neighbour",
        arguments: ["", "\n", "arp: not found", "a b c d e f", "x (1.2.3.4) at 1:2:3 on e"])
    func nothing(text: String) {
        #expect(Neighbour.parse(proc: text).isEmpty)
        #expect(Neighbour.parse(ipNeigh: text).isEmpty)
        #expect(Neighbour.parse(arp: text).isEmpty)
    }
}
