import Testing

@testable import LabCommands

@Suite struct EscapeFilterTests {
    private typealias Action = EscapeFilter.Action

    /// Sends come joined, so that it does not matter how the keys were cut into pieces.
    private func actions(_ pieces: [String], escape: UInt8? = UInt8(ascii: "~")) -> [String] {
        var filter = EscapeFilter(escape: escape)
        var shown: [String] = []
        for action in pieces.flatMap({ filter.feed(Array($0.utf8)) }) {
            switch action {
            case .send(let bytes):
                let text = String(decoding: bytes, as: UTF8.self)
                if let last = shown.last, last.hasPrefix("send ") {
                    shown[shown.count - 1] = last + text
                } else {
                    shown.append("send " + text)
                }
            // Nobody asks the filter any more.
            case .disconnect: return shown + ["disconnect"]
            case .suspend: shown.append("suspend")
            case .help: shown.append("help")
            }
        }
        return shown
    }

    @Test(arguments: [
        ("ls\r", ["send ls\r"]), ("~.", ["disconnect"]), ("~.more", ["disconnect"]),
        ("ls\r~.", ["send ls\r", "disconnect"]),
        ("ls\n~.", ["send ls\n", "disconnect"]), ("a~.", ["send a~."]), ("~~.", ["send ~."]), ("\r~~x", ["send \r~x"]),
        ("~x", ["send ~x"]), ("~?ls", ["help", "send ls"]), ("~?~.", ["help", "disconnect"]),
        ("~\u{1A}ls", ["suspend", "send ls"]), ("~\r~.", ["send ~\r", "disconnect"]), (" ~.", ["send  ~."]), ("", []),
    ])
    func followsOpenSSH(typed: String, expected: [String]) {
        #expect(actions([typed]) == expected)
        // One key at a time, as people type.
        #expect(actions(typed.unicodeScalars.map { String($0) }) == expected)
    }

    @Test func otherCharacters() {
        #expect(actions(["\u{1}.~."], escape: 1) == ["disconnect"])
        #expect(actions(["~.\r~."], escape: nil) == ["send ~.\r~."])
        #expect(EscapeFilter(escape: 1).shown == "^A")
        #expect(EscapeFilter(escape: UInt8(ascii: "~")).shown == "~")
    }
}
