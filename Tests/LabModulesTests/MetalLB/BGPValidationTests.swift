import LabCore
import LabSandbox
import LabYAML
import Testing

@testable import LabModules

/// A peer object as the role renders it.
func bgpPeer(_ name: String, _ spec: ValueMap = [:]) -> Value {
    var all: ValueMap = ["myASN": 64512, "peerASN": 64513, "peerAddress": "192.168.56.1"]
    all.merge(spec) { _, new in new }
    return [
        "apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer",
        "metadata": ["name": .string(name), "namespace": "metallb-system"],
        "spec": .map(all.filter { !$0.value.isNull }),
    ]
}

func bgpAdvertisement(_ name: String, _ spec: ValueMap = [:]) -> Value {
    advertisement(name, kind: "BGPAdvertisement", spec: spec)
}

func community(_ name: String, _ aliases: [(String, String)]) -> Value {
    [
        "apiVersion": "metallb.io/v1beta1", "kind": "Community",
        "metadata": ["name": .string(name), "namespace": "metallb-system"],
        "spec": ["communities": .list(aliases.map { ["name": .string($0.0), "value": .string($0.1)] })],
    ]
}

func bfdProfile(_ name: String, _ spec: ValueMap = [:]) -> Value {
    [
        "apiVersion": "metallb.io/v1beta1", "kind": "BFDProfile",
        "metadata": ["name": .string(name), "namespace": "metallb-system"], "spec": .map(spec),
    ]
}

/// The Deployment of a manifest, of which the way to speak BGP is read.
private func controller(_ implementation: String?) -> Value {
    let variable: [Value] = implementation.map { [["name": "METALLB_BGP_TYPE", "value": .string($0)]] } ?? []
    return [
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": ["name": "controller", "namespace": "metallb-system"],
        "spec": ["template": ["spec": ["containers": [["name": "controller", "env": .list(variable)]]]]],
    ]
}

@Suite("MetalLB's BGP objects, checked before anything is sent")
struct BGPValidationTests {
    private let base = [pool("p", ["10.0.0.0/28"], spec: ["avoidBuggyIPs": true])]

    private func found(_ objects: [Value], _ severity: Diagnostic.Severity = .error) -> [String] {
        MetalLBObjects.validate(objects, scope: ValidationScope()).filter { $0.severity == severity }.map(\.message)
    }

    @Test(
        "a peer by itself",
        arguments: [
            (["myASN": 0], "missing local ASN"),
            (["peerASN": .null], "missing peer ASN and dynamicASN"),
            (["dynamicASN": "internal"], "both peer ASN and dynamicASN specified"),
            (["peerASN": .null, "dynamicASN": "any"], "invalid dynamicASN any"),
            (
                ["peerASN": 64512, "ebgpMultiHop": true],
                "invalid ebgp-multihop parameter set for an ibgp peer"
            ),
            (["peerASN": 4_294_967_296], "peerASN 4294967296 is no AS number"),
            (["peerAddress": "router"], "invalid BGPPeer address \"router\""),
            (["peerAddress": "192.168.56.300"], "invalid BGPPeer address \"192.168.56.300\""),
            (["routerID": "r"], "invalid router ID \"r\""), (["sourceAddress": "s"], "invalid source IP \"s\""),
            (["holdTime": "2s"], "invalid BGPPeer timers: invalid hold time \"2s\": must be 0 or >=3s"),
            (["keepaliveTime": "500ms"], "invalid BGPPeer timers: invalid hold time \"1.5s\": must be 0 or >=3s"),
            (
                ["holdTime": "90s", "keepaliveTime": "2m"],
                "invalid BGPPeer timers: invalid keepaliveTime \"2m0s\", must be lower than holdTime \"1m30s\""
            ),
            (["holdTime": "90"], "time: missing unit in duration \"90\""),
            (["holdTime": "soon"], "time: invalid duration \"soon\""),
            (["connectTime": "0s"], "connect time should be between 1 seconds to 65535"),
            (["connectTime": "1500ms"], "connect time should contain a whole number of seconds"),
            (["peerPort": 17000], "peerPort 17000 is out of range"),
            (
                ["password": "x", "passwordSecret": ["name": "s"]],
                "can not have both password and secret ref set in peer config \"metallb-system\"/\"r1\""
            ),
        ] as [(ValueMap, String)])
    func peers(spec: ValueMap, sentence: String) {
        #expect(found(base + [bgpPeer("r1", spec), bgpAdvertisement("a")]) == ["parsing peer r1: \(sentence)"])
    }

    @Test(
        "a good peer",
        arguments: [
            [:], ["holdTime": "0s"], ["holdTime": "90s", "keepaliveTime": "30s"], ["connectTime": "5s"],
            ["peerASN": .null, "dynamicASN": "external"], ["peerAddress": "fd00::1"],
            ["passwordSecret": ["name": "s"]],
        ] as [ValueMap])
    func goodPeers(spec: ValueMap) {
        #expect(
            MetalLBObjects.validate(base + [bgpPeer("r1", spec), bgpAdvertisement("a")], scope: ValidationScope()) == []
        )
    }

    @Test("a password in the object is a warning, and the password is not in it")
    func password() throws {
        let warnings = found(base + [bgpPeer("r1", ["password": "geheim"]), bgpAdvertisement("a")], .warning)
        #expect(warnings.count == 1)
        #expect(try #require(warnings.first).contains("geheim") == false)
    }

    @Test(
        "BFD profiles",
        arguments: [
            (["detectMultiplier": 1], "invalid detect multiplier value: invalid value 1, must be in 2-255 range"),
            (["receiveInterval": 5], "invalid receive interval value: invalid value 5, must be in 10-60000 range"),
            (["minimumTtl": 255], "invalid minimum ttl value: invalid value 255, must be in 1-254 range"),
        ] as [(ValueMap, String)])
    func profiles(spec: ValueMap, sentence: String) {
        #expect(found([bfdProfile("fast", spec)]) == ["parsing bfd profile fast: \(sentence)"])
    }

    @Test("what names a profile, a community, a peer that nothing defines")
    func dangling() {
        let objects =
            base + [
                bfdProfile("fast"), community("lab", [("no-export", "65535:65281")]),
                bgpPeer("r1", ["bfdProfile": "fats"]),
                bgpAdvertisement("a", ["communities": ["no-exprot", "65000:1"], "peers": ["r1", "r2"]]),
            ]
        #expect(
            found(objects) == [
                "peer r1 referencing non existing bfd profile fats",
                "invalid community \"no-exprot\" in BGP advertisement: invalid community format: no-exprot",
            ])
        #expect(found(objects, .warning) == ["BGPAdvertisement \"a\" names peer \"r2\", which nothing here defines"])
        let hints = MetalLBObjects.validate(objects, scope: ValidationScope()).map(\.hint)
        #expect(hints == ["did you mean fast?", "did you mean no-export?", "did you mean r1?"])
    }

    @Test("a run whose calls were not all looked at says nothing of what is not defined")
    func incomplete() {
        let record = ValidationRecord()
        let scope = ValidationScope(record: record)
        let objects = base + [bgpPeer("r1", ["bfdProfile": "fast"]), bgpAdvertisement("a")]
        #expect(MetalLBObjects.check(objects.map { SourceValue($0) }, scope: scope) == [])
        #expect(record.finish().map(\.message) == ["peer r1 referencing non existing bfd profile fast"])
        record.markIncomplete()
        #expect(record.finish() == [])
    }

    @Test(
        "values of communities",
        arguments: [
            (
                "70000:1",
                "invalid community value: invalid section \"70000\" of community \"70000:1\", err: "
                    + #""strconv.ParseUint: parsing \"70000\": value out of range""#
            ),
            (
                "a:1",
                "invalid community value: invalid section \"a\" of community \"a:1\", err: "
                    + #""strconv.ParseUint: parsing \"a\": invalid syntax""#
            ),
            (
                "big:1:2:3",
                "invalid community value: invalid marker for large community, expected community to be of format "
                    + "large:<uint32>:<uint32>:<uint32> but got \"big:1:2:3\" instead"
            ),
            ("1:2:3", "invalid community format: 1:2:3"), ("lab", "invalid community format: lab"),
        ])
    func communities(value: String, sentence: String) {
        #expect(found([community("c", [("x", value)])]) == ["parsing community \"x\": \(sentence)"])
        #expect(
            found(base + [bgpPeer("r1"), bgpAdvertisement("a", ["communities": [.string(value)]])]) == [
                "invalid community \(goQuoted(value)) in BGP advertisement: \(sentence)"
            ])
    }

    @Test("a community is defined once over all Communities")
    func duplicateCommunity() {
        #expect(
            found([community("c", [("x", "1:2")]), community("d", [("x", "large:1:2:3")])]) == [
                "duplicate definition of community \"x\""
            ])
    }

    @Test("an aggregation length that is shorter than a range, for either family")
    func aggregation() {
        let pools = [pool("p", ["10.0.0.0/28", "fd00::/120"], spec: ["avoidBuggyIPs": true]), bgpPeer("r1")]
        #expect(
            found(pools + [bgpAdvertisement("a", ["aggregationLength": 24])]) == [
                "invalid aggregation length 24: prefix 28 in this pool is more specific than the aggregation length for "
                    + "addresses 10.0.0.0/28"
            ])
        #expect(found(pools + [bgpAdvertisement("a", ["aggregationLengthV6": 64])]).count == 1)
        #expect(found(pools + [bgpAdvertisement("a", ["aggregationLength": 28, "aggregationLengthV6": 120])]) == [])
        #expect(
            found(pools + [bgpAdvertisement("a", ["aggregationLength": 0])]) == [
                "invalid aggregation length 0 for IPv4",
                "invalid aggregation length 0: prefix 28 in this pool is more specific than the aggregation length for "
                    + "addresses 10.0.0.0/28",
            ])
    }

    @Test("two preferences for the same update, and what keeps them apart")
    func preferences() {
        func both(_ one: ValueMap, _ other: ValueMap) -> [String] {
            found(
                base + [bgpPeer("r1"), bgpPeer("r2", ["peerAddress": "192.168.56.2"])]
                    + [bgpAdvertisement("a", one), bgpAdvertisement("b", other)])
        }
        let sentence =
            "invalid local preference 200: local preferernce 100 was already set for the same type of BGP update. Check "
            + "existing BGP advertisements with common pools and aggregation lengths"
        #expect(both(["localPref": 100], ["localPref": 200]) == [sentence])
        #expect(both(["localPref": 100], ["localPref": 100]) == [])
        #expect(both(["localPref": 100, "peers": ["r1"]], ["localPref": 200, "peers": ["r2"]]) == [])
        #expect(both(["localPref": 100, "aggregationLength": 30], ["localPref": 200]) == [sentence])
        let v6: ValueMap = ["localPref": 100, "aggregationLength": 30, "aggregationLengthV6": 127]
        #expect(both(v6, ["localPref": 200]) == [])
    }

    @Test("FRR wants one router ID, one own AS number and one session for each router")
    func frr() {
        let peers = [
            bgpPeer("r1"), bgpPeer("r2"),
            bgpPeer("r3", ["peerAddress": "192.168.56.3", "routerID": "10.0.0.1", "myASN": 64520]),
        ]
        let sentences = [
            "peer 192.168.56.1 already exists, FRR mode doesn't support duplicate BGPPeers",
            "peer 10.0.0.1 has RouterID different from , in FRR mode all RouterID must be equal",
            "peer 192.168.56.1 has myAsn different from 192.168.56.3, in FRR mode all myAsn must be equal for the same VRF",
        ]
        #expect(found([controller("frr")] + base + peers + [bgpAdvertisement("a")]) == sentences)
        #expect(found([controller("frr-k8s")] + base + peers + [bgpAdvertisement("a")]) == sentences)
        #expect(found([controller(nil)] + base + peers + [bgpAdvertisement("a")]) == [])
        #expect(found(base + peers + [bgpAdvertisement("a")]) == [], "which MetalLB it is for is not known")
    }

    @Test("the native implementation has no BFD, no IPv6 and more that it lacks")
    func native() {
        let objects = [
            pool("p", ["fd00::/120"]), bfdProfile("fast"),
            bgpPeer(
                "r1",
                [
                    "bfdProfile": "fast", "keepaliveTime": "10s", "vrf": "red", "connectTime": "5s",
                    "enableGracefulRestart": true, "disableMP": false,
                ]),
            bgpAdvertisement("a", ["communities": ["large:1:2:3"]]), community("c", [("x", "large:1:2:3")]),
        ]
        #expect(
            found([controller(nil)] + objects) == [
                "peer 192.168.56.1 has bfd-profile set on native bgp mode",
                "peer 192.168.56.1 has keepalive-time set on native bgp mode",
                "peer 192.168.56.1 has vrf set on native bgp mode",
                "peer 192.168.56.1 has connect time set on native bgp mode",
                "peer 192.168.56.1 has EnableGracefulRestart flag set on native bgp mode", "bfd profiles section set",
                "pool \"p\" has ipv6 CIDR fd00::/120, native bgp mode does not support ipv6",
                "native BGP mode only supports legacy communities, BGP advertisement \"a\" has non legacy community "
                    + "\"large:1:2:3\"",
                "native BGP mode only supports legacy communities, BGP community CR \"c\" has non legacy community "
                    + "{\"x\" \"large:1:2:3\"}",
            ])
        #expect(found([controller("frr")] + objects) == [])
    }

    @Test("BFD echo and IPv6 do not go together")
    func echo() {
        #expect(
            found([
                pool("p", ["fd00::/120"]), bfdProfile("fast", ["echoMode": true]),
                bgpPeer("r1", ["bfdProfile": "fast"]),
                bgpAdvertisement("a"),
            ]) == [
                "pool p has bgpadvertisement a which references peer r1 which has bfd echo enabled, which is not possible"
            ])
    }

    @Test("a manifest that is not downloaded yet tells by its name how MetalLB speaks BGP, and hides nothing")
    func manifestByName() {
        let record = ValidationRecord()
        let scope = ValidationScope(record: record)
        let manifest: ValueMap = ["src": "/nowhere/metallb-frr-v0.14.9.yaml"]
        let module = K8sModule(environment: [:])
        let call = ModuleCall(arguments: manifest, source: SourceValue(.map(manifest)))
        #expect(module.validate(call, in: scope) == [])
        let objects = base + [bgpPeer("r1"), bgpPeer("r2"), bgpAdvertisement("a", ["peers": ["r3"]])]
        #expect(MetalLBObjects.check(objects.map { SourceValue($0) }, scope: scope, cluster: " ") == [])
        #expect(
            record.finish().map(\.message) == [
                "peer 192.168.56.1 already exists, FRR mode doesn't support duplicate BGPPeers",
                "BGPAdvertisement \"a\" names peer \"r3\", which nothing here defines",
            ])
    }
}

@Suite("Durations as Go has them")
struct GoDurationTests {
    @Test(
        "read and printed",
        arguments: [
            ("90s", "1m30s"), ("1m30s", "1m30s"), ("0", "0s"), ("0s", "0s"), ("1.5s", "1.5s"), ("500ms", "500ms"),
            ("1h", "1h0m0s"), ("-3s", "-3s"), ("1h0m0.5s", "1h0m0.5s"), ("10us", "10µs"), ("5ns", "5ns"),
        ])
    func good(text: String, printed: String) throws {
        #expect(try GoDuration(text).description == printed)
    }

    @Test(
        "refused in Go's words",
        arguments: [
            ("", "time: invalid duration \"\""), ("90", "time: missing unit in duration \"90\""),
            ("9d", "time: unknown unit \"d\" in duration \"9d\""), ("s", "time: invalid duration \"s\""),
            ("1.2.3s", "time: invalid duration \"1.2.3s\""),
        ])
    func bad(text: String, sentence: String) {
        #expect(throws: GoDuration.Refusal(message: sentence)) { try GoDuration(text) }
    }
}
