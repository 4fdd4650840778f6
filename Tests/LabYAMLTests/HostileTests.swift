import LabCore
import Testing

@testable import LabYAML

/// Inputs that were made to hurt: each is read or refused, in time that is linear in its size.
@Suite(.timeLimit(.minutes(2)))
struct HostileTests {
    static func errors(_ bytes: [UInt8], _ schema: Schema = .ansible, limits: Limits = Limits()) -> [String] {
        do {
            _ = try YAML.load(SourceFile(path: "hostile.yml", bytes: bytes), schema: schema, limits: limits)
            return []
        } catch {
            return error.diagnostics.map(\.message)
        }
    }

    static func errors(_ text: String, _ schema: Schema = .ansible, limits: Limits = Limits()) -> [String] {
        errors(Array(text.utf8), schema, limits: limits)
    }

    @Test func aliasesOfAliasesAreRefusedBeforeTheyAreFollowed() {
        var text = "a0: &a0 [x, x]\n"
        for level in 1...200 { text += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1), *a\(level - 1)]\n" }
        #expect(Self.errors(text) == ["the aliases of this document expand to more than 1000000 values"])
        #expect(Self.errors(text + "? *a200\n: key\n").count == 2)
    }

    @Test func mergesOfMergesAreRefused() {
        var text = "m: &m {" + (0..<2000).map { "k\($0): \($0)" }.joined(separator: ", ") + "}\nlist:\n"
        for _ in 0..<2000 { text += "- {<<: *m}\n" }
        #expect(Self.errors(text) == ["the merges of this document add up to more than 1000000 entries"])
    }

    @Test func ordinaryAliasesAreFine() {
        var text = "defaults: &defaults {a: 1, b: 2, c: 3}\nhosts:\n"
        for host in 0..<2000 { text += "  h\(host): {<<: *defaults, name: h\(host), again: *defaults}\n" }
        #expect(Self.errors(text).isEmpty)
    }

    @Test(arguments: ["[", "{", "- ", "? ", "[{", "{a: ", "{? ", "[? ", "!a [", "&a [", "- ? ", "[[], "])
    func depthIsBounded(_ opener: String) {
        let text = String(repeating: opener, count: 200_000)
        let errors = Self.errors(text)
        #expect(errors.count == 1 && errors[0].contains("nested more than 256 levels deep"), "\(errors)")
    }

    @Test func depthOfIndentationIsBounded() {
        var text = ""
        for level in 0..<2000 { text += String(repeating: " ", count: level) + "a:\n" }
        #expect(Self.errors(text) == ["nested more than 256 levels deep"])
    }

    @Test func whatIsNotTooDeepIsReadAndLetGo() throws {
        let text = String(repeating: "[", count: 250) + String(repeating: "]", count: 250)
        #expect(Self.errors(text).isEmpty)
        var blocks = ""
        for level in 0..<250 { blocks += String(repeating: " ", count: level) + "a:\n" }
        #expect(Self.errors(blocks).isEmpty)
    }

    @Test func longKeysAreRefused() {
        let long = String(repeating: "k", count: 2_000_000)
        #expect(Self.errors("\(long): 1\n") == ["a key is longer than 1024 characters"])
        #expect(Self.errors("'\(long)': 1\n") == ["a key is longer than 1024 characters"])
        #expect(Self.errors("[\(long): 1]\n") == ["a key is longer than 1024 characters"])
        #expect(Self.errors("? \(long)\n: 1\n").isEmpty)
        #expect(Self.errors("{\(long): 1}\n").isEmpty)
        let characters = String(repeating: "é", count: 1000)
        #expect(Self.errors("\(characters): 1\n").isEmpty)
    }

    @Test(arguments: [
        "a: ", "a: '", "a: \"", "a: |\n ", "# ", "a: [", "- ", "a: b #", "&", "*", "!", "!<", "%", "--- ", "a: >\n  ",
        "\"\\",
    ])
    func longLinesAreReadInLinearTime(_ start: String) {
        for filler in [
            "x", " ", "x ", "\t", "'", "\"", "\\", ": ", "#", " #", "é", "[", "]", "&", "-", "\n", "\n ", "\n\n  x",
            "''", "\\n", "- ", "? ",
        ] {
            _ = Self.errors(start + String(repeating: filler, count: 20_000))
        }
    }

    @Test func controlCharactersAreNamed() {
        #expect(Self.errors("a: \u{0}b") == ["a NUL character stands in the file"])
        #expect(
            Self.errors("a: \u{1}b\n\u{B}") == [
                "a control character (U+0001) stands in the file", "a control character (U+000B) stands in the file",
            ])
        #expect(Self.errors("a: b\n\u{B}- c\n01234567", .core) == ["a control character (U+000B) stands in the file"])
        #expect(Self.errors("a: \u{7F}", .core) == ["a control character (U+007F) stands in the file"])
        #expect(Self.errors("a: \"\u{7F}\u{9F}\u{FFFE}\"", .core).isEmpty)
        #expect(Self.errors("a: \"\u{7F}\"", .ansible) == ["a control character (U+007F) stands in the file"])
        #expect(Self.errors("a: x\u{2028}y", .core).isEmpty)
        #expect(Self.errors("a: x\u{2028}y", .kubernetes) == ["a line separator character (U+2028) stands in the file"])
    }

    @Test func everyControlCharacterIsFoundAtEveryPlace() {
        for control in (UInt8(0)...31).filter({ $0 != 9 && $0 != 10 && $0 != 13 }) {
            for place in 0..<20 {
                var bytes = Array("abcdefgh\n\n\nabcdefgh\n\n\n".utf8)
                bytes[place] = control
                let inspection = bytes.withUnsafeBufferPointer { Encoding.inspect($0, limit: 20, isLax: false) }
                #expect(inspection.failures.map(\.details.range) == [place..<place + 1])
            }
        }
    }

    @Test(
        arguments: [
            [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0x80], [0xC0, 0xAF], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80],
            [0xF4, 0x90, 0x80, 0x80],
            [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFE], [0xC3, 0x28],
        ] as [[UInt8]])
    func brokenUTF8IsRefused(_ bytes: [UInt8]) {
        for tail in ["", "\n", "x: y\nmore text that is long enough"] {
            let errors = Self.errors(Array("a: ".utf8) + bytes + Array(tail.utf8))
            #expect(
                !errors.isEmpty && errors.allSatisfy { $0.contains("UTF-8") || $0.contains("middle of a character") },
                "\(errors)")
        }
    }

    @Test func otherEncodingsAreRead() throws {
        let text = "a: [é, 日本, 😀]\n"
        let expected: Value = ["a": ["é", "日本", "😀"]]
        var variants: [[UInt8]] = []
        for mark in ["\u{FEFF}", ""] {
            let units = Array((mark + text).utf16)
            variants.append(units.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] })
            variants.append(units.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] })
            let scalars = (mark + text).unicodeScalars.map(\.value)
            variants.append(scalars.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } })
            variants.append(
                scalars.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> ((3 - $0) * 8)) } })
            variants.append(Array((mark + text).utf8))
        }
        for bytes in variants {
            let values = try YAML.load(SourceFile(path: "x", bytes: bytes), schema: .ansible)
            #expect(values.map(\.value) == [expected])
        }
        for bytes in variants where bytes.count > 30 {
            #expect(!Self.errors(Array(bytes.dropLast())).isEmpty)
        }
        #expect(!Self.errors([0xFF, 0xFE, 0x61, 0x00, 0x3D, 0xD8]).isEmpty)
    }

    @Test func theNumberOfValuesIsBounded() {
        var limits = Limits()
        limits.nodes = 10_000
        let flow = "[" + String(repeating: "{a,b},", count: 10_000) + "]"
        #expect(Self.errors(flow, limits: limits) == ["the file has more than 10000 values"])
        let block = String(repeating: "- a\n", count: 20_000)
        #expect(Self.errors(block, limits: limits) == ["the file has more than 10000 values"])
        limits.bytes = 100
        #expect(Self.errors(block, limits: limits) == ["the file is larger than 100 bytes"])
    }

    @Test func mistakesAreBounded() {
        let text = String(repeating: "- a: b: c\n", count: 100_000)
        #expect(Self.errors(text).count == 20)
        #expect(Self.errors(String(repeating: "- {a: 1, a: 2}\n", count: 1000)).count == 20)
        #expect(Self.errors(String(repeating: "- *a\n", count: 1000)).count == 20)
        #expect(Self.errors([UInt8](repeating: 1, count: 1000)).count == 20)
    }

    @Test func oneLineOfMegabytesIsReadInLinearTime() {
        let text = String(repeating: "x", count: 600)
        #expect(Self.errors("k: [" + String(repeating: "\(text), ", count: 3000) + "]\n").isEmpty)
        #expect(Self.errors("[&a {k: v}, " + String(repeating: "{<<: *a, b: [*a]},", count: 60_000) + "]\n").isEmpty)
    }

    @Test func keysAreFoundInLargeMaps() {
        let text = (0..<50_000).map { "key\($0): \($0)\n" }.joined()
        #expect(Self.errors(text).isEmpty)
        #expect(Self.errors(text + "key777: again\n") == ["the key `key777` stands twice in one map"])
    }

    @Test func tenMegabytesAreRead() throws {
        let entry = "- name: \"a value\"\n  list: [1, 2, 3]\n  text: |\n    some text\n    of two lines\n"
        let bytes = [UInt8](String(repeating: entry, count: 140_000).utf8)
        let tree = try YAML.parse(SourceFile(path: "large.yml", bytes: bytes))
        #expect(tree.nodes.count == 140_000 * 10 + 2)
        #expect(tree.byteCount < bytes.count * 8)
    }
}
