import LabCore
import LabModel
import Testing

@Suite struct LintTests {
    @Test func whatIsLikelyWrongIsWarnedOf() throws {
        let project = try TestProject([
            "Roles/r/tasks/main.yml": """
            - command: kubectl apply -f x
            - name: braces
              command: ls
              when: "{{ flag }}"
            - name: empty
              command: ls
              when:
            - name: mode
              file: {path: a, mode: 644}
            - name: right modes
              file: {path: a, mode: 0644}
            - name: right mode
              file: {path: a, mode: "644"}
            - name: included
              include_tasks: more.yml
            - name: proved by itself
              shell: kubectl apply -f x
              changed_when: false
            - name: facts
              debug: {msg: "{{ ansible_os_family | lower }}"}
              when: inventory_hostname == 'a'
            """,
            "Roles/r/tasks/more.yml": "- debug: {msg: x}\n",
        ])
        defer { project.remove() }
        let found = Linter(catalog: TestCatalog()).lint([project.directory])
        let texts = found.map {
            "\($0.severity) \(Path.name($0.span?.file.path ?? "")):\($0.span?.start.line ?? 0) \($0.message.prefix(40))"
        }
        #expect(
            Set(texts) == [
                "warning more.yml:1 the task has no name", "warning main.yml:1 the task has no name",
                "note main.yml:1 'kubectl apply' has no changed_when: lab",
                "warning main.yml:4 a condition is an expression already and",
                "warning main.yml:7 the condition is empty, it always holds",
                "warning main.yml:20 labctl gathers no facts: 'ansible_os_fam",
                "warning main.yml:9 the mode 644 is a decimal number, in oct",
            ])
    }

    @Test func everyKindOfFileOfAProjectIsRead() throws {
        let project = try TestProject([
            "roles/a/tasks/main.yml": "- nomod: {}\n", "site.yml": "- hosts: all\n  taks: []\n",
            "Inventory/lab.yml": "all: {host: {}}\n", "Inventory/group_vars/all.yml": "a: [\n",
            "Inventory/hosts.ini": "[a:b]\n",
            "manifest.yml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\nkind: x\napiVersion: v1\n",
            "notes.txt": "- hosts", "ok.yml": "some: {map: of values}\n",
        ])
        defer { project.remove() }
        let found = Linter(catalog: TestCatalog()).lint([project.directory]).filter { $0.severity == .error }
        let messages = found.map(\.message)
        for part in [
            "unknown module 'nomod'", "unknown keyword 'taks' of a play", "a group has no 'host'",
            "[a:b] is of no kind",
        ] {
            #expect(messages.contains { $0.hasPrefix(part) }, "\(part) in \(messages)")
        }
        #expect(found.contains { $0.span?.file.path.hasSuffix("group_vars/all.yml") == true })
        #expect(!found.contains { $0.span?.file.path.hasSuffix("manifest.yml") == true })
    }

    @Test func templatesAreRead() throws {
        let project = try TestProject([
            "Roles/r/tasks/main.yml": "- name: look\n  command: ls\n",
            "Roles/r/templates/a.j2": "{% for x in y %}{{ x }}\n{% endfr %}\n",
            "Roles/r/templates/sub/b.conf.j2": "#jinja2: variable_start_string: '[['\n{{ plain }} [[ x | to_jsn }}\n",
            "Roles/r/templates/c.txt": "{% not Jinja\n",
        ])
        defer { project.remove() }
        let found = Linter(catalog: TestCatalog()).lint([project.directory])
        #expect(found.map(\.message) == ["unknown statement 'endfr'", "unknown filter 'to_jsn'"])
        #expect(found.map { $0.span?.start.line } == [2, 2])
    }

    @Test func aRightProjectHasNothingToSay() throws {
        let project = try TestProject([
            "Roles/r/tasks/main.yml": "- name: look\n  command: ls\n", "lab.yml": "all: {hosts: {a: }}\n",
            "site.yml": "- name: all of it\n  hosts: all\n  roles: [r]\n",
        ])
        defer { project.remove() }
        #expect(Linter(catalog: TestCatalog()).lint([project.directory]).isEmpty)
        #expect(
            Linter(catalog: TestCatalog()).lint([project.path("nope")]).map(\.message) == [
                "no such file or folder: \(project.path("nope"))"
            ])
    }

    /// What keeps a run from starting is told of a file that is named and of one that is found.
    @Test(
        arguments: [
            ("lab.yml", "all:\n  host:\n    a:\n", "a group has no 'host'", true),
            ("lab.yml", "all:\n  hosts:\n    a:\nweb:\n  host:\n    a:\n", "a group has no 'host'", true),
            ("lab.yml", "web:\n  host:\n    a:\n", "a group has no 'host'", false),
            ("lab.yml", "all:\n  machines:\n    a:\n", "a group has no 'machines'", false),
            ("lab.yml", "all: [a]\n", "the group 'all' needs a map", false),
            ("Inventory/lab.yml", "web:\n  machines:\n    a:\n", "a group has no 'machines'", true),
            ("Inventory/lab.yml", "all: [a]\n", "the group 'all' needs a map", true),
            ("lab.ini", "[web\na\n", "the section header is not closed", true),
            ("Inventory/lab", "[web\na\n", "the section header is not closed", true),
        ])
    func aBrokenInventoryIsFound(_ name: String, _ text: String, _ message: String, _ isFound: Bool) throws {
        let project = try TestProject([name: text])
        defer { project.remove() }
        let named = Linter(catalog: TestCatalog()).lint([project.path(name)])
        #expect(named.count == 1 && named.first?.message.hasPrefix(message) == true, "\(named.map(\.message))")
        let found = Linter(catalog: TestCatalog()).lint([project.directory])
        #expect(found.map(\.message) == (isFound ? named.map(\.message) : []))
    }

    @Test(
        arguments: [
            ("values.yml", "database:\n  host: db1\n  vars: 3\nport: 80\n"), ("values.yml", "a: {b: {c: 1}}\n"),
            ("group_vars/web.yml", "proxy: {host: {a: 1}}\n"), ("Roles/r/defaults/main.yml", "all: {host: {a: 1}}\n"),
        ])
    func aFileOfVariablesIsNoInventory(_ name: String, _ text: String) throws {
        let project = try TestProject([name: text])
        defer { project.remove() }
        #expect(Linter(catalog: TestCatalog()).lint([project.path(name)]).isEmpty)
        #expect(Linter(catalog: TestCatalog()).lint([project.directory]).isEmpty)
    }
}
