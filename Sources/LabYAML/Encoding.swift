import LabCore

/// The encodings of a YAML stream (YAML 1.2.2, 5.2) and the characters that may stand in it (5.1).
enum Encoding: Sendable {
    case utf8, utf16LittleEndian, utf16BigEndian, utf32LittleEndian, utf32BigEndian

    /// Tells the encoding from a byte order mark, or from where the zero bytes of the first character stand.
    static func detect(_ bytes: [UInt8]) -> Encoding {
        func byte(_ index: Int) -> UInt8? { index < bytes.count ? bytes[index] : nil }
        switch (byte(0), byte(1), byte(2), byte(3)) {
        case (0x00, 0x00, 0xFE, 0xFF): return .utf32BigEndian
        case (0x00, 0x00, 0x00, .some): return .utf32BigEndian
        case (0xFF, 0xFE, 0x00, 0x00): return .utf32LittleEndian
        case (.some, 0x00, 0x00, 0x00): return .utf32LittleEndian
        case (0xFE, 0xFF, _, _): return .utf16BigEndian
        case (0x00, .some, _, _): return .utf16BigEndian
        case (0xFF, 0xFE, _, _): return .utf16LittleEndian
        case (.some, 0x00, _, _): return .utf16LittleEndian
        default: return .utf8
        }
    }

    private var name: String {
        switch self {
        case .utf8: "UTF-8"
        case .utf16LittleEndian, .utf16BigEndian: "UTF-16"
        case .utf32LittleEndian, .utf32BigEndian: "UTF-32"
        }
    }

    /// The file in UTF-8: itself, or a copy in which offsets are those of the copy.
    static func decode(_ file: SourceFile) throws(YAMLError) -> SourceFile {
        let encoding = detect(file.bytes)
        let text: String?
        switch encoding {
        case .utf8: return file
        case .utf16LittleEndian:
            text = String(validating: units16(file.bytes) { UInt16($0) | UInt16($1) << 8 }, as: UTF16.self)
        case .utf16BigEndian:
            text = String(validating: units16(file.bytes) { UInt16($0) << 8 | UInt16($1) }, as: UTF16.self)
        case .utf32LittleEndian:
            text = String(validating: units32(file.bytes, isBigEndian: false), as: UTF32.self)
        case .utf32BigEndian:
            text = String(validating: units32(file.bytes, isBigEndian: true), as: UTF32.self)
        }
        let width = encoding.name == "UTF-16" ? 2 : 4
        guard let text, file.bytes.count % width == 0 else {
            throw YAMLError([
                Diagnostic(
                    "the file looks like \(encoding.name) but is not well-formed", span: file.span(0..<0),
                    hint: "save it as UTF-8")
            ])
        }
        return SourceFile(path: file.path, bytes: Array(text.utf8), isSecret: file.isSecret)
    }

    private static func units16(_ bytes: [UInt8], _ join: (UInt8, UInt8) -> UInt16) -> [UInt16] {
        stride(from: 0, to: bytes.count - 1, by: 2).map { join(bytes[$0], bytes[$0 + 1]) }
    }

    private static func units32(_ bytes: [UInt8], isBigEndian: Bool) -> [UInt32] {
        stride(from: 0, to: bytes.count - 3, by: 4).map { index in
            let unit = (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[index + $1]) }
            return isBigEndian ? unit : unit.byteSwapped
        }
    }

    /// What `inspect` found in a text.
    struct Inspection {
        /// Up to a limit, in order: bytes that are no UTF-8, control characters.
        var failures: [Failure] = []
        /// Characters that are allowed inside of quotes only: JSON's, but not printable ([2], nb-json; [1], c-printable).
        var quotedOnly: [Range<Int>] = []
    }

    /// Checks that the bytes are well-formed UTF-8 without control characters (c-printable, [1]), eight at a time.
    ///
    /// - Parameter isLax: whether the text is also read by readers of YAML 1.1, which have more line breaks.
    static func inspect(_ bytes: UnsafeBufferPointer<UInt8>, limit: Int, isLax: Bool) -> Inspection {
        var result = Inspection()
        let count = bytes.count
        var index = 0
        while index < count {
            if index + 8 <= count, let base = bytes.baseAddress {
                let word = UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self)
                if isPlainASCII(word) {
                    index += 8
                    continue
                }
            }
            let stop = min(index + 8, count)
            while index < stop {
                let byte = bytes[index]
                if byte >= 0x20 && byte < 0x7F || byte == .tab || byte.isBreak {
                    index += 1
                } else {
                    index = inspectCharacter(bytes, at: index, isLax: isLax, &result)
                    if result.failures.count >= limit { return result }
                    if result.quotedOnly.count > 10_000 {
                        result.failures.append(.controlCharacter(0x7F, at: result.quotedOnly[0]))
                        return result
                    }
                }
            }
        }
        return result
    }

    /// Whether all eight bytes are printable ASCII or line feeds.
    @inline(__always)
    private static func isPlainASCII(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        guard word & highs == 0 else { return false }
        // All bytes are below 0x80, so that nothing is carried from one to the next; high bits mark what is found.
        let belowSpace = ~((word | highs) &- ones &* 0x20) & highs
        let delete = (word &+ ones) & highs
        let lineFeed = ~((word ^ ones &* 0x0A) &+ ones &* 0x7F) & highs
        return belowSpace & ~lineFeed | delete == 0
    }

    private static func inspectCharacter(
        _ bytes: UnsafeBufferPointer<UInt8>, at index: Int, isLax: Bool, _ result: inout Inspection
    ) -> Int {
        let first = bytes[index]
        if first < 0x80 {
            if first == 0x7F {
                result.quotedOnly.append(index..<index + 1)
            } else {
                result.failures.append(.controlCharacter(UInt32(first), at: index..<index + 1))
            }
            return index + 1
        }
        let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        guard first >= 0xC2, first < 0xF5, index + length <= bytes.count else {
            return notUTF8(bytes, at: index, &result)
        }
        var value = UInt32(first) & (0x7F >> UInt32(length))
        for offset in 1..<length {
            guard bytes[index + offset] & 0xC0 == 0x80 else { return notUTF8(bytes, at: index, &result) }
            value = value << 6 | UInt32(bytes[index + offset] & 0x3F)
        }
        let isOverlong = length == 3 && value < 0x800 || length == 4 && value < 0x10000
        guard !isOverlong, Unicode.Scalar(value) != nil else { return notUTF8(bytes, at: index, &result) }
        let range = index..<index + length
        if isLax, value == 0x85 || value == 0x2028 || value == 0x2029 {
            result.failures.append(.ambiguousBreak(value, at: range))
        } else if value < 0xA0 && value != 0x85 || value == 0xFFFE || value == 0xFFFF {
            result.quotedOnly.append(range)
        }
        return range.upperBound
    }

    private static func notUTF8(
        _ bytes: UnsafeBufferPointer<UInt8>, at index: Int, _ result: inout Inspection
    ) -> Int {
        var end = index + 1
        while end < bytes.count, bytes[end] & 0xC0 == 0x80, end < index + 4 { end += 1 }
        result.failures.append(
            Failure(
                end == bytes.count && bytes[index] >= 0xC2
                    ? "the file ends in the middle of a character" : "these bytes are no UTF-8",
                at: index..<end, hint: "save the file as UTF-8"))
        return end
    }
}

extension Encoding.Inspection {
    /// The mistakes of characters that are allowed in quotes only and stand elsewhere.
    func misplaced(in nodes: [SyntaxTree.Node], isLax: Bool, _ bytes: UnsafeBufferPointer<UInt8>) -> [Failure] {
        guard !quotedOnly.isEmpty else { return [] }
        let quoted = nodes.filter { $0.style == .doubleQuoted || $0.style == .singleQuoted }
        var next = 0
        return quotedOnly.filter { range in
            while next < quoted.count, Int(quoted[next].end) <= range.lowerBound { next += 1 }
            // PyYAML and go-yaml refuse them in quotes as well.
            return isLax || next == quoted.count || Int(quoted[next].start) > range.lowerBound
        }.map { range in
            let text = String(decoding: bytes[range], as: UTF8.self)
            return .controlCharacter(text.unicodeScalars.first?.value ?? 0, at: range)
        }
    }
}

extension Failure {
    /// A character that ends a line in YAML 1.1 and is an ordinary one in YAML 1.2.
    static func ambiguousBreak(_ value: UInt32, at range: Range<Int>) -> Failure {
        let (name, escape) =
            value == 0x85
            ? ("next line", "\\N") : value == 0x2028 ? ("line separator", "\\L") : ("paragraph separator", "\\P")
        return Failure(
            "a \(name) character (U+\(value == 0x85 ? "0085" : value == 0x2028 ? "2028" : "2029")) stands in the file",
            at: range,
            notes: [("Ansible and kubectl take it for the end of the line, other readers do not", nil)],
            hint: "remove it, or write it as \(escape) in double quotes")
    }

    static func controlCharacter(_ value: UInt32, at range: Range<Int>) -> Failure {
        let digits = String(value, radix: 16, uppercase: true)
        let code = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        return Failure(
            value == 0 ? "a NUL character stands in the file" : "a control character (U+\(code)) stands in the file",
            at: range,
            hint: value == 0
                ? "the file is no text, or is saved in another encoding: save it as UTF-8"
                : "remove it, or write it in double quotes as \\x\(code.suffix(2))")
    }
}
