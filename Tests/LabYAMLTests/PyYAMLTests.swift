import LabCore
import Testing

@testable import LabYAML

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What the real PyYAML made of a text; `Fixtures/pyyaml.py` wrote them all.
struct PyYAMLEntry: Sendable, CustomTestStringConvertible {
    let yaml: String
    /// Nil where PyYAML refused the text.
    let documents: [Value]?

    var testDescription: String { ScalarText.doubleQuoted(yaml) }

    /// `LABCTL_PYYAML_TABLE` names another table, as a long run of `pyyaml.py --fuzz` writes it.
    static let all: [PyYAMLEntry] = {
        let other = ProcessInfo.processInfo.environment["LABCTL_PYYAML_TABLE"].map { URL(filePath: $0) }
        let path = other ?? URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/pyyaml.json")
        guard let data = try? Data(contentsOf: path), let table = try? Value(json: data) else { return [] }
        return (table["entries"]?.list ?? []).map { entry in
            PyYAMLEntry(yaml: entry["yaml"]?.string ?? "", documents: entry["documents"]?.list)
        }
    }()

    /// Whether a value is what PyYAML typed so: `{"int": "420"}`.
    static func matches(_ value: Value, _ typed: Value) -> Bool {
        guard let (type, content) = typed.map?.elements.first else { return false }
        switch (type, content, value) {
        case ("null", _, .null): return true
        case ("bool", .bool(let expected), .bool(let value)): return expected == value
        case ("str", .string(let expected), .string(let value)): return expected == value
        case ("date", .string(let expected), .string(let value)): return expected == value
        case ("int", .string(let expected), .int(let value)): return expected == String(value)
        // Beyond 64 bits the text is kept.
        case ("int", .string(let expected), .string): return Int(expected) == nil
        case ("float", .string("nan"), .float(let value)): return value.isNaN
        case ("float", .string(let expected), .float(let value)): return Double(expected) == value
        // labctl keeps the base64.
        case ("binary", _, .string): return true
        case ("set", .list(let expected), .map(let entries)):
            return expected.count == entries.count
                && expected.allSatisfy { member in entries.keys.contains { matchesKey($0, member) } }
        case ("list", .list(let expected), .list(let items)):
            return expected.count == items.count && zip(items, expected).allSatisfy(matches)
        case ("map", .list(let expected), .map(let entries)):
            return expected.count == entries.count
                && zip(entries, expected).allSatisfy { entry, pair in
                    guard let pair = pair.list, pair.count == 2 else { return false }
                    return matchesKey(entry.key, pair[0]) && matches(entry.value, pair[1])
                }
        default: return false
        }
    }

    /// Keys are held by their canonical text.
    private static func matchesKey(_ key: String, _ typed: Value) -> Bool {
        guard let (type, content) = typed.map?.elements.first else { return false }
        switch (type, content) {
        case ("null", _): return key == "null"
        case ("bool", .bool(let value)): return key == (value ? "true" : "false")
        case ("float", .string("nan")): return key == ".nan"
        case ("float", .string("inf")): return key == ".inf"
        case ("float", .string("-inf")): return key == "-.inf"
        case ("float", .string(let text)): return Double(text) == Double(key)
        case ("int", .string(let text)) where Int(text) == nil: return true
        case (_, .string(let text)): return key == text
        // A pair in brackets that is a key: refused, see below.
        default: return false
        }
    }
}

struct PyYAMLTests {
    @Test func tableIsThere() {
        #expect(PyYAMLEntry.all.count > 1000)
    }

    /// Whatever PyYAML reads, labctl reads alike; but for keys that stand twice or are no text, which it refuses.
    @Test(arguments: PyYAMLEntry.all.filter { $0.documents != nil })
    func readsAlike(_ entry: PyYAMLEntry) throws {
        let file = SourceFile(path: "x.yml", text: entry.yaml)
        let result = Result { () throws(YAMLError) in try YAML.load(file, schema: .ansible) }
        switch result {
        case .failure(let error):
            let isMeant = error.diagnostics.allSatisfy {
                $0.message.contains("stands twice") || $0.message.contains("a key must be a text")
            }
            #expect(isMeant, "\(error.diagnostics.map(\.message))")
        case .success(let values):
            let expected = entry.documents ?? []
            #expect(
                values.count == expected.count
                    && zip(values, expected).allSatisfy { PyYAMLEntry.matches($0.value, $1) },
                "\(values.map { $0.value.json() }) is not \(Value.list(expected).json())")
        }
    }
}
