import LabCore

/// A BGP community as MetalLB reads it (internal/bgp/community/community.go): `65000:1`, or `large:65000:1:1`.
enum BGPCommunity: Sendable, Hashable {
    case legacy
    case large

    /// MetalLB's sentence of why a text is none.
    struct Refusal: Error, Hashable {
        let message: String
        /// Whether the text has another form altogether, and so may be the name of one (`ErrInvalidCommunityFormat`).
        let mayBeName: Bool
    }

    init(_ text: String) throws(Refusal) {
        let sections = text.split(separator: ":", omittingEmptySubsequences: false)
        switch sections.count {
        case 2:
            for section in sections { try Self.check(section, of: text, maximum: UInt64(UInt16.max)) }
            self = .legacy
        case 4:
            guard sections[0] == "large" else {
                throw Refusal(
                    message: "invalid community value: invalid marker for large community, expected community to be of "
                        + "format large:<uint32>:<uint32>:<uint32> but got \(goQuoted(text)) instead", mayBeName: false)
            }
            for section in sections.dropFirst() { try Self.check(section, of: text, maximum: UInt64(UInt32.max)) }
            self = .large
        default: throw Refusal(message: "invalid community format: \(text)", mayBeName: true)
        }
    }

    private static func check(_ section: Substring, of text: String, maximum: UInt64) throws(Refusal) {
        let isDigits =
            !section.isEmpty && section.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        if isDigits, let number = UInt64(section), number <= maximum { return }
        let why = isDigits ? "value out of range" : "invalid syntax"
        let error = "strconv.ParseUint: parsing \(goQuoted(section)): \(why)"
        throw Refusal(
            message:
                "invalid community value: invalid section \(goQuoted(section)) of community \(goQuoted(text)), err: "
                + goQuoted(error), mayBeName: false)
    }
}
