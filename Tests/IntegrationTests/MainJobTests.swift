import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// The main job in a sandbox that is shared: what is there is there to stay, what is not is repaired.
@Suite(
    "Main job", .serialized, .enabled(if: RunningSandbox.isPossible, RunningSandbox.whyNot), .sandbox)
struct MainJobTests {
    let sandbox: RunningSandbox
    let project: Project

    static let kubectl = Tool.isInstalled("kubectl")
    static let noKubectl: Comment = "needs kubectl as the other hand that changes the cluster"

    init() throws {
        sandbox = try #require(RunningSandbox.current)
        project = sandbox.project
    }

    /// `labctl VERB metallb --sandbox` with the small manifest.
    private func metallb(_ verb: String, _ arguments: String...) throws -> Labctl.Outcome {
        try Labctl.run(
            [verb, "metallb", "--sandbox", "-e", sandbox.manifest] + arguments, in: project.folder,
            environment: ["HOME": project.folder.appending(path: "home").path])
    }

    @Test("a converged cluster has nothing to do, and every step is proved")
    func converged() throws {
        try sandbox.converge()
        let again = try metallb("provision")
        again.expect(
            status: 0, "ok Manifest applied", "ok CRDs established", "ok Controller rolled out",
            "ok Speaker on every node", "ok Webhook answers", "ok Pools applied", "ok Advertisements applied",
            "ok Pre-flight", "5 checks, nothing found", "9 ok 0 changed 0 failed 2 skipped 9 of 9 steps proved",
            "nothing to do, every step proved")
        again.expectNot("changed Manifest", "changed Pools", "unproved", "not proved")
        try metallb("plan").expect(status: 0, "0 to change", "nothing would change")
    }

    @Test("it says on every run that the API server is a simulation, among JSON on the standard error")
    func simulation() throws {
        try sandbox.converge()
        try metallb("plan").expect(status: 0, "the API server is labctl's simulation")
        let json = try metallb("plan", "--output", "json")
        #expect(json.errors.contains("the API server is labctl's simulation"))
        #expect(json.output.split(separator: "\n").allSatisfy { $0.hasPrefix("{") })
    }

    @Test("a field changed by hand is found, shown and repaired", .enabled(if: kubectl, noKubectl))
    func repaired() throws {
        try sandbox.converge()
        try sandbox.kubectl(
            "patch", "ipaddresspool", "-n", "metallb-system", "lab-pool", "--type", "merge", "-p",
            #"{"spec":{"autoAssign":false}}"#)
        let difference = ".spec.autoAssign: false → true (kubectl-patch"
        for _ in 1...2 {
            try metallb("plan").expect(
                status: 1, "to change Pools applied", "~ IPAddressPool metallb-system/lab-pool", difference,
                "takes .spec.autoAssign of IPAddressPool metallb-system/lab-pool from kubectl-patch",
                "4 ok 1 to change 0 failed", "1 step would change something; nothing was changed")
        }
        try metallb("provision", "--diff").expect(
            status: 0, "changed Pools applied", "proved",
            "updated IPAddressPool metallb-system/lab-pool: .spec.autoAssign false → true", difference,
            "1 step changed")
        let live = try sandbox.kubectl(
            "get", "ipaddresspool", "-n", "metallb-system", "lab-pool", "-o", "jsonpath={.spec.autoAssign}")
        #expect(live == "true")
        try metallb("plan").expect(status: 0, "nothing would change")
    }

    @Test("a server-side field of the manifest changed by hand is found and repaired", .enabled(if: kubectl, noKubectl))
    func manifestRepaired() throws {
        try sandbox.converge()
        try sandbox.kubectl(
            "label", "namespace", "metallb-system", "--overwrite", "pod-security.kubernetes.io/enforce=restricted")
        try metallb("plan").expect(
            status: 1, "to change Manifest applied", "Namespace metallb-system",
            "\"restricted\" → \"privileged\"")
        try metallb("provision").expect(status: 0, "changed Manifest applied", "Namespace metallb-system")
        try metallb("plan").expect(status: 0)
    }

    @Test("a variable of the command line that is misspelt is warned of")
    func misspeltVariable() throws {
        try sandbox.converge()
        try metallb("plan", "-e", "metallb_pool_adresses=192.168.56.220-192.168.56.230").expect(
            status: 0, "warning: no role knows the variable 'metallb_pool_adresses'",
            "did you mean 'metallb_pool_addresses'?")
    }

    @Test("what another person added is left alone", .enabled(if: kubectl, noKubectl))
    func foreignLabel() throws {
        try sandbox.converge()
        try sandbox.kubectl("label", "ipaddresspool", "-n", "metallb-system", "lab-pool", "--overwrite", "team=net")
        try metallb("plan").expect(status: 0, "nothing would change")
        try metallb("provision").expect(status: 0, "0 changed")
        let live = try sandbox.kubectl(
            "get", "ipaddresspool", "-n", "metallb-system", "lab-pool", "-o", "jsonpath={.metadata.labels.team}")
        #expect(live == "net")
    }

    @Test("an object deleted by hand is made again", .enabled(if: kubectl, noKubectl))
    func deleted() throws {
        try sandbox.converge()
        try sandbox.kubectl("delete", "l2advertisement", "-n", "metallb-system", "lab-l2")
        try metallb("plan").expect(status: 1, "would create L2Advertisement metallb-system/lab-l2")
        try metallb("provision").expect(
            status: 0, "changed Advertisements applied", "created L2Advertisement metallb-system/lab-l2")
    }

    @Test("--prove runs everything again")
    func prove() throws {
        try sandbox.converge()
        try metallb("provision", "--prove").expect(
            status: 0, "once more, to prove it", "nothing to do, every step proved, and again with no change")
    }

    @Test("-t pools touches nothing but the pools")
    func tags() throws {
        try sandbox.converge()
        let outcome = try metallb("provision", "-t", "pools")
        outcome.expect(
            status: 0, "ok Pre-flight", "ok Pools applied", "ok Advertisements applied", "3 of 3 steps proved")
        outcome.expectNot("Manifest applied", "Webhook answers")
        // The advertisements are left out, not missing.
        try metallb("provision", "-t", "rollout").expectNot("no advertisement announces")
    }

    private struct Event: Decodable {
        let event: String
        let exitCode: Int32?
        let outcome: String?

        enum CodingKeys: String, CodingKey {
            case event, outcome
            case exitCode = "exit_code"
        }
    }

    /// The events of a run with `--output json`, one a line.
    private func events(_ outcome: Labctl.Outcome) throws -> [Event] {
        try outcome.output.split(separator: "\n").map { line in
            try JSONDecoder().decode(Event.self, from: Data(line.utf8))
        }
    }

    @Test("--output json is one event a line, the last with the exit code")
    func json() throws {
        try sandbox.converge()
        let outcome = try metallb("provision", "--output", "json")
        #expect(outcome.status == 0)
        let events = try events(outcome)
        #expect(events.count { $0.event == "task_finished" && $0.outcome == "ok" } == 9)
        #expect(events.last?.event == "run_finished")
        #expect(events.last?.exitCode == 0)
    }

    @Test("--output json says why a run has failed, with the same exit code")
    func jsonOfAFailure() throws {
        let outcome = try metallb(
            "provision", "--output", "json", "-t", "pools", "-e", "metallb_kubeconfig=/nonexistent/config")
        #expect(outcome.status == 2)
        let events = try events(outcome)
        #expect(events.last?.event == "run_finished")
        #expect(events.last?.exitCode == 2)
        #expect(outcome.output.contains("the kubeconfig /nonexistent/config on cp1 cannot be used"))
    }

    /// Counts the elements of an XML document.
    private final class Elements: NSObject, XMLParserDelegate {
        private(set) var names: [String] = []
        private(set) var attributes: [[String: String]] = []

        func parser(
            _ parser: XMLParser, didStartElement elementName: String, namespaceURI: String?,
            qualifiedName qName: String?, attributes attributeDict: [String: String]
        ) {
            names.append(elementName)
            attributes.append(attributeDict)
        }
    }

    @Test("--output junit is XML with one test case a step")
    func junit() throws {
        try sandbox.converge()
        let outcome = try metallb("provision", "--output", "junit")
        #expect(outcome.status == 0)
        let parser = XMLParser(data: Data(outcome.output.utf8))
        let elements = Elements()
        parser.delegate = elements
        #expect(parser.parse(), "\(outcome.output)")
        #expect(elements.names.first == "testsuites")
        #expect(elements.names.count { $0 == "testcase" } == 11)
        #expect(elements.names.count { $0 == "skipped" } == 2)
        #expect(elements.attributes.first?["failures"] == "0")
    }

    @Test("a file gets no escape codes")
    func noEscapeCodes() throws {
        try sandbox.converge()
        for arguments in [["provision"], ["plan"], ["verify"]] {
            let outcome = try metallb(arguments[0])
            #expect(!outcome.everything.contains("\u{1B}"), "\(arguments)")
        }
    }

    @Test("verify says what it proved and what it cannot, and leaves nothing behind", .enabled(if: kubectl, noKubectl))
    func verify() throws {
        try sandbox.converge()
        let before = try sandbox.kubectl("get", "services,endpointslices", "-A", "-o", "name")
        try metallb("verify").expect(
            status: 0, "ok Traffic arrives", "address: 192.168.56.", "from pool lab-pool", "announcing node: ",
            "neighbour table: not checked: the sandbox is on loopback", "removal: the probe's objects are gone")
        let after = try sandbox.kubectl("get", "services,endpointslices", "-A", "-o", "name")
        #expect(before == after)
    }

    @Test("several pools and advertisements as JSON on the command line", .enabled(if: kubectl, noKubectl))
    func severalPools() throws {
        try sandbox.converge()
        let variables = """
            {"metallb_pools": [
              {"name": "front", "addresses": ["192.168.56.150-192.168.56.159"]},
              {"name": "back", "addresses": ["192.168.56.160/30"], "auto_assign": false}],
             "metallb_l2_advertisements": [{"name": "both", "pools": ["front", "back"]}]}
            """
        try metallb("provision", "-t", "pools", "-e", variables).expect(
            status: 0, "changed Pools applied", "2 created", "created L2Advertisement metallb-system/both")
        try metallb("provision", "-t", "pools", "-e", variables).expect(
            status: 0, "nothing to do, every step proved")
        let live = try sandbox.kubectl(
            "get", "ipaddresspools", "-n", "metallb-system", "-o",
            #"jsonpath={range .items[*]}{.metadata.name}={.spec.addresses[0]},{.spec.autoAssign};{end}"#)
        #expect(live.contains("front=192.168.56.150-192.168.56.159,true;"))
        #expect(live.contains("back=192.168.56.160/30,false;"))
    }

    @Test(
        "tags that leave the advertisements out are no pool that nothing announces",
        arguments: [["-t", "rollout"], ["--skip-tags", "pools"]])
    func noWarning(tags: [String]) throws {
        try sandbox.converge()
        let outcome = try Labctl.run(
            ["provision", "metallb", "--sandbox", "-e", sandbox.manifest] + tags, in: project.folder,
            environment: ["HOME": project.folder.appending(path: "home").path])
        outcome.expect(status: 0, "ok Webhook answers")
        outcome.expectNot("no advertisement announces")
    }

    @Test("a pool that nothing announces, and an advertisement of no pool, are warned of")
    func warnings() throws {
        let variables = """
            {"metallb_pools": [{"name": "front", "addresses": ["192.168.56.150-192.168.56.159"]}],
             "metallb_l2_advertisements": [{"name": "both", "pools": ["frnt"]}]}
            """
        try metallb("plan", "-t", "pools", "-e", variables).expect(
            status: 1, "warning: no advertisement announces pool \"front\"",
            "warning: L2Advertisement \"both\" names pool \"frnt\", which nothing here defines", "did you mean front?")
    }
}

/// What needs a sandbox that nothing has been done to.
@Suite("A fresh sandbox", .serialized, .enabled(if: RunningSandbox.isPossible, RunningSandbox.whyNot))
struct FreshSandboxTests {
    let sandbox: RunningSandbox
    let project: Project

    init() throws {
        sandbox = try RunningSandbox()
        project = sandbox.project
    }

    @Test("the job twice: changed, then nothing to do; a plan before changes nothing")
    func twice() throws {
        let arguments = ["metallb", "--sandbox", "-e", sandbox.manifest]
        let plan = try Labctl.run(["plan"] + arguments, in: project.folder)
        plan.expect(
            status: 1, "to change Manifest applied", "would create 24", "to change Pools applied",
            "would create IPAddressPool metallb-system/lab-pool", "0 failed")
        let first = try Labctl.run(["provision"] + arguments, in: project.folder)
        first.expect(
            status: 0, "changed Manifest applied", "24 created", "created IPAddressPool metallb-system/lab-pool",
            "created L2Advertisement metallb-system/lab-l2", "3 changed 0 failed", "3 steps changed")
        try Labctl.run(["provision"] + arguments, in: project.folder).expect(
            status: 0, "9 ok 0 changed 0 failed", "nothing to do, every step proved")
    }

    @Test(
        "the stock manifest three times: changed, then twice ok, with the kept caBundle named",
        .enabled(if: SharedData.manifest != nil, "needs metallb-native-v0.14.9.yaml of the shared data"))
    func stockManifest() throws {
        let manifest = try #require(SharedData.manifest)
        let arguments = ["provision", "metallb", "--sandbox", "-e", "metallb_manifest=\(manifest.path)"]
        let kept =
            "kept .spec.conversion.webhook.clientConfig.caBundle of CustomResourceDefinition bgppeers.metallb.io:"
            + " MetalLB owns it"
        try Labctl.run(arguments, in: project.folder).expect(
            status: 0, "changed Manifest applied", "24 created", "3 changed 0 failed")
        for _ in 1...2 {
            let again = try Labctl.run(arguments, in: project.folder)
            again.expect(
                status: 0, "ok Manifest applied", kept, "9 ok 0 changed 0 failed",
                "nothing to do, every step proved")
        }
    }

    private static let bgp = """
        {"metallb_mode": "bgp",
         "metallb_bgp_peers": [{"name": "router", "my_asn": 64512, "peer_asn": 64513, "peer_address": "192.168.56.1",
           "hold_time": "90s", "bfd_profile": "fast", "password_secret": "router-password"}],
         "metallb_bfd_profiles": [{"name": "fast", "receive_interval": 100, "detect_multiplier": 3}],
         "metallb_communities": [{"name": "lab", "communities": [{"name": "no-export", "value": "65535:65281"}]}],
         "metallb_bgp_advertisements": [{"name": "lab-bgp", "communities": ["no-export"], "local_pref": 100}]}
        """

    @Test(
        "the stock FRR manifest three times: changed, then twice ok, with the kept caBundle named",
        .enabled(if: SharedData.frrManifest != nil, "needs metallb-frr-v0.14.9.yaml of the shared data"))
    func stockFRRManifest() throws {
        let manifest = try #require(SharedData.frrManifest)
        let arguments = [
            "provision", "metallb", "--sandbox", "-e", "metallb_manifest=\(manifest.path)", "-e", Self.bgp,
        ]
        let kept =
            "kept .spec.conversion.webhook.clientConfig.caBundle of CustomResourceDefinition bgppeers.metallb.io:"
            + " MetalLB owns it"
        try Labctl.run(arguments, in: project.folder).expect(
            status: 0, "changed Manifest applied", "25 created", "ok BGP webhooks answer",
            "ok BGPPeers can be converted",
            "changed BGP applied", "4 created", "3 changed 0 failed")
        for _ in 1...2 {
            let again = try Labctl.run(arguments, in: project.folder)
            again.expect(status: 0, "ok Manifest applied", kept, "ok BGP applied", "nothing to do, every step proved")
            again.expectNot("changed Manifest", "Advertisements applied")
        }
        try project.labctl("verify", "metallb", "--sandbox").expect(
            status: 0, "announcing nodes: w1, w2, over BGP, by their events")
    }

    @Test("from layer 2 to BGP, to both and back: each time changed once, then converged")
    func modes() throws {
        let frr = "metallb_manifest=" + sandbox.folder.appending(path: "metallb-frr-miniature.yaml").path
        func run(_ manifest: String, _ mode: String) throws -> Labctl.Outcome {
            try Labctl.run(
                ["provision", "metallb", "--sandbox", "-e", manifest, "-e", Self.bgp, "-e", "metallb_mode=\(mode)"],
                in: project.folder)
        }
        let steps = [
            (sandbox.manifest, "l2", "changed Advertisements applied"), (frr, "bgp", "changed BGP applied"),
            (frr, "both", "changed Advertisements applied"), (sandbox.manifest, "l2", "ok Advertisements applied"),
        ]
        for (manifest, mode, line) in steps {
            let outcome = try run(manifest, mode)
            outcome.expect(status: 0, line)
            // What the mode does not want any more goes: the advertisement, and on the way back the BGP objects, of which
            // MetalLB keeps the BFD profile for as long as a peer names it.
            if mode == "bgp" || line.hasPrefix("ok") {
                outcome.expect(status: 0, "changed Left-overs pruned", "deleted")
            }
            try run(manifest, mode).expect(status: 0, "nothing to do, every step proved")
        }
    }

    @Test("what the pre-flight finds stops the run before anything is changed, unless it is skipped")
    func preflight() throws {
        // The pool holds an address that only the cluster knows to be a node's: the inventory does not have it.
        let inventory = try sandbox.inventory(named: "other") { text in
            text.split(separator: "\n").filter { !$0.contains("node_address") }.joined(separator: "\n") + "\n"
        }
        let arguments = [
            "provision", "metallb", "-i", inventory, "-e", sandbox.manifest, "-e",
            #"{"metallb_pool_addresses": ["192.168.56.11-192.168.56.20"]}"#,
        ]
        let stopped = try Labctl.run(arguments, in: project.folder)
        stopped.expect(
            status: 2, "failed Pre-flight", "pool \"lab-pool\" holds 192.168.56.11, the address of node w1",
            "choose a range that no machine, gateway or DHCP server uses", "--skip-preflight goes on all the same")
        stopped.expectNot("changed Manifest")
        try project.labctl("plan", "metallb", "--sandbox", "-e", sandbox.manifest).expect(
            status: 1, "would create 24")
        let gone = try Labctl.run(arguments + ["--skip-preflight"], in: project.folder)
        gone.expect(status: 0, "changed Manifest applied")
        gone.expectNot("Pre-flight")
    }

    @Test("Ctrl-C in the middle of the main job ends at once; the next run finishes it")
    func interrupted() throws {
        let run = try project.start("provision", "metallb", "--sandbox", "-e", sandbox.manifest)
        let began = try Tool.wait { run.output.contains("metallb on cp1") }
        try #require(began, "\(run.errors)")
        run.interrupt()
        run.wait().expect(status: 130, "interrupted")
        let server = try #require(try sandbox.processes()["sshd of cp1"])
        #expect(try Tool.wait { try Tool.children(of: server).isEmpty }, "the session stays open")
        try sandbox.converge()
        try project.labctl("plan", "metallb", "--sandbox", "-e", sandbox.manifest).expect(
            status: 0, "nothing would change")
    }

    @Test("what the sandbox leaves running holds nothing of who started it", .timeLimit(.minutes(2)))
    func descriptors() throws {
        try project.labctl("sandbox", "down").expect(status: 0)
        // The pipe ends when nobody has its other end any more; `up` itself writes elsewhere.
        let run = try Tool.start(
            ["sh", "-c", "'\(Labctl.binary.path)' sandbox up 7>&1 >/dev/null | cat; echo ended"], in: project.folder,
            deadline: 30)
        run.wait().expect(status: 0, "ended")
    }

    @Test("a sandbox that a crash left behind is reported, started anew, and removed")
    func crash() throws {
        let processes = try sandbox.processes()
        let api = try #require(processes["API server"])
        let node = try #require(processes["sshd of cp1"])
        kill(api, SIGKILL)
        kill(node, SIGKILL)
        #expect(try Tool.wait { try !Tool.isRunning(api) && !Tool.isRunning(node) })
        try project.labctl("sandbox", "status").expect(
            status: 2, "the sandbox is broken", "API server (process \(api)) does not run any more",
            "sshd of cp1 (process \(node)) does not run any more", "`labctl sandbox up` starts it anew")

        try project.labctl("sandbox", "up").expect(
            status: 0, "the old sandbox was removed, with all that was in its cluster: ", "it is up", "cp1", "w1", "w2")
        for process in processes.values { #expect(try !Tool.isRunning(process), "\(process) is left of the first") }
        try project.labctl("sandbox", "status").expect(status: 0, "cp1", "API server")
        try project.labctl("exec", "all", "--sandbox", "--", "echo", "here").expect(
            status: 0, "cp1 | here", "w1 | here", "w2 | here")

        let second = try sandbox.processes()
        kill(try #require(second["API server"]), SIGKILL)
        try project.labctl("sandbox", "down").expect(status: 0, "the sandbox is down")
        for process in second.values {
            #expect(try Tool.wait { try !Tool.isRunning(process) }, "\(process) is left of the second")
        }
        try project.labctl("sandbox", "status").expect(status: 0, "the sandbox is down")
        #expect(!FileManager.default.fileExists(atPath: sandbox.folder.path))
    }
}

/// The commands that only look.
@Suite("Looking")
struct LookingTests {
    @Test("the shipped roles and inventory are without fault")
    func lint() throws {
        try Project(shipped: true).labctl("lint").expect(status: 0, "nothing to complain about")
    }

    @Test("the original role and its place are found")
    func original() throws {
        let project = try Project()
        try FileManager.default.copyItem(
            at: Labctl.root.appending(path: "Tests/Fixtures/original").resolvingSymlinksInPath(),
            to: project.folder.appending(path: "original"))
        let outcome = try Labctl.run(
            ["tasks", "metallb", "-i", "localhost,"], in: project.folder.appending(path: "original"))
        outcome.expect(status: 0, "Install MetalLB")
    }

    @Test("the inventory shows hosts, addresses and groups")
    func inventory() throws {
        try Project(shipped: true).labctl("inventory").expect(
            status: 0, "cp1", "192.168.56.10", "control_plane", "w2", "192.168.56.12", "workers")
    }
}
