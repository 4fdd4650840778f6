#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// An IP address of either family, as a number that can be compared within its family.
package struct IPAddress: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let isIPv6: Bool
    package let number: UInt128

    package init(isIPv6: Bool, number: UInt128) {
        self.isIPv6 = isIPv6
        self.number = number
    }

    /// Reads an address as Go's net.ParseIP does; nil when it is none.
    package init?(_ text: some StringProtocol) {
        var bytes = [UInt8](repeating: 0, count: 16)
        let isIPv6 = text.contains(":")
        let count = isIPv6 ? 16 : 4
        guard inet_pton(isIPv6 ? AF_INET6 : AF_INET, String(text), &bytes) == 1 else { return nil }
        self.init(isIPv6: isIPv6, number: bytes[..<count].reduce(0) { $0 << 8 | UInt128($1) })
    }

    package var bits: Int { isIPv6 ? 128 : 32 }

    package var description: String {
        if !isIPv6 {
            return [24, 16, 8, 0].map { String(UInt8(truncatingIfNeeded: number >> UInt128($0))) }.joined(
                separator: ".")
        }
        var bytes = (0..<16).map { UInt8(truncatingIfNeeded: number >> UInt128(8 * (15 - $0))) }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count)) != nil else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    package static func < (a: IPAddress, b: IPAddress) -> Bool {
        a.isIPv6 == b.isIPv6 ? a.number < b.number : !a.isIPv6
    }
}

/// The addresses from one to another, both included, of one family.
package struct AddressRange: Sendable, Hashable {
    package let first: IPAddress
    package let last: IPAddress

    package init(first: IPAddress, last: IPAddress) {
        self.first = first
        self.last = last
    }

    package func contains(_ address: IPAddress) -> Bool {
        address.isIPv6 == first.isIPv6 && first <= address && address <= last
    }

    package func overlaps(_ other: AddressRange) -> Bool {
        first.isIPv6 == other.first.isIPv6 && first <= other.last && other.first <= last
    }

    /// What is wrong with a text that should be a range.
    package struct Mistake: Error, Sendable, Hashable {
        /// In MetalLB's own words, where it has any.
        package let message: String
        package let hint: String?
    }

    /// Reads `FROM-TO` or CIDR as MetalLB does (internal/config/config.go, `ParseCIDR`).
    ///
    /// - Throws: `Mistake`, also for what MetalLB accepts silently although nobody can mean it.
    package init(parsing text: String) throws(Mistake) {
        guard text.contains("-") else {
            self = try Self.block(text)
            return
        }
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            .map { $0.filter { !$0.isWhitespace } }
        guard let first = IPAddress(parts[0]) else {
            throw Mistake(
                message: "invalid IP range \"\(text)\": invalid start IP \"\(parts[0])\"", hint: Self.rangeHint)
        }
        guard let last = IPAddress(parts[1]) else {
            throw Mistake(message: "invalid IP range \"\(text)\": invalid end IP \"\(parts[1])\"", hint: Self.rangeHint)
        }
        guard first.isIPv6 == last.isIPv6 else {
            throw Mistake(
                message: "the range \"\(text)\" begins with one address family and ends with the other",
                hint: "MetalLB accepts it, but it holds no address; write one range for each family")
        }
        guard first <= last else {
            throw Mistake(
                message: "invalid IP range \"\(text)\": start IP \"\(first)\" is after the end IP \"\(last)\"",
                hint: "write \(last)-\(first)")
        }
        self.init(first: first, last: last)
    }

    private static let rangeHint = "write both addresses whole, as in 192.168.56.200-192.168.56.250"

    private static func block(_ text: String) throws(Mistake) -> AddressRange {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 1, let address = IPAddress(text) {
            throw Mistake(
                message: "invalid CIDR \"\(text)\"", hint: "for the one address write \(text)/\(address.bits)")
        }
        guard parts.count == 2, let address = IPAddress(parts[0]), let length = Int(parts[1]),
            (0...address.bits).contains(length)
        else { throw Mistake(message: "invalid CIDR \"\(text)\"", hint: rangeHint) }
        let hostBits = UInt128(address.bits - length)
        let size: UInt128 = hostBits == 128 ? .max : (1 << hostBits) - 1
        let start = IPAddress(isIPv6: address.isIPv6, number: address.number & ~size)
        guard start == address else {
            throw Mistake(
                message: "\"\(text)\" is not the start of a block: MetalLB would take all of \(start)/\(length)",
                hint: "write \(start)/\(length) if that is meant, or a range as in \(address)-…")
        }
        return AddressRange(first: start, last: IPAddress(isIPv6: address.isIPv6, number: address.number | size))
    }
}
