import Foundation
import LabCore
import LabSandbox
import LabTesting
import LabTransport
import LabYAML
import Synchronization
import Testing

@testable import LabKube

/// A connection that a proxy cuts after every possible number of bytes, in both directions.
///
/// After each cut three things are asked. Is what the run told the truth? Does the next run bring what is wanted? Does a
/// third find nothing to do?
@Suite(.timeLimit(.minutes(60)))
struct CutTests {
    /// An update and a creation, of different kinds, in a namespace of the worker's own.
    private struct Work: Sendable {
        let worker: Int
        let round: Int

        var namespace: String { "cut-\(worker)" }

        var text: String {
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: \(namespace)}}
            ---
            {apiVersion: v1, kind: ConfigMap, metadata: {name: cm, namespace: \(namespace)}, data: {k: "\(round)"}}
            ---
            {apiVersion: v1, kind: Secret, metadata: {name: s\(round % 3), namespace: \(namespace)}, stringData: {}, data: {k: \(Data("\(round)".utf8).base64EncodedString())}}
            """
        }
    }

    /// What happened to the runs of a sweep.
    private struct Tally: Sendable {
        var cuts = 0
        /// The connection ended before it came to its cut.
        var uncut = 0
        var wentOn = 0
        var told = 0
        var byDirection: [CuttingProxy.Direction: Int] = [:]
        var length: [CuttingProxy.Direction: Int] = [:]

        mutating func add(_ other: Tally) {
            cuts += other.cuts
            uncut += other.uncut
            wentOn += other.wentOn
            told += other.told
            byDirection.merge(other.byDirection, uniquingKeysWith: +)
            length.merge(other.length, uniquingKeysWith: max)
        }
    }

    /// One worker's share: a proxy and a namespace of its own, a client for each cut.
    private static func sweep(
        _ cuts: [CuttingProxy.Cut], worker: Int, _ server: SandboxAPIServer, until deadline: ContinuousClock.Instant
    ) async throws -> Tally {
        let proxy = try await CuttingProxy(to: server.port)
        let port = proxy.port
        let document = try YAML.load(SourceFile(path: "config", text: server.kubeconfig()), schema: .kubernetes)
        let config = try await Kubeconfig.resolve(document[0], path: "config") { _ in [] }
        var tally = Tally()
        for (round, cut) in cuts.enumerated() {
            guard ContinuousClock.now < deadline else { break }
            let wanted = try intents(Work(worker: worker, round: round).text)
            let client = try KubeClient(config) { _, _ in try await DirectChannel.open(host: "127.0.0.1", port: port) }
            let engine = ApplyEngine(
                client: client, settings: ApplySettings(method: .serverSide(force: true), gateTimeout: .seconds(20)))
            proxy.cutNext(cut)
            do {
                let applied = try await engine.apply(try await engine.plan(wanted))
                tally.wentOn += 1
                // What it says is there is there.
                for item in applied {
                    #expect(
                        await held(item.item.intent, in: server), "\(cut): told as applied: \(item.item.reference)")
                }
                #expect(applied.count == wanted.count, "\(cut)")
            } catch let error as KubeError {
                tally.told += 1
                // The handshake may not be over: that is no request that was lost, and not worth hiding.
                #expect([.unreachable, .lost].contains(error.kind), "\(cut): \(error)")
                for note in error.diagnostics.flatMap(\.notes) where note.message.hasPrefix("applied before that: ") {
                    for intent in wanted where note.message.contains("\(intent.reference)") {
                        #expect(await held(intent, in: server), "\(cut): \(note.message)")
                    }
                }
            }
            tally.cuts += 1
            tally.uncut += proxy.wasCut ? 0 : 1
            tally.byDirection[cut.direction, default: 0] += 1
            _ = try await engine.apply(try await engine.plan(wanted))
            for intent in wanted { #expect(await held(intent, in: server), "\(cut): after another run") }
            #expect(try await engine.plan(wanted).isEmpty, "\(cut): a third run has nothing to do")
            await client.close()
        }
        tally.length = proxy.lastWhole
        await proxy.stop()
        return tally
    }

    /// Whether the server has the object as it is wanted.
    private static func held(_ intent: Intent, in server: SandboxAPIServer) async -> Bool {
        let reference = intent.reference
        let resource = ["Namespace": "/namespaces", "ConfigMap": "/configmaps", "Secret": "/secrets"][reference.kind]
        let live = await server.cluster.object(
            resource ?? "", namespace: reference.namespace ?? "", name: reference.name)
        return live != nil && intent.object["data"] == live?["data"]
    }

    /// How many bytes a run that nobody cuts sends and gets.
    private static func lengths(_ server: SandboxAPIServer) async throws -> [CuttingProxy.Direction: Int] {
        let proxy = try await CuttingProxy(to: server.port)
        let port = proxy.port
        let document = try YAML.load(SourceFile(path: "config", text: server.kubeconfig()), schema: .kubernetes)
        let config = try await Kubeconfig.resolve(document[0], path: "config") { _ in [] }
        let client = try KubeClient(config) { _, _ in try await DirectChannel.open(host: "127.0.0.1", port: port) }
        let engine = ApplyEngine(client: client, settings: ApplySettings(method: .serverSide(force: true)))
        _ = try await engine.apply(try await engine.plan(try intents(Work(worker: 0, round: 0).text)))
        await client.close()
        var lengths: [CuttingProxy.Direction: Int] = [:]
        // The proxy sees the end a little later.
        for _ in 0..<500 where lengths.isEmpty {
            lengths = proxy.lastWhole
            if lengths.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
        }
        await proxy.stop()
        return lengths
    }

    /// Cuts at offsets in an order of its own, of the first kilobyte of each direction (the handshake and the first
    /// requests) before the rest, as many as fit in the time. `LABCTL_CUTS=58` gives it 58 minutes and every offset.
    @Test func `a link that is cut anywhere ends a run with the truth, and running it again converges`() async throws {
        let minutes = ProcessInfo.processInfo.environment["LABCTL_CUTS"].flatMap { Int($0) } ?? 0
        let isFull = minutes > 0
        try await withCluster { server, _ in
            let lengths = try await Self.lengths(server)
            var generator = SeededGenerator(seed: 8)
            var first: [CuttingProxy.Cut] = []
            var rest: [CuttingProxy.Cut] = []
            for direction in CuttingProxy.Direction.allCases {
                let length = try #require(lengths[direction])
                // Some bytes of play: certificates and signatures vary in length.
                for offset in 0...(length + 16) {
                    if offset <= 1024 {
                        first.append(.init(direction, after: offset))
                    } else {
                        rest.append(.init(direction, after: offset))
                    }
                }
            }
            first.shuffle(using: &generator)
            rest.shuffle(using: &generator)
            // A sample has both: the first kilobyte and what comes after it, in turn.
            let cuts =
                isFull
                ? (first + rest).shuffled(using: &generator) : zip(first, rest).flatMap { [$0, $1] }
            let deadline = ContinuousClock.now + (isFull ? .seconds(minutes * 60) : .seconds(30))
            let workers = 4
            let tally = try await withThrowingTaskGroup(of: Tally.self) { group in
                for worker in 0..<workers {
                    let share = stride(from: worker, to: cuts.count, by: workers).map { cuts[$0] }
                    group.addTask { try await Self.sweep(share, worker: worker, server, until: deadline) }
                }
                return try await group.reduce(into: Tally()) { $0.add($1) }
            }
            #expect(tally.cuts > 20)
            let shown = CuttingProxy.Direction.allCases.map {
                "\(tally.byDirection[$0] ?? 0) of \((lengths[$0] ?? 0) + 17) offsets \($0.rawValue)"
            }
            print(
                "connections cut: \(tally.cuts) (\(shown.joined(separator: ", "))); \(tally.wentOn) runs went on to the end, "
                    + "\(tally.told) told the failure, \(tally.uncut) had ended before")
        }
    }
}
