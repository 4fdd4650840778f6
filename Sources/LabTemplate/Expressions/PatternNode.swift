/// What a regular expression is made of.
indirect enum PatternNode: Sendable {
    case empty
    case scalar(Unicode.Scalar, ignoresCase: Bool)
    case any(matchesNewlines: Bool)
    case set(ScalarSet, ignoresCase: Bool)
    case sequence([PatternNode])
    case alternatives([PatternNode])
    case group(Int, PatternNode)
    case repeated(PatternNode, min: Int, max: Int?, Greed)
    case assertion(Assertion)
    case backreference(Int, ignoresCase: Bool)
    case look(PatternNode, isBehind: Bool, isNegated: Bool)
    case atomic(PatternNode)
    case conditional(Int, PatternNode, PatternNode)

    enum Greed: Sendable { case greedy, lazy, possessive }

    enum Assertion: Sendable {
        case textStart
        case textEnd
        /// At the end, or before the line break that ends the text.
        case textEndOrLastBreak
        case lineStart
        case lineEnd
        case wordBoundary
        case notWordBoundary
    }

    /// The one length of everything that matches, or nil when lengths differ.
    var width: Int? {
        switch self {
        case .empty, .assertion, .look: return 0
        case .scalar, .any, .set: return 1
        case .sequence(let nodes):
            var total = 0
            for node in nodes {
                guard let width = node.width else { return nil }
                total += width
            }
            return total
        case .alternatives(let nodes):
            guard let first = nodes.first?.width else { return nil }
            return nodes.allSatisfy { $0.width == first } ? first : nil
        case .group(_, let node), .atomic(let node): return node.width
        case .repeated(let node, let min, let max, _):
            guard min == max, let width = node.width else { return nil }
            let (total, isOverflow) = width.multipliedReportingOverflow(by: min)
            return isOverflow ? nil : total
        case .conditional(_, let yes, let no): return yes.width == no.width ? yes.width : nil
        case .backreference: return nil
        }
    }
}

/// A set of Unicode scalars: `[a-z\d]`, `\w`.
struct ScalarSet: Sendable {
    enum Item: Sendable {
        case range(ClosedRange<Unicode.Scalar>)
        case digit(Bool)
        case word(Bool)
        case space(Bool)
    }
    var items: [Item] = []
    var isNegated = false

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        items.contains { item in
            switch item {
            case .range(let range): range.contains(scalar)
            case .digit(let wanted): Self.isDigit(scalar) == wanted
            case .word(let wanted): Self.isWord(scalar) == wanted
            case .space(let wanted): Python.isSpace(scalar) == wanted
            }
        } != isNegated
    }

    func contains(_ scalar: Unicode.Scalar, ignoresCase: Bool) -> Bool {
        guard ignoresCase else { return contains(scalar) }
        var positive = self
        positive.isNegated = false
        let found =
            positive.contains(scalar) || positive.contains(Self.lowered(scalar))
            || positive.contains(Self.raised(scalar))
        return found != isNegated
    }

    static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII ? ("0"..."9").contains(scalar) : scalar.properties.numericType == .decimal
    }

    static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar == "_" || UInt8(scalar.value).isDigit || UInt8(scalar.value).isNameStart }
        return StringMethods.isLetter(scalar) || scalar.properties.numericType != nil
    }

    static func lowered(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        let mapping = scalar.properties.lowercaseMapping.unicodeScalars
        return mapping.count == 1 ? mapping.first ?? scalar : scalar
    }

    static func raised(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        let mapping = scalar.properties.uppercaseMapping.unicodeScalars
        return mapping.count == 1 ? mapping.first ?? scalar : scalar
    }
}
