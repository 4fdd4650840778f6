import LabCore

extension Loop {
    /// `with_sequence`: `start=1 end=5 stride=2 format=w%02d`, `count=3`, or the short form `1-5/2:w%02d`.
    func sequence(_ value: Value) throws -> [Value] {
        let terms = (value.list ?? [value]).compactMap(\.string)
        guard !terms.isEmpty else { throw InputError("'with_sequence' needs a text", span: source.span) }
        return try terms.flatMap { try Sequence($0, span: source.span).items() }
    }

    private struct Sequence {
        var start = 1
        var end: Int?
        var count: Int?
        var stride = 1
        var format = "%d"
        let span: SourceSpan?

        init(_ text: String, span: SourceSpan?) throws {
            self.span = span
            guard text.contains("=") else {
                try readShort(text)
                return
            }
            for part in text.split(whereSeparator: \.isWhitespace) {
                let pair = part.split(separator: "=", maxSplits: 1)
                guard pair.count == 2 else { throw wrong(text) }
                let word = String(pair[1])
                switch pair[0] {
                case "start": start = try number(word)
                case "end": end = try number(word)
                case "count": count = try number(word)
                case "stride": stride = try number(word)
                case "format": format = word
                default: throw wrong(text)
                }
            }
        }

        private mutating func readShort(_ text: String) throws {
            var rest = text[...]
            if let colon = rest.firstIndex(of: ":") {
                format = String(rest[rest.index(after: colon)...])
                rest = rest[..<colon]
            }
            if let slash = rest.firstIndex(of: "/") {
                stride = try number(String(rest[rest.index(after: slash)...]))
                rest = rest[..<slash]
            }
            if let dash = rest.dropFirst().firstIndex(of: "-") {
                start = try number(String(rest[..<dash]))
                rest = rest[rest.index(after: dash)...]
            }
            end = try number(String(rest))
        }

        private func number(_ text: String) throws -> Int {
            for (prefix, radix) in [("0x", 16), ("0X", 16), ("0", 8)] where text.hasPrefix(prefix) {
                if let value = Int(text.dropFirst(prefix.count), radix: radix) { return value }
            }
            guard let value = Int(text) else { throw wrong(text) }
            return value
        }

        private func wrong(_ text: String) -> InputError {
            InputError(
                "'\(text)' is no sequence", span: span, hint: "write it like 'start=1 end=5', 'count=3' or '1-5/2'")
        }

        func items() throws -> [Value] {
            var last: Int
            if let count {
                if end != nil { throw wrong("count and end together") }
                if count == 0 { return [] }
                last = start + (count - 1) * stride
            } else if let end {
                last = end
            } else {
                throw wrong("neither count nor end")
            }
            guard stride != 0 else { return [] }
            if stride > 0, last < start { throw InputError("to count backwards make stride negative", span: span) }
            if stride < 0, last > start { throw InputError("to count forward make stride positive", span: span) }
            if abs(last - start) / abs(stride) > 1_000_000 {
                throw InputError("the sequence has more than a million items", span: span)
            }
            last += stride > 0 ? 1 : -1
            return try Swift.stride(from: start, to: last, by: stride).map { .string(try formatted($0)) }
        }

        /// printf's `%[0][width](d|x|o)` with text around it.
        private func formatted(_ value: Int) throws -> String {
            guard let percent = format.firstIndex(of: "%") else { throw wrong(format) }
            var index = format.index(after: percent)
            var digits = ""
            while index < format.endIndex, format[index].isNumber {
                digits.append(format[index])
                index = format.index(after: index)
            }
            guard index < format.endIndex else { throw wrong(format) }
            let radix: Int
            switch format[index] {
            case "d", "i", "u": radix = 10
            case "x": radix = 16
            case "o": radix = 8
            default: throw wrong(format)
            }
            let text = String(value, radix: radix)
            let width = Int(digits) ?? 0
            let pad = String(repeating: digits.hasPrefix("0") ? "0" : " ", count: Swift.max(0, width - text.count))
            return format[..<percent] + pad + text + format[format.index(after: index)...]
        }
    }
}
