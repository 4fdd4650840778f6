import LabCore
import LabEngine
import LabModel
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What tasks register, compared with what ansible-core 2.19.14 registered for the same playbook
/// (`Fixtures/comparison.json`: its own output, with the folder written as DIR).
@Suite struct ComparisonTests {
    private static let fixtures = String(#filePath.dropLast("ComparisonTests.swift".count)) + "Fixtures/"

    /// Keys that differ by nature: times, places on disk, what belongs to Ansible's own machinery.
    private static let ignored: Set<String> = [
        "start", "end", "delta", "atime", "mtime", "ctime", "inode", "dev", "diff", "elapsed", "version", "src",
        "failed_when_suppressed_exception",
    ]

    @Test func registeredResultsAreAnsibles() async throws {
        let lab = try Lab()
        let expected = try Value(json: Self.text("comparison.json"))
        let report = try await lab.run(Self.text("comparison.yml")) { options in
            options.extraVariables = [VariableLayer(.extraVars, values: ["dir": .string(lab.folder)])]
        }
        #expect(report.exitCode == 0, "\(report.messages)")
        let found = try Value(json: (lab.read("out.json") ?? "null").replacing(lab.folder, with: "DIR"))
        for (name, result) in expected.map ?? [:] {
            let differences = Self.differences(result, found[name] ?? nil, at: name)
            #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
        }
    }

    /// Where two results differ; keys that only labctl has are welcome.
    private static func differences(_ wanted: Value, _ found: Value, at path: String) -> [String] {
        switch (wanted, found) {
        case (.map(let wanted), .map(let found)):
            return wanted.filter { !ignored.contains($0.key) }.flatMap { key, value -> [String] in
                guard let other = found[key] else { return ["\(path).\(key): Ansible has \(value.json())"] }
                return differences(value, other, at: "\(path).\(key)")
            }
        case (.list(let wanted), .list(let found)) where wanted.count == found.count:
            return zip(wanted, found).enumerated().flatMap { differences($1.0, $1.1, at: "\(path)[\($0)]") }
        default:
            return wanted == found ? [] : ["\(path): Ansible has \(wanted.json()), labctl \(found.json())"]
        }
    }

    private static func text(_ name: String) throws -> String {
        guard let file = fopen(fixtures + name, "r") else { throw InputError("no fixture \(name)") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while true {
            let byte = getc(file)
            if byte == EOF { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(UInt8(truncatingIfNeeded: byte))
        }
    }
}
