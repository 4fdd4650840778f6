/// Reads one token of the expression language.
struct ExpressionLexer {
    let source: [UInt8]
    let end: Int
    let keepsBackslashes: Bool

    /// The token that starts at `start`; behind a dot digits are an index (`list.0.name`), never a float.
    func token(at start: Int, afterDot: Bool) throws -> Token {
        let byte = source[start]
        if byte.isDigit { return try number(at: start, allowsFraction: !afterDot) }
        if byte.isNameStart { return name(at: start) }
        if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") { return try string(at: start) }
        for op in Token.Operator.allCases {
            let length = op.rawValue.utf8.count
            if start + length <= end, source[start..<start + length].elementsEqual(op.rawValue.utf8) {
                return Token(kind: .op(op), range: start..<start + length)
            }
        }
        throw Failure(
            "unexpected character '\(Character(Unicode.Scalar(byte)))'", kind: .syntax, range: start..<start + 1)
    }

    private func name(at start: Int) -> Token {
        var index = start
        while index < end, source[index].isNameStart || source[index].isDigit { index += 1 }
        return Token(kind: .name(String(decoding: source[start..<index], as: UTF8.self)), range: start..<index)
    }

    private func digits(from start: Int, _ accepts: (UInt8) -> Bool) -> Int {
        var index = start
        while index < end {
            if accepts(source[index]) {
                index += 1
            } else if source[index] == UInt8(ascii: "_"), index + 1 < end, accepts(source[index + 1]) {
                index += 1
            } else {
                break
            }
        }
        return index
    }

    private func number(at start: Int, allowsFraction: Bool) throws -> Token {
        if source[start] == UInt8(ascii: "0"), start + 2 < end, let radix = Self.radix(source[start + 1]) {
            let stop = digits(from: start + 2) { Self.isDigit($0, radix: radix) }
            if stop > start + 2 { return try integer(start..<stop, prefix: 2, radix: radix) }
        }
        var stop = digits(from: start, \.isDigit)
        var isFloat = false
        if allowsFraction {
            if stop + 1 < end, source[stop] == UInt8(ascii: "."), source[stop + 1].isDigit {
                stop = digits(from: stop + 1, \.isDigit)
                isFloat = true
            }
            if stop < end, source[stop] | 0x20 == UInt8(ascii: "e") {
                var exponent = stop + 1
                if exponent < end, source[exponent] == UInt8(ascii: "+") || source[exponent] == UInt8(ascii: "-") {
                    exponent += 1
                }
                if exponent < end, source[exponent].isDigit {
                    stop = digits(from: exponent, \.isDigit)
                    isFloat = true
                }
            }
        }
        guard isFloat else { return try integer(start..<stop, prefix: 0, radix: 10) }
        let text = String(decoding: source[start..<stop].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
        guard let value = Double(text) else {
            throw Failure("'\(text)' is no number", kind: .syntax, range: start..<stop)
        }
        return Token(kind: .float(value), range: start..<stop)
    }

    private func integer(_ range: Range<Int>, prefix: Int, radix: Int) throws -> Token {
        let text = String(
            decoding: source[(range.lowerBound + prefix)..<range.upperBound].filter { $0 != UInt8(ascii: "_") },
            as: UTF8.self)
        guard let value = Int(text, radix: radix) else {
            throw Failure("the number does not fit into 64 bits", kind: .syntax, range: range)
        }
        if radix == 10, text.utf8.first == UInt8(ascii: "0"), value != 0 {
            throw Failure(
                "a number does not start with 0", kind: .syntax,
                hint: "write '0o\(text.drop { $0 == "0" })' for an octal number, or put it into quotes", range: range)
        }
        return Token(kind: .integer(value), range: range)
    }

    private static func radix(_ byte: UInt8) -> Int? {
        switch byte | 0x20 {
        case UInt8(ascii: "b"): 2
        case UInt8(ascii: "o"): 8
        case UInt8(ascii: "x"): 16
        default: nil
        }
    }

    private static func isDigit(_ byte: UInt8, radix: Int) -> Bool {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { $0 < radix } ?? false
    }

    private func string(at start: Int) throws -> Token {
        let quote = source[start]
        var index = start + 1
        while index < end, source[index] != quote { index += source[index] == UInt8(ascii: "\\") ? 2 : 1 }
        guard index < end else {
            throw Failure("this string is not closed", kind: .syntax, range: start..<min(end, start + 1))
        }
        let range = start..<index + 1
        let body = source[start + 1..<index]
        let text =
            keepsBackslashes || !body.contains(UInt8(ascii: "\\"))
            ? String(decoding: body, as: UTF8.self) : try unescaped(body, range)
        return Token(kind: .string(text), range: range)
    }

    /// Python's escapes of string literals.
    private func unescaped(_ body: ArraySlice<UInt8>, _ range: Range<Int>) throws -> String {
        var result: [UInt8] = []
        var index = body.startIndex
        while index < body.endIndex {
            guard body[index] == UInt8(ascii: "\\"), index + 1 < body.endIndex else {
                result.append(body[index])
                index += 1
                continue
            }
            let escape = body[index + 1]
            index += 2
            if let simple = Self.simpleEscapes[escape] {
                result.append(simple)
            } else if escape == 0x0A {
                continue
            } else if let length = Self.hexadecimalEscapes[escape] {
                let digits = body[index..<min(index + length, body.endIndex)]
                guard digits.count == length, let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16),
                    let scalar = Unicode.Scalar(code)
                else { throw Failure("the escape in this string is not complete", kind: .syntax, range: range) }
                result.append(contentsOf: Array(String(scalar).utf8))
                index += length
            } else if (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(escape) {
                var code = UInt32(escape - 0x30)
                var count = 1
                while count < 3, index < body.endIndex, (0x30...0x37).contains(body[index]) {
                    code = code * 8 + UInt32(body[index] - 0x30)
                    index += 1
                    count += 1
                }
                result.append(contentsOf: Array(String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8))
            } else {
                result.append(contentsOf: [UInt8(ascii: "\\"), escape])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static let simpleEscapes: [UInt8: UInt8] = [
        UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "'"): 0x27, UInt8(ascii: "\""): 0x22, UInt8(ascii: "n"): 0x0A,
        UInt8(ascii: "t"): 0x09, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "a"): 0x07, UInt8(ascii: "b"): 0x08,
        UInt8(ascii: "f"): 0x0C, UInt8(ascii: "v"): 0x0B,
    ]
    private static let hexadecimalEscapes: [UInt8: Int] = [
        UInt8(ascii: "x"): 2, UInt8(ascii: "u"): 4, UInt8(ascii: "U"): 8,
    ]
}
