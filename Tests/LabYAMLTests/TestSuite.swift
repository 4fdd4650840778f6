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
}
