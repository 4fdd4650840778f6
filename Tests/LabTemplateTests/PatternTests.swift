import LabCore
import Testing

@testable import LabTemplate

/// Expressions against Python's `re` (Fixtures/generate_expressions.py).
@Suite struct PatternTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let pattern: String
        let flags: String
        let text: String
        /// Nil when Python refuses the pattern, null when it finds nothing.
        let found: Value?
        var testDescription: String { "/\(pattern)/\(flags) in '\(text)'" }
    }

    static let rows: [Row] = {
        guard let bytes = Fixture.bytes("expressions.json"), let root = try? Value(json: bytes) else { return [] }
        return (root["rows"]?.list ?? []).compactMap { row in
            guard let row = row.list, let pattern = row[0].string, let flags = row[1].string, let text = row[2].string
            else { return nil }
            return Row(pattern: pattern, flags: flags, text: text, found: row.count > 3 ? .some(row[3]) : .none)
        }
    }()

    private func pattern(_ row: Row) throws -> Pattern {
        try Pattern(
            (row.flags.contains("x") ? "(?x)" : "") + row.pattern, ignoresCase: row.flags.contains("i"),
            isMultiline: row.flags.contains("m"), matchesNewlines: row.flags.contains("s"))
    }

    @Test func theTableIsThere() { #expect(Self.rows.count > 140) }

    @Test(arguments: rows)
    func findsWhatPythonFinds(_ row: Row) throws {
        guard let found = row.found else {
            #expect(throws: Failure.self) { try self.pattern(row) }
            return
        }
        let pattern = try self.pattern(row)
        let match = try pattern.firstMatch(in: row.text, .search)
        guard let found = found.list else {
            #expect(match.map { $0.text(0) ?? "" } == nil)
            return
        }
        let first = try #require(match)
        let spans = (0...first.groupCount).map { group in
            Value.list(first.range(group).map { [.int($0.lowerBound), .int($0.upperBound)] } ?? [-1, -1])
        }
        #expect(Value.list(spans) == found[0])
        let every = try pattern.allMatches(in: row.text).map { match -> Value in
            switch match.groupCount {
            case 0: .string(match.text(0) ?? "")
            case 1: .string(match.text(1) ?? "")
            default: .list((1...match.groupCount).map { .string(match.text($0) ?? "") })
            }
        }
        #expect(Value.list(every) == found[1])
        #expect(try Value.string(pattern.replacing(in: row.text, with: "<\\g<0>>").text) == found[2])
    }

    @Test func matchKinds() throws {
        let pattern = try Pattern("b+")
        #expect(try pattern.firstMatch(in: "abb", .search)?.range(0) == 1..<3)
        #expect(try pattern.firstMatch(in: "abb", .match)?.range(0) == nil)
        #expect(try pattern.firstMatch(in: "bba", .match)?.range(0) == 0..<2)
        #expect(try pattern.firstMatch(in: "bba", .fullmatch)?.range(0) == nil)
        #expect(try pattern.firstMatch(in: "bb", .fullmatch)?.range(0) == 0..<2)
    }

    @Test func exponentialPatternsAreStopped() throws {
        let pattern = try Pattern("(a+)+$")
        let failure = #expect(throws: Failure.self) {
            try pattern.firstMatch(in: String(repeating: "a", count: 40) + "b", .search)
        }
        #expect(failure?.message == "the pattern takes too long on this text")
    }
}
