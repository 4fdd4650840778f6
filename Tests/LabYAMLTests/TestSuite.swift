import LabCore
import Testing

@testable import LabYAML

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The cases of https://github.com/yaml/yaml-test-suite, read from `shared/data/yaml-test-suite`.
struct SuiteCase: Sendable, CustomTestStringConvertible {
    let name: String
    let folder: URL

    var testDescription: String { name }

    func bytes(_ file: String) -> [UInt8]? {
        (try? Data(contentsOf: folder.appending(path: file))).map(Array.init)
    }

    func text(_ file: String) -> String? { bytes(file).map { String(decoding: $0, as: UTF8.self) } }

    var isError: Bool { bytes("error") != nil }

    var source: SourceFile { SourceFile(path: name + "/in.yaml", bytes: bytes("in.yaml") ?? []) }

    /// The folder of the suite, or nil where it is not at hand.
    static let root: URL? = {
        var candidates: [URL] = []
        if let shared = ProcessInfo.processInfo.environment["LABCTL_SHARED"] {
            candidates.append(URL(filePath: shared).appending(path: "data/yaml-test-suite"))
        }
        var folder = URL(filePath: #filePath)
        for _ in 0..<8 {
            folder = folder.deletingLastPathComponent()
            candidates.append(folder.appending(path: "shared/data/yaml-test-suite"))
        }
        return candidates.first { FileManager.default.fileExists(atPath: $0.path) }
    }()

    static let all: [SuiteCase] = {
        guard let root else { return [] }
        let paths = (try? FileManager.default.subpathsOfDirectory(atPath: root.path)) ?? []
        return paths.filter { $0.hasSuffix("/in.yaml") }.sorted().map {
            let name = String($0.dropLast("/in.yaml".count))
            return SuiteCase(name: name, folder: root.appending(path: name))
        }
    }()
}

@Suite(.enabled(if: SuiteCase.root != nil, "shared/data/yaml-test-suite is not here"))
struct TestSuite {
    @Test func hasAllCases() {
        #expect(SuiteCase.all.count == 402)
    }

    @Test(arguments: SuiteCase.all)
    func events(_ suiteCase: SuiteCase) throws {
        let result = Result { () throws(YAMLError) in try YAML.parse(suiteCase.source) }
        switch result {
        case .success(let tree):
            #expect(!suiteCase.isError, "should have been refused")
            if !suiteCase.isError { #expect(tree.events() == suiteCase.text("test.event")) }
        case .failure(let error):
            #expect(suiteCase.isError, "\(error.diagnostics)")
        }
    }

    @Test(arguments: SuiteCase.all.filter { !$0.isError && $0.bytes("in.json") != nil })
    func json(_ suiteCase: SuiteCase) throws {
        let values = try YAML.load(suiteCase.source, schema: .core).map(\.value)
        let expected = try SuiteCase.jsonDocuments(suiteCase.bytes("in.json") ?? [])
        #expect(values.map(\.asJSON) == expected.map(\.asJSON))
    }

    /// What was read can be written and read again.
    @Test(arguments: SuiteCase.all.filter { !$0.isError && $0.bytes("in.json") != nil })
    func emit(_ suiteCase: SuiteCase) throws {
        for schema in [Schema.core, .ansible] {
            let values = try YAML.load(suiteCase.source, schema: .core).map(\.value)
            let text = YAML.emit(documents: values)
            let again = try YAML.load(SourceFile(path: "again.yaml", text: text), schema: schema)
            #expect(again.map(\.value) == values, "\(text)")
        }
    }
}

extension SuiteCase {
    /// The documents of an `in.json`, which stand one after the other without anything between them.
    static func jsonDocuments(_ bytes: [UInt8]) throws -> [Value] {
        var documents: [Value] = []
        var start = 0
        for end in bytes.indices where bytes[end] == UInt8(ascii: "\n") || end == bytes.count - 1 {
            if let value = try? Value(json: bytes[start...end]) {
                documents.append(value)
                start = end + 1
            }
        }
        let rest = bytes[start...].filter { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: " ") }
        guard rest.isEmpty else { throw InputError("unread text at \(start)") }
        return documents
    }
}

extension Value {
    /// JSON has one type of numbers: 450 and 450.0 are the same.
    var asJSON: Value {
        switch self {
        case .int(let value): .float(Double(value))
        case .list(let items): .list(items.map(\.asJSON))
        case .map(let entries): .map(entries.mapValues(\.asJSON))
        default: self
        }
    }
}
