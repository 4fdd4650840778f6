import Synchronization

/// How much of a text a pattern has to match: anywhere, from the start, or all of it.
enum MatchKind: String, Sendable {
    case search
    case match
    case fullmatch
}

/// A regular expression in the syntax and with the meaning of Python's `re`, on Unicode scalars.
///
/// Swift's own expressions are not used: they lack lookbehind and conditionals, read character classes differently,
/// and cannot be stopped when they take exponential time.
struct Pattern: Sendable {
    let program: PatternProgram

    /// - Throws: `Failure` when the text is no expression.
    init(_ text: String, ignoresCase: Bool = false, isMultiline: Bool = false, matchesNewlines: Bool = false) throws {
        let flags = PatternFlags(
            ignoresCase: ignoresCase, isMultiline: isMultiline, matchesNewlines: matchesNewlines, isVerbose: false)
        self.program = try PatternCache.program(for: PatternCache.Key(text: text, flags: flags))
    }

    func firstMatch(in text: String, _ kind: MatchKind) throws -> Match? {
        let scalars = Array(text.unicodeScalars)
        let matcher = Matcher(program, scalars)
        guard let slots = try matcher.match(from: 0, kind) else { return nil }
        return Match(scalars: scalars, slots: slots, names: program.names)
    }

    func allMatches(in text: String, limit: Int = .max) throws -> [Match] {
        let scalars = Array(text.unicodeScalars)
        let matcher = Matcher(program, scalars)
        var result: [Match] = []
        var position = 0
        var mustAdvance = false
        while result.count < limit, position <= scalars.count,
            let slots = try matcher.match(from: position, .search, mustAdvance: mustAdvance)
        {
            result.append(Match(scalars: scalars, slots: slots, names: program.names))
            guard result.count <= Limits.iterations else { throw Failure("the pattern matches too often") }
            position = slots[1]
            mustAdvance = slots[0] == slots[1]
        }
        return result
    }

    /// `re.subn`: the text with all matches (or the first `limit`) replaced, and how many there were.
    func replacing(in text: String, with template: String, limit: Int = 0) throws -> (text: String, count: Int) {
        let replacement = try Replacement(template, program)
        let matches = try allMatches(in: text, limit: limit > 0 ? limit : .max)
        let scalars = Array(text.unicodeScalars)
        var result = String.UnicodeScalarView()
        var position = 0
        for match in matches {
            let range = match.range(0) ?? position..<position
            result.append(contentsOf: scalars[position..<range.lowerBound])
            replacement.append(match, to: &result)
            guard result.count <= Limits.textSize else {
                throw Failure("the text grew above \(Limits.textSize >> 20) MiB")
            }
            position = range.upperBound
        }
        result.append(contentsOf: scalars[position...])
        return (String(result), matches.count)
    }

    /// `re.escape`.
    static func escaped(_ text: String) -> String {
        let special = Set("()[]{}?*+-|^$\\.&~# \t\n\r\u{0B}\u{0C}".unicodeScalars)
        return text.unicodeScalars.map { special.contains($0) ? "\\" + String($0) : String($0) }.joined()
    }
}

/// Where a pattern matched.
struct Match {
    private let scalars: [Unicode.Scalar]
    private let slots: [Int]
    private let names: [String: Int]

    init(scalars: [Unicode.Scalar], slots: [Int], names: [String: Int]) {
        self.scalars = scalars
        self.slots = slots
        self.names = names
    }

    var groupCount: Int { slots.count / 2 - 1 }

    func range(_ group: Int) -> Range<Int>? {
        guard group >= 0, group <= groupCount, slots[2 * group] >= 0, slots[2 * group + 1] >= 0 else { return nil }
        return slots[2 * group]..<slots[2 * group + 1]
    }

    /// The text of a group; nil when it took no part in the match.
    func text(_ group: Int) -> String? {
        range(group).map { range in
            var view = String.UnicodeScalarView()
            view.append(contentsOf: scalars[range])
            return String(view)
        }
    }

    func group(named name: String) throws -> Int {
        if let number = Int(name) {
            guard (0...groupCount).contains(number) else { throw Failure("the pattern has no group \(number)") }
            return number
        }
        guard let group = names[name] else { throw Failure("the pattern has no group '\(name)'") }
        return group
    }
}

struct PatternFlags: Hashable, Sendable {
    var ignoresCase: Bool
    var isMultiline: Bool
    var matchesNewlines: Bool
    var isVerbose: Bool
}

/// Patterns by their text: the same ones are used for every item of a list.
enum PatternCache {
    struct Key: Hashable, Sendable {
        let text: String
        let flags: PatternFlags
    }
    private static let programs = Mutex<[Key: PatternProgram]>([:])

    static func program(for key: Key) throws -> PatternProgram {
        if let known = programs.withLock({ $0[key] }) { return known }
        var parser = PatternParser(key.text, key.flags)
        let node = try parser.parse()
        let program = try PatternProgram(node, groupCount: parser.groupCount, names: parser.names)
        programs.withLock { programs in
            if programs.count >= 512 { programs.removeAll(keepingCapacity: true) }
            programs[key] = program
        }
        return program
    }
}

/// The second argument of `re.sub`: texts and groups.
private struct Replacement {
    private enum Piece {
        case text([Unicode.Scalar])
        case group(Int)
    }
    private var pieces: [Piece] = []

    init(_ template: String, _ program: PatternProgram) throws {
        let scalars = Array(template.unicodeScalars)
        var index = 0
        var text: [Unicode.Scalar] = []
        func group(_ name: String) throws -> Int {
            if let number = Int(name) {
                guard (0...program.groupCount).contains(number) else {
                    throw Failure("the replacement uses group \(number), which the pattern does not have")
                }
                return number
            }
            guard let number = program.names[name] else {
                throw Failure("the replacement uses group '\(name)', which the pattern does not have")
            }
            return number
        }
        while index < scalars.count {
            guard scalars[index] == "\\", index + 1 < scalars.count else {
                if scalars[index] == "\\" { throw Failure("the replacement ends with a backslash") }
                text.append(scalars[index])
                index += 1
                continue
            }
            let escape = scalars[index + 1]
            index += 2
            var number: Int?
            switch escape {
            case "g":
                guard index < scalars.count, scalars[index] == "<", let close = scalars[index...].firstIndex(of: ">")
                else {
                    throw Failure("'\\g' in the replacement needs a group", hint: "write '\\g<1>' or '\\g<name>'")
                }
                number = try group(scalars[(index + 1)..<close].map(String.init).joined())
                index = close + 1
            case "0":
                var value: UInt32 = 0
                var digits = 0
                while digits < 2, index < scalars.count, ("0"..."7").contains(scalars[index]) {
                    value = value * 8 + scalars[index].value - 0x30
                    index += 1
                    digits += 1
                }
                text.append(Unicode.Scalar(value) ?? "\u{0}")
            case "1"..."9":
                var value = Int(escape.value - 0x30)
                if index < scalars.count, ("0"..."9").contains(scalars[index]) {
                    value = value * 10 + Int(scalars[index].value - 0x30)
                    index += 1
                }
                number = try group(String(value))
            case "n": text.append("\n")
            case "t": text.append("\t")
            case "r": text.append("\r")
            case "a": text.append("\u{07}")
            case "b": text.append("\u{08}")
            case "f": text.append("\u{0C}")
            case "v": text.append("\u{0B}")
            case "a"..."z", "A"..."Z": throw Failure("unknown escape '\\\(escape)' in the replacement")
            case "\\": text.append("\\")
            default: text += ["\\", escape]
            }
            if let number {
                pieces.append(.text(text))
                pieces.append(.group(number))
                text = []
            }
        }
        pieces.append(.text(text))
    }

    func append(_ match: Match, to result: inout String.UnicodeScalarView) {
        for piece in pieces {
            switch piece {
            case .text(let text): result.append(contentsOf: text)
            case .group(let group): result.append(contentsOf: (match.text(group) ?? "").unicodeScalars)
            }
        }
    }
}
