/// Python's `'…'.format(…)` with its format specifications.
struct FormatMethod {
    let arguments: Arguments
    let evaluator: Evaluator

    func format(_ text: String) throws -> String {
        var counter = 0
        return try expand(Array(text.unicodeScalars), &counter, depth: 0)
    }

    private func expand(_ scalars: [Unicode.Scalar], _ counter: inout Int, depth: Int) throws -> String {
        guard depth < 3 else { throw Failure("the fields of the format are nested too deeply") }
        var result = ""
        var index = 0
        while index < scalars.count {
            let scalar = scalars[index]
            if scalar == "{" || scalar == "}", index + 1 < scalars.count, scalars[index + 1] == scalar {
                result.unicodeScalars.append(scalar)
                index += 2
                continue
            }
            guard scalar == "{" else {
                if scalar == "}" { throw Failure("there is a single '}' in the format", hint: "write '}}'") }
                result.unicodeScalars.append(scalar)
                index += 1
                continue
            }
            var level = 0
            let start = index + 1
            while index < scalars.count {
                if scalars[index] == "{" { level += 1 }
                if scalars[index] == "}" { level -= 1 }
                if level == 0 { break }
                index += 1
            }
            guard index < scalars.count else {
                throw Failure("there is a single '{' in the format", hint: "write '{{'")
            }
            result += try field(Array(scalars[start..<index]), &counter, depth: depth)
            index += 1
        }
        return result
    }

    private func field(_ scalars: [Unicode.Scalar], _ counter: inout Int, depth: Int) throws -> String {
        let colon = scalars.firstIndex(of: ":")
        let head = scalars[..<(colon ?? scalars.count)]
        let bang = head.firstIndex(of: "!")
        let value = try value(of: Array(head[..<(bang ?? head.count)]), &counter)
        let spec = try colon.map { try expand(Array(scalars[($0 + 1)...]), &counter, depth: depth + 1) } ?? ""
        switch bang.map({ Array(head[($0 + 1)...]) }) {
        case nil: return try FormatSpecification(spec).format(value)
        case ["r"], ["a"]: return try FormatSpecification(spec).format(.string(value.representation()))
        case ["s"]: return try FormatSpecification(spec).format(.string(value.text()))
        default: throw Failure("unknown conversion in the format", hint: "there are '!s' and '!r'")
        }
    }

    private func value(of path: [Unicode.Scalar], _ counter: inout Int) throws -> Object {
        var index = 0
        var name = ""
        while index < path.count, path[index] != ".", path[index] != "[" {
            name.unicodeScalars.append(path[index])
            index += 1
        }
        var value: Object
        if name.isEmpty || Int(name) != nil {
            let position = Int(name) ?? counter
            if name.isEmpty { counter += 1 }
            guard arguments.positional.indices.contains(position) else {
                throw Failure("there are not enough values for the format")
            }
            value = arguments.positional[position]
        } else {
            guard let found = arguments.keywords.first(where: { $0.name == name }) else {
                throw Failure("there is no value '\(name)' for the format")
            }
            value = found.value
        }
        while index < path.count {
            let isItem = path[index] == "["
            index += 1
            var part = ""
            while index < path.count, isItem ? path[index] != "]" : path[index] != "." && path[index] != "[" {
                part.unicodeScalars.append(path[index])
                index += 1
            }
            if isItem { index += 1 }
            let key: Object = if isItem, let number = Int(part) { .int(number) } else { .string(part) }
            guard let next = try isItem ? evaluator.item(key, of: value) : Methods.attribute(part, of: value) else {
                throw Failure("there is no '\(part)' in \(value.typeName)")
            }
            value = next
        }
        return value
    }
}

/// `[[fill]align][sign][#][0][width][grouping][.precision][type]`.
struct FormatSpecification {
    private var fill: Unicode.Scalar = " "
    private var alignment: Unicode.Scalar?
    private var sign: Unicode.Scalar = "-"
    private var isAlternate = false
    private var width = 0
    private var grouping: Unicode.Scalar?
    private var precision: Int?
    private var type: Unicode.Scalar?

    init(_ text: String) throws {
        let scalars = Array(text.unicodeScalars)
        let alignments: [Unicode.Scalar] = ["<", ">", "=", "^"]
        var index = 0
        if scalars.count > 1, alignments.contains(scalars[1]) {
            fill = scalars[0]
            alignment = scalars[1]
            index = 2
        } else if let first = scalars.first, alignments.contains(first) {
            alignment = first
            index = 1
        }
        if index < scalars.count, ["+", "-", " "].contains(scalars[index]) {
            sign = scalars[index]
            index += 1
        }
        if index < scalars.count, scalars[index] == "#" {
            isAlternate = true
            index += 1
        }
        if index < scalars.count, scalars[index] == "0" {
            if alignment == nil {
                fill = "0"
                alignment = "="
            }
            index += 1
        }
        func number() -> Int? {
            var value: Int?
            while index < scalars.count, let digit = Character(scalars[index]).wholeNumberValue,
                (value ?? 0) < 1_000_000
            {
                value = (value ?? 0) * 10 + digit
                index += 1
            }
            return value
        }
        width = number() ?? 0
        if index < scalars.count, scalars[index] == "," || scalars[index] == "_" {
            grouping = scalars[index]
            index += 1
        }
        if index < scalars.count, scalars[index] == "." {
            index += 1
            guard let digits = number() else { throw Failure("the format needs digits behind '.'") }
            precision = digits
        }
        if index < scalars.count {
            type = scalars[index]
            index += 1
        }
        guard index == scalars.count else { throw Failure("'\(text)' is no format") }
    }

    func format(_ value: Object) throws -> String {
        switch value {
        case .undefined(let undefined): throw undefined.failure
        case .int(let integer): return try format(integer)
        case .bool(let flag):
            if type == nil, width == 0 { return try value.text() }
            return try format(flag ? 1 : 0)
        case .float(let number): return try format(number)
        case .string(let text):
            guard type == nil || type == "s" else { throw mismatch(value) }
            let cut = precision.map { String(text.unicodeScalars.prefix($0)) } ?? text
            return pad(cut, prefix: "", default: "<")
        default:
            guard type == nil, width == 0, precision == nil else { throw mismatch(value) }
            return try value.text()
        }
    }

    private func mismatch(_ value: Object) -> Failure {
        Failure("the format '\(type.map { String($0) } ?? "")' does not work for \(value.typeName)")
    }

    private func format(_ value: Int) throws -> String {
        let magnitude = value.magnitude
        let prefix = value < 0 ? "-" : sign == "-" ? "" : String(sign)
        switch type {
        case nil, "d", "n": return pad(grouped(String(magnitude)), prefix: prefix, default: ">")
        case "x", "X":
            let digits = String(magnitude, radix: 16, uppercase: type == "X")
            return pad(digits, prefix: prefix + (isAlternate ? type == "X" ? "0X" : "0x" : ""), default: ">")
        case "o": return pad(String(magnitude, radix: 8), prefix: prefix + (isAlternate ? "0o" : ""), default: ">")
        case "b": return pad(String(magnitude, radix: 2), prefix: prefix + (isAlternate ? "0b" : ""), default: ">")
        case "c":
            guard let scalar = Unicode.Scalar(UInt32(clamping: value)) else { throw mismatch(.int(value)) }
            return pad(String(scalar), prefix: "", default: "<")
        default: return try format(Double(value))
        }
    }

    private func format(_ value: Double) throws -> String {
        let prefix = value.sign == .minus && !value.isNaN ? "-" : sign == "-" ? "" : String(sign)
        let magnitude = value.magnitude
        let text: String
        switch type {
        case nil:
            text = precision.map { Python.formatted("%.*g", $0, magnitude) } ?? Python.text(of: magnitude)
        case "f", "F", "e", "E", "g", "G":
            text = Python.formatted("%.*" + String(type ?? "f"), precision ?? 6, magnitude)
        case "%": text = Python.fixed(magnitude * 100, precision ?? 6) + "%"
        default: throw mismatch(.float(value))
        }
        return pad(grouped(text), prefix: prefix, default: ">")
    }

    private func grouped(_ text: String) -> String {
        guard let grouping else { return text }
        let whole = text.prefix { $0.isNumber }
        var result = ""
        for (offset, digit) in whole.enumerated() {
            if offset > 0, (whole.count - offset) % 3 == 0 { result.unicodeScalars.append(grouping) }
            result.append(digit)
        }
        return result + text.dropFirst(whole.count)
    }

    private func pad(_ text: String, prefix: String, default alignment: Unicode.Scalar) -> String {
        let missing = max(0, width - prefix.unicodeScalars.count - text.unicodeScalars.count)
        let padding = { (count: Int) in String(repeating: String(fill), count: count) }
        switch self.alignment ?? alignment {
        case "<": return prefix + text + padding(missing)
        case "^": return padding(missing / 2) + prefix + text + padding(missing - missing / 2)
        case "=": return prefix + padding(missing) + text
        default: return padding(missing) + prefix + text
        }
    }
}
