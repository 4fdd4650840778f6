import LabCore

/// Works out lines and columns of offsets that come in rising order, by counting on from the last one: in linear time
/// even where a file is one line, whose columns `SourceFile.position(at:)` counts from its start each time.
struct PlaceCursor {
    private let file: SourceFile
    private let bytes: UnsafeBufferPointer<UInt8>
    private var last = SourcePosition(line: 1, column: 1, offset: 0)

    init(_ file: SourceFile, _ bytes: UnsafeBufferPointer<UInt8>) {
        self.file = file
        self.bytes = bytes
    }

    mutating func position(at offset: Int) -> SourcePosition {
        // A place before the last one is that of a mistake.
        guard offset >= last.offset, offset <= bytes.count else { return file.position(at: offset) }
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
