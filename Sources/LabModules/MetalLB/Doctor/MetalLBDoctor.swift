import LabCore

/// The checks of a lab that MetalLB is to run in, ranked by the time that each saves (ground truth: what people opened
/// issues about).
package enum MetalLBDoctor {
    /// One check: what it is about, whether it asks so little that it runs before every provision, and its judgement.
    package struct Check: Sendable {
        package let number: Int
        /// What is looked at, as a heading: `nodes that may announce`.
        package let title: String
        /// Whether nodes, versions and MetalLB's own configuration are all that it needs.
        package let isCheap: Bool
        let judge: @Sendable (LabSnapshot) -> [Finding]
    }

    /// What a check said. No finding is the good answer.
    package struct Outcome: Sendable {
        package let number: Int
        package let title: String
        package let findings: [Finding]
    }

    package static let checks: [Check] = [
        Check(number: 1, title: "webhook", isCheap: false, judge: webhook),
        Check(number: 2, title: "nodes that may announce", isCheap: true, judge: eligibleNodes),
        Check(number: 3, title: "node addresses", isCheap: true, judge: nodeAddresses),
        Check(number: 4, title: "flannel's addresses", isCheap: true, judge: flannel),
        Check(number: 5, title: "kube-proxy and ARP", isCheap: false, judge: kubeProxy),
        Check(number: 6, title: "pools and advertisements", isCheap: true, judge: advertisements),
        Check(number: 7, title: "addresses in use", isCheap: true, judge: addressesInUse),
        Check(number: 8, title: "interfaces of advertisements", isCheap: false, judge: interfaces),
        Check(number: 9, title: "port 7946 between nodes", isCheap: false, judge: memberlistPorts),
        Check(number: 10, title: "other load balancers", isCheap: false, judge: otherControllers),
        Check(number: 11, title: "pod security", isCheap: true, judge: podSecurity),
        Check(number: 12, title: "the speakers' secret", isCheap: false, judge: memberlistSecret),
        Check(number: 13, title: "VirtualBox's networks", isCheap: false, judge: virtualBox),
        Check(number: 14, title: "Kubernetes version", isCheap: true, judge: serverVersion),
    ]

    /// Judges what was fetched.
    package static func judge(_ lab: LabSnapshot, onlyCheap: Bool = false) -> [Outcome] {
        checks.filter { $0.isCheap || !onlyCheap }.map { check in
            Outcome(number: check.number, title: check.title, findings: check.judge(lab))
        }
    }
}
