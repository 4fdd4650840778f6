import LabCore
import LabSandbox
import LabTesting
import Synchronization
import Testing

@testable import LabKube

/// What an API server goes through while a run applies something. Each time: the run ends with the truth, another run
/// converges, and a third has nothing to do.
@Suite(.timeLimit(.minutes(5)))
struct OutageTests {
    private static func engine(_ client: KubeClient, gate: Duration = .seconds(30)) -> ApplyEngine {
        ApplyEngine(client: client, settings: ApplySettings(method: .serverSide(force: true), gateTimeout: gate))
    }

    private static func configMaps(_ count: Int, _ value: String) throws -> [Intent] {
        try intents(
            (0..<count).map {
                "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm\($0)}, data: {k: \"\(value)\"}}"
            }.joined(separator: "\n---\n"))
    }

    /// What the server has under `data.k` of the config maps, nil for those that are not there.
    private static func held(_ server: SandboxAPIServer, _ count: Int) async -> [String?] {
        var values: [String?] = []
        for index in 0..<count {
            let live = await server.cluster.object("/configmaps", namespace: "default", name: "cm\(index)")
            values.append(live?[["data", "k"]]?.string)
        }
        return values
    }

    private static func expectConverged(
        _ engine: ApplyEngine, _ wanted: [Intent], _ comment: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        _ = try await engine.apply(try await engine.plan(wanted))
        #expect(
            try await engine.plan(wanted).isEmpty, "\(comment): a third run has nothing to do",
            sourceLocation: sourceLocation)
    }

    // MARK: Restarts

    @Test(.enabled(if: sharedData != nil, "needs the shared MetalLB manifests"))
    func `an API server that restarts in mid-apply does not stop it`() async throws {
        var tries = 0
        var told = 0
        // Before which of the writes of MetalLB's 24 objects it goes away.
        for write in [1, 2, 9, 17, 24] {
            try await withCluster { server, client in
                let wanted = try intents(try manifest("metallb-native-v0.14.9.yaml"))
                let count = Mutex(0)
                let restart = Mutex<Task<Void, any Error>?>(nil)
                await server.cluster.inject(
                    Fault(
                        .precededBy { _ in
                            let isNow = count.withLock {
                                $0 += 1
                                return $0 == write
                            }
                            if isNow {
                                restart.withLock { $0 = Task { try await server.restart(awayFor: .milliseconds(150)) } }
                            }
                            return []
                        }, times: .max, onlyWrites: true))
                let engine = Self.engine(client)
                tries += 1
                do {
                    let applied = try await engine.apply(try await engine.plan(wanted))
                    #expect(applied.count == 24)
                } catch let error as KubeError {
                    told += 1
                    #expect(error.isTransient || error.kind == .unreachable, "at write \(write): \(error)")
                }
                #expect(count.withLock { $0 } >= write)
                await server.cluster.heal()
                // The apply may have been told of the outage, or be done, before that is over.
                try await #require(restart.withLock { $0 }).value
                try await Self.expectConverged(engine, wanted, "restarted at write \(write)")
            }
        }
        print("API server restarted in mid-apply: \(tries) times, \(told) runs told it, all converged")
    }

    // MARK: Answers at random

    private static let answers: [(code: Int, reason: String?, message: String)] = [
        (500, nil, "etcdserver: request timed out"), (500, nil, "etcdserver: leader changed"),
        (500, "InternalError", "Internal error occurred: connection reset"),
        (503, "ServiceUnavailable", "the server is currently unable to handle the request"),
        (504, "Timeout", "Timeout: request did not complete within requested timeout - context deadline exceeded"),
    ]

    @Test func `500s, 429s and cut connections at random, on reads and writes`() async throws {
        let counts = Mutex((runs: 0, faults: 0, told: 0))
        try await withCluster { server, client in
            var generator = SeededGenerator(seed: 9)
            let engine = Self.engine(client)
            for round in 1...40 {
                let wanted = try Self.configMaps(4, "\(round)")
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let effect: Fault.Effect
                    switch Int.random(in: 0...6, using: &generator) {
                    case 5: effect = .status(code: 429, reason: "TooManyRequests", message: "slow down", retryAfter: 0)
                    case 6: effect = .cutConnection
                    case let index:
                        let answer = Self.answers[index]
                        effect = .status(
                            code: answer.code, reason: answer.reason, message: answer.message, retryAfter: nil)
                    }
                    let method = ["GET", "PATCH", nil].randomElement(using: &generator) ?? nil
                    counts.withLock { $0.faults += 1 }
                    await server.cluster.inject(
                        Fault(effect, times: Int.random(in: 1...3, using: &generator), method: method))
                }
                counts.withLock { $0.runs += 1 }
                do {
                    let applied = try await engine.apply(try await engine.plan(wanted))
                    #expect(applied.count == 4)
                    #expect(await Self.held(server, 4) == Array(repeating: "\(round)", count: 4), "round \(round)")
                } catch let error as KubeError {
                    // What comes again and again is told, with what the server said.
                    counts.withLock { $0.told += 1 }
                    #expect(error.isTransient, "round \(round): \(error)")
                }
                await server.cluster.heal()
                try await Self.expectConverged(engine, wanted, "round \(round)")
            }
        }
        let total = counts.withLock { $0 }
        print("faults at random: \(total.faults) in \(total.runs) runs, \(total.told) runs told one, all converged")
    }

    // MARK: etcd

    @Test func `a full etcd is told at once, with what to do, and nothing is claimed`() async throws {
        try await withCluster { server, client in
            let engine = Self.engine(client)
            _ = try await engine.apply(try await engine.plan(try Self.configMaps(3, "old")))
            // Reads and dry runs work: they write nothing (etcd, "space quota").
            await server.cluster.inject(
                Fault(
                    .status(
                        code: 500, reason: nil, message: "etcdserver: mvcc: database space exceeded", retryAfter: nil),
                    times: .max, onlyWrites: true))
            let wanted = try Self.configMaps(3, "new")
            let plan = try await engine.plan(wanted)
            #expect(differences(plan).count == 3)
            let start = ContinuousClock.now
            let error = await failure { _ = try await engine.apply(plan) }
            #expect(error?.kind == .server)
            #expect(error?.isTransient == false)
            // Not after the gate's 30 s: waiting does not help.
            #expect(ContinuousClock.now - start < .seconds(20))
            #expect(
                error?.message
                    == "cannot apply ConfigMap default/cm0: the cluster's etcd is full and takes no writes")
            let first = error?.diagnostics.first
            #expect(
                first?.notes.map(\.message).contains("the server said: etcdserver: mvcc: database space exceeded")
                    == true)
            #expect(first?.hint?.contains("etcdctl") == true)
            #expect(first?.notes.contains { $0.message.hasPrefix("applied before that") } == false)
            #expect(await Self.held(server, 3) == ["old", "old", "old"])
            // Looking is still possible, and says the same.
            #expect(try await engine.plan(wanted).items.count(where: \.isChange) == 3)
            await server.cluster.heal()
            try await Self.expectConverged(engine, wanted, "after etcd was freed")
            #expect(await Self.held(server, 3) == ["new", "new", "new"])
        }
    }

    @Test(arguments: [
        (500, String?.none, "etcdserver: request timed out"), (500, nil, "etcdserver: leader changed"),
        (504, "Timeout", "Timeout: request did not complete within requested timeout - context deadline exceeded"),
    ])
    func `an etcd that takes no writes is waited for, and told when it stays so`(
        code: Int, reason: String?, message: String
    ) async throws {
        try await withCluster { server, client in
            let wanted = try Self.configMaps(3, "new")
            await server.cluster.inject(
                Fault(
                    .status(code: code, reason: reason, message: message, retryAfter: nil), times: .max,
                    onlyWrites: true))
            let impatient = Self.engine(client, gate: .seconds(1))
            let error = await failure { _ = try await impatient.apply(try await impatient.plan(wanted)) }
            #expect(error?.kind == .server)
            #expect(error?.message.hasSuffix(", after 1 s") == true, "\(String(describing: error?.message))")
            #expect(error?.diagnostics.first?.notes.first?.message == "the last answer: \(message)")
            #expect(await Self.held(server, 3) == [nil, nil, nil])
            // It comes back while a more patient run waits.
            await server.cluster.heal()
            await server.cluster.inject(
                Fault(
                    .status(code: code, reason: reason, message: message, retryAfter: nil), times: 9, onlyWrites: true))
            let patient = Self.engine(client)
            _ = try await patient.apply(try await patient.plan(wanted))
            #expect(await Self.held(server, 3) == ["new", "new", "new"])
            try await Self.expectConverged(patient, wanted, message)
        }
    }

    // MARK: Webhooks

    @Test(.enabled(if: sharedData != nil, "needs the shared MetalLB manifests"))
    func `a webhook that never comes is told; once it is there, another run converges`() async throws {
        try await withCluster { server, client in
            let engine = Self.engine(client, gate: .seconds(2))
            _ = try await engine.apply(try await engine.plan(try intents(try manifest("metallb-native-v0.14.9.yaml"))))
            let pool = try intents(
                """
                apiVersion: metallb.io/v1beta1
                kind: IPAddressPool
                metadata: {name: p, namespace: metallb-system}
                spec: {addresses: [192.168.56.200/32]}
                """)
            let absence =
                "Internal error occurred: failed calling webhook \"ipaddresspoolvalidationwebhook.metallb.io\": "
                + "failed to call webhook: Post \"https://metallb-webhook-service.metallb-system.svc:443/x\": "
                + "context deadline exceeded"
            await server.cluster.inject(
                Fault(
                    .status(code: 500, reason: "InternalError", message: absence, retryAfter: nil), times: .max,
                    method: "PATCH", pathPart: "ipaddresspools"))
            let error = await failure { _ = try await engine.apply(try await engine.plan(pool)) }
            #expect(error?.kind == .webhookUnavailable)
            #expect(
                await server.cluster.object("metallb.io/ipaddresspools", namespace: "metallb-system", name: "p") == nil)
            await server.cluster.heal()
            let patient = Self.engine(client)
            try await Self.expectConverged(patient, pool, "after the webhook came")
        }
    }
}
