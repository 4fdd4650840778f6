import LabCore
import LabTransport
import Testing

@Suite struct ShellFramesTests {
    @Test(arguments: [1, 2, 3, 7, 1000])
    func findsTheMarkInPiecesOfAnySize(size: Int) {
        let mark = Array("\u{1}mark:1:".utf8)
        let output = Array("a\u{1}b\u{1}mark\u{1}mark:2:0\n\u{1}\u{1}".utf8)
        let stream = output + mark + Array("42\nbeyond".utf8)
        var scanner = MarkScanner(mark: mark)
        var found: [UInt8] = []
        var beyond: [UInt8] = []
        for start in stride(from: 0, to: stream.count, by: size) {
            let (new, after) = scanner.feed(Array(stream[start..<min(start + size, stream.count)]))
            found += new
            beyond += after
        }
        #expect(found == output)
        #expect(scanner.trailer == "42")
        #expect(beyond == Array("beyond".utf8))
    }

    @Test func keepsNothingBackThatCannotBeAMark() {
        var scanner = MarkScanner(mark: Array("\u{1}m".utf8))
        #expect(scanner.feed(Array("abc".utf8)).output == Array("abc".utf8))
        #expect(scanner.feed([1]).output == [])
        #expect(scanner.feed(Array("x".utf8)).output == [1, UInt8(ascii: "x")])
        #expect(scanner.feed([1]).output == [])
        #expect(scanner.flush() == [1])
    }

    @Test func dropsWhatComesBeforeTheNonce() {
        var opening = ShellOpening(become: nil, hostName: "n", nonce: "N")
        #expect(opening.receive(.standardOutput(Array("welcome\nlabctl-".utf8))).rest == [])
        #expect(!opening.isReady)
        #expect(opening.receive(.standardOutput(Array("N:12\nout".utf8))).rest == Array("out".utf8))
        #expect(opening.isReady)
        #expect(opening.processID == 12)
        #expect(opening.receive(.standardError(Array("beware\nlabctl-N\nerr".utf8))).rest == Array("err".utf8))
    }

    @Test func neverShowsAPassword() {
        let become = Become(user: "root", password: Secret("hunter2"))
        let opening = ShellOpening(become: become, hostName: "n", nonce: "N")
        #expect(!opening.launchLine.contains("hunter2"))
        #expect(!opening.takesFramesAtOnce)
    }

    @Test(arguments: [Become.Method.sudo, .su, .doas])
    func launchLineHoldsNothingThatShellsReadDifferently(method: Become.Method) {
        let line = ShellOpening(become: Become(method: method, user: "o'brien"), hostName: "n", nonce: "N").launchLine
        #expect(!line.contains("!"))
        #expect(!line.contains("\n"))
        let plain = ShellOpening(become: nil, hostName: "n", nonce: "N").launchLine
        #expect(plain.count(where: { $0 == "'" }) == 2)
        #expect(!plain.contains("\\"))
    }
}

@Suite struct WildcardTests {
    @Test(arguments: [
        ("*", "", true), ("a*c", "abbc", true), ("a*c", "abcd", false), ("?", "", false), ("a?", "ab", true),
        ("*.lab", "x.lab", true), ("**", "x", true), ("a*b*c", "axbxbc", true), ("", "", true), ("[a]", "a", false),
    ])
    func matches(pattern: String, text: String, expected: Bool) {
        #expect(Wildcard.matches(pattern, text) == expected)
    }

    @Test func aNegatedPatternWins() {
        #expect(Wildcard.matches(list: ["*", "!b"], "a"))
        #expect(!Wildcard.matches(list: ["*", "!b"], "b"))
        #expect(!Wildcard.matches(list: ["!b"], "a"))
    }
}
