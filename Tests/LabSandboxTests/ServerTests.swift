import Foundation
import LabCore
import LabSandbox
import Testing

/// The transport: TLS with client certificates, both HTTP versions, broken connections, and kubectl.
@Suite("Server")
struct ServerTests {
    @Test("Both HTTP versions, with and without a certificate", arguments: [true, false])
    func versions(_ http2: Bool) async throws {
        let server = try await SandboxAPIServer.start(options: Gate().options())
        let client = try await TestClient.connect(to: server, identity: server.administrator, http2: http2)
        let answer = try await client.request("GET", "/api/v1/nodes")
        #expect(answer.status == 200)
        #expect(answer.json["items"]?.list?.count == 3)
        #expect(try await client.request("GET", "/api/v1/namespaces/default").status == 200)
        let anonymous = try await TestClient.connect(to: server, identity: nil, http2: http2)
        let refused = try await anonymous.request("GET", "/api/v1/nodes")
        #expect(refused.status == 403)
        #expect(refused.json["message"]?.string?.contains("\"system:anonymous\"") == true)
        await client.close()
        await anonymous.close()
        await server.stop()
    }

    @Test("The certificate's CN and O are user and groups")
    func identities() async throws {
        let server = try await SandboxAPIServer.start(options: Gate().options())
        let jane = try server.certificates.client(user: "jane", groups: ["lab", "ops"])
        let client = try await TestClient.connect(to: server, identity: jane)
        let answer = try await client.request("GET", "/api/v1/nodes")
        #expect(answer.status == 403)
        #expect(answer.json["message"]?.string?.contains("User \"jane\" cannot list") == true)
        await client.close()
        await server.stop()
    }

    @Test("A certificate of another authority gets nowhere")
    func foreignCertificate() async throws {
        let server = try await SandboxAPIServer.start(options: Gate().options())
        let foreign = try SandboxCertificates().client(user: "kubernetes-admin", groups: ["system:masters"])
        await #expect(throws: (any Error).self) {
            let client = try await TestClient.connect(to: server, identity: foreign)
            _ = try await client.request("GET", "/api/v1/nodes")
        }
        await server.stop()
    }

    @Test("Many requests at once on one connection, and a cut in the middle of them", arguments: [true, false])
    func cuts(_ http2: Bool) async throws {
        let server = try await SandboxAPIServer.start(options: Gate().options())
        if http2 {
            let client = try await TestClient.connect(to: server, identity: server.administrator, http2: true)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<50 { group.addTask { try await client.request("GET", "/api/v1/nodes").status } }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 200, count: 50))
            await client.close()
        }
        await server.cluster.inject(Fault(.cutConnection, pathPart: "/nodes"))
        let client = try await TestClient.connect(to: server, identity: server.administrator, http2: http2)
        await #expect(throws: (any Error).self) { try await client.request("GET", "/api/v1/nodes") }
        let again = try await TestClient.connect(to: server, identity: server.administrator, http2: http2)
        #expect(try await again.request("GET", "/api/v1/nodes").status == 200)
        await again.close()
        await server.stop()
    }

    @Test("A body that is too large is refused")
    func largeBody() async throws {
        let server = try await SandboxAPIServer.start(options: Gate().options())
        let client = try await TestClient.connect(to: server, identity: server.administrator)
        let answer = try await client.request(
            "PATCH", "/api/v1/namespaces/x?fieldManager=labctl", body: Array(repeating: 0x20, count: 4 << 20),
            contentType: "application/apply-patch+yaml")
        #expect(answer.status == 413)
        await client.close()
        await server.stop()
    }

    @Test("A body in YAML is read")
    func yamlBody() async throws {
        let server = try await SandboxAPIServer.start(options: Gate().options())
        let client = try await TestClient.connect(to: server, identity: server.administrator)
        let yaml = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: y\n  labels: {lab: \"yes\"}\n"
        let answer = try await client.request(
            "PATCH", "/api/v1/namespaces/y?fieldManager=labctl", body: Array(yaml.utf8),
            contentType: "application/apply-patch+yaml")
        #expect(answer.status == 201)
        #expect(answer.json[["metadata", "labels", "lab"]] == "yes")
        await client.close()
        await server.stop()
    }

    static let kubectl = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        .map { "\($0)/kubectl" }.first { FileManager.default.isExecutableFile(atPath: $0) }

    @Test("kubectl finds its way", .enabled(if: kubectl != nil, "needs kubectl (Scripts/setup test)"))
    func kubectlWorks() async throws {
        let server = try await SandboxAPIServer.start(options: Gate().options())
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("labctl-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let config = folder.appendingPathComponent("config").path
        let manifest = folder.appendingPathComponent("manifest.yaml").path
        try server.kubeconfig().write(toFile: config, atomically: true, encoding: .utf8)
        try MiniatureManifest.text.write(toFile: manifest, atomically: true, encoding: .utf8)
        func run(_ arguments: String...) async throws -> (status: Int32, output: String) {
            try await Self.run(
                [try #require(Self.kubectl), "--cache-dir", folder.path, "--kubeconfig", config] + arguments)
        }
        #expect(try await run("get", "namespaces").output.contains("kube-system"))
        let applied = try await run("apply", "--server-side", "-f", manifest)
        #expect(applied.status == 0, "\(applied.output)")
        let waited = try await run(
            "wait", "--for=condition=Established", "crd/ipaddresspools.metallb.io", "--timeout=20s")
        #expect(waited.status == 0, "\(waited.output)")
        let rolled = try await run("-n", "metallb-system", "rollout", "status", "daemonset/speaker", "--timeout=20s")
        #expect(rolled.status == 0, "\(rolled.output)")
        let again = try await run("apply", "--server-side", "-f", manifest)
        #expect(again.status != 0)
        #expect(again.output.contains("conflict with \"MetalLB\""), "\(again.output)")
        let patched = try await run("label", "node", "w1", "lab=yes")
        #expect(patched.status == 0, "\(patched.output)")
        #expect(try await run("delete", "namespace", "metallb-system", "--timeout=20s").status == 0)
        await server.stop()
    }

    private static func run(_ words: [String]) async throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = Array(words.dropFirst())
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                let data = pipe.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                continuation.resume(returning: (process.terminationStatus, String(decoding: data, as: UTF8.self)))
            }
        }
    }
}
