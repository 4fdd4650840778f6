import LabCore
import Testing

@testable import LabYAML

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What the real kubectl made of a text; `Fixtures/kubernetes.py` wrote them all.
struct KubernetesEntry: Sendable, CustomTestStringConvertible {
    let yaml: String
    /// Nil where kubectl refused the text.
    let json: Value?

    var testDescription: String { ScalarText.doubleQuoted(yaml) }

    static let all: [KubernetesEntry] = {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/kubernetes.json")
        guard let data = try? Data(contentsOf: path), let table = try? Value(json: data) else { return [] }
        return (table["entries"]?.list ?? []).map {
            KubernetesEntry(yaml: $0["yaml"]?.string ?? "", json: $0["error"] == nil ? $0["json"] : nil)
        }
    }()
}

struct KubernetesTests {
    @Test func tableIsThere() {
        #expect(KubernetesEntry.all.count > 300)
    }

    /// Whatever kubectl reads, labctl reads alike.
    @Test(arguments: KubernetesEntry.all.filter { $0.json != nil })
    func readsAlike(_ entry: KubernetesEntry) throws {
        let values = try YAML.load(SourceFile(path: "x.yml", text: entry.yaml), schema: .kubernetes)
        let value = values.first?["spec"]?.value
        // Integers beyond 64 bits are floats to the API server; which one is told apart by no reader of JSON.
        #expect(value?.asJSON == entry.json?.asJSON, "\(value?.json() ?? "nothing")")
        if let value, case .int = value, let json = entry.json { #expect(json.int != nil) }
    }

    /// What kubectl refuses, labctl refuses.
    @Test(arguments: KubernetesEntry.all.filter { $0.json == nil })
    func refusesAlike(_ entry: KubernetesEntry) throws {
        #expect(throws: YAMLError.self) {
            try YAML.load(SourceFile(path: "x.yml", text: entry.yaml), schema: .kubernetes)
        }
    }
}
