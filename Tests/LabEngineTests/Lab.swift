import LabCore
import LabEngine
import LabModel
import LabModules
import LabTransport
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A folder with an inventory and a playbook, in which a test runs the engine on the machine itself.
final class Lab: Sendable {
    let folder: String
    private let seen = Mutex<[Event]>([])

    init() throws {
        folder = "/tmp/labctl-engine-\(getpid())-\(UInt64.random(in: .min ... .max))"
        guard mkdir(folder, 0o755) == 0 else { throw ModuleError("no temporary folder") }
        write("inventory.yml", "all:\n  hosts:\n    one:\n    two:\n    three:\n")
    }

    deinit { _ = system("rm -rf '\(folder)'") }

    func write(_ name: String, _ text: String) {
        let path = "\(folder)/\(name)"
        if name.contains("/") { _ = system("mkdir -p \"$(dirname '\(path)')\"") }
        guard let file = fopen(path, "w") else {
            Issue.record("cannot write \(path)")
            return
        }
        fputs(text, file)
        fclose(file)
    }

    func read(_ name: String) -> String? {
        guard let file = fopen("\(folder)/\(name)", "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while true {
            let byte = getc(file)
            if byte == EOF { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(UInt8(truncatingIfNeeded: byte))
        }
    }

    func note(_ event: Event) { seen.withLock { $0.append(event) } }

    var events: [Event] { seen.withLock { $0 } }

    /// Runs roles by name, as `labctl provision` does.
    func run(
        roles: [String], hosts: String? = nil, transport: any Transport = MachineTransport(),
        configure: (inout RunOptions) -> Void = { _ in }
    ) async throws -> Report {
        let registry = ModuleRegistry.builtIn(environment: [:])
        let loader = RoleLoader(catalog: registry, finder: RoleFinder(directory: folder))
        return try await run(
            try loader.plays(for: roles, hosts: hosts), registry, transport: transport, configure: configure)
    }

    /// Runs a playbook, written with `DIR` for the lab's folder.
    func run(
        _ playbook: String, transport: any Transport = MachineTransport(),
        configure: (inout RunOptions) -> Void = { _ in }
    ) async throws -> Report {
        write("play.yml", playbook.replacing("DIR", with: folder))
        let registry = ModuleRegistry.builtIn(environment: [:])
        let finder = RoleFinder(directory: folder)
        let plays = try PlaybookLoader(catalog: registry, finder: finder).load(["\(folder)/play.yml"])
        return try await run(plays, registry, transport: transport, configure: configure)
    }

    private func run(
        _ plays: [Play], _ registry: ModuleRegistry, transport: any Transport, configure: (inout RunOptions) -> Void
    ) async throws -> Report {
        var options = RunOptions()
        options.environment = ["HOME": folder]
        configure(&options)
        let inventory = try InventoryLoader(workingDirectory: folder).load(["\(folder)/inventory.yml"])
        let engine = Engine(registry: registry, transport: transport, local: LocalTransport())
        let plan = RunPlan(title: "play.yml", inventory: inventory, plays: plays, options: options)
        return await engine.run(plan) { event in self.seen.withLock { $0.append(event) } }
    }
}

/// Reaches every host on the machine itself, except those that a test wants to be out of reach.
struct MachineTransport: Transport {
    var unreachable: Set<String> = []
    var wrap: @Sendable (any Connection) -> any Connection = { $0 }

    func connect(to endpoint: Endpoint) async throws -> any Connection {
        if unreachable.contains(endpoint.hostName) {
            throw ConnectionError(
                .refused, hostName: endpoint.hostName, "connection refused by \(endpoint.address):22",
                hint: "is sshd running there?")
        }
        return wrap(LocalConnection(hostName: endpoint.hostName))
    }
}

extension Report {
    /// The records, one a line: `one ok proved Make a folder`.
    var lines: [String] {
        records.map { record in
            let proof =
                switch record.step.proof {
                case .none: "-"
                case .proved(let by): by.map { "proved(\($0))" } ?? "proved"
                case .unproved: "unproved"
                case .refuted: "refuted"
                }
            let marks = (record.isIgnored ? " ignored" : "") + (record.isRescued ? " rescued" : "")
            return "\(record.host) \(record.outcome.rawValue)\(marks) \(proof) \(record.task.name)"
        }
    }

    /// The lines of one host.
    func lines(of host: String) -> [String] {
        lines.filter { $0.hasPrefix(host + " ") }.map { String($0.dropFirst(host.count + 1)) }
    }

    /// The messages of all failures.
    var messages: [String] {
        records.flatMap(\.step.failure).map(\.message) + failures.flatMap(\.diagnostics).map(\.message)
    }
}
