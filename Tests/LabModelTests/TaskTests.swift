import LabCore
import LabModel
import Testing

/// The mistakes of a list of tasks, and the tasks.
private func tasks(_ text: String, files: [String: String] = [:]) throws -> [TaskNode] {
    var all = files
    all["roles/r/tasks/main.yml"] = text
    let project = try TestProject(all)
    defer { project.remove() }
    return try project.roles.load("r").tasks
}

@Suite struct TaskTests {
    @Test func formsOfArgumentsMeanTheSame() throws {
        let nodes = try tasks(
            """
            - copy: {src: a, dest: "b c"}
            - copy: src=a dest="b c"
            - action: copy src=a dest='b c'
            - local_action: {module: ansible.builtin.copy, src: a, dest: b c}
            - ansible.builtin.copy:
                src: a
              args: {dest: b c, src: other}
            """)
        #expect(nodes.count == 5)
        for node in nodes {
            let task = try #require(node.task)
            #expect(task.module.canonical == "ansible.builtin.copy")
            #expect(task.arguments.value == ["src": "a", "dest": "b c"])
            #expect(task.freeForm == nil)
        }
        #expect(nodes[3].task?.directives.delegateTo?.staticValue == "localhost")
    }

    @Test(
        arguments: [
            ("command: ls -l a=b", "ls -l a=b", [:]),
            ("command: ls creates=/x -l", "ls -l", ["creates": "/x"]),
            ("command: echo {{ a }} \"x  y\"", "echo {{ a }} \"x  y\"", [:]),
            ("shell: |\n    one\n    two chdir=/tmp", "one\ntwo", ["chdir": "/tmp"]),
            ("command: >\n    kubectl apply\n    -f x", "kubectl apply -f x", [:]),
            ("include_vars: x.yml", "x.yml", [:]),
        ] as [(String, String, Value)])
    func commandsKeepTheirText(_ text: String, _ freeForm: String, _ arguments: Value) throws {
        let nodes = try tasks("- \(text)\n")
        let task = try #require(nodes.first?.task)
        #expect(task.freeForm?.string?.trimmingEnd() == freeForm)
        #expect(task.arguments.value == arguments)
    }

    /// Modules of one collection are not alike because of its name.
    @Test(arguments: [
        ("ansible.builtin.systemd", []), ("ansible.builtin.coppy", ["did you mean 'ansible.builtin.copy'?"]),
        ("community.general.coppy", ["did you mean 'copy'?"]),
    ])
    func nearestModuleOfACollection(_ name: String, _ expected: [String]) {
        #expect(hints { _ = try tasks("- \(name): {src: a}\n") } == expected)
    }

    @Test func keywordsAreInherited() throws {
        let nodes = try tasks(
            """
            - name: outer
              when: a
              tags: [x]
              become: true
              vars: {v: 1}
              environment: {A: outer, B: outer}
              block:
                - block:
                    - command: ls
                      when: [b, "c == 1"]
                      tags: y,z
                      become: false
                      vars: {v: 2}
                      environment: {B: inner}
                  become_user: lab
              rescue:
                - debug: {msg: failed}
              always:
                - debug: {msg: always}
            """)
        guard case .block(let outer) = nodes[0], case .block(let inner) = outer.tasks[0] else {
            Issue.record("no blocks")
            return
        }
        #expect(outer.rescue.count == 1 && outer.always.count == 1)
        let task = try #require(inner.tasks.first?.task)
        #expect(task.directives.when.map(\.text) == ["a", "b", "c == 1"])
        #expect(try task.directives.tagNames(scope()) == ["x", "y", "z"])
        #expect(task.directives.become?.staticValue == false)
        #expect(task.directives.becomeUser?.staticValue == "lab")
        let environment = try task.directives.renderedEnvironment(scope())
        #expect(environment.map { "\($0.name)=\($0.value)" } == ["A=outer", "B=inner"])
        #expect(VariableLayers(task.directives.variables)["v"]?.raw == 2)
        #expect(outer.rescue.first?.task?.directives.become?.staticValue == true)
    }

    @Test func resultKeywordsAreRead() throws {
        let nodes = try tasks(
            """
            - name: "wait for {{ what }}"
              command: check
              register: result
              until: result.rc == 0
              retries: "{{ tries }}"
              delay: 0.5
              changed_when: false
              failed_when: ["result.rc > 1", "'x' in result.stderr"]
              no_log: "{{ secret }}"
              notify: [restart, "reload {{ what }}"]
              delegate_to: cp1
              run_once: yes
              loop: "{{ items }}"
              loop_control: {loop_var: it, index_var: i, label: "{{ it.name }}", pause: 1, extended: true}
            """)
        let task = try #require(nodes.first?.task)
        let scope = scope(["what": "pods", "tries": 7, "secret": "no", "items": [["name": "a"], ["name": "b"]]])
        #expect(task.title(scope) == "wait for pods")
        #expect(task.register == "result")
        #expect(task.until?.map(\.text) == ["result.rc == 0"])
        #expect(try task.retries?.resolve(scope) == 7)
        #expect(try task.delay?.resolve(scope) == 0.5)
        #expect(try task.changedWhen?.first?.holds(scope) == false)
        #expect(task.failedWhen?.count == 2)
        #expect(try task.directives.noLog?.resolve(scope) == false)
        #expect(try task.directives.notify?.map { try $0.resolve(scope) } == ["restart", "reload pods"])
        #expect(task.directives.runOnce?.staticValue == true)
        let loop = try #require(task.loop)
        let items = try loop.items(scope)
        #expect(items == [["name": "a"], ["name": "b"]])
        let variables = loop.variables(item: items[1], index: 1, items: items)
        #expect(variables["it"] == ["name": "b"] && variables["i"] == 1)
        #expect(variables["ansible_loop"]?["last"] == true)
        #expect(variables["ansible_loop"]?["previtem"] == ["name": "a"])
        #expect(task.keywordSpans["register"]?.start.line == 3)
    }

    @Test(
        arguments: [
            ("loop: [a, b]", ["a", "b"]), ("with_items: [[a, b], c]", ["a", "b", "c"]), ("with_items: one", ["one"]),
            ("with_list: [[a, b], c]", [["a", "b"], "c"]),
            ("with_dict: {a: 1}", [["key": "a", "value": 1]]), ("with_indexed_items: [x, y]", [[0, "x"], [1, "y"]]),
            ("with_nested: [[1, 2], [a, b]]", [[1, "a"], [1, "b"], [2, "a"], [2, "b"]]),
            ("with_together: [[1, 2], [a]]", [[1, "a"], [2, nil]]), ("with_flattened: [1, [2, [3]]]", [1, 2, 3]),
            ("with_sequence: start=1 end=5 stride=2 format=w%02d", ["w01", "w03", "w05"]),
            ("with_sequence: 1-3", ["1", "2", "3"]), ("with_sequence: count=2", ["1", "2"]),
            ("with_sequence: start=3 end=1 stride=-1", ["3", "2", "1"]), ("with_sequence: '0x1f'", [.string("31")]),
            (
                "with_subelements: [[{n: a, u: [1, 2]}], u]",
                [[["n": "a", "u": [1, 2]], 1], [["n": "a", "u": [1, 2]], 2]]
            ),
        ] as [(String, [Value])])
    func loopsGiveTheItemsOfAnsible(_ keyword: String, _ expected: [Value]) throws {
        let nodes = try tasks("- debug: {msg: x}\n  \(keyword)\n")
        let items = try #require(try nodes.first?.task?.loop?.items(scope()))
        if keyword.hasSuffix("0x1f'") {
            #expect(items.count == 31 && items.last == expected.first)
        } else {
            #expect(items == expected)
        }
    }

    @Test(
        arguments: [
            ("- coppy: {src: a}", ["1:3: unknown module 'coppy'"], "did you mean 'copy'?"),
            (
                "- name: x", ["1:3: the task calls no module"],
                "add the module and its arguments, for example 'command: uptime'"
            ),
            ("- command: ls\n  wehn: x", ["2:3: unknown keyword 'wehn'"], "did you mean 'when'?"),
            (
                "- copy: {scr: a, dest: b}", ["1:10: 'copy' has no parameter 'scr'"], "did you mean 'src'?"
            ),
            (
                "- copy:\n    dest: b\n    when: x", ["3:5: 'copy' has no parameter 'when'"],
                "'when' is a keyword of the task: indent it like 'copy'"
            ),
            ("- copy: {src: a}", ["1:3: 'copy' needs the parameter 'dest'"], nil),
            ("- file: {path: a, state: dir}", ["1:26: 'state' of 'file' cannot be 'dir'"], nil),
            ("- file: {path: a, dest: b}", ["1:19: 'dest' and 'path' are the same parameter of 'file'"], nil),
            (
                "- copy: a\n", ["1:9: 'copy' takes no text, but 'a' is none of its arguments"],
                "write the arguments below it: 'src: …'"
            ),
            (
                "- copy: [a]\n", ["1:9: 'copy' needs a map, not a list"],
                "write 'name: value' instead of '- name: value'"
            ),
            (
                "- command: ls\n  copy: {dest: b}",
                ["2:3: a task calls one module, this one calls 'command' and 'copy'"], "make two tasks of it"
            ),
            ("- command: ls\n  become: maybe", ["2:11: 'become' needs true or false, not 'maybe'"], nil),
            (
                "- command: ls\n  register: a-b", ["2:13: 'register' needs the name of a variable, not 'a-b'"],
                "use letters, digits and underscores, and begin with no digit"
            ),
            (
                "- command: ls\n  loop: {a: 1}", ["2:9: 'loop' needs a list, not a map"],
                "loop over 'dict2items' of the map, or use 'with_dict'"
            ),
            (
                "- command: ls\n  with_item: [a]", ["2:3: the loop 'with_item' is not offered"],
                "did you mean 'with_items'?"
            ),
            (
                "- command: ls\n  async: 10",
                ["2:3: 'async' is not offered: labctl waits for every task, so that it can say what it changed"],
                "leave 'async' away, or give the task a 'timeout'"
            ),
            (
                "- command: ls\n  vars: [a: 1]", ["2:9: 'vars' needs a map, not a list"],
                "write 'name: value' instead of '- name: value'"
            ),
            ("- command: ls\n  listen: x", ["2:3: only handlers have 'listen'"], nil),
            ("- rescue: []", ["1:3: 'rescue' without 'block'"], nil),
            ("- block: []\n  loop: [1]", ["2:3: a block has no 'loop'"], nil),
            ("- meta: flush", ["1:9: unknown meta action 'flush'"], nil),
            ("- include_tasks: nope.yml", ["1:18: no file 'nope.yml'"], nil),
            ("- include_tasks: main.yaml", ["1:18: no file 'main.yaml'"], "did you mean 'main.yml'?"),
            ("- import_tasks: main.yml", ["1:17: main.yml imports itself"], nil),
            ("- include_role: {name: q}", ["1:24: no such role: q"], nil),
            (
                "- include_role: {nam: r}",
                ["1:18: 'include_role' has no parameter 'nam'", "1:3: 'include_role' needs the parameter 'name'"],
                "did you mean 'name'?"
            ),
            ("- copy", ["1:3: a task is a map, not a string"], "write '- copy:' and the arguments below"),
            ("copy: {}", ["1:1: a file of tasks is a list, not a map"], "begin each task with '- '"),
            ("- action: cmd ls", ["1:11: unknown module 'cmd'"], nil),
            (
                "- hosts: all\n  tasks: []", ["1:3: this is a play, and a list of tasks has no plays"],
                "run the file with 'labctl play'"
            ),
            ("- debug: {msg: \"{{ x | nofilter }}\"}", ["unknown filter"], nil),
            ("- command: ls\n  when: x is nothing", ["unknown test"], nil),
            ("- command: ls\n  when: x ==", ["2:"], nil),
            ("- assert: {that: [x is nothing]}", ["unknown test"], nil),
            ("- debug: {var: \"a b\"}", ["1:"], nil),
            (
                "- command: ls\n  wehn: x\n- coppy: {}",
                ["2:3: unknown keyword 'wehn'", "3:3: unknown module 'coppy'"], "did you mean 'when'?"
            ),
        ] as [(String, [String], String?)])
    func mistakesAreFoundBeforeAnythingRuns(_ text: String, _ expected: [String], _ hint: String?) {
        let found = messages { _ = try tasks(text) }
        #expect(found.count == expected.count, "\(found)")
        for (message, part) in zip(found, expected) {
            let text = message.replacing(#/^main\.yml:/#, with: "").replacing(#/ \/tmp[^ ]*\//#, with: " ")
            if part.hasSuffix(":") {
                #expect(text.hasPrefix(part))
            } else if part.first?.isNumber == true {
                #expect(text == part)
            } else {
                #expect(text.contains(part))
            }
        }
        if let hint { #expect(hints { _ = try tasks(text) }.contains(hint)) }
    }

    @Test func importsInheritAndIncludesWait() throws {
        let nodes = try tasks(
            """
            - import_tasks: one.yml
              when: a
              vars: {v: import}
              tags: [t]
            - include_tasks: "{{ which }}.yml"
              when: b
              vars: {v: include}
              loop: [1, 2]
            - include_tasks: {file: one.yml, apply: {tags: [applied], become: true}}
              tags: [own]
            """,
            files: ["roles/r/tasks/one.yml": "- command: one\n  when: c\n"])
        #expect(nodes.count == 3)
        let imported = try #require(nodes[0].task)
        #expect(imported.directives.when.map(\.text) == ["a", "c"])
        #expect(VariableLayers(imported.includeParameters)["v"]?.raw == "import")
        #expect(imported.includeParameters.map(\.level) == [.includeParameters])
        guard case .include(let include) = nodes[1], case .include(let applied) = nodes[2] else {
            Issue.record("no include")
            return
        }
        #expect(include.task.directives.when.map(\.text) == ["b"])
        #expect(try include.targetName(scope(["which": "two"])) == "two.yml")
        #expect(applied.task.directives.tags.count == 1)
    }

    @Test func includesLoadWhatTheyName() throws {
        let project = try TestProject([
            "roles/r/tasks/main.yml": """
            - include_tasks: {file: sub/one.yml, apply: {tags: [applied]}}
              vars: {v: include}
              tags: [own]
              loop: [7]
            - include_role: {name: other, tasks_from: extra}
              vars: {w: role}
            """,
            "roles/r/tasks/sub/one.yml": "- command: one\n- include_tasks: two.yml\n",
            "roles/r/tasks/sub/two.yml": "- command: two\n",
            "roles/other/tasks/extra.yml": "- command: extra\n",
            "roles/other/defaults/main.yml": "d: 1\n",
            "roles/other/handlers/main.yml": "- name: restart\n  command: r\n  listen: topic\n",
        ])
        defer { project.remove() }
        let role = try project.roles.load("r")
        guard case .include(let tasks) = role.tasks[0], case .include(let other) = role.tasks[1] else {
            Issue.record("no includes")
            return
        }
        let content = try tasks.load("sub/one.yml", loopVariables: ["item": 7])
        let one = try #require(content.nodes.first?.task)
        #expect(try one.directives.tagNames(scope()) == ["applied"])
        let layers = VariableLayers(one.includeParameters)
        #expect(layers["v"]?.raw == "include" && layers["item"]?.raw == 7)
        guard case .include(let nested) = content.nodes[1] else {
            Issue.record("no nested include")
            return
        }
        #expect(try nested.load("two.yml").nodes.first?.task?.freeForm?.string == "two")
        let roleContent = try other.load("other")
        let extra = try #require(roleContent.nodes.first?.task)
        #expect(extra.role?.name == "other")
        #expect(VariableLayers(extra.role?.defaults ?? [])["d"]?.raw == 1)
        #expect(roleContent.handlers.first?.task?.listen == ["topic"])
    }

    @Test func renderedArgumentsJoinAllSources() throws {
        let nodes = try tasks(
            """
            - block:
                - copy: {dest: "{{ d }}", mode: "{{ m | default(omit) }}"}
                - copy: "{{ options }}"
                - copy: {src: a}
                  args: "{{ options }}"
              module_defaults: {copy: {owner: root}}
            """)
        guard case .block(let block) = nodes[0] else { return }
        let scope = scope(["d": "/x", "options": ["dest": "/y", "src": "o"]])
        let rendered = try block.tasks.map { try $0.task?.renderedArguments(scope) ?? [:] }
        #expect(Value.map(rendered[0]) == ["owner": "root", "dest": "/x"])
        #expect(Value.map(rendered[1]) == ["owner": "root", "dest": "/y", "src": "o"])
        #expect(Value.map(rendered[2]) == ["owner": "root", "dest": "/y", "src": "a"])
    }
}

extension String {
    func trimmingEnd() -> String {
        var text = self
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
