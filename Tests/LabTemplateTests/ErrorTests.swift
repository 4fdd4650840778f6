import LabCore
import Testing

@testable import LabTemplate

/// Messages, hints, and places in the user's file.
@Suite struct ErrorTests {
    static let scope = VariableScope([
        "node": ["address": "10.0.0.1", "ports": [1, 2]], "metallb_version": "v0.15.2", "count": 3, "text": "abc",
    ])

    struct Case: Sendable {
        let text: String
        let message: String
        let hint: String?
        /// The characters that the error points at.
        let at: String

        init(_ text: String, _ message: String, hint: String? = nil, at: String) {
            self.text = text
            self.message = message
            self.hint = hint
            self.at = at
        }
    }

    static let cases: [Case] = [
        Case(
            "x {{ metalb_version }}", "'metalb_version' is undefined", hint: "did you mean 'metallb_version'?",
            at: "metalb_version"),
        Case(
            "{{ ansible_distribution_release }}", "'ansible_distribution_release' is undefined",
            hint: "labctl gathers no facts: ask with a command and 'register', or set the variable",
            at: "ansible_distribution_release"),
        Case("{{ node.adress }}", "'node' has no 'adress'", hint: "did you mean 'address'?", at: "node.adress"),
        Case("{{ node['adress'] }}", "'node' has no 'adress'", hint: "did you mean 'address'?", at: "node['adress']"),
        Case("{{ node.ports[7] }}", "'node.ports' has no item 7: it has 2 items", at: "node.ports[7]"),
        Case("{{ count.x }}", "'count' has no 'x': it is an integer", at: "count.x"),
        Case(
            "{{ count + text }}", "'+' does not work between an integer and a string",
            hint: "join texts with '~', or convert with '| int' or '| string'", at: "count + text"),
        Case("{{ 1 + (2 / 0) }}", "division by zero", at: "(2 / 0)"),
        Case(
            "{{ text < 5 }}", "cannot compare a string with an integer by '<'",
            hint: "convert one of them with '| int' or '| string'", at: "text < 5"),
        Case("{{ text | uper }}", "unknown filter 'uper'", hint: "did you mean 'upper'?", at: "uper"),
        Case("{{ text is definde }}", "unknown test 'definde'", hint: "did you mean 'defined'?", at: "definde"),
        Case("{{ text is upper_case }}", "unknown test 'upper_case'", hint: nil, at: "upper_case"),
        Case(
            "{{ text | ansible.utils.ipaddr }}", "unknown filter 'ansible.utils.ipaddr'",
            hint: "the filters of ansible.utils and ansible.netcommon are not available", at: "ansible.utils.ipaddr"),
        Case(
            "{{ [1] | random }}", "the filter 'random' needs a seed, since a run has to give the same result twice",
            hint: "write '… | random(seed=inventory_hostname)'", at: "random"
        ),
        Case(
            "{{ text is length }}", "unknown test 'length'", hint: "'length' is a filter: write '… | length'",
            at: "length"),
        Case(
            "{{ text | defined }}", "unknown filter 'defined'", hint: "'defined' is a test: write 'is defined'",
            at: "defined"),
        Case("{{ upper(text) }}", "'upper' is undefined", hint: "'upper' is a filter: write '… | upper'", at: "upper"),
        Case("{{ text | replace('a') }}", "the filter 'replace' needs its argument 'new'", at: "replace"),
        Case("{{ text | upper(1) }}", "the filter 'upper' takes no arguments", at: "upper"),
        Case(
            "{{ [1] | join(sep=',') }}", "the filter 'join' has no argument 'sep'",
            hint: "its parameters are d, attribute", at: "join"),
        Case("{{ text | from_json }}", "the text is no JSON: unexpected character at byte 0", at: "from_json"),
        Case("{{ text | to_yaml }}", "the filter 'to_yaml' is not available here", at: "to_yaml"),
        Case("{{ lookup('env', 'HOME') }}", "lookups are not available here", at: "lookup('env', 'HOME')"),
        Case(
            "{% if count > 1 %}x", "this 'if' is not closed", hint: "add '{% elif %}' or '{% else %}' or '{% endif %}'",
            at: "if"),
        Case(
            "{% for x in text %}{% endif %}", "expected 'endfor' or 'else' but found 'endif'",
            hint: "the innermost open statement is 'for'", at: "endif"),
        Case("{% fro x in text %}", "unknown statement 'fro'", hint: "did you mean 'for'?", at: "fro"),
        Case(
            "{% include 'a' %}", "'include' is not supported: a template cannot load another file",
            hint: "render the other file with lookup('template', …), or use a macro in the same file", at: "include"),
        Case("{{ (count }}", "expected ')' but found '}'", at: "}"),
        Case("{{ count", "this tag is not closed", hint: "end it with '}}'", at: "{{"),
        Case("{{ 'abc }}", "this string is not closed", at: "'"),
        Case("{{ count count }}", "expected an operator or the end of the expression but found 'count'", at: "count"),
        Case(
            "{{ text.upper }}", "the function 'upper' cannot be the result of a template",
            hint: "did you forget to call it with '()'?", at: ""),
        Case(
            "a{{ omit }}", "'omit' cannot be a part of a text", hint: "use it alone, as '{{ x | default(omit) }}'",
            at: "omit"),
        Case("{{ now() }}", "now() is not available here", at: "now()"),
        Case("{% for a, b in [[1]] %}{% endfor %}", "cannot unpack 1 values into 2 names", at: "[[1]]"),
        Case(
            "{{ 0644 }}", "a number does not start with 0",
            hint: "write '0o644' for an octal number, or put it into quotes", at: "0644"),
    ]

    private func failure(_ text: String, _ span: SourceSpan?) throws -> TemplateError {
        try #require(throws: TemplateError.self) { try Template.parse(text, span: span).render(Self.scope) }
    }

    @Test(arguments: cases)
    func saysWhatAndWhere(_ test: Case) throws {
        let file = SourceFile(path: "play.yml", text: "key: " + test.text + "\n")
        let error = try failure(test.text, file.span(5..<5 + test.text.utf8.count))
        #expect(error.diagnostic.message == test.message)
        #expect(error.diagnostic.hint == test.hint)
        let span = try #require(error.diagnostic.span)
        let pointed = String(decoding: file.bytes[span.start.offset..<span.end.offset], as: UTF8.self)
        #expect(pointed == (test.at.isEmpty ? test.text : test.at))
        #expect(error.failureClass == .input)
    }

    struct Place: Sendable {
        let yaml: String
        /// The scalar as it stands in the file.
        let scalar: String
        let text: String
        let line: Int
        let column: Int
    }

    /// YAML's ways of writing a scalar around a name that is undefined.
    static let places: [Place] = [
        Place(
            yaml: "a: 'it''s {{ oops }}'\n", scalar: "'it''s {{ oops }}'", text: "it's {{ oops }}", line: 1, column: 14),
        Place(
            yaml: "a: \"x\\t\\u00e9\\\"{{ oops }}\"\n", scalar: "\"x\\t\\u00e9\\\"{{ oops }}\"",
            text: "x\té\"{{ oops }}", line: 1, column: 19),
        Place(
            yaml: "a: |\n  one\n    two {{ oops }}\n", scalar: "|\n  one\n    two {{ oops }}\n",
            text: "one\n  two {{ oops }}\n", line: 3, column: 12),
        Place(
            yaml: "a: |-\n\n    {{ 1 }}\n\n    {{ oops }}", scalar: "|-\n\n    {{ 1 }}\n\n    {{ oops }}",
            text: "\n{{ 1 }}\n\n{{ oops }}", line: 5, column: 8),
        Place(
            yaml: "a: >-\n  one\n  {{ oops }}\n", scalar: ">-\n  one\n  {{ oops }}\n", text: "one {{ oops }}", line: 3,
            column: 6),
        Place(
            yaml: "a: one\n   two\n\n   {{ oops }}\n", scalar: "one\n   two\n\n   {{ oops }}",
            text: "one two\n{{ oops }}", line: 4, column: 7),
        Place(
            yaml: "a: 'one\n   {{ oops }}'\n", scalar: "'one\n   {{ oops }}'", text: "one {{ oops }}", line: 2,
            column: 7),
        Place(yaml: "a: é {{ oops }}\n", scalar: "é {{ oops }}", text: "é {{ oops }}", line: 1, column: 9),
    ]

    @Test(arguments: places)
    func findsThePlaceInEveryKindOfScalar(_ place: Place) throws {
        let file = SourceFile(path: "play.yml", text: place.yaml)
        let start = try #require(Python.find(Array(place.scalar.unicodeScalars), in: Array(place.yaml.unicodeScalars)))
        let span = file.span(start..<start + place.scalar.utf8.count)
        let found = try #require(try failure(place.text, span).diagnostic.span)
        #expect(found.start.line == place.line)
        #expect(found.start.column == place.column)
        #expect(String(decoding: file.bytes[found.start.offset..<found.end.offset], as: UTF8.self) == "oops")
    }

    @Test func aTextThatIsNotInTheFilePointsAtTheScalar() throws {
        let file = SourceFile(path: "play.yml", text: "a: *alias\n")
        let span = file.span(3..<9)
        #expect(try failure("{{ oops }}", span).diagnostic.span == span)
    }

    @Test func withoutAPlaceTheExpressionIsQuoted() throws {
        let diagnostic = try failure("a {{ oops }}", nil).diagnostic
        #expect(diagnostic.span == nil)
        #expect(diagnostic.notes.map(\.message) == ["in 'oops'"])
    }

    @Test func kindsTellErrorsApart() throws {
        #expect(try failure("{{ oops }}", nil).kind == .undefined("oops"))
        #expect(try failure("{{ node.oops }}", nil).kind == .undefined("node.oops"))
        #expect(try failure("{{ 1 | oops }}", nil).kind == .unknownFilter("oops"))
        #expect(try failure("{{ 1 is oops }}", nil).kind == .unknownTest("oops"))
        #expect(try failure("{{ 1 +", nil).kind == .syntax)
        #expect(try failure("{{ 1 / 0 }}", nil).kind == .evaluation)
    }
}
