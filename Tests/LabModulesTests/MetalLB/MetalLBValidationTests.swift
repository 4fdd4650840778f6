import LabCore
import Testing

@testable import LabModules

/// A pool object as a role renders it.
func pool(_ name: String, _ addresses: [Value], spec: ValueMap = [:], metadata: ValueMap = [:]) -> Value {
    var spec = spec
    spec["addresses"] = .list(addresses)
    var all: ValueMap = ["name": .string(name), "namespace": "metallb-system"]
    all.merge(metadata) { _, new in new }
    return ["apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool", "metadata": .map(all), "spec": .map(spec)]
}

/// An advertisement object; one that names no pool means all.
func advertisement(_ name: String, _ pools: [Value] = [], kind: Value = "L2Advertisement", spec: ValueMap = [:])
    -> Value
{
    var spec = spec
    if !pools.isEmpty { spec["ipAddressPools"] = .list(pools) }
    return [
        "apiVersion": "metallb.io/v1beta1", "kind": kind,
        "metadata": ["name": .string(name), "namespace": "metallb-system"], "spec": .map(spec),
    ]
}

@Suite("MetalLB's configuration, checked before anything is sent")
struct MetalLBValidationTests {
    private func errors(_ objects: [Value], scope: ValidationScope = ValidationScope()) -> [String] {
        MetalLBObjects.validate(objects, scope: scope).filter { $0.severity == .error }.map(\.message)
    }

    private func warnings(_ objects: [Value]) -> [String] {
        MetalLBObjects.validate(objects, scope: ValidationScope()).filter { $0.severity == .warning }.map(\.message)
    }

    @Test(
        "MetalLB's own sentences",
        arguments: [
            ([], "parsing address pool bad: pool has no prefixes defined"),
            (
                ["192.168.56.200"],
                "parsing address pool bad: invalid CIDR \"192.168.56.200\" in pool \"bad\": invalid CIDR \"192.168.56.200\""
            ),
            (
                ["192.168.56.300/24"],
                "parsing address pool bad: invalid CIDR \"192.168.56.300/24\" in pool \"bad\": invalid CIDR \"192.168.56.300/24\""
            ),
            (
                ["192.168.56.10-20"],
                "parsing address pool bad: invalid CIDR \"192.168.56.10-20\" in pool \"bad\": invalid IP range \"192.168.56.10-20\": invalid end IP \"20\""
            ),
            (
                ["x - 192.168.56.20"],
                "parsing address pool bad: invalid CIDR \"x - 192.168.56.20\" in pool \"bad\": invalid IP range \"x - 192.168.56.20\": invalid start IP \"x \""
            ),
            (
                ["192.168.56.250-192.168.56.200"],
                "parsing address pool bad: invalid CIDR \"192.168.56.250-192.168.56.200\" in pool \"bad\": invalid IP range \"192.168.56.250-192.168.56.200\": start IP \"192.168.56.250\" is after the end IP \"192.168.56.200\""
            ),
            (
                ["fd00::2-fd00:0::1"],
                "parsing address pool bad: invalid CIDR \"fd00::2-fd00:0::1\" in pool \"bad\": invalid IP range \"fd00::2-fd00:0::1\": start IP \"fd00::2\" is after the end IP \"fd00::1\""
            ),
            (
                ["10.0.0.0/30", "10.0.0.3-10.0.0.4"],
                "CIDR \"10.0.0.3/32\" in pool \"bad\" overlaps with already defined CIDR \"10.0.0.0/30\""
            ),
        ] as [([Value], String)])
    func sentences(addresses: [Value], sentence: String) {
        #expect(errors([pool("bad", addresses), advertisement("all")]) == [sentence])
    }

    @Test("an overlap with another pool, word for word as the recorded webhook")
    func overlapBetweenPools() {
        let objects = [
            pool("lab-pool", ["192.168.56.200-192.168.56.250"]), pool("bad", ["192.168.56.240-192.168.56.245"]),
            advertisement("all"),
        ]
        #expect(
            errors(objects) == [
                "CIDR \"192.168.56.240/30\" in pool \"bad\" overlaps with already defined CIDR \"192.168.56.240/29\""
            ])
    }

    @Test(
        "good ranges",
        arguments: [
            ["192.168.56.200-192.168.56.250"], ["192.168.56.200 - 192.168.56.250"], ["10.0.0.4/30", "10.0.0.8/30"],
            ["fd00::/112", "10.0.0.1/32"], ["10.0.0.1-10.0.0.1"],
        ] as [[Value]])
    func good(addresses: [Value]) {
        #expect(
            MetalLBObjects.validate([pool("good", addresses), advertisement("all")], scope: ValidationScope()) == [])
    }

    @Test("all mistakes are told, not the first alone")
    func allMistakes() {
        #expect(errors([pool("a", ["1.2.3.4", "5.6.7.8-5.6.7.1", "x/8"]), advertisement("all")]).count == 3)
    }

    @Test("host bits, mixed families and node addresses, which MetalLB takes silently, are errors")
    func silentErrors() {
        let scope = ValidationScope(hostAddresses: [
            ("cp1", "192.168.56.10"), ("w1", "node.example"), ("w2", "fd00::7"),
        ])
        let objects = [
            pool("a", ["192.168.57.200/24"]), pool("b", ["10.0.0.1-fd00::1"]),
            pool("c", ["192.168.56.5-192.168.56.20"]),
            pool("d", ["fd00::/112"]), advertisement("all"),
        ]
        #expect(
            errors(objects, scope: scope) == [
                "192.168.57.200/24 in pool \"a\" has host bits set: MetalLB takes the whole network 192.168.57.0/24",
                "10.0.0.1-fd00::1 in pool \"b\" goes from IPv4 to IPv6 and holds no address at all",
                "192.168.56.5-192.168.56.20 in pool \"c\" holds 192.168.56.10, the address of host cp1",
                "fd00::/112 in pool \"d\" holds fd00::7, the address of host w2",
            ])
    }

    @Test(
        "hints say what to write",
        arguments: [
            ("192.168.56.200", "write 192.168.56.200/32 for this one address"),
            ("fd00::1", "write fd00::1/128 for this one address"),
            ("192.168.56.10-20", "write the end as a whole address: 192.168.56.10-192.168.56.20"),
            ("10.0.0.9-10.0.0.1", "write 10.0.0.1-10.0.0.9"),
            ("192.168.56.200/24", "write 192.168.56.0/24 if that is meant, or FROM-TO for a part of it"),
        ])
    func hints(range: String, hint: String) {
        let found = MetalLBObjects.validate([pool("p", [.string(range)])], scope: ValidationScope())
        #expect(found.first?.hint == hint)
    }

    @Test("a pool that nothing announces, and an advertisement of a pool that is not there, are warnings")
    func unannounced() {
        let objects = [pool("lab-pool", ["10.0.0.4/30"]), advertisement("lab-l2", ["lab-pol"])]
        let found = MetalLBObjects.validate(objects, scope: ValidationScope())
        #expect(found.allSatisfy { $0.severity == .warning })
        #expect(
            found.map(\.message) == [
                "no advertisement announces pool \"lab-pool\": its addresses are given out but do not answer",
                "L2Advertisement \"lab-l2\" names pool \"lab-pol\", which nothing here defines",
            ])
        #expect(found.last?.hint == "did you mean lab-pool?")
    }

    @Test("pools are announced by name, by label, by an advertisement for all, and over BGP")
    func announced() {
        let labelled = pool("p", ["10.0.0.4/30"], metadata: ["labels": ["tier": "lab"]])
        let bySelector = advertisement("s", spec: ["ipAddressPoolSelectors": [["matchLabels": ["tier": "lab"]]]])
        let byExpression = advertisement(
            "s",
            spec: [
                "ipAddressPoolSelectors": [
                    ["matchExpressions": [["key": "tier", "operator": "In", "values": ["lab", "x"]]]]
                ]
            ])
        let otherLabel = advertisement("s", spec: ["ipAddressPoolSelectors": [["matchLabels": ["tier": "prod"]]]])
        #expect(warnings([labelled, bySelector]) == [])
        #expect(warnings([labelled, byExpression]) == [])
        #expect(warnings([labelled, advertisement("all")]) == [])
        #expect(
            warnings([labelled, advertisement("b", ["p"], kind: "BGPAdvertisement")]) == [
                "BGPAdvertisement \"b\" announces to nobody: there is no BGPPeer"
            ])
        #expect(warnings([labelled, advertisement("b", ["p"], kind: "BGPAdvertisement"), bgpPeer("r1")]) == [])
        #expect(warnings([labelled, otherLabel]).count == 1)
    }

    @Test(
        "addresses that end in .0 or .255 are a warning unless they are avoided",
        arguments: ["10.0.0.0/24", "10.0.0.250-10.0.1.5", "10.0.0.255/32", "10.0.0.0-10.0.0.1"])
    func buggyAddresses(range: String) {
        #expect(
            warnings([pool("p", [.string(range)]), advertisement("all")]) == [
                "\(range) in pool \"p\" holds addresses that end in .0 or .255, which some devices drop"
            ])
        #expect(warnings([pool("p", [.string(range)], spec: ["avoidBuggyIPs": true]), advertisement("all")]) == [])
    }

    @Test("duplicates, other namespaces, misspelled keys and lengths, in MetalLB's and the API server's words")
    func otherRefusals() {
        let objects = [
            pool("p", ["10.0.0.4/30"], spec: ["autoAssing": false]),
            pool("q", ["10.0.0.8/30"], spec: ["serviceAllocation": ["namespaces": ["a", "a"]]]),
            pool("r", ["10.0.0.12/30"], metadata: ["namespace": "default"]),
            advertisement("all", spec: ["nodeSelectors": [["matchLabels": ["a": "b"]], ["matchLabels": ["a": "b"]]]]),
            advertisement("twice", ["p", "p"]),
            advertisement("b", kind: "BGPAdvertisement", spec: ["aggregationLength": 33, "aggregationLengthV6": 129]),
        ]
        #expect(
            errors(objects) == [
                ".spec.autoAssing: field not declared in schema", "duplicate definition in namespaces field",
                "resource must be created in metallb-system namespace",
                "duplicate definition of nodeSelectors {\"matchLabels\":{\"a\":\"b\"}}",
                "duplicate definition of ipAddressPools \"p\"", "invalid aggregation length 33 for IPv4",
                "invalid aggregation length 129 for IPv6",
            ])
    }

    @Test("a mistake points at the object's own file, else where a variable holds the text, else at the task")
    func places() {
        let file = SourceFile(path: "group_vars/all.yml", text: "metallb_pool_addresses:\n  - 10.0.0.9-10.0.0.1\n")
        let inVariables = file.span(27..<44)
        let task = SourceFile(path: "tasks/main.yml", text: "- name: Pools\n").span(2..<6)
        let scope = ValidationScope(spanOfText: { $0 == "10.0.0.9-10.0.0.1" ? inVariables : nil })
        func spans(_ address: Value) -> [SourceSpan?] {
            MetalLBObjects.validate([pool("p", [address]), advertisement("all")], scope: scope, near: task).map(\.span)
        }
        #expect(spans("10.0.0.9-10.0.0.1") == [inVariables])
        #expect(spans("10.0.0.9") == [task])

        let manifest = SourceFile(path: "files/pools.yaml", text: "addresses: [10.0.0.9-10.0.0.1]\n")
        let entry = SourceValue(.string("10.0.0.9-10.0.0.1"), span: manifest.span(12..<29))
        func node(_ value: Value) -> SourceValue { SourceValue(value) }
        let object = SourceValue(
            .map([
                .init(key: "apiVersion", keySpan: nil, value: node("metallb.io/v1beta1")),
                .init(key: "kind", keySpan: nil, value: node("IPAddressPool")),
                .init(key: "metadata", keySpan: nil, value: node(["name": "p", "namespace": "metallb-system"])),
                .init(
                    key: "spec", keySpan: nil,
                    value: SourceValue(
                        .map([.init(key: "addresses", keySpan: nil, value: SourceValue(.list([entry]), span: nil))]),
                        span: nil)),
            ]), span: nil)
        let found = MetalLBObjects.validate([object, node(advertisement("all"))], scope: scope, near: task)
        #expect(found.map { $0.span?.description } == ["files/pools.yaml:1:13"])
    }

    @Test(
        "lists that are there and empty, which MetalLB reads as all, are warnings",
        arguments: [
            ("ipAddressPools", "L2Advertisement \"l2\" names no pool, which means every pool"),
            ("interfaces", "L2Advertisement \"l2\" names no interface, which means every interface"),
        ])
    func emptyLists(field: String, sentence: String) {
        #expect(warnings([pool("p", ["10.0.0.4/30"]), advertisement("l2", spec: [field: .list([])])]) == [sentence])
    }

    @Test("names that no interface can have", arguments: ["", "eth1 ", "a/b", "eth1:0", "averylongname0123"])
    func interfaces(name: String) {
        let l2 = advertisement("l2", spec: ["interfaces": [.string(name)]])
        #expect(
            errors([pool("p", ["10.0.0.4/30"]), l2]) == [
                "no network interface can be called \(goQuoted(name))"
            ])
        #expect(
            errors([pool("p", ["10.0.0.4/30"]), advertisement("l2", spec: ["interfaces": ["eth1", "br-lab.2"]])]) == [])
    }

    @Test("objects in a List are looked at, and other kinds are passed over")
    func lists() {
        let list: Value = [
            "apiVersion": "v1", "kind": "List",
            "items": [
                pool("p", ["x"]), ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "c"]],
                advertisement("all"),
            ],
        ]
        #expect(errors([list]).count == 1)
        #expect(errors([["apiVersion": "v1", "kind": "IPAddressPool", "metadata": ["name": "p"]]]) == [])
    }
}

@Suite("MetalLB's configuration over all calls of a run")
struct MetalLBTallyTests {
    private func scope(_ record: ValidationRecord, host: String = "cp1") -> ValidationScope {
        ValidationScope(hostName: host, record: record)
    }

    private func check(_ objects: [Value], _ scope: ValidationScope, cluster: String = "") -> [String] {
        MetalLBObjects.check(objects.map { SourceValue($0) }, scope: scope, cluster: cluster).map(\.message)
    }

    @Test("a pool and its advertisement in two tasks, the pool asked about twice as the shipped role does")
    func acrossTasks() {
        let record = ValidationRecord()
        let scope = scope(record)
        #expect(check([pool("p", ["10.0.0.4/30"])], scope) == [])
        #expect(check([pool("p", ["10.0.0.4/30"])], scope) == [])
        #expect(check([advertisement("l2", ["p"])], scope) == [])
        #expect(record.finish() == [])
    }

    @Test("an overlap between tasks is told once, whatever else could not be looked at")
    func overlapAcrossTasks() {
        let record = ValidationRecord()
        for host in ["cp1", "cp2"] {
            #expect(check([pool("p", ["10.0.0.4/30"])], scope(record, host: host)) == [])
            #expect(check([pool("q", ["10.0.0.5/32"])], scope(record, host: host)) == [])
        }
        record.markIncomplete()
        #expect(
            record.finish().map(\.message) == [
                "CIDR \"10.0.0.5/32\" in pool \"q\" overlaps with already defined CIDR \"10.0.0.4/30\""
            ])
    }

    @Test("a missing advertisement counts only when every call was looked at")
    func missingAdvertisement() {
        let record = ValidationRecord()
        #expect(check([pool("p", ["10.0.0.4/30"])], scope(record)) == [])
        #expect(record.finish().map(\.severity) == [.warning])
        record.markIncomplete()
        #expect(record.finish() == [])
    }

    @Test("two clusters do not overlap, and an advertisement alone is for pools of an earlier run")
    func clusters() {
        let record = ValidationRecord()
        for cluster in ["east", "west"] {
            #expect(check([pool("p", ["10.0.0.4/30"]), advertisement("all")], scope(record), cluster: cluster) == [])
        }
        #expect(check([advertisement("l2", ["other"])], scope(record), cluster: "north") == [])
        #expect(record.finish() == [])
    }

    @Test("an object's own mistakes are told at once")
    func ownMistakes() {
        let record = ValidationRecord()
        #expect(check([pool("p", ["10.0.0.9"])], scope(record)).count == 1)
    }
}
