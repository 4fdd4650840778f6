/// Reads regular expressions in Python's syntax.
struct PatternParser {
    private let scalars: [Unicode.Scalar]
    private var index = 0
    private var flags: PatternFlags
    private var depth = 0
    private(set) var groupCount = 0
    private(set) var names: [String: Int] = [:]
    private var openGroups: Set<Int> = []
    /// Conditions may name groups that come later.
    private var largestCondition = 0

    init(_ text: String, _ flags: PatternFlags) {
        self.scalars = Array(text.unicodeScalars)
        self.flags = flags
    }

    private func failure(_ message: String) -> Failure {
        Failure("the pattern '\(scalars.map(String.init).joined())' is wrong: \(message) at position \(index)")
    }

    private var current: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private mutating func skip(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        guard index + wanted.count <= scalars.count, scalars[index..<index + wanted.count].elementsEqual(wanted) else {
            return false
        }
        index += wanted.count
        return true
    }

    mutating func parse() throws -> PatternNode {
        let node = try alternatives()
        guard index == scalars.count else { throw failure("a ')' has no '('") }
        guard largestCondition <= groupCount else { throw failure("there is no group \(largestCondition)") }
        return node
    }

    private mutating func alternatives() throws -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 100 else { throw failure("groups are nested too deeply") }
        var nodes = [try sequence()]
        while skip("|") { nodes.append(try sequence()) }
        return nodes.count == 1 ? nodes[0] : .alternatives(nodes)
    }

    private mutating func sequence() throws -> PatternNode {
        var nodes: [PatternNode] = []
        while let scalar = current, scalar != "|", scalar != ")" {
            if flags.isVerbose, Python.isSpace(scalar) {
                index += 1
                continue
            }
            if flags.isVerbose, scalar == "#" {
                while current != nil, current != "\n" { index += 1 }
                continue
            }
            guard let atom = try atom() else { continue }
            nodes.append(try quantified(atom))
        }
        return nodes.count == 1 ? nodes[0] : nodes.isEmpty ? .empty : .sequence(nodes)
    }

    private mutating func quantified(_ atom: PatternNode) throws -> PatternNode {
        guard let (min, max) = quantifier() else { return atom }
        if let max, max < min { throw failure("the smallest count is above the largest") }
        if case .assertion = atom { throw failure("there is nothing to repeat") }
        let greed: PatternNode.Greed = skip("?") ? .lazy : skip("+") ? .possessive : .greedy
        if let next = current, next == "*" || next == "+" || next == "?" {
            throw failure("two counts follow each other")
        }
        guard min <= 1000, max ?? 0 <= 1000 else { throw failure("the count is above 1000") }
        return .repeated(atom, min: min, max: max, greed)
    }

    private mutating func quantifier() -> (min: Int, max: Int?)? {
        switch current {
        case "*":
            index += 1
            return (0, nil)
        case "+":
            index += 1
            return (1, nil)
        case "?":
            index += 1
            return (0, 1)
        case "{":
            // What is no count is plain text.
            var end = index + 1
            var parts: [String] = [""]
            while end < scalars.count, scalars[end] != "}" {
                if scalars[end] == ",", parts.count == 1 {
                    parts.append("")
                } else if ("0"..."9").contains(scalars[end]), parts[parts.count - 1].count < 6 {
                    parts[parts.count - 1].unicodeScalars.append(scalars[end])
                } else {
                    return nil
                }
                end += 1
            }
            guard end < scalars.count, parts.count == 2 || !parts[0].isEmpty else { return nil }
            if parts.count == 2, parts[0].isEmpty, parts[1].isEmpty { return nil }
            index = end + 1
            let min = Int(parts[0]) ?? 0
            return (min, parts.count == 1 ? min : Int(parts[1]))
        default: return nil
        }
    }

    private mutating func atom() throws -> PatternNode? {
        guard let scalar = current else { return nil }
        index += 1
        switch scalar {
        case "(": return try group()
        case "[": return .set(try set(), ignoresCase: flags.ignoresCase)
        case ".": return .any(matchesNewlines: flags.matchesNewlines)
        case "^": return .assertion(flags.isMultiline ? .lineStart : .textStart)
        case "$": return .assertion(flags.isMultiline ? .lineEnd : .textEndOrLastBreak)
        case "\\": return try escape()
        case "*", "+", "?":
            index -= 1
            throw failure("there is nothing to repeat")
        default: return .scalar(scalar, ignoresCase: flags.ignoresCase)
        }
    }

    // MARK: Escapes

    private mutating func escape() throws -> PatternNode {
        guard let scalar = current else { throw failure("it ends with a backslash") }
        index += 1
        switch scalar {
        case "A": return .assertion(.textStart)
        case "Z": return .assertion(.textEnd)
        case "b": return .assertion(.wordBoundary)
        case "B": return .assertion(.notWordBoundary)
        case "1"..."9":
            if let octal = octal(first: scalar, needsThree: true) { return .scalar(octal, ignoresCase: false) }
            var number = Int(scalar.value - 0x30)
            if let next = current, ("0"..."9").contains(next) {
                number = number * 10 + Int(next.value - 0x30)
                index += 1
            }
            return try backreference(number)
        default: break
        }
        if let item = Self.classItem(scalar) {
            return .set(ScalarSet(items: [item]), ignoresCase: false)
        }
        return .scalar(try escapedScalar(scalar), ignoresCase: flags.ignoresCase)
    }

    private func backreference(_ number: Int) throws -> PatternNode {
        guard number <= groupCount else { throw failure("there is no group \(number)") }
        guard !openGroups.contains(number) else { throw failure("group \(number) is not closed yet") }
        return .backreference(number, ignoresCase: flags.ignoresCase)
    }

    private static func classItem(_ scalar: Unicode.Scalar) -> ScalarSet.Item? {
        switch scalar {
        case "d": .digit(true)
        case "D": .digit(false)
        case "w": .word(true)
        case "W": .word(false)
        case "s": .space(true)
        case "S": .space(false)
        default: nil
        }
    }

    private mutating func octal(first: Unicode.Scalar, needsThree: Bool) -> Unicode.Scalar? {
        var digits = [first]
        var end = index
        while digits.count < 3, end < scalars.count, ("0"..."7").contains(scalars[end]) {
            digits.append(scalars[end])
            end += 1
        }
        guard !needsThree || digits.count == 3, digits.allSatisfy({ ("0"..."7").contains($0) }) else { return nil }
        let value = digits.reduce(UInt32(0)) { $0 * 8 + $1.value - 0x30 }
        index = end
        return Unicode.Scalar(value & 0x1FF)
    }

    private mutating func escapedScalar(_ scalar: Unicode.Scalar) throws -> Unicode.Scalar {
        switch scalar {
        case "n": return "\n"
        case "t": return "\t"
        case "r": return "\r"
        case "f": return "\u{0C}"
        case "v": return "\u{0B}"
        case "a": return "\u{07}"
        case "0": return octal(first: scalar, needsThree: false) ?? "\u{0}"
        case "x": return try hexadecimal(2)
        case "u": return try hexadecimal(4)
        case "U": return try hexadecimal(8)
        case "a"..."z", "A"..."Z": throw failure("unknown escape '\\\(scalar)'")
        default: return scalar
        }
    }

    private mutating func hexadecimal(_ count: Int) throws -> Unicode.Scalar {
        let digits = scalars[index..<min(index + count, scalars.count)].map(String.init).joined()
        guard digits.count == count, let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value) else {
            throw failure("the escape is not complete")
        }
        index += count
        return scalar
    }

    // MARK: Sets

    private mutating func set() throws -> ScalarSet {
        var set = ScalarSet()
        set.isNegated = skip("^")
        var isFirst = true
        while true {
            guard let scalar = current else { throw failure("a '[' is not closed") }
            index += 1
            if scalar == "]", !isFirst { return set }
            isFirst = false
            guard let low = try member(scalar, &set) else { continue }
            guard current == "-", index + 1 < scalars.count, scalars[index + 1] != "]" else {
                set.items.append(.range(low...low))
                continue
            }
            index += 1
            guard let scalar = current else { throw failure("a '[' is not closed") }
            index += 1
            var others = ScalarSet()
            guard let high = try member(scalar, &others), low <= high else { throw failure("the range is wrong") }
            set.items.append(.range(low...high))
        }
    }

    /// One scalar of a set; nil when it was a class, which is added to the set.
    private mutating func member(_ scalar: Unicode.Scalar, _ set: inout ScalarSet) throws -> Unicode.Scalar? {
        guard scalar == "\\" else { return scalar }
        guard let escape = current else { throw failure("it ends with a backslash") }
        index += 1
        if let item = Self.classItem(escape) {
            set.items.append(item)
            return nil
        }
        if escape == "b" { return "\u{08}" }
        if ("0"..."7").contains(escape), let octal = octal(first: escape, needsThree: false) { return octal }
        return try escapedScalar(escape)
    }

    // MARK: Groups

    private mutating func group() throws -> PatternNode? {
        guard skip("?") else { return try capture(name: nil) }
        if skip(":") { return try closed(try alternatives()) }
        if skip("=") { return .look(try closed(try alternatives()), isBehind: false, isNegated: false) }
        if skip("!") { return .look(try closed(try alternatives()), isBehind: false, isNegated: true) }
        if skip("<=") { return .look(try fixed(try closed(try alternatives())), isBehind: true, isNegated: false) }
        if skip("<!") { return .look(try fixed(try closed(try alternatives())), isBehind: true, isNegated: true) }
        if skip(">") { return .atomic(try closed(try alternatives())) }
        if skip("P<") { return try capture(name: try name(until: ">")) }
        if skip("P=") {
            let name = try name(until: ")")
            guard let number = names[name] else { throw failure("there is no group '\(name)'") }
            return try backreference(number)
        }
        if skip("#") {
            while current != nil, current != ")" { index += 1 }
            return try closed(.empty)
        }
        if skip("(") {
            let name = try name(until: ")")
            guard let number = Int(name) ?? names[name] else { throw failure("there is no group '\(name)'") }
            largestCondition = max(largestCondition, number)
            let yes = try sequence()
            let no: PatternNode = skip("|") ? try sequence() : .empty
            return try closed(.conditional(number, yes, no))
        }
        return try flagGroup()
    }

    private func fixed(_ node: PatternNode) throws -> PatternNode {
        guard node.width != nil else { throw failure("what is looked for backwards must have one length") }
        return node
    }

    private mutating func closed(_ node: PatternNode) throws -> PatternNode {
        guard skip(")") else { throw failure("a '(' is not closed") }
        return node
    }

    private mutating func name(until end: Unicode.Scalar) throws -> String {
        var name = ""
        while let scalar = current, scalar != end {
            name.unicodeScalars.append(scalar)
            index += 1
        }
        guard current == end, !name.isEmpty else { throw failure("the name of a group is not closed") }
        index += 1
        return name
    }

    private mutating func capture(name: String?) throws -> PatternNode {
        groupCount += 1
        let number = groupCount
        guard number <= 200 else { throw failure("there are more than 200 groups") }
        if let name {
            guard names[name] == nil else { throw failure("the group '\(name)' is there twice") }
            names[name] = number
        }
        openGroups.insert(number)
        let flags = flags
        let inner = try alternatives()
        self.flags = flags
        openGroups.remove(number)
        return .group(number, try closed(inner))
    }

    /// `(?i)` for the rest, `(?i-s:…)` for a group.
    private mutating func flagGroup() throws -> PatternNode? {
        let outer = flags
        var value = true
        while let scalar = current {
            index += 1
            switch scalar {
            case "i": flags.ignoresCase = value
            case "m": flags.isMultiline = value
            case "s": flags.matchesNewlines = value
            case "x": flags.isVerbose = value
            case "u", "a", "L": break
            case "-": value = false
            case ")": return nil
            case ":":
                let inner = try alternatives()
                flags = outer
                return try closed(inner)
            default: throw failure("unknown extension of '(?'")
            }
        }
        throw failure("a '(' is not closed")
    }
}
