/// Cuts a template into tokens, as jinja2's lexer does: whitespace control, trim_blocks, lstrip_blocks, raw blocks.
struct Lexer {
    let source: [UInt8]
    let options: TemplateOptions
    private let end: Int
    private var position = 0
    private var lineStarting = true
    private(set) var tokens: [Token] = []
    private let delimiters: [(kind: Tag, text: [UInt8])]

    private enum Tag { case block, variable, comment }

    /// The line break that ends the text is not part of it, as in jinja2 (`keep_trailing_newline` is false); what
    /// renders a template puts it back where Ansible does.
    init(_ source: [UInt8], options: TemplateOptions) {
        self.source = source
        self.options = options
        var end = source.count
        if end > 0, source[end - 1] == 0x0A { end -= 1 }
        if end > 0, end <= source.count, source[end - 1] == 0x0D { end -= 1 }
        self.end = end
        self.delimiters = [
            (.variable, Array(options.variableStart.utf8)), (.block, Array(options.blockStart.utf8)),
            (.comment, Array(options.commentStart.utf8)),
        ].sorted { $0.1.count > $1.1.count }
    }

    /// Tokens of a text with tags.
    static func template(_ source: [UInt8], from start: Int = 0, options: TemplateOptions) throws -> [Token] {
        var lexer = Lexer(source, options: options)
        lexer.position = start
        try lexer.root()
        lexer.tokens.append(Token(kind: .end, range: source.count..<source.count))
        return lexer.tokens
    }

    /// Tokens of a bare expression in a part of the text; backslashes start escapes, as in Ansible's conditionals.
    static func expression(_ source: [UInt8], in range: Range<Int>) throws -> [Token] {
        var options = TemplateOptions()
        options.keepsBackslashes = false
        var lexer = Lexer(Array(source[..<range.upperBound]), options: options)
        lexer.position = range.lowerBound
        try lexer.expression(until: nil)
        lexer.tokens.append(Token(kind: .end, range: range.upperBound..<range.upperBound))
        return lexer.tokens
    }

    private mutating func root() throws {
        while position < end {
            guard let (start, tag, length) = nextTag() else {
                appendData(position..<end)
                position = end
                return
            }
            let text = position..<start
            let afterDelimiter = start + length
            let sign = afterDelimiter < end ? source[afterDelimiter] : 0
            let hasSign = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+")
            appendData(stripped(text, sign: hasSign ? sign : nil, tag: tag))
            position = afterDelimiter + (hasSign ? 1 : 0)
            switch tag {
            case .comment: try comment(from: start)
            case .variable:
                tokens.append(Token(kind: .variableBegin, range: start..<position))
                try expression(until: .variable, from: start)
            case .block:
                if let bodyStart = rawBlockBody() {
                    position = bodyStart
                    try rawBlock(from: start)
                } else {
                    tokens.append(Token(kind: .blockBegin, range: start..<position))
                    try expression(until: .block, from: start)
                }
            }
        }
    }

    private func nextTag() -> (start: Int, tag: Tag, length: Int)? {
        var index = position
        while index < end {
            for (tag, text) in delimiters where matches(text, at: index) { return (index, tag, text.count) }
            index += 1
        }
        return nil
    }

    private func matches(_ text: [UInt8], at index: Int) -> Bool {
        guard index + text.count <= end, source[index] == text[0] else { return false }
        return source[index..<index + text.count].elementsEqual(text)
    }

    private func matches(_ text: String, at index: Int) -> Bool { matches(Array(text.utf8), at: index) }

    private func stripped(_ text: Range<Int>, sign: UInt8?, tag: Tag) -> Range<Int> {
        var upper = text.upperBound
        if sign == UInt8(ascii: "-") {
            while upper > text.lowerBound, source[upper - 1].isSpace { upper -= 1 }
            return text.lowerBound..<upper
        }
        guard sign == nil, options.stripsBeforeBlocks, tag != .variable else { return text }
        while upper > text.lowerBound, source[upper - 1].isSpace, source[upper - 1] != 0x0A { upper -= 1 }
        let startsLine = upper > text.lowerBound ? source[upper - 1] == 0x0A : lineStarting
        return startsLine ? text.lowerBound..<upper : text
    }

    private mutating func appendData(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        tokens.append(Token(kind: .data(Self.text(source[range])), range: range))
    }

    /// Line breaks become `\n`.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        guard bytes.contains(0x0D) else { return String(decoding: bytes, as: UTF8.self) }
        var result: [UInt8] = []
        var last: UInt8 = 0
        for byte in bytes {
            if byte == 0x0D {
                result.append(0x0A)
            } else if byte != 0x0A || last != 0x0D {
                result.append(byte)
            }
            last = byte
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Moves past the end of a tag that stands at `position`: its sign, the delimiter, what whitespace it takes along.
    private mutating func tagEnd(_ delimiter: String, allowsPlus: Bool, trims: Bool) -> Bool {
        if allowsPlus, matches("+" + delimiter, at: position) {
            position += 1 + delimiter.utf8.count
        } else if matches("-" + delimiter, at: position) {
            position += 1 + delimiter.utf8.count
            skipSpace()
        } else if matches(delimiter, at: position) {
            position += delimiter.utf8.count
            if trims { skipLineBreak() }
        } else {
            return false
        }
        lineStarting = position > 0 && source[position - 1] == 0x0A
        return true
    }

    private mutating func skipSpace() { while position < end, source[position].isSpace { position += 1 } }

    private mutating func skipLineBreak() {
        if position < end, source[position] == 0x0D, position + 1 < end, source[position + 1] == 0x0A { position += 1 }
        if position < end, source[position] == 0x0A { position += 1 }
    }

    private mutating func comment(from start: Int) throws {
        while position < end {
            if tagEnd(options.commentEnd, allowsPlus: true, trims: options.trimBlocks) { return }
            position += 1
        }
        throw Failure(
            "this comment is not closed", kind: .syntax, hint: "end it with '\(options.commentEnd)'",
            range: start..<start + 2)
    }

    /// Where the body of a raw block starts when `position` is behind the start of one, else nil.
    private func rawBlockBody() -> Int? {
        var copy = self
        copy.skipSpace()
        guard copy.matches("raw", at: copy.position) else { return nil }
        copy.position += 3
        copy.skipSpace()
        return copy.tagEnd(options.blockEnd, allowsPlus: false, trims: false) ? copy.position : nil
    }

    private mutating func rawBlock(from start: Int) throws {
        let body = position
        while position < end {
            let tagStart = position
            guard matches(options.blockStart, at: tagStart) else {
                position += 1
                continue
            }
            position += options.blockStart.utf8.count
            var sign: UInt8?
            if position < end, source[position] == UInt8(ascii: "-") || source[position] == UInt8(ascii: "+") {
                sign = source[position]
                position += 1
            }
            skipSpace()
            if matches("endraw", at: position) {
                position += 6
                skipSpace()
                if tagEnd(options.blockEnd, allowsPlus: true, trims: options.trimBlocks) {
                    appendData(stripped(body..<tagStart, sign: sign, tag: .block))
                    return
                }
            }
            position = tagStart + 1
        }
        throw Failure(
            "this raw block is not closed", kind: .syntax, hint: "end it with '{% endraw %}'", range: start..<start + 2)
    }

    private mutating func expression(until tag: Tag?, from start: Int = 0) throws {
        var brackets: [(close: Token.Operator, range: Range<Int>)] = []
        while true {
            skipSpace()
            if brackets.isEmpty {
                let before = position
                switch tag {
                case .variable:
                    if tagEnd(options.variableEnd, allowsPlus: false, trims: false) {
                        tokens.append(Token(kind: .variableEnd, range: before..<position))
                        return
                    }
                case .block:
                    if tagEnd(options.blockEnd, allowsPlus: true, trims: options.trimBlocks) {
                        tokens.append(Token(kind: .blockEnd, range: before..<position))
                        return
                    }
                default: break
                }
            }
            guard position < end else {
                if let open = brackets.last {
                    throw Failure(
                        "this bracket is not closed", kind: .syntax, hint: "add a '\(open.close.rawValue)'",
                        range: open.range)
                }
                guard let tag else { return }
                let delimiter = tag == .variable ? options.variableEnd : options.blockEnd
                throw Failure(
                    "this tag is not closed", kind: .syntax, hint: "end it with '\(delimiter)'",
                    range: start..<start + 2)
            }
            let token = try ExpressionLexer(
                source: source, end: end, keepsBackslashes: options.keepsBackslashes && tag == .variable
            ).token(at: position, afterDot: tokens.last?.isOperator(.dot) == true)
            position = token.range.upperBound
            tokens.append(token)
            if case .op(let op) = token.kind { try balance(op, token.range, &brackets) }
        }
    }

    private func balance(
        _ op: Token.Operator, _ range: Range<Int>, _ brackets: inout [(close: Token.Operator, range: Range<Int>)]
    ) throws {
        switch op {
        case .leftParenthesis: brackets.append((.rightParenthesis, range))
        case .leftBracket: brackets.append((.rightBracket, range))
        case .leftBrace: brackets.append((.rightBrace, range))
        case .rightParenthesis, .rightBracket, .rightBrace:
            guard let open = brackets.popLast() else {
                throw Failure("there is no open bracket for this '\(op.rawValue)'", kind: .syntax, range: range)
            }
            guard open.close == op else {
                throw Failure(
                    "expected '\(open.close.rawValue)' but found '\(op.rawValue)'", kind: .syntax, range: range)
            }
        default: break
        }
    }
}

extension UInt8 {
    /// ASCII white space, as `\s` of Python's re.
    var isSpace: Bool { self == 0x20 || (0x09...0x0D).contains(self) || (0x1C...0x1F).contains(self) }
    var isDigit: Bool { (0x30...0x39).contains(self) }
    var isNameStart: Bool {
        (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self) || self == 0x5F || self >= 0x80
    }
}
