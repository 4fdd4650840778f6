import LabCore

/// Works out lines and columns of offsets that mostly come in rising order, by counting on from the last one.
struct PlaceCursor {
    private let file: SourceFile
    private let bytes: UnsafeBufferPointer<UInt8>
    private var last = SourcePosition(line: 1, column: 1, offset: 0)
    /// Further apart than this the table of lines is quicker.
    private static let reach = 512

    init(_ file: SourceFile, _ bytes: UnsafeBufferPointer<UInt8>) {
        self.file = file
        self.bytes = bytes
    }

    mutating func position(at offset: Int) -> SourcePosition {
        guard offset >= last.offset, offset - last.offset < Self.reach, offset <= bytes.count else {
            last = file.position(at: offset)
            return last
        }
        var line = last.line
        var column = last.column
        for index in last.offset..<offset {
            let byte = bytes[index]
            if byte == .lineFeed
                || (byte == .carriageReturn && (index + 1 == bytes.count || bytes[index + 1] != .lineFeed))
            {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        last = SourcePosition(line: line, column: column, offset: offset)
        return last
    }
}
