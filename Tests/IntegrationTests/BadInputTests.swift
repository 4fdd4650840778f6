import Foundation
import Testing

/// What a person gets wrong: each mistake has a sentence, a place and a way out, and nothing is sent to a host.
@Suite("Bad input")
struct BadInputTests {
    let project: Project
    /// Where the one host of the inventory seems to be; nobody may come by.
    let host: LocalPort

    init() throws {
        project = try Project()
        host = try LocalPort()
        try project.write(
            "[web]\nn1 ansible_host=127.0.0.1 ansible_port=\(host.number)\n\n[workers]\nn1\n", to: "inventory.ini")
        try project.write("- name: Say it\n  debug:\n    msg: hello\n", to: "Roles/greeting/tasks/main.yml")
    }

    /// A role whose one file is `text`; at `path` below the role.
    private func provision(_ text: String, at path: String = "tasks/main.yml") throws -> Labctl.Outcome {
        if path != "tasks/main.yml" {
            try project.write("- name: Say it\n  debug:\n    msg: hello\n", to: "Roles/broken/tasks/main.yml")
        }
        try project.write(text, to: "Roles/broken/\(path)")
        let outcome = try project.labctl("provision", "broken")
        #expect(!host.wasUsed, "something was sent to the host")
        return outcome
    }

    @Test("a role that is not there is told with those that are")
    func noSuchRole() throws {
        let outcome = try project.labctl("provision", "greting")
        outcome.expect(
            status: 65, "error: no such role: greting", "looked in Roles", "roles there: greeting",
            "try: did you mean 'greeting'?")
        #expect(outcome.output.isEmpty)
    }

    @Test("no role at all is a mistake of the command line")
    func noRole() throws {
        try project.labctl("provision").expect(
            status: 64, "Missing expected argument '<role> ...'", "Usage: labctl provision [<options>] <role> ...")
    }

    @Test(
        "an unknown option, subcommand or value",
        arguments: [
            (["provision", "greeting", "--bogus"], "Unknown option '--bogus'"),
            (["provison", "greeting"], "there is no command 'provison' = try: did you mean 'provision'?"),
            (["frobnicate"], "there is no command 'frobnicate' = try: see 'labctl --help'"),
            (["provision", "greeting", "-o", "xml"], "Please provide one of 'text', 'json' or 'junit'"),
            (["provision", "greeting", "-f", "0"], "--forks is a number above 0"),
            (
                ["provision", "greeting", "--private-key", "/nosuch/key"],
                "--private-key /nosuch/key: no such file or directory"
            ),
            (["exec", "all", "-o", "junit", "--", "true"], "exec has no junit output: use --output text or json"),
        ])
    func usage(arguments: [String], sentence: String) throws {
        try Labctl.run(arguments, in: project.folder).expect(status: 64, sentence, "--help' for more information")
    }

    @Test(
        "a host or group that is not there is told with the nearest name",
        arguments: [
            ("nosuch", "hosts: n1"),
            ("n11", "did you mean 'n1'?"),
            ("worker", "did you mean 'workers'?"),
        ])
    func noSuchHost(pattern: String, help: String) throws {
        let outcome = try project.labctl("provision", "greeting", "-l", pattern)
        outcome.expect(
            status: 65, "error: no host or group '\(pattern)' in the inventory", "--> <command line>:1:1", help)
        outcome.expectNot("greeting on")
        try project.labctl("exec", pattern, "--", "true").expect(
            status: 65, "error: no host or group '\(pattern)' in the inventory", help)
        #expect(!host.wasUsed)
    }

    @Test("a group that only the role asks for is shown where the role asks")
    func noSuchGroupOfTheRole() throws {
        try project.write(
            "galaxy_info:\n  labctl:\n    hosts: control_plane[0]\n", to: "Roles/greeting/meta/main.yml")
        try project.labctl("provision", "greeting").expect(
            status: 65, "no host or group 'control_plane' in the inventory", "Roles/greeting/meta/main.yml:3:12")
    }

    @Test("an inventory that is not there")
    func noSuchInventory() throws {
        try project.labctl("provision", "greeting", "-i", "nothere.yml").expect(
            status: 65, "error: no such inventory: nothere.yml", "add a comma: 'nothere.yml,'")
    }

    @Test("no inventory at all")
    func noInventory() throws {
        try FileManager.default.removeItem(at: project.folder.appending(path: "inventory.ini"))
        try project.labctl("provision", "greeting").expect(
            status: 64, "error: there is no inventory here", "name one with -i", "--sandbox")
    }

    @Test(
        "broken YAML in tasks",
        arguments: [
            (
                "- name: A\n  debug:\n\tmsg: hello\n",
                ["a tab cannot be used for indentation", ":3:1", "replace it by spaces"]
            ),
            (
                "- name: A\n  debug:\n    msg: hello\n   when: true\n",
                ["this key is indented by 3, but its map by 4", ":4:4", "4 | when: true | ^^^^^", "by 4 for this one"]
            ),
            (
                "- name: A\n  debug:\n    msg: \"hello\n- name: B\n  debug:\n    msg: x\n",
                ["the quote that is opened here is never closed", ":3:10", "3 | msg: \"hello | ^", "close it with \""]
            ),
            (
                "- name: A\n  debug:\n    msg: {{ greeting }} world\n",
                [
                    "a value that starts with `{{` must be quoted", ":3:10", "^^^^^^^^^^^^^^^^^^^^",
                    "put the whole value into double quotes: \"{{ greeting }} world\"",
                ]
            ),
            (
                "- name: A\n  debug:\n    msg: [1, 2\n  when: true\n",
                ["the list that is opened here is never closed", ":3:10", "close it with `]`"]
            ),
        ])
    func brokenTasks(text: String, sentences: [String]) throws {
        let outcome = try provision(text)
        outcome.expect(status: 65, "error: ", "--> Roles/broken/tasks/main.yml")
        for sentence in sentences { outcome.expect(status: 65, sentence) }
    }

    @Test(
        "arguments of a wrong kind",
        arguments: [
            ("copy: {dest: /x, content: a, force: sure}", "'force' of copy must be a boolean, not 'sure'", "2:39"),
            ("wait_for: {timeout: soon}", "'timeout' of wait_for must be an integer, not 'soon'", "2:23"),
        ])
    func wrongArguments(call: String, sentence: String, place: String) throws {
        try provision("- name: A\n  \(call)\n").expect(
            status: 65, "error: \(sentence)", "--> Roles/broken/tasks/main.yml:\(place)")
        try project.labctl("lint").expect(status: 65, sentence)
    }

    @Test("broken YAML in defaults")
    func brokenDefaults() throws {
        try provision("greeting: hello: world\n", at: "defaults/main.yml").expect(
            status: 65, "error: a colon and a space stand inside of a value that is not quoted",
            "--> Roles/broken/defaults/main.yml:1:16", "1 | greeting: hello: world | ^",
            "put the whole value into quotes: \"hello: world\"")
    }

    @Test(
        "a broken inventory",
        arguments: [
            ("lab.yml", "all:\n  hosts:\n    a: {ansible_host: 127.0.0.1\n", "never closed", "lab.yml:3:8"),
            ("lab.yml", "all:\n  hosts:\n\ta:\n", "a tab cannot be used for indentation", "lab.yml:3:1"),
            ("lab.yml", "all:\n  host:\n    a:\n", "a group has no 'host'", "lab.yml:2:3"),
            ("lab.yml", "all:\n  vars:\n    x: {{ y }}\n  hosts:\n    a:\n", "must be quoted", "lab.yml:3:8"),
            ("lab.yml", "all:\n  hosts:\n      a:\n    b:\n", "this key is indented by 4", "lab.yml:4:5"),
            ("lab.ini", "[web]\na ansible_host=\"abc\n", "the quote is not closed", "lab.ini:2:"),
            ("lab.ini", "[web\na\n", "error: ", "lab.ini:1:1"),
        ])
    func brokenInventory(file: String, text: String, sentence: String, place: String) throws {
        try project.write(text, to: file)
        let outcome = try project.labctl("provision", "greeting", "-i", file)
        outcome.expect(status: 65, sentence, "--> \(place)", "^")
        outcome.expectNot("Say it")
        // What stops a run is also what lint finds.
        try project.labctl("lint", file).expect(status: 65, sentence, "--> \(place)")
    }

    @Test("a port that is no number is shown in the inventory")
    func portThatIsNoNumber() throws {
        try project.write("[web]\nn1 ansible_port=twentytwo\n", to: "lab.ini")
        try project.labctl("exec", "n1", "-i", "lab.ini", "--", "true").expect(
            status: 65, "error: 'ansible_port' needs a whole number, not 'twentytwo'", "--> lab.ini:2:4",
            "2 | n1 ansible_port=twentytwo")
    }

    @Test(
        "an unknown module, keyword, parameter or filter is told with the nearest name",
        arguments: [
            (
                "- name: A\n  comand: echo hi\n", "unknown module 'comand'", ":2:3", "2 | comand: echo hi | ^^^^^^",
                "did you mean 'command'?"
            ),
            (
                "- name: A\n  command: echo hi\n  whn: true\n", "unknown keyword 'whn'", ":3:3", "3 | whn: true | ^^^",
                "did you mean 'when'?"
            ),
            (
                "- name: A\n  copy:\n    contnt: a\n    dest: /tmp/x\n", "'copy' has no parameter 'contnt'", ":3:5",
                "3 | contnt: a | ^^^^^^", "did you mean 'content'?"
            ),
            (
                "- name: A\n  debug:\n    msg: \"hello {{ name | uper }}\"\n", "unknown filter 'uper'", ":3:27",
                "3 | msg: \"hello {{ name | uper }}\" | ^^^^", "did you mean 'upper'?"
            ),
            (
                "- name: A\n  copy:\n    content: a\n", "'copy' needs the parameter 'dest'", ":2:3",
                "2 | copy: | ^^^^", ""
            ),
        ])
    func unknownNames(text: String, sentence: String, place: String, caret: String, hint: String) throws {
        let outcome = try provision(text)
        outcome.expect(
            status: 65, "error: \(sentence)", "--> Roles/broken/tasks/main.yml\(place)", caret, hint)
        #expect(outcome.output.isEmpty, "a run has begun")
    }

    @Test("an undefined variable is shown where it is used, with the nearest name")
    func undefinedVariable() throws {
        try project.write(
            "- name: A\n  debug:\n    msg: \"hello {{ metalb_version }}\"\n", to: "Roles/broken/tasks/main.yml")
        let outcome = try project.labctl("provision", "broken", "-e", "metallb_version=1")
        outcome.expect(
            status: 65, "error: 'metalb_version' is undefined", "--> Roles/broken/tasks/main.yml:3:20",
            "3 | msg: \"hello {{ metalb_version }}\" | ^^^^^^^^^^^^^^", "did you mean 'metallb_version'?",
            "1 step failed")
        #expect(!host.wasUsed)
    }

    @Test("an undefined variable inside of a variable is shown in both places")
    func undefinedInside() throws {
        try project.write("greeting: \"{{ nope }} there\"\n", to: "Roles/broken/defaults/main.yml")
        try provision("- name: A\n  debug:\n    msg: \"{{ greeting }}\"\n").expect(
            status: 65, "error: 'nope' is undefined", "--> Roles/broken/defaults/main.yml:1:15", "^^^^",
            "it is used here --> Roles/broken/tasks/main.yml:3:14")
    }

    @Test(
        "-e that is no variable is a mistake of the command line",
        arguments: [
            ("foo", "'foo' is no variable", "write 'name=value'"),
            ("{\"a\":", "the map that is opened here is never closed", "close it with `}`"),
        ])
    func badExtraVariables(text: String, sentence: String, hint: String) throws {
        try project.labctl("provision", "greeting", "-e", text).expect(
            status: 64, "error: \(sentence)", "--> <command line>:1:1", "1 | \(text) | ^", hint)
    }

    @Test("-e with a file that is not there")
    func noSuchVariablesFile() throws {
        try project.labctl("provision", "greeting", "-e", "@none.yml").expect(
            status: 65, "error: cannot read none.yml: no such file or directory")
    }

    @Test("tags that no task has are told")
    func noSuchTag() throws {
        try project.labctl("provision", "greeting", "-t", "nosuchtag").expect(status: 64, "nosuchtag")
    }

    @Test("mistakes in two files are told together")
    func twoMistakes() throws {
        try project.write("a: [1, 2\nb: 3\n", to: "Roles/broken/defaults/main.yml")
        try provision("- name: A\n  comand: echo hi\n").expect(
            status: 65, "error: the list that is opened here is never closed",
            "--> Roles/broken/defaults/main.yml:1:4", "error: unknown module 'comand'",
            "--> Roles/broken/tasks/main.yml:2:3")
    }

    @Test("mistakes in two roles are told together")
    func twoRoles() throws {
        try project.write("- name: A\n  comand: echo hi\n", to: "Roles/one/tasks/main.yml")
        try project.write("- name: B\n  command: echo hi\n  whn: true\n", to: "Roles/two/tasks/main.yml")
        try project.labctl("provision", "one", "two").expect(
            status: 65, "--> Roles/one/tasks/main.yml:2:3", "--> Roles/two/tasks/main.yml:3:3")
    }

    @Test("what a role's argument_specs refuse is shown where it was set and where the role says so")
    func argumentSpecs() throws {
        try project.write(
            """
            argument_specs:
              main:
                options:
                  port:
                    type: int
                    required: true
                  mode:
                    type: str
                    choices: [fast, slow]

            """, to: "Roles/greeting/meta/argument_specs.yml")
        // The first command would reach the host.
        try project.write("- name: Do it\n  command: 'true'\n", to: "Roles/greeting/tasks/main.yml")
        let missing = try project.labctl("provision", "greeting")
        missing.expect(
            status: 65, "error: the role 'greeting' needs the variable 'port'",
            "--> Roles/greeting/meta/argument_specs.yml:4:7", "4 | port: | ^^^^", "-e port=…")
        missing.expectNot("Do it")
        let wrong = try project.labctl("provision", "greeting", "-e", "port=abc", "-e", "mode=middle")
        wrong.expect(
            status: 65, "error: 'port' needs a whole number, not 'abc'", "--> <command line>:1:1",
            "1 | port=abc | ^^^^^^^^", "--> Roles/greeting/meta/argument_specs.yml:4:7",
            "error: 'mode' cannot be 'middle', it is one of fast, slow",
            "--> Roles/greeting/meta/argument_specs.yml:7:7")
        wrong.expectNot("Do it")
        #expect(!host.wasUsed)
    }

    @Test("lint finds all of it without running anything")
    func lint() throws {
        try project.write("- name: A\n  comand: echo hi\n", to: "Roles/one/tasks/main.yml")
        try project.write("- name: B\n  debug:\n    msg: \"{{ a | uper }}\"\n", to: "Roles/two/tasks/main.yml")
        try project.labctl("lint").expect(
            status: 65, "--> Roles/one/tasks/main.yml:2:3", "--> Roles/two/tasks/main.yml:3:18", "2 errors")
        #expect(!host.wasUsed)
    }
}
