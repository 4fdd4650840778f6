/// An address on the laptop's own networks and the hardware address that answers for it.
package struct Neighbour: Sendable, Hashable {
    package let address: IPAddress
    /// Six bytes in lower-case hexadecimal with colons, whatever form the system printed.
    package let hardwareAddress: String
    package let interface: String

    package init(address: IPAddress, hardwareAddress: String, interface: String) {
        self.address = address
        self.hardwareAddress = hardwareAddress
        self.interface = interface
    }

    /// Reads Linux's /proc/net/arp (proc(5)): only complete entries, which have flag 0x2.
    package static func parse(proc text: String) -> [Neighbour] {
        text.split(whereSeparator: \.isNewline).dropFirst().compactMap { line in
            let fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard fields.count >= 6, let address = IPAddress(fields[0]), fields[2].hasPrefix("0x"),
                let flags = Int(fields[2].dropFirst(2), radix: 16), flags & 2 != 0,
                let hardware = canonical(fields[3])
            else { return nil }
            return Neighbour(address: address, hardwareAddress: hardware, interface: String(fields[5]))
        }
    }

    /// Reads `ip neigh`: `192.168.56.200 dev eth1 lladdr 02:42:… REACHABLE`.
    package static func parse(ipNeigh text: String) -> [Neighbour] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            let fields = line.split(separator: " ")
            guard let first = fields.first, let address = IPAddress(first), fields.last != "FAILED",
                fields.last != "INCOMPLETE", let device = value(after: "dev", in: fields),
                let hardware = value(after: "lladdr", in: fields).flatMap(canonical)
            else { return nil }
            return Neighbour(address: address, hardwareAddress: hardware, interface: String(device))
        }
    }

    /// Reads macOS' `arp -an`: `? (192.168.56.200) at 2:42:ac:11:0:2 on bridge100 ifscope [bridge]`.
    package static func parse(arp text: String) -> [Neighbour] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count >= 4, fields[1].hasPrefix("("), fields[1].hasSuffix(")"),
                let address = IPAddress(fields[1].dropFirst().dropLast()),
                let hardware = value(after: "at", in: fields).flatMap(canonical),
                let device = value(after: "on", in: fields)
            else { return nil }
            return Neighbour(address: address, hardwareAddress: hardware, interface: String(device))
        }
    }

    private static func value(after word: Substring, in fields: [Substring]) -> Substring? {
        guard let index = fields.firstIndex(of: word), index + 1 < fields.count else { return nil }
        return fields[index + 1]
    }

    /// Two digits a byte, where macOS leaves out leading zeros; nil for what is no address or all zeros.
    private static func canonical(_ text: Substring) -> String? {
        let bytes = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt8($0, radix: 16) }
        guard bytes.count == 6, bytes.contains(where: { $0 != 0 && $0 != nil }) else { return nil }
        let digits = bytes.compactMap { $0.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) } }
        return digits.count == 6 ? digits.joined(separator: ":") : nil
    }
}
