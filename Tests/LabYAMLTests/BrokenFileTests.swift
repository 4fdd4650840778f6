import LabCore
import Testing

@testable import LabYAML

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Files with the mistakes that people make, and what labctl says about them.
///
/// `Fixtures/broken/NAME.yml` is the file, `NAME.txt` the expected text. `LABCTL_RECORD=1 swift test` writes the texts
/// anew; `Fixtures/broken.py` puts them beside what Ansible and kubectl say (docs/yaml-errors.md).
struct BrokenFile: Sendable, CustomTestStringConvertible {
    let name: String

    var testDescription: String { name }

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/broken")

    static let all: [BrokenFile] =
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        .filter { $0.hasSuffix(".yml") }.sorted().map { BrokenFile(name: String($0.dropLast(4))) }

    func text(_ suffix: String) -> String? {
        (try? Data(contentsOf: Self.folder.appending(path: name + suffix))).map { String(decoding: $0, as: UTF8.self) }
    }

    var schema: Schema { text(".yml")?.hasPrefix("apiVersion") == true ? .kubernetes : .ansible }

    /// What labctl says, laid out as a terminal shows it.
    func messages() -> String {
        let file = SourceFile(path: name + ".yml", text: text(".yml") ?? "")
        do {
            _ = try YAML.load(file, schema: schema)
            return "no mistake was found\n"
        } catch {
            return error.diagnostics.map(\.plainText).joined(separator: "\n")
        }
    }
}

extension Diagnostic {
    /// The message, the excerpt with a caret, the notes with theirs, the hint.
    var plainText: String {
        var text = (span.map { "\($0): " } ?? "") + "\(severity.rawValue): \(message)\n" + (span?.excerpt ?? "")
        for note in notes {
            text += (note.span.map { "\($0): " } ?? "  ") + "note: \(note.message)\n" + (note.span?.excerpt ?? "")
        }
        if let hint { text += "  try: \(hint)\n" }
        return text
    }
}

extension SourceSpan {
    fileprivate var excerpt: String {
        guard let line = file.line(start.line) else { return "" }
        let number = String(start.line)
        let margin = String(repeating: " ", count: number.count)
        let lead = String(
            String.UnicodeScalarView(line.unicodeScalars.prefix(start.column - 1).map { $0 == "\t" ? "\t" : " " }))
        let width =
            end.line == start.line
            ? max(1, end.column - start.column) : max(1, line.unicodeScalars.count - start.column + 1)
        return "  \(number) | \(line)\n  \(margin) | \(lead)\(String(repeating: "^", count: width))\n"
    }
}

struct BrokenFileTests {
    @Test func thereAreTwentyAndMore() {
        #expect(BrokenFile.all.count >= 20)
    }

    @Test(arguments: BrokenFile.all)
    func messages(_ file: BrokenFile) throws {
        let messages = file.messages()
        if ProcessInfo.processInfo.environment["LABCTL_RECORD"] != nil {
            try Data(messages.utf8).write(to: BrokenFile.folder.appending(path: file.name + ".txt"))
        }
        #expect(messages == file.text(".txt"))
    }

    /// The messages for all cases of the yaml-test-suite that are errors, in one file.
    @Test(.enabled(if: SuiteCase.root != nil, "shared/data/yaml-test-suite is not here"))
    func suiteMessages() throws {
        var text = ""
        for suiteCase in SuiteCase.all where suiteCase.isError {
            do {
                _ = try YAML.parse(suiteCase.source)
            } catch {
                text += error.diagnostics.map(\.plainText).joined() + "\n"
            }
        }
        let path = BrokenFile.folder.deletingLastPathComponent().appending(path: "suite-errors.txt")
        if ProcessInfo.processInfo.environment["LABCTL_RECORD"] != nil { try Data(text.utf8).write(to: path) }
        #expect(text == (try? Data(contentsOf: path)).map { String(decoding: $0, as: UTF8.self) })
    }
}
