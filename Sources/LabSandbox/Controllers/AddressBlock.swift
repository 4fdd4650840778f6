/// An IPv4 or IPv6 address.
struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    var bits: UInt128
    var isV6: Bool

    init(bits: UInt128, isV6: Bool) {
        self.bits = bits
        self.isV6 = isV6
    }

    /// Reads dotted decimals or RFC 4291 text; nil for anything else.
    init?(_ text: String) {
        if text.contains(":") {
            guard let bits = Self.v6(text) else { return nil }
            self.init(bits: bits, isV6: true)
            return
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt128 = 0
        for part in parts {
            guard let byte = UInt8(part), part.first != "+", part.count == 1 || part.first != "0" else { return nil }
            bits = bits << 8 | UInt128(byte)
        }
        self.init(bits: bits, isV6: false)
    }

    private static func v6(_ text: String) -> UInt128? {
        var halves: [[Substring]] = []
        if let gap = text.firstRange(of: "::") {
            halves = [text[..<gap.lowerBound], text[gap.upperBound...]].map {
                $0.isEmpty ? [] : $0.split(separator: ":", omittingEmptySubsequences: false)
            }
        } else {
            halves = [text.split(separator: ":", omittingEmptySubsequences: false)]
        }
        let count = halves.reduce(0) { $0 + $1.count }
        guard halves.count == 2 ? count < 8 : count == 8 else { return nil }
        var groups = halves[0].map { UInt16($0, radix: 16) }
        if halves.count == 2 {
            groups += Array(repeating: 0, count: 8 - count)
            groups += halves[1].map { UInt16($0, radix: 16) }
        }
        var bits: UInt128 = 0
        for group in groups {
            guard let group else { return nil }
            bits = bits << 16 | UInt128(group)
        }
        return bits
    }

    var width: Int { isV6 ? 128 : 32 }

    var description: String {
        if !isV6 { return (0..<4).map { String(bits >> UInt128(24 - 8 * $0) & 0xFF) }.joined(separator: ".") }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: bits >> UInt128(112 - 16 * $0)) }
        var best = 0..<0
        var index = 0
        while index < 8 {
            var end = index
            while end < 8, groups[end] == 0 { end += 1 }
            if end - index > max(best.count, 1) { best = index..<end }
            index = max(end, index + 1)
        }
        let hex = groups.map { String($0, radix: 16) }
        if best.isEmpty { return hex.joined(separator: ":") }
        return hex[..<best.lowerBound].joined(separator: ":") + "::" + hex[best.upperBound...].joined(separator: ":")
    }
}

/// A CIDR block.
struct AddressBlock: Sendable, Hashable, CustomStringConvertible {
    var first: IPAddress
    var prefix: Int

    init(first: IPAddress, prefix: Int) {
        self.first = first
        self.prefix = prefix
    }

    /// Reads `address/bits`; host bits are cleared, as Go's ParseCIDR does.
    init?(_ text: String) {
        let sides = text.split(separator: "/", omittingEmptySubsequences: false)
        guard sides.count == 2, let address = IPAddress(String(sides[0])), let prefix = Int(sides[1]),
            (0...address.width).contains(prefix)
        else { return nil }
        let free = UInt128(address.width - prefix)
        let masked = free >= 128 ? 0 : (address.bits >> free) << free
        self.init(first: IPAddress(bits: masked, isV6: address.isV6), prefix: prefix)
    }

    var last: IPAddress {
        let free = first.width - prefix
        let hosts: UInt128 = free >= 128 ? .max : (1 << UInt128(free)) - 1
        return IPAddress(bits: first.bits | hosts, isV6: first.isV6)
    }

    func contains(_ address: IPAddress) -> Bool {
        address.isV6 == first.isV6 && address.bits >= first.bits && address.bits <= last.bits
    }

    func overlaps(_ other: AddressBlock) -> Bool { contains(other.first) || other.contains(first) }

    /// The fewest blocks that hold exactly the addresses from `first` to `last`.
    static func covering(_ first: IPAddress, _ last: IPAddress) -> [AddressBlock] {
        var blocks: [AddressBlock] = []
        var next = first.bits
        while next <= last.bits {
            var free = min(next == 0 ? first.width : next.trailingZeroBitCount, first.width)
            while free > 0 {
                let hosts: UInt128 = free >= 128 ? .max : (1 << UInt128(free)) - 1
                if hosts <= last.bits - next { break }
                free -= 1
            }
            blocks.append(
                AddressBlock(first: IPAddress(bits: next, isV6: first.isV6), prefix: first.width - free))
            let end = blocks[blocks.count - 1].last.bits
            if end == .max { break }
            next = end + 1
        }
        return blocks
    }

    var description: String { "\(first)/\(prefix)" }
}
