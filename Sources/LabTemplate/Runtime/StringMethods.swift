/// The methods of Python's strings. Lengths and indices count Unicode scalars.
enum StringMethods {
    static func method(_ name: String, of text: String) -> Object? {
        if let simple = simple[name] {
            return Methods.bind(name) { arguments, evaluator in
                _ = try Call("the method '\(name)'", arguments, parameters: [], evaluator: evaluator)
                return simple(text)
            }
        }
        guard let (parameters, required, body) = table[name] else {
            guard name == "format" else { return nil }
            return Methods.bind(name) { arguments, evaluator in
                .string(try FormatMethod(arguments: arguments, evaluator: evaluator).format(text))
            }
        }
        return Methods.bind(name) { arguments, evaluator in
            try body(
                text,
                try Call(
                    "the method '\(name)'", arguments, parameters: parameters, required: required, evaluator: evaluator)
            )
        }
    }

    private static let simple: [String: @Sendable (String) -> Object] = [
        "upper": { .string($0.uppercased()) },
        "lower": { .string($0.lowercased()) },
        "casefold": { .string($0.lowercased()) },
        "capitalize": { .string(capitalized($0)) },
        "title": { .string(titled($0)) },
        "swapcase": { .string(swapped($0)) },
        "isdigit": { .bool(all($0) { $0.properties.numericType == .digit || $0.properties.numericType == .decimal }) },
        "isdecimal": { .bool(all($0) { $0.properties.numericType == .decimal }) },
        "isnumeric": { .bool(all($0) { $0.properties.numericType != nil }) },
        "isalpha": { .bool(all($0, isLetter)) },
        "isalnum": { .bool(all($0) { isLetter($0) || $0.properties.numericType != nil }) },
        "isspace": { .bool(all($0, Python.isSpace)) },
        "isascii": { .bool($0.utf8.allSatisfy { $0 < 0x80 }) },
        "islower": { .bool(isLower($0)) },
        "isupper": { .bool(isUpper($0)) },
        "isidentifier": { .bool(isIdentifier($0)) },
    ]

    private typealias Body = @Sendable (String, Call) throws -> Object

    private static let table: [String: (parameters: [String], required: Int, body: Body)] = [
        "strip": (["chars"], 0, { .string(stripped($0, try $1.string(0), left: true, right: true)) }),
        "lstrip": (["chars"], 0, { .string(stripped($0, try $1.string(0), left: true, right: false)) }),
        "rstrip": (["chars"], 0, { .string(stripped($0, try $1.string(0), left: false, right: true)) }),
        "split": (["sep", "maxsplit"], 0, { .list(try split($0, try $1.string(0), limit: try $1.int(1) ?? -1)) }),
        "rsplit": (
            ["sep", "maxsplit"], 0,
            { .list(try split($0, try $1.string(0), limit: try $1.int(1) ?? -1, backwards: true)) }
        ),
        "splitlines": (["keepends"], 0, { .list(Python.lines($0, keepEnds: try $1.flag(0)).map { .string($0) }) }),
        "partition": (["sep"], 1, { .tuple(try partition($0, try $1.string(0) ?? "", backwards: false)) }),
        "rpartition": (["sep"], 1, { .tuple(try partition($0, try $1.string(0) ?? "", backwards: true)) }),
        "join": (
            ["iterable"], 1,
            { separator, call in
                let items = try (call[0] ?? .null).elements()
                return .string(
                    try items.map { item in
                        guard let text = item.string else {
                            throw Failure(
                                "the method 'join' needs strings, not \(item.typeName)", hint: "use the filter 'join'")
                        }
                        return text
                    }.joined(separator: separator))
            }
        ),
        "replace": (
            ["old", "new", "count"], 2,
            { .string(replaced($0, try $1.string(0) ?? "", try $1.string(1) ?? "", limit: try $1.int(2) ?? -1)) }
        ),
        "startswith": (["prefix", "start", "end"], 1, { .bool(try hasAffix($0, $1, isPrefix: true)) }),
        "endswith": (["suffix", "start", "end"], 1, { .bool(try hasAffix($0, $1, isPrefix: false)) }),
        "removeprefix": (
            ["prefix"], 1,
            { text, call in
                let prefix = try call.string(0) ?? ""
                return .string(
                    Affix.has(text, prefix) ? String(text.unicodeScalars.dropFirst(prefix.unicodeScalars.count)) : text)
            }
        ),
        "removesuffix": (
            ["suffix"], 1,
            { text, call in
                let suffix = try call.string(0) ?? ""
                return .string(
                    !suffix.isEmpty && Affix.has(text, suffix, atEnd: true)
                        ? String(text.unicodeScalars.dropLast(suffix.unicodeScalars.count)) : text)
            }
        ),
        "find": (["sub", "start", "end"], 1, { .int(try position($0, $1) ?? -1) }),
        "rfind": (["sub", "start", "end"], 1, { .int(try position($0, $1, backwards: true) ?? -1) }),
        "index": (["sub", "start", "end"], 1, { .int(try found(position($0, $1))) }),
        "rindex": (["sub", "start", "end"], 1, { .int(try found(position($0, $1, backwards: true))) }),
        "count": (["sub", "start", "end"], 1, { .int(try occurrences($0, $1)) }),
        "center": (["width", "fillchar"], 1, { .string(try padded($0, $1, .center)) }),
        "ljust": (["width", "fillchar"], 1, { .string(try padded($0, $1, .left)) }),
        "rjust": (["width", "fillchar"], 1, { .string(try padded($0, $1, .right)) }),
        "zfill": (["width"], 1, { .string(try zeroFilled($0, try $1.int(0) ?? 0)) }),
        "expandtabs": (["tabsize"], 0, { .string(expanded($0, min(try $1.int(0) ?? 8, 1000))) }),
    ]

    // MARK: Characters

    static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }

    private static func all(_ text: String, _ accepts: (Unicode.Scalar) -> Bool) -> Bool {
        !text.isEmpty && text.unicodeScalars.allSatisfy(accepts)
    }

    static func isLower(_ text: String) -> Bool {
        text.unicodeScalars.contains(where: \.properties.isLowercase)
            && !text.unicodeScalars.contains {
                $0.properties.isUppercase || $0.properties.generalCategory == .titlecaseLetter
            }
    }

    static func isUpper(_ text: String) -> Bool {
        text.unicodeScalars.contains(where: \.properties.isUppercase)
            && !text.unicodeScalars.contains {
                $0.properties.isLowercase || $0.properties.generalCategory == .titlecaseLetter
            }
    }

    private static func isIdentifier(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first else { return false }
        return (first == "_" || first.properties.isXIDStart)
            && text.unicodeScalars.allSatisfy { $0 == "_" || $0.properties.isXIDContinue }
    }

    static func capitalized(_ text: String) -> String {
        guard let first = text.unicodeScalars.first else { return text }
        return first.properties.titlecaseMapping + String(text.unicodeScalars.dropFirst()).lowercased()
    }

    /// A letter is upper case when the character before it has no case.
    private static func titled(_ text: String) -> String {
        var result = ""
        var isInWord = false
        for scalar in text.unicodeScalars {
            result += isInWord ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
            isInWord = scalar.properties.isCased
        }
        return result
    }

    private static func swapped(_ text: String) -> String {
        text.unicodeScalars.map {
            $0.properties.isUppercase ? $0.properties.lowercaseMapping : $0.properties.uppercaseMapping
        }.joined()
    }

    // MARK: Pieces

    static func stripped(_ text: String, _ characters: String?, left: Bool = true, right: Bool = true) -> String {
        let set = characters.map { Set($0.unicodeScalars) }
        let strips = { (scalar: Unicode.Scalar) in set?.contains(scalar) ?? Python.isSpace(scalar) }
        var scalars = text.unicodeScalars[...]
        if left { scalars = scalars.drop(while: strips) }
        if right { while let last = scalars.last, strips(last) { scalars.removeLast() } }
        return String(scalars)
    }

    private static func object(_ scalars: some Sequence<Unicode.Scalar>) -> Object {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return .string(String(view))
    }

    static func split(_ text: String, _ separator: String?, limit: Int, backwards: Bool = false) throws -> [Object] {
        let scalars = Array(text.unicodeScalars)
        guard let separator else { return words(scalars, limit: limit, backwards: backwards) }
        let part = Array(separator.unicodeScalars)
        guard !part.isEmpty else { throw Failure("the separator of a split cannot be empty") }
        var pieces: [Object] = []
        if backwards {
            var end = scalars.count
            while limit < 0 || pieces.count < limit,
                let index = Python.find(part, in: scalars, to: end, backwards: true)
            {
                pieces.append(object(scalars[index + part.count..<end]))
                end = index
            }
            pieces.append(object(scalars[..<end]))
            return pieces.reversed()
        }
        var start = 0
        while limit < 0 || pieces.count < limit, let index = Python.find(part, in: scalars, from: start) {
            pieces.append(object(scalars[start..<index]))
            start = index + part.count
        }
        return pieces + [object(scalars[start...])]
    }

    /// Splits at runs of white space; with a limit the rest stays as it is.
    private static func words(_ scalars: [Unicode.Scalar], limit: Int, backwards: Bool) -> [Object] {
        let scalars = backwards ? scalars.reversed() : scalars
        var pieces: [Object] = []
        var index = 0
        func piece(_ range: Range<Int>) -> Object {
            backwards ? object(scalars[range].reversed()) : object(scalars[range])
        }
        while true {
            while index < scalars.count, Python.isSpace(scalars[index]) { index += 1 }
            guard index < scalars.count else { break }
            if limit >= 0, pieces.count == limit {
                pieces.append(piece(index..<scalars.count))
                break
            }
            let start = index
            while index < scalars.count, !Python.isSpace(scalars[index]) { index += 1 }
            pieces.append(piece(start..<index))
        }
        return backwards ? pieces.reversed() : pieces
    }

    private static func partition(_ text: String, _ separator: String, backwards: Bool) throws -> [Object] {
        let scalars = Array(text.unicodeScalars)
        let part = Array(separator.unicodeScalars)
        guard !part.isEmpty else { throw Failure("the separator of a partition cannot be empty") }
        guard let index = Python.find(part, in: scalars, backwards: backwards) else {
            return backwards ? [.string(""), .string(""), .string(text)] : [.string(text), .string(""), .string("")]
        }
        return [object(scalars[..<index]), .string(separator), object(scalars[(index + part.count)...])]
    }

    static func replaced(_ text: String, _ old: String, _ new: String, limit: Int) -> String {
        let scalars = Array(text.unicodeScalars)
        let part = Array(old.unicodeScalars)
        var result = String.UnicodeScalarView()
        var count = 0
        if part.isEmpty {
            for scalar in scalars {
                if limit < 0 || count < limit { result.append(contentsOf: new.unicodeScalars) }
                count += 1
                result.append(scalar)
            }
            if limit < 0 || count < limit { result.append(contentsOf: new.unicodeScalars) }
            return String(result)
        }
        var start = 0
        while limit < 0 || count < limit, let index = Python.find(part, in: scalars, from: start) {
            result.append(contentsOf: scalars[start..<index])
            result.append(contentsOf: new.unicodeScalars)
            start = index + part.count
            count += 1
        }
        result.append(contentsOf: scalars[start...])
        return String(result)
    }

    // MARK: Searching

    private enum Affix {
        static func has(_ text: String, _ affix: String, atEnd: Bool = false) -> Bool {
            let (scalars, part) = (text.unicodeScalars, affix.unicodeScalars)
            guard part.count <= scalars.count else { return false }
            return atEnd ? scalars.suffix(part.count).elementsEqual(part) : scalars.starts(with: part)
        }
    }

    private static func part(_ text: String, _ call: Call) throws -> (scalars: [Unicode.Scalar], bounds: Range<Int>) {
        let scalars = Array(text.unicodeScalars)
        let indices = try Python.slice(count: scalars.count, start: try call.int(1), stop: try call.int(2), step: nil)
        guard let first = indices.first, let last = indices.last else {
            let start = min(max(try call.int(1) ?? 0, 0), scalars.count)
            return (scalars, start..<start)
        }
        return (scalars, first..<last + 1)
    }

    private static func hasAffix(_ text: String, _ call: Call, isPrefix: Bool) throws -> Bool {
        let (scalars, bounds) = try part(text, call)
        let inner = scalars[bounds]
        let candidates: [Object] =
            if case .tuple(let tuple)? = call[0] { tuple.items } else { call[0].map { [$0] } ?? [] }
        for candidate in candidates {
            guard let affix = candidate.string else {
                throw Failure("\(call.subject) needs a string or a tuple of strings, not \(candidate.typeName)")
            }
            let affixScalars = Array(affix.unicodeScalars)
            if isPrefix
                ? inner.starts(with: affixScalars) : inner.suffix(affixScalars.count).elementsEqual(affixScalars)
            {
                return true
            }
        }
        return false
    }

    private static func position(_ text: String, _ call: Call, backwards: Bool = false) throws -> Int? {
        let (scalars, bounds) = try part(text, call)
        return Python.find(
            Array((try call.string(0) ?? "").unicodeScalars), in: scalars, from: bounds.lowerBound,
            to: bounds.upperBound, backwards: backwards)
    }

    private static func found(_ index: Int?) throws -> Int {
        guard let index else { throw Failure("the text is not found") }
        return index
    }

    private static func occurrences(_ text: String, _ call: Call) throws -> Int {
        let (scalars, bounds) = try part(text, call)
        let part = Array((try call.string(0) ?? "").unicodeScalars)
        guard !part.isEmpty else { return bounds.count + 1 }
        var count = 0
        var start = bounds.lowerBound
        while let index = Python.find(part, in: scalars, from: start, to: bounds.upperBound) {
            count += 1
            start = index + part.count
        }
        return count
    }

    // MARK: Padding

    private enum Alignment { case left, right, center }

    private static func padded(_ text: String, _ call: Call, _ alignment: Alignment) throws -> String {
        let width = try call.int(0) ?? 0
        let fill = try call.string(1) ?? " "
        guard fill.unicodeScalars.count == 1 else { throw Failure("the fill of \(call.subject) must be one character") }
        guard width <= Limits.textSize else { throw Failure("the text would grow above \(Limits.textSize >> 20) MiB") }
        let missing = max(0, width - text.unicodeScalars.count)
        switch alignment {
        case .left: return text + String(repeating: fill, count: missing)
        case .right: return String(repeating: fill, count: missing) + text
        case .center: return centered(text, width, fill: fill)
        }
    }

    /// CPython puts the odd one of the padding to the left when the width is odd.
    static func centered(_ text: String, _ width: Int, fill: String = " ") -> String {
        let missing = max(0, width - text.unicodeScalars.count)
        let left = missing / 2 + (missing & width & 1)
        return String(repeating: fill, count: left) + text + String(repeating: fill, count: missing - left)
    }

    private static func zeroFilled(_ text: String, _ width: Int) throws -> String {
        guard width <= Limits.textSize else { throw Failure("the text would grow above \(Limits.textSize >> 20) MiB") }
        let zeros = String(repeating: "0", count: max(0, width - text.unicodeScalars.count))
        guard let sign = text.first, sign == "+" || sign == "-" else { return zeros + text }
        return String(sign) + zeros + text.dropFirst()
    }

    private static func expanded(_ text: String, _ size: Int) -> String {
        var result = String.UnicodeScalarView()
        var column = 0
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\t":
                let count = size > 0 ? size - column % size : 0
                result.append(contentsOf: repeatElement(" ", count: count))
                column += count
            default:
                result.append(scalar)
                column = scalar == "\n" || scalar == "\r" ? 0 : column + 1
            }
        }
        return String(result)
    }
}
