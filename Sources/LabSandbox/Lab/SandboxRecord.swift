import LabCore

/// What a sandbox says of itself in `state.json`, written while it starts, so that a crash leaves a trace.
struct SandboxRecord: Sendable {
    struct Process: Sendable {
        var role: String
        var identity: ProcessIdentity
        var port: Int
    }

    var kind: SandboxKind
    /// Whether the start came to its end.
    var isComplete = false
    var processes: [Process] = []
    /// The API server's port; it has no process of its own in tests.
    var apiPort = 0
    var nodes: [SandboxNode] = []

    func save(_ directory: SandboxDirectory) throws(SandboxError) {
        let value: Value = [
            "version": 1, "kind": .string(kind.rawValue), "complete": .bool(isComplete), "apiPort": .int(apiPort),
            "processes": .list(
                processes.map {
                    [
                        "role": .string($0.role), "pid": .int(Int($0.identity.pid)),
                        "start": .string($0.identity.start), "port": .int($0.port),
                    ]
                }),
            "nodes": .list(
                nodes.map {
                    [
                        "name": .string($0.name), "port": .int($0.port), "user": .string($0.user),
                        "home": .string($0.home), "clusterAddress": .string($0.clusterAddress),
                        "group": .string($0.group),
                    ]
                }),
        ]
        try Files.write(value.json(.indented(2)) + "\n", to: directory.record)
    }

    /// The record of a directory; nil when there is none, or none that can be read.
    static func load(_ directory: SandboxDirectory) -> SandboxRecord? {
        guard let text = Files.read(directory.record), let value = try? Value(json: text),
            let kind = value["kind"]?.string.flatMap(SandboxKind.init(rawValue:))
        else { return nil }
        var record = SandboxRecord(kind: kind)
        record.isComplete = value["complete"]?.bool ?? false
        record.apiPort = value["apiPort"]?.int ?? 0
        record.processes = (value["processes"]?.list ?? []).compactMap { item in
            guard let role = item["role"]?.string, let pid = item["pid"]?.int, let start = item["start"]?.string
            else { return nil }
            return Process(
                role: role, identity: ProcessIdentity(pid: Int32(truncatingIfNeeded: pid), start: start),
                port: item["port"]?.int ?? 0)
        }
        record.nodes = (value["nodes"]?.list ?? []).compactMap { item in
            guard let name = item["name"]?.string, let port = item["port"]?.int else { return nil }
            return SandboxNode(
                name: name, port: port, user: item["user"]?.string ?? "", home: item["home"]?.string ?? "",
                clusterAddress: item["clusterAddress"]?.string ?? "", group: item["group"]?.string ?? "")
        }
        return record
    }
}
