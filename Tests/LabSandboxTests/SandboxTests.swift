import Foundation
import LabCore
import LabSandbox
import LabYAML
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

private let sshIsThere = FileManager.default.isExecutableFile(atPath: "/usr/sbin/sshd")

/// The lab on loopback: real sshd, started and ended. The API server runs within the test.
@Suite("Sandbox", .serialized, .enabled(if: sshIsThere, "OpenSSH's server is not installed"))
struct SandboxTests {
    /// A project's folder for one test, and the servers that were started for it.
    final class Project: Sendable {
        let path: String
        private let servers = Mutex<[SandboxAPIServer]>([])

        init() throws {
            path = FileManager.default.temporaryDirectory.path + "/labctl sandbox \(UUID().uuidString.prefix(8))"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }

        var options: SandboxOptions {
            var options = SandboxOptions(project: path, executable: "/nowhere/labctl")
            options.startServer = { directory in
                let server = try await SandboxServe.start(directory, options: Gate().options())
                self.servers.withLock { $0.append(server) }
            }
            return options
        }

        func stopServers() async {
            for server in servers.withLock({ $0 }) { await server.stop() }
        }

        func close() async {
            _ = try? await Sandbox.down(project: path)
            await stopServers()
            try? FileManager.default.removeItem(atPath: path)
        }

        var record: Value {
            let text = try? String(contentsOfFile: path + "/.labctl/sandbox/state.json", encoding: .utf8)
            return (try? Value(json: text ?? "")) ?? .null
        }

        var pids: [pid_t] { record["processes"]?.list?.compactMap { $0["pid"]?.int.map { pid_t($0) } } ?? [] }
    }

    private func isAlive(_ pid: pid_t) -> Bool {
        waitpid(pid, nil, WNOHANG)
        return kill(pid, 0) == 0
    }

    private func ssh(_ sandbox: Sandbox, _ node: SandboxNode, _ command: String) throws -> (Int32, String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/ssh")
        process.arguments = [
            "-F", "none", "-i", sandbox.privateKeyPath, "-o", "UserKnownHostsFile=\"\(sandbox.knownHostsPath)\"",
            "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-p",
            String(node.port), "\(node.user)@127.0.0.1", command,
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    @Test("Up, in use, up again, down: nothing is left")
    func lifecycle() async throws {
        let project = try Project()
        guard case .down = Sandbox.status(project: project.path) else {
            Issue.record("there is something before the start")
            return
        }
        let sandbox = try await Sandbox.up(project.options)
        #expect(sandbox.kind == .simulated)
        #expect(!sandbox.wasRunning)
        #expect(sandbox.nodes.map(\.name) == ["cp1", "w1", "w2"])
        #expect(sandbox.nodes.map(\.group) == ["control_plane", "workers", "workers"])
        for node in sandbox.nodes {
            let (status, output) = try ssh(sandbox, node, "echo \"$HOME|$KUBECONFIG|$LABCTL_SANDBOX_NODE\"")
            #expect(status == 0)
            #expect(output == "\(node.home)|\(node.home)/.kube/config|\(node.name)\n", "\(output)")
            let config = try String(contentsOfFile: node.home + "/.kube/config", encoding: .utf8)
            #expect(config.contains("server: https://127.0.0.1:\(sandbox.apiPort)"))
        }
        let again = try await Sandbox.up(project.options)
        #expect(again.wasRunning)
        #expect(again.nodes == sandbox.nodes)

        let pids = project.pids
        #expect(pids.count == 3)
        #expect(try await Sandbox.down(project: project.path))
        #expect(pids.allSatisfy { !isAlive($0) })
        #expect(!FileManager.default.fileExists(atPath: sandbox.directory.root))
        #expect(try await Sandbox.down(project: project.path) == false)
        await project.close()
    }

    @Test("The inventory is one that labctl and Ansible read")
    func inventory() async throws {
        let project = try Project()
        let sandbox = try await Sandbox.up(project.options)
        let text = try String(contentsOfFile: sandbox.inventoryPath, encoding: .utf8)
        let value = try YAML.load(SourceFile(path: "inventory.yml", text: text), schema: .ansible)[0].value
        let all = try #require(value["all"])
        #expect(all[["vars", "ansible_ssh_private_key_file"]]?.string == sandbox.privateKeyPath)
        #expect(all[["vars", "ansible_user"]]?.string == sandbox.nodes[0].user)
        for node in sandbox.nodes {
            let host = all[["children", node.group, "hosts", node.name]]
            #expect(host?["ansible_host"] == "127.0.0.1")
            #expect(host?["ansible_port"] == .int(node.port))
            #expect(host?["node_address"]?.string == node.clusterAddress)
        }
        await project.close()
    }

    @Test("A part that died makes it broken; up starts it anew and ends the rest of the old one")
    func crash() async throws {
        let project = try Project()
        _ = try await Sandbox.up(project.options)
        let old = project.pids
        kill(old[1], SIGKILL)
        _ = try await eventually({ isAlive(old[1]) }, until: { !$0 })
        guard case .broken(let faults) = Sandbox.status(project: project.path) else {
            Issue.record("not seen as broken")
            return
        }
        #expect(faults == ["sshd of w1 (process \(old[1])) does not run any more"])
        #expect(try Sandbox.find(project: project.path) == nil)
        let sandbox = try await Sandbox.up(project.options)
        #expect(!sandbox.wasRunning)
        #expect(old.allSatisfy { !isAlive($0) })
        #expect(try Sandbox.find(project: project.path) != nil)
        await project.close()
    }

    @Test("A start that was cut off is found by what it wrote until then")
    func halfStarted() async throws {
        let project = try Project()
        let sandbox = try await Sandbox.up(project.options)
        let pids = project.pids
        var record = project.record
        record["complete"] = false
        try record.json().write(toFile: sandbox.directory.root + "/state.json", atomically: true, encoding: .utf8)
        guard case .broken(let faults) = Sandbox.status(project: project.path) else {
            Issue.record("not seen as broken")
            return
        }
        #expect(faults == ["its start did not come to an end"])
        #expect(try await Sandbox.down(project: project.path))
        #expect(pids.allSatisfy { !isAlive($0) })
        await project.close()
    }

    #if os(Linux)
        @Test("Processes that no record knows of are found by their command lines")
        func strays() async throws {
            let project = try Project()
            let sandbox = try await Sandbox.up(project.options)
            let pids = project.pids
            try FileManager.default.removeItem(atPath: sandbox.directory.root)
            guard case .broken(let faults) = Sandbox.status(project: project.path) else {
                Issue.record("not seen as broken")
                return
            }
            #expect(faults == ["3 of its processes still run, though its folder is gone"])
            #expect(try await Sandbox.down(project: project.path))
            #expect(pids.allSatisfy { !isAlive($0) })
            await project.close()
        }
    #endif

    @Test("A process that was given a recorded number later is not touched")
    func recycledNumber() async throws {
        let project = try Project()
        let sandbox = try await Sandbox.up(project.options)
        let bystander = Process()
        bystander.executableURL = URL(fileURLWithPath: "/bin/sleep")
        bystander.arguments = ["60"]
        try bystander.run()
        var record = project.record
        let pids = project.pids
        record["processes"] = .list(
            (record["processes"]?.list ?? []) + [
                [
                    "role": "API server", "pid": .int(Int(bystander.processIdentifier)), "start": "1",
                    "port": 0,
                ]
            ])
        try record.json().write(toFile: sandbox.directory.root + "/state.json", atomically: true, encoding: .utf8)
        #expect(try await Sandbox.down(project: project.path))
        #expect(bystander.isRunning)
        #expect(pids.allSatisfy { !isAlive($0) })
        kill(bystander.processIdentifier, SIGKILL)
        bystander.waitUntilExit()
        await project.close()
    }

    @Test("Two that start it at once end up with one and the same")
    func concurrent() async throws {
        let project = try Project()
        let options = project.options
        let sandboxes = try await withThrowingTaskGroup(of: Sandbox.self) { group in
            for _ in 0..<3 { group.addTask { try await Sandbox.up(options) } }
            return try await group.reduce(into: [Sandbox]()) { $0.append($1) }
        }
        #expect(Set(sandboxes.map(\.nodes)).count == 1)
        #expect(sandboxes.count { !$0.wasRunning } == 1)
        await project.close()
    }

    @Test("A server that does not start is told with its last words, and nothing stays")
    func brokenServer() async throws {
        let project = try Project()
        var options = SandboxOptions(project: project.path, executable: "/bin/false")
        options.timeout = .seconds(20)
        let error = try #require(
            await #expect(throws: SandboxError.self) { try await Sandbox.up(options) })
        #expect(error.diagnostics[0].message.contains("ended at once"))
        guard case .down = Sandbox.status(project: project.path) else {
            Issue.record("something stays")
            return
        }
        await project.close()
    }

    @Test("KUBEBUILDER_ASSETS without the programs, and with ones that fail, is told")
    func realAssets() async throws {
        let project = try Project()
        let assets = project.path + "/assets"
        try FileManager.default.createDirectory(atPath: assets, withIntermediateDirectories: true)
        let options = SandboxOptions(project: project.path, executable: "/bin/false", assets: assets)
        let missing = try #require(
            await #expect(throws: SandboxError.self) { try await Sandbox.up(options) })
        #expect(
            missing.diagnostics[0].message
                == "KUBEBUILDER_ASSETS names \(assets), but there is no program \(assets)/etcd")
        for name in ["etcd", "kube-apiserver"] {
            _ = FileManager.default.createFile(
                atPath: "\(assets)/\(name)", contents: Data("#!/bin/sh\necho no disk left >&2\nexit 1\n".utf8),
                attributes: [.posixPermissions: 0o755])
        }
        let failing = try #require(
            await #expect(throws: SandboxError.self) { try await Sandbox.up(options) })
        #expect(failing.diagnostics[0].message.hasSuffix("etcd ended at once"))
        #expect(failing.diagnostics[0].notes.map(\.message).contains("no disk left"))
        await project.close()
    }

    @Test("The serving process ends when its folder goes")
    func serving() async throws {
        let project = try Project()
        let directory = SandboxDirectory(project: project.path)
        let serving = Task { try await SandboxServe.serve(directory: directory.root) }
        let started = try await eventually({ FileManager.default.fileExists(atPath: directory.kubeconfig) }) { $0 }
        #expect(started == true)
        _ = try await eventually({
            FileManager.default.fileExists(atPath: directory.root + "/api/ready.json")
        }) { $0 }
        try FileManager.default.removeItem(atPath: directory.root)
        try await serving.value
        await #expect(throws: UsageError.self) { try await SandboxServe.serve(directory: "/tmp") }
        await project.close()
    }
}
