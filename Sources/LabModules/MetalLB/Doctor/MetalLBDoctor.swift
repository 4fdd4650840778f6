import LabCore

/// The checks of a lab that MetalLB is to run in, ranked by the time that each saves (ground truth: what people opened
/// issues about).
package enum MetalLBDoctor {
    /// One check: what it is about, whether it is part of the pre-flight, and its judgement.
    package struct Check: Sendable {
        package let number: Int
        /// What is looked at, as a heading: `nodes that may announce`.
        package let title: String
        /// Whether the nodes, the server's version and the configuration that a run is to bring are all that it needs, and
        /// whether the run does not put right by itself what it finds (docs/metallb.md).
        package let isPreflight: Bool
        let judge: @Sendable (LabSnapshot) -> [Finding]
    }

    /// What a check said. No finding is the good answer.
    package struct Outcome: Sendable {
        package let number: Int
        package let title: String
        package let findings: [Finding]
    }

    package static let checks: [Check] = [
        Check(number: 1, title: "webhook", isPreflight: false, judge: webhook),
        Check(number: 2, title: "nodes that may announce", isPreflight: true, judge: eligibleNodes),
        Check(number: 3, title: "node addresses", isPreflight: true, judge: nodeAddresses),
        Check(number: 4, title: "flannel's addresses", isPreflight: true, judge: flannel),
        Check(number: 5, title: "kube-proxy and ARP", isPreflight: false, judge: kubeProxy),
        Check(number: 6, title: "pools and advertisements", isPreflight: false, judge: advertisements),
        Check(number: 7, title: "addresses in use", isPreflight: true, judge: addressesInUse),
        Check(number: 8, title: "interfaces of advertisements", isPreflight: false, judge: interfaces),
        Check(number: 9, title: "port 7946 between nodes", isPreflight: false, judge: memberlistPorts),
        Check(number: 10, title: "other load balancers", isPreflight: false, judge: otherControllers),
        Check(number: 11, title: "pod security", isPreflight: false, judge: podSecurity),
        Check(number: 12, title: "the speakers' secret", isPreflight: false, judge: memberlistSecret),
        Check(number: 13, title: "VirtualBox's networks", isPreflight: false, judge: virtualBox),
        Check(number: 14, title: "Kubernetes version", isPreflight: true, judge: serverVersion),
    ]

    /// Judges what was fetched.
    package static func judge(_ lab: LabSnapshot, onlyPreflight: Bool = false) -> [Outcome] {
        checks.filter { $0.isPreflight || !onlyPreflight }.map { check in
            Outcome(number: check.number, title: check.title, findings: check.judge(lab))
        }
    }
}
