import LabCore

/// One entry of an `IPAddressPool`'s `addresses`: a CIDR block or `FROM-TO`.
package struct AddressRange: Sendable, Hashable {
    /// As written.
    package let text: String
    /// The fewest blocks that hold the range's addresses; MetalLB's tests for overlap are about these.
    package let networks: [IPNetwork]
    /// The mistake in the entry that MetalLB does not see.
    package let oversight: Oversight?

    /// What MetalLB takes without a word, though it is not what the text says.
    package enum Oversight: Sendable, Hashable {
        /// `192.168.56.200/24`: the whole network is taken.
        case hostBits(IPNetwork)
        /// `192.168.56.1-fd00::1`: no address at all is taken.
        case mixedFamilies
    }

    /// Why an entry is no range: MetalLB's sentence (`ParseCIDR` of its internal/config/config.go), and what to write.
    package struct Refusal: Error, Hashable {
        package let message: String
        package let hint: String?
    }

    /// Reads an entry as MetalLB does.
    ///
    /// - Throws: `Refusal` where MetalLB refuses it.
    package init(_ text: String) throws(Refusal) {
        self.text = text
        guard let dash = text.firstIndex(of: "-") else {
            guard let (network, hasHostBits) = IPNetwork.parse(text) else {
                throw Refusal(message: "invalid CIDR \(goQuoted(text))", hint: Self.hint(forBlock: text))
            }
            networks = [network]
            oversight = hasHostBits ? .hostBits(network) : nil
            return
        }
        let parts = (text[..<dash], text[text.index(after: dash)...])
        let prefix = "invalid IP range \(goQuoted(text)): "
        guard let first = IPAddress(trimmed(parts.0)) else {
            throw Refusal(message: prefix + "invalid start IP \(goQuoted(parts.0))", hint: nil)
        }
        guard let last = IPAddress(trimmed(parts.1)) else {
            throw Refusal(
                message: prefix + "invalid end IP \(goQuoted(parts.1))", hint: Self.hint(for: first, to: parts.1))
        }
        guard first <= last else {
            throw Refusal(
                message: prefix + "start IP \"\(first)\" is after the end IP \"\(last)\"",
                hint: first.isIPv4 == last.isIPv4 ? "write \(last)-\(first)" : nil)
        }
        networks = IPNetwork.summarize(from: first, to: last)
        oversight = first.isIPv4 == last.isIPv4 ? nil : .mixedFamilies
    }

    /// Whether an address is in the range; no address is in one of mixed families.
    package func contains(_ address: IPAddress) -> Bool { networks.contains { $0.contains(address) } }

    private static func hint(forBlock text: String) -> String? {
        guard let address = IPAddress(trimmed(text[...])) else {
            return text.contains("/") ? nil : "write a CIDR block (192.168.56.200/29) or FROM-TO"
        }
        return "write \(address)/\(address.isIPv4 ? 32 : 128) for this one address"
    }

    /// `192.168.56.10-20` is what many tools take for a range; MetalLB wants the whole address.
    private static func hint(for first: IPAddress, to end: Substring) -> String? {
        guard first.isIPv4, IPAddress.decimal(Array(trimmed(end).utf8)[...], maximum: 255) != nil else { return nil }
        let start = first.description.split(separator: ".").dropLast().joined(separator: ".")
        return "write the end as a whole address: \(first)-\(start).\(trimmed(end))"
    }
}

private func trimmed(_ text: Substring) -> Substring {
    let blanks: Set<Character> = [" ", "\t", "\n", "\r", "\u{0B}", "\u{0C}", "\u{85}", "\u{A0}"]
    var text = text
    while let first = text.first, blanks.contains(first) { text.removeFirst() }
    while let last = text.last, blanks.contains(last) { text.removeLast() }
    return text
}
