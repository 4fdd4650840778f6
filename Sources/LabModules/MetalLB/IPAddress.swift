/// An IPv4 or IPv6 address.
///
/// Text is read by the rules of Go's `net.ParseIP`, which MetalLB uses: no leading zeros in IPv4, no zone in IPv6.
package struct IPAddress: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The 128 bits; an IPv4 address is held mapped (`::ffff:0:0/96`), as Go's `net.IP` holds it, so that ranges compare
    /// here as they do in MetalLB.
    package let bits: UInt128

    private static let mappedPrefix: UInt128 = 0xFFFF << 32

    package init(bits: UInt128) { self.bits = bits }

    /// The address that the text spells, or nil when it spells none.
    package init?(_ text: some StringProtocol) {
        guard let bits = Self.parse(Array(text.utf8)) else { return nil }
        self.bits = bits
    }

    package var isIPv4: Bool { bits >> 32 == 0xFFFF }

    /// Whether the address is in 127.0.0.0/8 or is ::1.
    package var isLoopback: Bool { isIPv4 ? (bits >> 24) & 0xFF == 127 : bits == 1 }

    package static func < (lhs: Self, rhs: Self) -> Bool { lhs.bits < rhs.bits }

    /// Dotted decimal, or RFC 5952's form of an IPv6 address.
    package var description: String {
        if isIPv4 {
            return [24, 16, 8, 0].map { String(UInt8(truncatingIfNeeded: bits >> UInt128($0))) }.joined(separator: ".")
        }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: bits >> UInt128(112 - 16 * $0)) }
        let hidden = Self.longestZeroRun(groups)
        let texts = groups.map { String($0, radix: 16) }
        guard !hidden.isEmpty else { return texts.joined(separator: ":") }
        return texts[..<hidden.lowerBound].joined(separator: ":") + "::"
            + texts[hidden.upperBound...].joined(separator: ":")
    }

    /// RFC 5952, section 4.2: the longest run of at least two zero groups, the first one of equals.
    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int> {
        var best = 0..<0
        var start = 0
        for index in 0...groups.count where index == groups.count || groups[index] != 0 {
            if index - start > max(best.count, 1) { best = start..<index }
            start = index + 1
        }
        return best
    }

    private static func parse(_ text: [UInt8]) -> UInt128? {
        if text.contains(UInt8(ascii: ":")) { return parseIPv6(text) }
        guard let value = parseIPv4(text[...]) else { return nil }
        return mappedPrefix | UInt128(value)
    }

    private static func parseIPv4(_ text: ArraySlice<UInt8>) -> UInt32? {
        let fields = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard fields.count == 4 else { return nil }
        var value: UInt32 = 0
        for field in fields {
            guard let number = decimal(field, maximum: 255), field.count == 1 || field.first != UInt8(ascii: "0") else {
                return nil
            }
            value = value << 8 | UInt32(number)
        }
        return value
    }

    /// The number that the digits spell; nil for anything but digits and for more than `maximum`.
    static func decimal(_ digits: ArraySlice<UInt8>, maximum: Int) -> Int? {
        guard !digits.isEmpty else { return nil }
        var number = 0
        for byte in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            number = number * 10 + Int(byte - UInt8(ascii: "0"))
            guard number <= maximum else { return nil }
        }
        return number
    }

    private static func parseIPv6(_ text: [UInt8]) -> UInt128? {
        let colon = UInt8(ascii: ":")
        var halves: [[UInt16]] = [[]]
        var index = 0
        if text.starts(with: [colon, colon]) {
            halves.append([])
            index = 2
        }
        while index < text.count {
            let end = text[index...].firstIndex(of: colon) ?? text.count
            let group = text[index..<end]
            if group.contains(UInt8(ascii: ".")) {
                // An embedded IPv4 address ends the text (RFC 4291, section 2.2).
                guard end == text.count, let value = parseIPv4(group) else { return nil }
                halves[halves.count - 1] += [
                    UInt16(truncatingIfNeeded: value >> 16), UInt16(truncatingIfNeeded: value),
                ]
                index = end
                break
            }
            guard (1...4).contains(group.count), group.allSatisfy(isHexadecimal),
                let value = UInt16(String(decoding: group, as: UTF8.self), radix: 16)
            else { return nil }
            halves[halves.count - 1].append(value)
            index = end
            guard index < text.count else { break }
            index += 1
            if index < text.count, text[index] == colon {
                guard halves.count == 1 else { return nil }
                halves.append([])
                index += 1
            } else if index == text.count {
                return nil
            }
        }
        let written = halves.reduce(0) { $0 + $1.count }
        guard halves.count == 1 ? written == 8 : written < 8 else { return nil }
        var groups = halves[0]
        if halves.count == 2 { groups += Array(repeating: 0, count: 8 - written) + halves[1] }
        return groups.reduce(UInt128(0)) { $0 << 16 | UInt128($1) }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}

/// A block of addresses with a common prefix: `192.168.56.0/24`.
package struct IPNetwork: Sendable, Hashable, CustomStringConvertible {
    /// The block's first address.
    package let address: IPAddress
    /// How many of the 128 bits are the prefix: 96 more than what people write for IPv4.
    let mappedPrefixLength: Int

    init(_ address: IPAddress, mappedPrefixLength: Int) {
        self.address = IPAddress(bits: address.bits & ~Self.hostMask(mappedPrefixLength))
        self.mappedPrefixLength = mappedPrefixLength
    }

    /// Reads `ADDRESS/LENGTH`; `hasHostBits` tells whether the address has bits behind the prefix. Nil when the text is
    /// no CIDR block by the rules of Go's `net.ParseCIDR`.
    package static func parse(_ text: some StringProtocol) -> (network: IPNetwork, hasHostBits: Bool)? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(parts[0]) else { return nil }
        let isDotted = !parts[0].contains(":")
        guard let length = IPAddress.decimal(Array(parts[1].utf8)[...], maximum: isDotted ? 32 : 128) else {
            return nil
        }
        let network = IPNetwork(address, mappedPrefixLength: isDotted ? length + 96 : length)
        return (network, network.address != address)
    }

    /// The prefix's length as people write it: 0 to 32 for IPv4, 0 to 128 for IPv6.
    package var prefixLength: Int { address.isIPv4 ? mappedPrefixLength - 96 : mappedPrefixLength }

    package var last: IPAddress { IPAddress(bits: address.bits | Self.hostMask(mappedPrefixLength)) }

    package var description: String { "\(address)/\(prefixLength)" }

    /// Whether an address is in the block.
    package func contains(_ other: IPAddress) -> Bool { address <= other && other <= last }

    /// Whether the two blocks have an address in common.
    package func overlaps(_ other: IPNetwork) -> Bool { contains(other.address) || other.contains(address) }

    /// The fewest blocks that hold exactly the addresses from `first` to `last`; none when they are of different
    /// families or the wrong way round.
    package static func summarize(from first: IPAddress, to last: IPAddress) -> [IPNetwork] {
        guard first.isIPv4 == last.isIPv4, first <= last else { return [] }
        var blocks: [IPNetwork] = []
        var current = first.bits
        while true {
            var hostBits = min(current.trailingZeroBitCount, 128)
            while hostMask(128 - hostBits) > last.bits - current { hostBits -= 1 }
            blocks.append(IPNetwork(IPAddress(bits: current), mappedPrefixLength: 128 - hostBits))
            let end = current | hostMask(128 - hostBits)
            guard end < last.bits else { return blocks }
            current = end + 1
        }
    }

    private static func hostMask(_ prefixLength: Int) -> UInt128 {
        prefixLength <= 0 ? .max : (UInt128(1) << UInt128(128 - prefixLength)) - 1
    }
}
