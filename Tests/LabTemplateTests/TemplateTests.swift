import LabCore
import Testing

@testable import LabTemplate

@Suite struct TemplateTests {
    /// Variables, one of which is a template of a missing one, with lookups and services of its own.
    struct Host: TemplateScope {
        let names = ["broken", "indirect", "loop", "a"]
        struct Unreadable: Error, Equatable { let name: String }

        func variable(_ name: String) throws -> Value? {
            switch name {
            case "indirect": try Template.parse("{{ missing }}").render(self)
            case "loop": try Template.parse("{{ loop }}").render(self)
            case "broken": throw Unreadable(name: name)
            case "a": 1
            default: nil
            }
        }

        func lookup(_ plugin: String, arguments: [Value], options: ValueMap) throws -> Value {
            guard plugin != "failing" else { throw Unreadable(name: plugin) }
            return .list(arguments + options.map { .string("\($0.key)=\($0.value.json())") })
        }

        func service(_ request: TemplateService) -> Value? {
            switch request {
            case .parseYAML(let text): .map(["parsed": .string(text)])
            case .parseYAMLDocuments(let text): .list([.string(text)])
            case .emitYAML(let value, let nice, let indent, let sortKeys):
                .string("\(value.json()) \(nice) \(indent) \(sortKeys)")
            case .digest("sha512", Array("node1".utf8)):
                "79ae6db0921b99224dbdef8b86c32c36007877329870486348c627d1ca020821ec4215a89c98cafad715630c2b7bab12f7f11aaec7b8048c5a52cc29ef8dad6d"
            case .digest("sha1", let bytes) where bytes.count == 17: "66b2f0131baa73139c8ce6f1182e0e9043a9005a"
            case .digest(let algorithm, let bytes):
                .string("\(algorithm):\(bytes.count):" + String(repeating: "f", count: 40))
            case .file(let test, let path): .bool(test == "directory" && path == "/tmp")
            case .now: 86400.0
            case .homeDirectory(let user): .string(user.isEmpty ? "/root" : "/home/" + user)
            }
        }
    }

    private func render(_ text: String) throws -> Value { try Template.parse(text).render(Host()) }

    /// An `if` without `else`, as ansible-core 2.19.14 renders it.
    @Test(arguments: [
        ("{% for i in [1, 2] %}{{ i }}{{ ',' if not loop.last }}{% endfor %}", "1,2"), ("a{{ 'x' if false }}b", "ab"),
        ("[{{ ('x' if false) ~ 'y' }}]", "[y]"), ("[{% for i in ('x' if false) %}a{% endfor %}]", "[]"),
        ("[{{ ('x' if false) | upper }}]", "[]"), ("[{{ ('x' if false) or 'z' }}]", "[z]"),
        ("[{{ ('x' if false) is defined }}]", "[False]"), ("[{{ ('x' if false) | default('d') }}]", "[]"),
        ("{{ ['a', ('x' if false)] | join(',') }}", "a,"), ("{{ 'x' if true }}", "x"),
    ])
    func conditionalsWithoutElse(_ text: String, _ expected: Value) throws {
        #expect(try render(text) == expected)
    }

    @Test(arguments: ["{{ 'x' if false }}", "{{ ['a', ('x' if false)] }}", "a{{ ('x' if false).foo }}"])
    func conditionalsWithoutElseAreNoValues(_ text: String) throws {
        let error = try #require(throws: TemplateError.self) { try render(text) }
        #expect(error.diagnostic.message == "the condition is false and there is no 'else'")
        #expect(error.diagnostic.hint == "add an 'else' with the other value")
    }

    @Test(
        arguments: [
            ("{{ 'a: 1' | from_yaml }}", ["parsed": "a: 1"]),
            ("{{ 'x' | from_yaml_all }}", ["x"]),
            ("{{ {'a': 1} | to_yaml }}", #"{"a":1} false 2 true"#),
            ("{{ {'a': 1} | to_nice_yaml(indent=2, sort_keys=false) }}", #"{"a":1} true 2 false"#),
            ("{{ 'abc' | hash('sha256') | truncate(8, true, '', 0) }}", "sha256:3"),
            ("{{ 'abc' | sha1 | truncate(6, true, '', 0) }}", "sha1:3"),
            ("{{ 'abc' | md5 | truncate(5, true, '', 0) }}", "md5:3"),
            // What Python's random.Random('node1') gives.
            ("{{ 60 | random(seed='node1') }}", 36), ("{{ 'abcdef' | random(seed='node1') }}", "e"),
            ("{{ range(6) | shuffle(seed='node1') }}", [2, 3, 1, 0, 5, 4]),
            ("{{ 'x' | to_uuid }}", "66b2f013-1baa-5313-9c8c-e6f1182e0e90"),
            ("{{ '/tmp' is directory }}", true), ("{{ '/tmp' is file }}", false),
            ("{{ now(fmt='%Y-%m-%d', utc=true) }}", "1970-01-02"), ("{{ '%j' | strftime(utc=true) }}", "002"),
            ("{{ '~/x' | expanduser }}", "/root/x"), ("{{ '~bob' | expanduser }}", "/home/bob"),
            ("{{ 'x' | expanduser }}", "x"),
            ("{{ lookup('env', 'HOME') }}", "HOME"), ("{{ query('env', 'HOME') }}", ["HOME"]),
            ("{{ lookup('env', 'A', 'B') }}", "A,B"), ("{{ lookup('env', 1, 'B') }}", [1, "B"]),
            ("{{ lookup('ansible.builtin.env', 'A', default='x') }}", #"A,default="x""#),
            ("{{ lookup('env', 'A', wantlist=true) }}", ["A"]), ("{{ lookup('failing', errors='ignore') }}", nil),
            ("{{ lookup('env', missing) | default('none') }}", "none"),
        ] as [(String, Value)])
    func servicesComeFromTheScope(_ text: String, _ expected: Value) throws {
        #expect(try render(text) == expected)
    }

    @Test func errorsOfTheScopePassThrough() {
        #expect(throws: Host.Unreadable(name: "broken")) { try render("{{ broken }}") }
        #expect(throws: Host.Unreadable(name: "failing")) { try render("x {{ lookup('failing') }}") }
        #expect(throws: Host.Unreadable(name: "broken")) { try render("{{ broken | default(1) }}") }
    }

    @Test func aVariableMadeOfAMissingOneIsUndefined() throws {
        #expect(try render("{{ indirect | default('d') }}") == "d")
        #expect(try render("{{ indirect is defined }}") == false)
        let file = SourceFile(path: "t.yml", text: "{{ indirect }}")
        let error = try #require(throws: TemplateError.self) {
            try Template.parse("{{ indirect }}", span: file.span(0..<14)).render(Host())
        }
        #expect(error.diagnostic.message == "'missing' is undefined")
        #expect(error.diagnostic.notes.last?.message == "it is used here")
        #expect(error.diagnostic.notes.last?.span == file.span(3..<11))
    }

    @Test func aVariableThatRefersToItselfIsAnError() throws {
        let error = try #require(throws: TemplateError.self) { try render("{{ loop }}") }
        #expect(error.diagnostic.message == "too many variables are made of each other")
    }

    // MARK: Conditions

    @Test(arguments: [
        ("a == 1", true), ("a", true), ("not a", false), ("missing is defined", false), ("''", false), ("[]", false),
        ("'text'", true), ("none", false), ("{{ a == 1 }}", true), ("{{ 'a == 2' }}", false), ("{{ 'a' }}", true),
        (" a is defined and a > 0 ", true),
    ])
    func conditions(_ text: String, _ expected: Bool) throws {
        #expect(try Template.parseExpression(text).evaluateCondition(Host()) == expected)
    }

    @Test(arguments: [
        ("'false'", "the condition is the string 'false', not a boolean"),
        ("'No'", "the condition is the string 'No', not a boolean"),
        ("", "the condition is empty"), ("  ", "the condition is empty"),
        ("{{ a }} == {{ a }}", "a condition is an expression already"),
        ("{% if a %}", "a condition is an expression already"),
        ("missing", "'missing' is undefined"), ("a ==", "expected an expression but found the end of the template"),
    ])
    func conditionErrors(_ text: String, _ message: String) throws {
        let error = try #require(throws: TemplateError.self) {
            try Template.parseExpression(text).evaluateCondition(Host())
        }
        #expect(error.diagnostic.message == message)
    }

    // MARK: Trees

    private static func tree(_ value: Value) -> SourceValue { SourceValue(value) }

    @Test func rendersTreesAndLeavesOmittedValuesOut() throws {
        let tree = Self.tree([
            "plain": "text", "number": "{{ a + 1 }}", "gone": "{{ missing | default(omit) }}",
            "list": ["{{ a }}", "{{ omit }}", "x{{ a }}"], "{{ 'k' ~ a }}": true,
        ])
        let expected: Value = ["plain": "text", "number": 2, "list": [1, "x1"], "k1": true]
        #expect(try tree.rendered(Host()).json() == expected.json())
        #expect(try render("{{ omit }}").isOmitted)
        #expect(try !render("{{ a }}").isOmitted)
        #expect(try Template.parse("{{ x is defined }}").render(VariableScope(["x": .string(OmitMarker.text)])) == true)
    }

    @Test func unsafeValuesAreNotTouched() throws {
        let unsafe = SourceValue(.string("{{ a }}"), span: nil, tag: "!unsafe")
        #expect(try unsafe.rendered(Host()) == "{{ a }}")
        #expect(Template.check(SourceValue(.string("{{ a"), span: nil, tag: "!unsafe")).isEmpty)
        let list = SourceValue(.list([Self.tree("{{ a")]), span: nil, tag: "!unsafe")
        #expect(try list.rendered(Host()) == ["{{ a"])
    }

    @Test func checkFindsEveryMistakeWithoutRendering() {
        let tree = Self.tree([
            "good": "{{ nobody.knows | default(1) }}", "syntax": "{{ 1 +", "filter": ["{{ 1 | nofilter | nofilter2 }}"],
            "test": "{% if x is notest %}{% endif %}", "named": "{{ x | map('nomap') | select('noselect') | list }}",
            "attr": "{{ x | selectattr('a', 'noattr') | rejectattr('b') }}", "{{ 1 | nokey }}": 1, "number": 3,
        ])
        #expect(
            Template.check(tree).map(\.message) == [
                "this tag is not closed", "unknown filter 'nofilter'",
                "unknown filter 'nofilter2'", "unknown test 'notest'", "unknown filter 'nomap'",
                "unknown test 'noselect'", "unknown test 'noattr'", "unknown filter 'nokey'",
            ])
        #expect(Template.checkExpression("x | nofilter").map(\.message) == ["unknown filter 'nofilter'"])
        #expect(Template.checkExpression("x |").count == 1)
        #expect(Template.checkExpression("x is defined").isEmpty)
    }

    @Test func constantsAreKnown() throws {
        #expect(try Template.parse("no markup { } %").isConstant)
        #expect(try !Template.parse("{# #}").isConstant)
        #expect(try Template.parse("no markup\n").render(Host()) == "no markup\n")
    }

    @Test func ownDelimiters() throws {
        var options = TemplateOptions.file
        (options.variableStart, options.variableEnd) = ("[[", "]]")
        (options.blockStart, options.blockEnd) = ("<%", "%>")
        (options.commentStart, options.commentEnd) = ("<#", "#>")
        let template = try Template.parse("{{ x }} [[ [a, 2][0] ]]<# c #>\n<% if a %>yes<% endif %>", options: options)
        #expect(try template.render(Host()) == "{{ x }} 1yes")
    }

    // MARK: Limits

    @Test(arguments: [
        (
            "{% for i in range(1000000000) %}x{% endfor %}",
            "the range has 1000000000 items, more than the 250000 that a template may use"
        ),
        (
            "{{ range(1000000000) | list | length }}",
            "the range has 1000000000 items, more than the 250000 that a template may use"
        ),
        (
            "{% for i in range(1001) %}{% for j in range(1001) %}{% endfor %}{% endfor %}",
            "the loops of this template made more than 250000 passes"
        ),
        ("{{ 'x' * 1000000000000 }}", "the text would grow above 64 MiB"),
        ("{{ [1] * 100000000 }}", "the list would grow above 250000 items"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "the template is nested too deeply"),
        ("{{ 'x'.ljust(10000000000) }}", "the text would grow above 64 MiB"),
        ("{{ 2 ** 64 }}", "the result does not fit into 64 bits"),
        ("{{ 9223372036854775807 + 1 }}", "the result does not fit into 64 bits"),
        ("{{ 99999999999999999999 }}", "the number does not fit into 64 bits"),
        ("{{ range(20) | permutations | list }}", "there are more than 250000 combinations"),
    ])
    func limits(_ text: String, _ message: String) throws {
        let error = try #require(throws: TemplateError.self) { try render(text) }
        #expect(error.diagnostic.message == message)
    }

    @Test(arguments: ["(", "[", "-", "not ", "{'a': ", "x[", "f("])
    func deepNestingIsAnErrorNotACrash(_ opening: String) {
        let text = "{{ " + String(repeating: opening, count: 20000) + "1 }}"
        #expect(throws: TemplateError.self) { try render(text) }
    }

    @Test func longChainsAreAnErrorNotACrash() {
        #expect(throws: TemplateError.self) { try render("{{ 1" + String(repeating: " + 1", count: 20000) + " }}") }
        #expect(throws: TemplateError.self) {
            try render("{{ 1" + String(repeating: " | string", count: 20000) + " }}")
        }
        #expect(throws: TemplateError.self) {
            try render(String(repeating: "{% if 1 %}", count: 20000) + String(repeating: "{% endif %}", count: 20000))
        }
        #expect(throws: Never.self) { try render("{{ 1" + String(repeating: " + 1", count: 100) + " }}") }
    }
}
