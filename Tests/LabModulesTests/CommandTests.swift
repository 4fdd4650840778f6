import LabCore
import LabModules
import LabTransport
import Testing

@Suite struct CommandTests {
    static let splits: [(String, [String])] = [
        ("ls -l /tmp", ["ls", "-l", "/tmp"]), ("echo 'a b'  \"c d\"", ["echo", "a b", "c d"]),
        (#"echo a\ b "x\"y" 'q\w'"#, ["echo", "a b", "x\"y", #"q\w"#]), ("x ''", ["x", ""]), ("", []),
    ]

    @Test(arguments: splits) func wordsAreSplitAsShlexDoes(_ test: (text: String, words: [String])) throws {
        let (text, words) = test
        #expect(try shellWords(text) == words)
    }

    @Test(arguments: ["echo 'a", "echo \"a", "echo \\"]) func brokenQuotes(_ text: String) {
        #expect(throws: ModuleError.self) { try shellWords(text) }
    }

    @Test func returnValues() async throws {
        let node = try Node()
        let outcome = try await node.call(
            CommandModule(.shell), ["chdir": "DIR"], freeForm: "printf 'one\\ntwo\\n\\n'; echo no >&2; exit 3")
        let values = outcome.values
        #expect(values["stdout"] == "one\ntwo")
        #expect(values["stdout_lines"] == ["one", "two"])
        #expect(values["stderr"] == "no")
        #expect(values["rc"] == 3)
        #expect(values["msg"] == "non-zero return code")
        #expect(values["delta"]?.string?.wholeMatch(of: /0:\d\d:\d\d\.\d{6}/) != nil)
        #expect(outcome.result?.failure == "the command ended with status 3")
        #expect(outcome.summary == "unknown")
    }

    @Test func commandExpandsVariablesAndNothingElse() async throws {
        let node = try Node()
        var context = node.context
        context.environment = [("WHO", "me; you")]
        let outcome = try await node.call(
            CommandModule(.command), [:], freeForm: "printf '%s|' $WHO ${WHO}s $nothing '*' \";\" a$", context: context)
        #expect(outcome.values["stdout"] == "me; you|me; yous|$nothing|*|;|a$|")
        let plain = try await node.call(
            CommandModule(.command), ["argv": ["printf", "%s", "$HOME"], "expand_argument_vars": false])
        #expect(plain.values["stdout"] == "$HOME")
    }

    @Test func standardInput() async throws {
        let node = try Node()
        #expect(try await node.call(CommandModule(.command), ["stdin": "a"], freeForm: "wc -c").values["stdout"] == "2")
        let bare = try await node.call(
            CommandModule(.command), ["stdin": "a", "stdin_add_newline": false], freeForm: "wc -c")
        #expect(bare.values["stdout"] == "1")
    }

    @Test func guards() async throws {
        let node = try Node()
        let make = try await node.call(CommandModule(.command), ["creates": "DIR/a b*"], freeForm: "touch 'DIR/a b.c'")
        #expect(make.summary == "changed")
        let again = try await node.call(CommandModule(.command), ["creates": "DIR/a b*"], freeForm: "touch 'DIR/a b.c'")
        #expect(again.summary == "ok")
        #expect(again.values["stdout"] == .string("skipped, since \(node.folder)/a b* exists"))
        let remove = try await node.call(CommandModule(.shell), ["removes": "DIR/a b.c"], freeForm: "rm 'DIR/a b.c'")
        #expect(remove.summary == "changed")
        let relative = try await node.call(
            CommandModule(.command), ["creates": "rel", "chdir": "DIR"], freeForm: "touch rel")
        #expect(relative.summary == "changed")
    }

    @Test func missingProgram() async throws {
        let node = try Node()
        let outcome = try await node.call(CommandModule(.command), [:], freeForm: "no-such-program-here")
        #expect(outcome.result?.failure == "node has no command 'no-such-program-here'")
    }

    @Test func twoCommandsAreOneTooMany() async throws {
        let node = try Node()
        await #expect(throws: ModuleError.self) {
            try await node.call(CommandModule(.command), ["cmd": "ls"], freeForm: "ls")
        }
        await #expect(throws: ModuleError.self) { try await node.call(CommandModule(.command), [:]) }
    }

    @Test func insightDecides() async throws {
        struct Watcher: CommandInsight {
            struct Observation: CommandObservation {
                func conclude(_ result: CommandResult) async throws -> CommandEffect {
                    CommandEffect(changed: false, notes: ["nothing moved"], proof: .proved(by: "resourceVersion"))
                }
            }
            func observe(_ command: ObservedCommand, in context: ModuleContext) async throws -> (
                any CommandObservation
            )? {
                command.arguments?.first == "true" ? Observation() : nil
            }
        }
        let node = try Node()
        var context = node.context
        context.insight = Watcher()
        let outcome = try await node.call(CommandModule(.shell), [:], freeForm: "true 'x y'", context: context)
        #expect(outcome.result?.changed == false)
        #expect(outcome.result?.proof == .proved(by: "resourceVersion"))
        let other = try await node.call(CommandModule(.shell), [:], freeForm: "true | cat", context: context)
        #expect(other.result?.changed == nil)
    }
}
