/// The laptop's IPv4 routes, in so far as they tell a lab's addresses from strangers'.
struct RouteTable: Sendable {
    /// The networks that have a route of their own; the default route is none.
    let networks: [IPNetwork]

    /// Reads Linux's /proc/net/route: addresses as hexadecimal numbers in the machine's byte order, little-endian here.
    init(proc text: String) {
        networks = text.split(whereSeparator: \.isNewline).dropFirst().compactMap { line in
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            guard fields.count > 7, let destination = UInt32(fields[1], radix: 16)?.byteSwapped,
                let mask = UInt32(fields[7], radix: 16)?.byteSwapped, let flags = UInt32(fields[3], radix: 16)
            else { return nil }
            // RTF_UP; a reject route (RTF_REJECT, 0x200) leads nowhere.
            guard flags & 1 != 0, flags & 0x200 == 0, mask != 0 else { return nil }
            return IPNetwork(
                IPAddress(bits: 0xFFFF << 32 | UInt128(destination)), mappedPrefixLength: 96 + mask.nonzeroBitCount)
        }
    }

    func leads(to address: IPAddress) -> Bool { networks.contains { $0.contains(address) } }

    /// Reads what BSD's `route -n get ADDRESS` says.
    static func leads(bsd text: String) -> Bool {
        text.split(whereSeparator: \.isNewline).contains { line in
            let words = line.split(separator: " ")
            return words.first == "destination:" && words.count == 2 && words[1] != "default"
        }
    }
}
