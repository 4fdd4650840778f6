import LabCore
import LabSandbox
import LabTransport
import LabYAML
import Synchronization
import Testing

@testable import LabKube

/// A stream that ends for good after so many bytes in either direction.
private actor CutChannel: ByteChannel {
    private let inner: DirectChannel
    private var left: Int

    init(_ inner: DirectChannel, after bytes: Int) {
        self.inner = inner
        self.left = bytes
    }

    private func take(_ count: Int) async -> Int {
        let taken = min(left, count)
        left -= taken
        if left == 0 { await inner.close() }
        return taken
    }

    func read() async throws -> [UInt8]? {
        guard left > 0, let bytes = try await inner.read() else { return nil }
        let count = await take(bytes.count)
        return count == 0 ? nil : Array(bytes.prefix(count))
    }

    func write(_ bytes: [UInt8]) async throws {
        guard left > 0 else { throw ConnectionError(.lost, hostName: "cp1", "the link was cut") }
        try await inner.write(Array(bytes.prefix(left)))
        _ = await take(bytes.count)
    }

    func closeWriting() async throws { try await inner.closeWriting() }
    func close() async { await inner.close() }
}

@Suite(.timeLimit(.minutes(4)))
struct FaultTests {
    private func configMap(_ value: Int) throws -> [Intent] {
        try intents("{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {k: \"\(value)\"}}")
    }

    private func config(_ server: SandboxAPIServer) async throws -> Kubeconfig {
        let document = try YAML.load(SourceFile(path: "config", text: server.kubeconfig()), schema: .kubernetes)
        return try await Kubeconfig.resolve(document[0], path: "config") { _ in [] }
    }

    /// The link of a run is cut once, after 1, 60, 119 … bytes: the run ends with the truth, and the object is as wanted.
    @Test func `a link that is cut anywhere does not stop a run`() async throws {
        try await withCluster { server, _ in
            let config = try await config(server)
            var failures = 0
            var tries = 0
            for offset in stride(from: 1, to: 9000, by: 59) {
                tries += 1
                let isFirst = Mutex(true)
                let client = try KubeClient(config) { host, port in
                    let channel = try await DirectChannel.open(host: host, port: port)
                    let cut = isFirst.withLock { first in
                        defer { first = false }
                        return first
                    }
                    return cut ? CutChannel(channel, after: offset) : channel
                }
                let engine = ApplyEngine(
                    client: client, settings: ApplySettings(method: .serverSide(force: true), gateTimeout: .seconds(10))
                )
                let wanted = try configMap(offset)
                do {
                    _ = try await engine.apply(try await engine.plan(wanted))
                    #expect(try await engine.plan(wanted).isEmpty, "cut after \(offset) bytes")
                } catch let error as KubeError {
                    // A handshake that is cut is no lost request: it is told, and the next run does it.
                    #expect(error.kind == .unreachable || error.kind == .lost, "cut after \(offset) bytes: \(error)")
                    failures += 1
                    _ = try await engine.apply(try await engine.plan(wanted))
                    #expect(try await engine.plan(wanted).isEmpty, "after a failure at \(offset) bytes")
                }
                await client.close()
            }
            print("links cut: \(tries), runs that had to be repeated: \(failures)")
        }
    }

    @Test func `two writers who force end each with the truth`() async throws {
        try await withCluster { _, client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        let engine = ApplyEngine(
                            client: client,
                            settings: ApplySettings(method: .serverSide(force: true), fieldManager: "writer-\(writer)"))
                        for round in 0..<5 {
                            _ = try await engine.apply(try await engine.plan(try configMap(writer * 10 + round)))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `a webhook that never comes is told with what is behind it`() async throws {
        var delays = SimulatedDelays.each(.milliseconds(10))
        delays.webhookListening = .seconds(600)
        try await withCluster(delays: delays) { _, client in
            let engine = ApplyEngine(
                client: client, settings: ApplySettings(method: .serverSide(force: true), gateTimeout: .seconds(2)))
            guard sharedData != nil else { return }
            _ = try await engine.apply(try await engine.plan(try intents(try manifest("metallb-native-v0.14.9.yaml"))))
            let pool = try intents(
                """
                apiVersion: metallb.io/v1beta1
                kind: IPAddressPool
                metadata: {name: p, namespace: metallb-system}
                spec: {addresses: [192.168.56.200/32]}
                """)
            let error = await failure { _ = try await engine.apply(try await engine.plan(pool)) }
            #expect(error?.kind == .webhookUnavailable)
            #expect(
                error?.message
                    == "cannot apply IPAddressPool metallb-system/p: the webhook ipaddresspoolvalidationwebhook.metallb.io does not answer yet, after 2 s"
            )
            #expect(error?.diagnostics[0].notes.count == 2)
        }
    }
}
