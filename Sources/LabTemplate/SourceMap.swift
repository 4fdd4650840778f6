import LabCore

/// Finds where the bytes of a scalar's text stand in the YAML file, through quotes, escapes and indentation.
struct SourceMap {
    private let file: SourceFile
    /// For each byte of the text, and for its end, the offset in the file; as far as it could be followed.
    private let offsets: [Int]
    private let isComplete: Bool

    init(span: SourceSpan, text: [UInt8]) {
        self.file = span.file
        let bytes = span.file.bytes
        let range = min(span.start.offset, bytes.count)..<min(span.end.offset, bytes.count)
        var walker = Walker(bytes: bytes, position: range.lowerBound, end: range.upperBound)
        (self.offsets, self.isComplete) = walker.walk(text)
    }

    /// The place of a stretch of the text; nil when the text could not be found in the file.
    func span(of range: Range<Int>) -> SourceSpan? {
        guard isComplete, range.upperBound < offsets.count else { return nil }
        let start = offsets[range.lowerBound]
        // Behind the last character, not before the next one, which may be on another line.
        let end = range.isEmpty ? start : offsets[range.upperBound - 1] + 1
        return file.span(start..<max(start, end))
    }
}

private struct Walker {
    let bytes: [UInt8]
    var position: Int
    let end: Int

    private enum Style { case plain, single, double }
    private var style = Style.plain

    init(bytes: [UInt8], position: Int, end: Int) {
        self.bytes = bytes
        self.position = position
        self.end = end
    }

    private var byte: UInt8? { position < end ? bytes[position] : nil }

    mutating func walk(_ text: [UInt8]) -> ([Int], isComplete: Bool) {
        start(text)
        var offsets: [Int] = []
        offsets.reserveCapacity(text.count + 1)
        var index = 0
        while index < text.count {
            let length = step(text, index)
            guard length > 0 else { return (offsets, false) }
            let place = stepStart
            for part in 0..<length { offsets.append(place + (length == stepLength ? part : 0)) }
            index += length
        }
        offsets.append(position)
        return (offsets, true)
    }

    private var stepStart = 0
    private var stepLength = 0

    private mutating func start(_ text: [UInt8]) {
        guard let first = byte else { return }
        if bytes[position..<end].starts(with: text) { return }
        switch first {
        case UInt8(ascii: "'"):
            style = .single
            position += 1
        case UInt8(ascii: "\""):
            style = .double
            position += 1
        case UInt8(ascii: "|"), UInt8(ascii: ">"):
            while byte != nil, byte != 0x0A { position += 1 }
            position += position < end ? 1 : 0
            skipIndentation(text, 0)
        default: break
        }
    }

    /// Skips the spaces that a line of the file has more than the line of the text.
    private mutating func skipIndentation(_ text: [UInt8], _ index: Int) {
        var inFile = 0
        while position + inFile < end, bytes[position + inFile] == 0x20 { inFile += 1 }
        let inText = text[min(index, text.count)...].prefix { $0 == 0x20 }.count
        position += max(0, inFile - inText)
    }

    /// Follows one character; gives how many bytes of the text it is, 0 when the file holds something else.
    private mutating func step(_ text: [UInt8], _ index: Int) -> Int {
        stepStart = position
        stepLength = 1
        guard let current = byte else {
            // The last line break of a block may stand outside of the span.
            return text[index...].allSatisfy { $0 == 0x0A } ? 1 : 0
        }
        let wanted = text[index]
        if style == .double, current == UInt8(ascii: "\\") { return escape(text, index) }
        if style == .single, current == UInt8(ascii: "'"), wanted == current {
            position += 2
            return 1
        }
        if current == wanted, current != 0x0A {
            position += 1
            return 1
        }
        guard current == 0x0A || current == 0x0D || current == 0x20 || current == 0x09 else { return 0 }
        return lineBreak(text, index, wanted)
    }

    /// Literal blocks keep line breaks; elsewhere the first of several is dropped, and a single one is a space.
    private mutating func lineBreak(_ text: [UInt8], _ index: Int, _ wanted: UInt8) -> Int {
        var breaks = 0
        var scan = position
        var lineStart = position
        while scan < end, [0x20, 0x09, 0x0D, 0x0A].contains(bytes[scan]) {
            scan += 1
            if bytes[scan - 1] == 0x0A {
                breaks += 1
                lineStart = scan
            }
        }
        let run = text[index...].prefix { $0 == 0x0A }.count
        let length: Int
        switch wanted {
        case 0x20 where breaks == 1: length = 1
        case 0x0A where breaks > 0 && (run == breaks || run == breaks - 1 || index + run == text.count): length = run
        default: return 0
        }
        position = lineStart
        skipIndentation(text, index + length)
        return length
    }

    /// An escape of a double-quoted scalar; its value is taken from the text.
    private mutating func escape(_ text: [UInt8], _ index: Int) -> Int {
        guard position + 1 < end else { return 0 }
        let digits: Int
        switch bytes[position + 1] {
        case UInt8(ascii: "x"): digits = 2
        case UInt8(ascii: "u"): digits = 4
        case UInt8(ascii: "U"): digits = 8
        case 0x0A: return 0
        default: digits = 0
        }
        position += 2 + digits
        let first = text[index]
        let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        if length > 1 { stepLength = 0 }
        return min(length, text.count - index)
    }
}
