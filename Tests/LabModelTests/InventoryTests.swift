import LabCore
import LabModel
import Testing

/// What the real Ansible makes of the fixtures' inventories (Fixtures/generate.py).
private struct Answers {
    let name: String
    let value: Value

    static func all() throws -> [Answers] {
        let file = try FileTree.read("\(fixtures)/expected/inventories.json")
        let map = try #require(try Value(json: file.bytes).map)
        return map.map { Answers(name: $0.key, value: $0.value) }
    }

    static func named(_ name: String) throws -> Answers {
        try #require(try all().first { $0.name == name })
    }

    func inventory() throws -> Inventory {
        let sources = (value["sources"]?.list ?? []).compactMap(\.string).map { source in
            source.hasPrefix("inventories/") ? "\(fixtures)/\(source)" : source
        }
        return try InventoryLoader().load(sources)
    }

    func names(_ path: String...) -> [String] { (value[path]?.list ?? []).compactMap(\.string) }
}

private let inventoryNames = ["yaml", "ini", "folder", "several", "list"]

@Suite struct InventoryTests {
    @Test(arguments: inventoryNames) func groupsHaveTheHostsThatAnsibleGivesThem(_ name: String) throws {
        let answers = try Answers.named(name)
        let inventory = try answers.inventory()
        let groups = try #require(answers.value["groups"]?.map)
        #expect(Set(inventory.groups.keys) == Set(groups.keys))
        for group in groups.keys {
            #expect(inventory.hostNames(inGroup: group) == answers.names("groups", group), "group \(group)")
        }
    }

    @Test(arguments: inventoryNames) func hostsAreInTheGroupsThatAnsiblePutsThemIn(_ name: String) throws {
        let answers = try Answers.named(name)
        let inventory = try answers.inventory()
        for host in inventory.hosts.keys {
            #expect(inventory.groupNames(ofHost: host) == answers.names("group_names", host), "host \(host)")
        }
    }

    @Test(arguments: inventoryNames) func childrenAreAnsibles(_ name: String) throws {
        let answers = try Answers.named(name)
        let inventory = try answers.inventory()
        for group in inventory.groups.values {
            let expected = answers.names("list", group.name, "children")
            #expect(Set(expected).isSubset(of: group.children), "group \(group.name)")
            // ansible-inventory does not list the hosts that `all` names itself.
            if group.name == "all" { continue }
            #expect(answers.names("list", group.name, "hosts") == Array(group.hosts), "group \(group.name)")
        }
    }

    @Test(arguments: inventoryNames) func variablesAreAnsibles(_ name: String) throws {
        let answers = try Answers.named(name)
        let inventory = try answers.inventory()
        let expected = answers.value[["list", "_meta", "hostvars"]]?.map ?? [:]
        for host in inventory.hosts.keys {
            let layers = VariableLayers(inventory.layers(forHost: host))
            var found = ValueMap()
            for name in layers.names { found[name] = layers[name]?.raw }
            #expect(Value.map(found) == expected[host] ?? [:], "host \(host)")
        }
    }

    @Test(arguments: inventoryNames) func patternsSelectWhatAnsibleSelects(_ name: String) throws {
        let answers = try Answers.named(name)
        let inventory = try answers.inventory()
        for pattern in try #require(answers.value["patterns"]?.map).keys {
            // Where Ansible warns that nothing matches, labctl refuses.
            let found = (try? inventory.hosts(matching: pattern).map(\.name)) ?? []
            #expect(found == answers.names("patterns", pattern), "pattern \(pattern)")
        }
    }

    @Test func anUnknownPatternIsRefusedWithTheNearestName() throws {
        let inventory = try Answers.named("yaml").inventory()
        #expect(
            messages { _ = try inventory.hosts(matching: "worker") } == ["no host or group 'worker' in the inventory"])
        #expect(hints { _ = try inventory.hosts(matching: "worker") } == ["did you mean 'workers'?"])
        #expect(
            messages { _ = try inventory.hosts(matching: "workers[7]") }
                == ["the pattern 'workers[7]' asks for more hosts than 'workers' has"])
    }

    @Test func aLimitKeepsTheOrderOfThePattern() throws {
        let inventory = try Answers.named("yaml").inventory()
        let hosts = try inventory.hosts(matching: ["w*"], limit: "w3,w1")
        #expect(hosts.map(\.name) == ["w1", "w3"])
    }

    @Test func localhostIsThereWithoutAnInventory() throws {
        let hosts = try Inventory().hosts(matching: "localhost")
        #expect(hosts.map(\.name) == ["localhost"])
        #expect(hosts.first?.variables.variables["ansible_connection"]?.raw == "local")
    }

    @Test func originsTellFileAndLine() throws {
        let inventory = try Answers.named("yaml").inventory()
        let layers = VariableLayers(inventory.layers(forHost: "w2"))
        let definitions = layers.definitions(of: "shared").map { origin in
            "\(origin.origin.level) \(origin.origin.owner ?? "-") \(origin.origin.span?.start.line ?? 0)"
        }
        #expect(
            definitions == [
                "inventoryFileHost w2 19", "inventoryFileGroup workers 21", "inventoryFileGroup lab 29",
                "inventoryFileAll - 4",
            ])
        let role = try #require(layers["node_role"])
        #expect(role.origin.level == .inventoryGroupVars)
        #expect(role.origin.description.hasSuffix("group_vars/workers.yml:3:1"))
    }

    @Test(arguments: [
        (
            "a.ini", "[web\nw1\n[db:childs]\n[x:children]\nghost\n[ghots]\nh 'a\nw[3:1]\n[nope:vars]\na=1\nb",
            [
                "a.ini:1:1: the section header is not closed",
                "a.ini:3:1: [db:childs] is of no kind that an inventory has", "a.ini:7:3: the quote is not closed",
                "a.ini:8:1: the host range ends before it begins", "a.ini:11:1: expected name=value, not 'b'",
                "a.ini:5:1: the group 'ghost', a child of 'x', is not declared",
                "a.ini:9:1: variables for the group 'nope', which is not declared",
            ]
        ),
        (
            "b.yml", "all:\n  host:\n    a:\n  hosts:\n    - b\n  children:\n    c: 1\n    all:\n",
            [
                "b.yml:2:3: a group has no 'host'", "b.yml:5:5: 'hosts' of the group 'all' needs a map, not a list",
                "b.yml:7:8: the group 'c' needs a map with hosts, children or vars, not an integer",
                "b.yml:8:5: the group 'all' has itself as a child",
            ]
        ),
        (
            "c.yml", "a:\n  children: {b: {children: {a: }}}\n",
            ["c.yml:2:14: the group 'b' cannot be a child of 'a', which is inside of 'b' already"]
        ),
        ("d.yml", "plugin: aws\n", ["d.yml:1:9: inventory plugins are not offered"]),
        ("e.yml", "", ["the inventory is empty"]),
    ])
    func mistakesAreAllTold(_ name: String, _ text: String, _ expected: [String]) throws {
        let project = try TestProject([name: text])
        defer { project.remove() }
        let found = messages { _ = try InventoryLoader().load([project.path(name)]) }
        #expect(found == expected)
    }

    @Test func aListOfHostsMayHaveRangesAndPorts() throws {
        let inventory = try InventoryLoader().load(["h1:2222,n[08:10],[2001:db8::1]:22,2001:db8::2,"])
        #expect(Array(inventory.hosts.keys) == ["h1", "n08", "n09", "n10", "2001:db8::1", "2001:db8::2"])
        #expect(inventory.host("h1")?.variables.variables["ansible_port"]?.raw == 2222)
    }

    @Test func aMissingInventoryIsNamed() throws {
        let project = try TestProject(["lab.yml": "all:"])
        defer { project.remove() }
        #expect(
            messages { _ = try InventoryLoader().load([project.path("lob.yml")]) } == [
                "no such inventory: \(project.path("lob.yml"))"
            ])
        #expect(
            hints { _ = try InventoryLoader().load([project.path("lob.yml")]) } == [
                "did you mean '\(project.path("lab.yml"))'?"
            ])
    }

    @Test func aFolderOfVariablesWithoutAMapIsRefused() throws {
        let project = try TestProject([
            "lab.yml": "all: {hosts: {a: }}", "group_vars/all.yml": "- a\n", "host_vars/a": "x: [\n",
        ])
        defer { project.remove() }
        let found = messages { _ = try InventoryLoader().load([project.path("lab.yml")]) }
        #expect(found.count == 2)
        #expect(found.first == "all.yml:1:1: a file of variables is a map of names and values, not a list")
    }

    @Test func vaultsAreRefusedWithASentence() throws {
        let project = try TestProject([
            "lab.yml": "all: {hosts: {a: }}", "group_vars/all.yml": "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
        ])
        defer { project.remove() }
        #expect(
            messages { _ = try InventoryLoader().load([project.path("lab.yml")]) }
                == ["all.yml:1:1: the file is encrypted with Ansible Vault, which labctl does not open"])
    }

    @Test(
        arguments: [
            ("[web\na\n", ["lab.ini:1:1: the section header is not closed"], ["close it with ]: [web]"]),
            (
                "[web:vars # of all\nx=1 y\n\n[db]\nb c\n",
                [
                    "lab.ini:1:1: the section header is not closed",
                    "lab.ini:5:3: expected name=value after the host, not 'c'",
                ],
                ["close it with ]: [web:vars]"]
            ),
            (
                "[lab:children]\nweb\n[web\na\n[web:vars]\nx=1\n",
                ["lab.ini:3:1: the section header is not closed"], ["close it with ]: [web]"]
            ),
            ("[a:b]c\n", [], []),
        ] as [(String, [String], [String])])
    func aHeaderThatIsNotClosedIsNoHost(_ text: String, _ expected: [String], _ help: [String]) throws {
        let project = try TestProject(["lab.ini": text])
        defer { project.remove() }
        let load = { _ = try InventoryLoader().load([project.path("lab.ini")]) }
        #expect(messages(load) == expected)
        #expect(hints(load) == help)
    }
}
