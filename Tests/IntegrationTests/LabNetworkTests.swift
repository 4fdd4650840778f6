import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

private enum Namespaces {
    /// Why namespaces cannot be made here; nil when they can.
    static let whyNot: Comment? = {
        if geteuid() != 0 { return "needs root, to make network namespaces" }
        for tool in ["ip", "python3", "ssh-keygen"] where !Tool.isInstalled(tool) { return "needs \(tool)" }
        if !RunningSandbox.isPossible { return RunningSandbox.whyNot }
        let made = try? Tool.run(["unshare", "-n", "true"], in: Labctl.root)
        return made?.status == 0 ? nil : "network namespaces cannot be made here"
    }()
}

/// `labctl verify metallb` with the real binary, from a laptop on the nodes' own network: real ssh, real ARP, real TLS
/// through the address. MetalLB is simulated; its speakers' stand-ins really hold the addresses (Scripts/namespaces).
@Suite(
    "A lab in network namespaces", .serialized,
    .enabled(if: Namespaces.whyNot == nil, Namespaces.whyNot ?? ""))
struct LabNetworkTests {
    /// Runs a shell script on the laptop of a lab where MetalLB is provisioned, with `labctl` and `verify` to call.
    private func inLab(_ script: String) throws -> Labctl.Outcome {
        let prelude = """
            set -eu
            labctl() { "$LABCTL" "$@" -i Inventory/lab.yml -e ansible_user=root; }
            holds() { ip -n "$LABCTL_NAMESPACES-$1" address show dev eth1 | grep -q 'inet 192.168.56.200/32'; }
            await() { for _ in $(seq 300); do "$@" && return 0; sleep 0.1; done; echo "never came: $*"; exit 1; }
            labctl provision metallb -e "metallb_manifest=$LABCTL_NAMESPACES_MANIFEST" >/dev/null

            """
        return try Tool.start(
            ["Scripts/namespaces", "bash", "-c", prelude + script], in: Labctl.root, ["LABCTL": Labctl.binary.path],
            deadline: 240
        ).wait()
    }

    @Test("the address answers, by the one node that MetalLB names, and moves and comes back in the drill")
    func drill() throws {
        let outcome = try inLab("labctl verify metallb --failover")
        outcome.expect(
            status: 0, "address: 192.168.56.200 from pool lab-pool", "announcing node: w2, by its one ServiceL2Status",
            "TLS through the address: 192.168.56.200:443 presents the API server's certificate",
            "answers, and only it: w2", "TLS after fail-over: 192.168.56.200:443 presents",
            "fail-over: 192.168.56.200 moved from w2 to w1, answered there, and came back",
            "removal: the probe's objects are gone")
        outcome.expectNot("not checked")
    }

    @Test("a drill that is killed leaves a label, which the doctor names and the next verification takes off")
    func killed() throws {
        let outcome = try inLab(
            """
            "$LABCTL" verify metallb --failover -i Inventory/lab.yml -e ansible_user=root >/dev/null &
            drill=$!
            await holds w1
            kill -9 $drill
            echo "== doctor"; labctl doctor metallb || true
            echo "== next"; labctl verify metallb
            echo "== after"; labctl doctor metallb || true
            """)
        outcome.expect(status: 0)
        let parts = outcome.output.components(separatedBy: "== ").map {
            $0.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        try #require(parts.count == 4, "\(outcome.everything)")
        #expect(parts[1].contains("from a fail-over drill that was killed"))
        #expect(
            parts[2].contains(
                "left-overs: removed label node.kubernetes.io/exclude-from-external-load-balancers of Node w2"))
        #expect(parts[2].contains("Service default/labctl-probe"))
        #expect(parts[2].contains("answers, and only it: w2"))
        #expect(!parts[3].contains("drill"), "\(parts[3])")
    }

    @Test("Ctrl-C in the middle of the drill puts the node back before labctl ends")
    func interrupted() throws {
        let outcome = try inLab(
            """
            set -m  # or the shell has its background jobs ignore SIGINT
            "$LABCTL" verify metallb --failover -i Inventory/lab.yml -e ansible_user=root &
            drill=$!
            await holds w1
            kill -INT $drill
            status=0; wait $drill || status=$?
            echo "== status $status"
            labctl doctor metallb || true
            """)
        outcome.expect(status: 0, "== status 130")
        outcome.expectNot("from a fail-over drill that was killed")
    }

    @Test("a machine that answers though another node announces is found out")
    func otherMachine() throws {
        let outcome = try inLab(
            """
            ip -n "$LABCTL_NAMESPACES-cp1" address add 192.168.56.200/32 dev eth1
            ip -n "$LABCTL_NAMESPACES-w2" link set eth1 arp off
            labctl verify metallb -e metallb_wait_timeout=20 || echo "== status $?"
            """)
        outcome.expect(status: 0, "error: neighbour table: ", "== status 2")
    }

    @Test("the doctor finds a lab fine that is, and a machine that has an address of the pool")
    func doctor() throws {
        let outcome = try inLab(
            """
            labctl doctor metallb; echo "== stranger"
            ip netns add "$LABCTL_NAMESPACES-stranger"; trap 'ip netns delete "$LABCTL_NAMESPACES-stranger"' EXIT
            ip link add stranger type veth peer name eth1 netns "$LABCTL_NAMESPACES-stranger"
            ip link set stranger master lab0 up
            ip -n "$LABCTL_NAMESPACES-stranger" address add 192.168.56.233/24 dev eth1
            ip -n "$LABCTL_NAMESPACES-stranger" link set eth1 up
            labctl doctor metallb
            """)
        outcome.expect(status: 0, "192.168.56.233 of pool \"lab-pool\" answers ARP", "though no Service has it")
        let first = outcome.output.components(separatedBy: "== stranger").first ?? ""
        #expect(!first.contains("doubtful") && !first.contains("wrong"), "\(first)")
    }
}
