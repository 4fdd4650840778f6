import LabCore
import Testing

@testable import LabTemplate

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What ansible-core and jinja2 make of several hundred templates (Fixtures/generate.py).
@Suite struct FixtureTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let kind: String
        let template: String
        /// Nil for an error.
        let result: Value?
        var testDescription: String { "\(kind): \(template)" }
    }

    static let (variables, cases) = load()

    private static func load() -> (ValueMap, [Case]) {
        guard let bytes = Fixture.bytes("templates.json"), let root = try? Value(json: bytes) else { return ([:], []) }
        let cases = (root["cases"]?.list ?? []).compactMap { row -> Case? in
            guard let row = row.list, let kind = row[0].string, let template = row[1].string else { return nil }
            return Case(kind: kind, template: template, result: row.count > 2 ? .some(row[2]) : .none)
        }
        return (root["variables"]?.map ?? [:], cases)
    }

    @Test func theTableIsThere() {
        #expect(Self.cases.count > 500)
    }

    @Test(arguments: cases)
    func givesWhatAnsibleGives(_ test: Case) throws {
        let scope = VariableScope(Self.variables)
        guard let expected = test.result else {
            #expect(throws: TemplateError.self) {
                let result = try render(test, scope)
                Issue.record("expected an error but got \(result.json())")
            }
            return
        }
        let result = try render(test, scope)
        #expect(result.json() == expected.json(), "\(test.template)")
    }

    private func render(_ test: Case, _ scope: VariableScope) throws -> Value {
        var options = TemplateOptions()
        switch test.kind {
        case "expression": return try Template.parseExpression(test.template).render(scope)
        case "condition": return .bool(try Template.parseExpression(test.template).evaluateCondition(scope))
        case "file": options = .file
        case "lstrip":
            options = .file
            options.stripsBeforeBlocks = true
        case "notrim": options.trimBlocks = false
        default: break
        }
        let value = try Template.parse(test.template, options: options).render(scope)
        return value.isOmitted ? .string("<omitted>") : value
    }
}

enum Fixture {
    static func bytes(_ name: String, file: String = #filePath) -> [UInt8]? {
        let path = file.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/Fixtures/" + name
        guard let handle = fopen(path, "r") else { return nil }
        defer { fclose(handle) }
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = fread(&buffer, 1, buffer.count, handle)
            guard count > 0 else { return result }
            result += buffer[..<count]
        }
    }
}
