import LabCore
import Testing

@testable import LabModules

private let excludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers"

private func node(
    _ name: String, _ address: String, labels: ValueMap = [:], annotations: ValueMap = [:], spec: ValueMap = [:],
    conditions: [Value] = []
) -> Value {
    [
        "metadata": ["name": .string(name), "labels": .map(labels), "annotations": .map(annotations)],
        "spec": .map(spec),
        "status": [
            "addresses": [
                ["type": "InternalIP", "address": .string(address)], ["type": "Hostname", "address": .string(name)],
            ],
            "conditions": .list(conditions),
        ],
    ]
}

private func workload(
    _ name: String, in namespace: String = "metallb-system", image: String = "quay.io/metallb/x:v0.14.9",
    args: [Value] = [], env: [Value] = [], labels: ValueMap = [:], available: Int = 1
) -> Value {
    [
        "metadata": ["name": .string(name), "namespace": .string(namespace), "uid": "u1", "labels": .map(labels)],
        "spec": [
            "replicas": 1,
            "template": [
                "spec": ["containers": [["image": .string(image), "args": .list(args), "env": .list(env)]]]
            ],
        ],
        "status": ["availableReplicas": .int(available)],
    ]
}

private func secret(_ name: String, data: Value = ["ca.crt": "Q0E="], owners: [Value] = []) -> Value {
    [
        "metadata": ["name": .string(name), "namespace": "metallb-system", "ownerReferences": .list(owners)],
        "data": data,
    ]
}

private func webhooks(_ authority: Value) -> Value {
    [
        "metadata": ["name": "metallb-webhook-configuration"],
        "webhooks": [["name": "pools.metallb.io", "clientConfig": ["caBundle": authority]]],
    ]
}

private func definition(_ authority: Value) -> Value {
    [
        "metadata": ["name": "bgppeers.metallb.io"],
        "spec": ["group": "metallb.io", "conversion": ["webhook": ["clientConfig": ["caBundle": authority]]]],
    ]
}

private let readySlice: Value = [
    "metadata": ["labels": ["kubernetes.io/service-name": "metallb-webhook-service"]],
    "endpoints": [["addresses": ["10.244.0.4"], "conditions": ["ready": true]]],
]

/// A lab with nothing wrong in it.
private func healthyLab() -> LabSnapshot {
    var lab = LabSnapshot()
    lab.nodes = [
        node("cp1", "192.168.56.10", labels: [excludeLabel: ""]), node("w1", "192.168.56.11"),
        node("w2", "192.168.56.12"),
    ]
    lab.daemonSets = [workload("speaker")]
    lab.deployments = [workload("controller")]
    lab.services = []
    lab.endpointSlices = [readySlice]
    lab.secrets = [secret("metallb-webhook-cert"), secret("memberlist", owners: [["uid": "u1"]])]
    lab.webhookConfigurations = [webhooks("Q0E=")]
    lab.definitions = [definition("Q0E=")]
    lab.namespaces = [
        [
            "metadata": [
                "name": "metallb-system", "labels": ["pod-security.kubernetes.io/enforce": "privileged"],
            ]
        ]
    ]
    lab.configuration = [pool("lab-pool", ["192.168.56.200-192.168.56.250"]), advertisement("lab-l2", ["lab-pool"])]
    lab.events = []
    lab.kubeProxy = ["mode": "iptables"]
    lab.serverVersion = "v1.36.2"
    lab.interfaces = ["cp1": ["eth0", "eth1"], "w1": ["eth0", "eth1"], "w2": ["eth0", "eth1"]]
    lab.memberlistPaths = [.init(from: "w1", to: "w2", isOpen: true)]
    lab.laptop = LabSnapshot.Laptop()
    return lab
}

/// What a lab looks like after one thing went wrong in it, and what the doctor then says.
private struct Case: Sendable, CustomTestStringConvertible {
    let sentence: String
    let number: Int
    let severity: Finding.Severity
    let change: @Sendable (inout LabSnapshot) -> Void
    var testDescription: String { sentence }

    init(
        _ number: Int, _ severity: Finding.Severity, _ sentence: String,
        _ change: @escaping @Sendable (inout LabSnapshot) -> Void
    ) {
        self.number = number
        self.severity = severity
        self.sentence = sentence
        self.change = change
    }
}

private let cases: [Case] = [
    Case(1, .error, "Deployment metallb-system/controller has 0 of 1 pods available") {
        $0.deployments = [workload("controller", available: 0)]
    },
    Case(1, .error, "Service metallb-system/metallb-webhook-service has no ready endpoint") { $0.endpointSlices = [] },
    Case(1, .error, "Secret metallb-system/metallb-webhook-cert has no certificate yet") {
        $0.secrets = [secret("metallb-webhook-cert", data: [:]), secret("memberlist")]
    },
    Case(1, .error, "the CA of pools.metallb.io is not the one in Secret metallb-webhook-cert") {
        $0.webhookConfigurations = [webhooks("T1RIRVI=")]
    },
    Case(
        1, .warning,
        "the CA of CRD bgppeers.metallb.io is not the one in Secret metallb-webhook-cert, so its objects cannot be converted"
    ) { $0.definitions = [definition("T1RIRVI=")] },
    Case(1, .unchecked, "secrets could not be read: forbidden") {
        // Without Secrets check 12 says the same of itself; it has its own case.
        $0.secrets = nil
        $0.unreadable = [("secrets", "forbidden")]
    },
    Case(
        2, .error,
        "no node may announce addresses: cp1 has the label \(excludeLabel); w1 is cordoned; w2 has no network (NetworkUnavailable)"
    ) {
        $0.nodes = [
            node("cp1", "192.168.56.10", labels: [excludeLabel: ""]),
            node("w1", "192.168.56.11", spec: ["unschedulable": true]),
            node("w2", "192.168.56.12", conditions: [["type": "NetworkUnavailable", "status": "True"]]),
        ]
    },
    Case(2, .error, "no node that may announce is selected by L2Advertisement \"lab-l2\"") {
        $0.configuration = [
            pool("lab-pool", ["192.168.56.200-192.168.56.250"]),
            advertisement("lab-l2", spec: ["nodeSelectors": [["matchLabels": ["zone": "a"]]]]),
        ]
    },
    Case(2, .note, "only w1 may announce addresses, so nothing takes over from it: cp1 has the label \(excludeLabel)") {
        $0.nodes = [node("cp1", "192.168.56.10", labels: [excludeLabel: ""]), node("w1", "192.168.56.11")]
    },
    Case(3, .error, "w1, w2 have the same InternalIP 192.168.56.11") {
        $0.nodes = [node("w1", "192.168.56.11"), node("w2", "192.168.56.11")]
    },
    Case(3, .error, "the InternalIP of one is 10.0.2.15, Vagrant's NAT") {
        $0.nodes = [node("one", "10.0.2.15")]
        $0.configuration = []
    },
    Case(
        3, .warning,
        "no node has an InternalIP near 10.9.9.1-10.9.9.9 of pool \"p\": cp1 has 192.168.56.10, w1 has 192.168.56.11, w2 has 192.168.56.12"
    ) { $0.configuration = [pool("p", ["10.9.9.1-10.9.9.9"]), advertisement("all")] },
    Case(4, .error, "w1, w2 have the same flannel address 10.0.2.15, Vagrant's NAT") {
        let annotations: ValueMap = ["flannel.alpha.coreos.com/public-ip": "10.0.2.15"]
        $0.nodes = [
            node("w1", "192.168.56.11", annotations: annotations),
            node("w2", "192.168.56.12", annotations: annotations),
        ]
    },
    Case(4, .warning, "flannel uses 10.1.1.1 for w1, whose InternalIP is 192.168.56.11") {
        $0.nodes = [
            node("w1", "192.168.56.11", annotations: ["flannel.alpha.coreos.com/public-ip": "10.1.1.1"]),
            node("w2", "192.168.56.12"),
        ]
    },
    Case(5, .error, "kube-proxy runs in IPVS mode without strictARP, so every node answers ARP for every address") {
        $0.kubeProxy = ["mode": "ipvs", "ipvs": ["strictARP": false]]
    },
    Case(6, .warning, "no advertisement announces pool \"lab-pool\": its addresses are given out but do not answer") {
        $0.configuration = [pool("lab-pool", ["192.168.56.200-192.168.56.250"])]
    },
    Case(7, .error, "pool \"p\" holds 192.168.56.11, the address of node w1") {
        $0.configuration = [pool("p", ["192.168.56.11/32"]), advertisement("all")]
    },
    Case(7, .error, "pool \"p\" holds 192.168.56.77, an address of this machine") { lab in
        lab.configuration = [pool("p", ["192.168.56.77/32"]), advertisement("all")]
        lab.laptop?.addresses = [IPAddress("192.168.56.77")].compactMap { $0 }
    },
    Case(7, .warning, "pool \"p\" holds 192.168.56.1, which is the gateway's as a rule") {
        $0.configuration = [pool("p", ["192.168.56.1-192.168.56.9"]), advertisement("all")]
    },
    Case(7, .warning, "192.168.56.203 of pool \"lab-pool\" answers ARP (02:00:00:00:00:03) though no Service has it") {
        lab in
        // .204 is a Service's, .205 was one a moment ago: it is still w1's in the table.
        let table = [
            ("192.168.56.203", "03"), ("192.168.56.204", "03"), ("192.168.56.11", "11"), ("192.168.56.205", "11"),
            ("192.168.56.9", "03"),
        ]
        lab.laptop?.neighbours = table.compactMap { text, end in
            IPAddress(text).map {
                Neighbour(address: $0, hardwareAddress: "02:00:00:00:00:\(end)", interface: "vboxnet0")
            }
        }
        lab.services = [["status": ["loadBalancer": ["ingress": [["ip": "192.168.56.204"]]]]]]
    },
    Case(
        7, .warning,
        "pool \"lab-pool\" holds addresses that VirtualBox's DHCP server gives away: 192.168.56.101 to 192.168.56.254"
    ) { lab in
        lab.laptop?.dhcpRanges = LabSnapshot.DHCPRange.parse(
            """
            NetworkName:    HostInterfaceNetworking-vboxnet0
            LowerIPAddress: 192.168.56.101
            UpperIPAddress: 192.168.56.254
            NetworkMask:    255.255.255.0
            Enabled:        Yes
            NetworkName:    HostInterfaceNetworking-vboxnet1
            LowerIPAddress: 192.168.56.201
            UpperIPAddress: 192.168.56.202
            Enabled:        No
            """)
    },
    Case(1, .error, "the webhook does not answer the API server: failed calling webhook \"x\": connection refused") {
        $0.webhookAnswer = .silent(why: "failed calling webhook \"x\": connection refused")
    },
    Case(
        2, .note,
        "only w1 may announce addresses, so nothing takes over from it: w2 has the label \(excludeLabel) "
            + "(from a fail-over drill that was killed: labctl verify metallb takes it off)"
    ) {
        $0.nodes = [
            node("w1", "192.168.56.11"),
            node("w2", "192.168.56.12", labels: [excludeLabel: "", FailoverDrill.mark: "true"]),
        ]
    },
    Case(8, .unchecked, "the interfaces of w2, which could not be asked") {
        $0.configuration = [pool("p", ["192.168.56.200/29"]), advertisement("l2", spec: ["interfaces": ["eth1"]])]
        $0.interfaces = ["w1": ["eth1"]]
    },
    Case(8, .error, "w2 has no interface eth7 or eth1, so it stays silent when L2Advertisement \"l2\" chooses it") {
        $0.configuration = [
            pool("p", ["192.168.56.200/29"]), advertisement("l2", spec: ["interfaces": ["eth7", "eth1"]]),
        ]
        $0.interfaces = ["cp1": ["eth1"], "w1": ["eth7"], "w2": ["eth0"]]
    },
    Case(9, .error, "w1 does not reach port 7946 of w2") {
        $0.memberlistPaths = [.init(from: "w1", to: "w2", isOpen: false), .init(from: "w2", to: "w1", isOpen: true)]
    },
    Case(10, .error, "k3s' own load balancer serves 1 Service") {
        $0.daemonSets?.append(
            workload(
                "svclb-x", in: "kube-system", image: "klipper", labels: ["svccontroller.k3s.cattle.io/svcname": "x"]))
    },
    Case(10, .warning, "kube-vip runs as kube-system/kube-vip-ds and may give out addresses too") {
        $0.daemonSets?.append(
            workload(
                "kube-vip-ds", in: "kube-system", image: "ghcr.io/kube-vip/kube-vip:v0.8",
                env: [["name": "svc_enable", "value": "true"]]))
    },
    Case(11, .error, "namespace metallb-system enforces pod security restricted, so no speaker may run") {
        $0.namespaces = [
            ["metadata": ["name": "metallb-system", "labels": ["pod-security.kubernetes.io/enforce": "restricted"]]]
        ]
    },
    Case(
        11, .warning,
        "namespace metallb-system has no label pod-security.kubernetes.io/enforce: the cluster's default decides whether the speaker may run"
    ) { $0.namespaces = [["metadata": ["name": "metallb-system"]]] },
    Case(12, .error, "Secret metallb-system/memberlist is missing, and the speakers wait for it") {
        $0.secrets = [secret("metallb-webhook-cert")]
    },
    Case(
        12, .warning,
        "Secret metallb-system/memberlist belongs to a Deployment that is gone, and will be collected with it"
    ) { $0.secrets = [secret("metallb-webhook-cert"), secret("memberlist", owners: [["uid": "gone"]])] },
    Case(
        13, .warning,
        "10.9.9.1-10.9.9.9 of pool \"p\" is outside of the networks that VirtualBox 7.0.14r161095 allows: 192.168.56.0/21"
    ) { lab in
        lab.nodes = [node("w1", "10.9.9.100")]
        lab.configuration = [pool("p", ["10.9.9.1-10.9.9.9"]), advertisement("all")]
        lab.laptop?.virtualBoxVersion = "7.0.14r161095"
    },
    Case(14, .error, "Kubernetes v1.20.15 is too old for MetalLB, which needs 1.21") { $0.serverVersion = "v1.20.15" },
]

@Suite("The doctor's checks")
struct MetalLBDoctorTests {
    @Test("a healthy lab gives no finding but the one about UDP, which cannot be tried")
    func healthy() {
        let findings = MetalLBDoctor.judge(healthyLab()).flatMap(\.findings)
        #expect(findings.map(\.sentence) == ["UDP port 7946 between the nodes: only TCP can be tried"])
        #expect(MetalLBDoctor.judge(healthyLab(), onlyPreflight: true).flatMap(\.findings) == [])
    }

    @Test("one thing wrong is told as that thing", arguments: cases)
    fileprivate func oneFault(_ fault: Case) throws {
        var lab = healthyLab()
        fault.change(&lab)
        let outcome = try #require(MetalLBDoctor.judge(lab).first { $0.number == fault.number })
        #expect(outcome.findings.contains { $0.sentence == fault.sentence && $0.severity == fault.severity })
        #expect(outcome.findings.allSatisfy { $0.number == fault.number })
        let same = outcome.findings.filter { $0.severity == fault.severity }
        #expect(same.count == 1)
        if fault.severity == .error || fault.severity == .warning { #expect(same.first?.fix != nil) }
    }

    @Test("every check says so when it could not look")
    func nothingReadable() {
        let silent = MetalLBDoctor.judge(LabSnapshot()).filter { outcome in
            !outcome.findings.contains { $0.severity == .unchecked }
        }
        #expect(silent.map(\.number) == [])
    }

    @Test("there are fourteen checks, numbered in their order")
    func numbers() {
        #expect(MetalLBDoctor.checks.map(\.number) == Array(1...14))
    }

    @Test("the exclude label is passed over when the speaker ignores it, and a cordon with other releases than 0.14.9")
    func exceptions() {
        var lab = healthyLab()
        lab.nodes = [node("cp1", "192.168.56.10", labels: [excludeLabel: ""])]
        lab.daemonSets = [workload("speaker", args: ["--port=7472", "--ignore-exclude-lb"])]
        #expect(MetalLBDoctor.eligibleNodes(lab) == [])
        lab.nodes = [node("cp1", "192.168.56.10", spec: ["unschedulable": true])]
        #expect(MetalLBDoctor.eligibleNodes(lab).map(\.severity) == [.error])
        lab.daemonSets = [workload("speaker", image: "quay.io/metallb/speaker:v0.15.2")]
        #expect(MetalLBDoctor.eligibleNodes(lab) == [])
    }

    @Test("a node that may not announce needs no interface, and a pool over BGP no node in its network")
    func notConcerned() {
        var lab = healthyLab()
        lab.configuration = [pool("p", ["192.168.56.200/29"]), advertisement("l2", spec: ["interfaces": ["eth1"]])]
        lab.interfaces = ["cp1": ["eth0"], "w1": ["eth1"], "w2": ["eth1"]]
        #expect(MetalLBDoctor.interfaces(lab) == [])
        lab.configuration = [pool("p", ["10.9.9.1-10.9.9.9"]), advertisement("b", kind: "BGPAdvertisement")]
        #expect(MetalLBDoctor.nodeAddresses(lab) == [])
    }

    @Test("a run that brings its own MetalLB is judged by that one")
    func coming() {
        var lab = healthyLab()
        lab.nodes = [node("cp1", "192.168.56.10", labels: [excludeLabel: ""], spec: ["unschedulable": true])]
        lab.daemonSets = [workload("speaker", args: ["--ignore-exclude-lb"])]
        lab.comingIgnoresLabel = false
        #expect(MetalLBDoctor.eligibleNodes(lab).map(\.severity) == [.error])
        lab.comingIgnoresLabel = true
        #expect(MetalLBDoctor.eligibleNodes(lab).map(\.severity) == [.error], "0.14.9 leaves cordoned nodes out")
        lab.comingVersion = "0.15.3"
        #expect(MetalLBDoctor.eligibleNodes(lab) == [])
    }

    @Test(
        "hosts are known by the cluster's names",
        arguments: [
            ("w1", [], "w1"), ("host7", ["192.168.56.12"], "w2"), ("host7", ["10.0.0.1"], nil),
        ] as [(String, [String], String?)])
    func names(host: String, addresses: [String], name: String?) {
        #expect(MetalLBDoctor.node(of: host, addresses, among: healthyLab().nodes ?? []) == name)
    }

    @Test("without the nodes' interfaces the speakers' own events are told")
    func announceFailed() {
        var lab = healthyLab()
        lab.interfaces = nil
        lab.configuration = [advertisement("l2", spec: ["interfaces": ["eth7"]])]
        lab.events = [
            [
                "reason": "announceFailed", "message": "announceFailed from node w1",
                "involvedObject": ["namespace": "a", "name": "b"],
            ]
        ]
        let findings = MetalLBDoctor.interfaces(lab)
        #expect(findings.map(\.severity) == [.error, .unchecked])
        #expect(findings.first?.sentence == "Service a/b is not announced: announceFailed from node w1")
    }

    @Test(
        "networks.conf of VirtualBox is read",
        arguments: [("* 10.0.0.0/8 192.168.0.0/16\n* fd00::/8", 0), ("# none\n", 1)])
    func virtualBoxNetworks(text: String, count: Int) {
        var lab = healthyLab()
        lab.configuration = [pool("p", ["10.9.9.1-10.9.9.9"])]
        lab.laptop = .init(virtualBoxVersion: "6.1.28", virtualBoxNetworks: text)
        #expect(MetalLBDoctor.virtualBox(lab).count == count)
        lab.laptop = .init(virtualBoxVersion: "6.1.26", virtualBoxNetworks: text)
        #expect(MetalLBDoctor.virtualBox(lab).isEmpty)
    }
}
