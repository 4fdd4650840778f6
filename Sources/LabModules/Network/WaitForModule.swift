import LabCore
import LabTransport

/// `wait_for`: until a port of a host answers as seen from the node, a file is there, or either is gone.
package struct WaitForModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.wait_for",
        parameters: [
            .init("host", default: "127.0.0.1"), .init("port", .int), .init("path", .path),
            .init("state", choices: ["absent", "drained", "present", "started", "stopped"], default: "started"),
            .init("timeout", .int, default: 300), .init("connect_timeout", .int, default: 5),
            .init("delay", .int, default: 0), .init("sleep", .int, default: 1), .init("search_regex"),
            .init("msg"), .init("exclude_hosts", .list),
            .init(
                "active_connection_states", .list,
                default: ["ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "SYN_RECV", "SYN_SENT", "TIME_WAIT"]),
        ])

    package init() {}

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        // What a check does not start will not come up: Ansible leaves the module out of check mode as well.
        context.checkMode ? Plan(.unpredictable(reason: "a check starts nothing to wait for")) : Plan(.readOnly)
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        let wait = try Wait(call, in: context)
        return try await wait.run()
    }
}

/// One use of `wait_for`.
private struct Wait {
    enum Target {
        case port(host: String, port: Int)
        case path(String)
        case time
    }

    let call: ModuleCall
    let context: ModuleContext
    let target: Target
    let state: String
    let expression: (any RegexComponent & Sendable)?
    let limit: Duration

    init(_ call: ModuleCall, in context: ModuleContext) throws(ModuleError) {
        self.call = call
        self.context = context
        state = call["state"]?.string ?? "started"
        limit = .seconds(call["timeout"]?.int ?? 300)
        let port = call["port"]?.int
        let path = call["path"]?.string
        func wrong(_ message: String) -> ModuleError { ModuleError(message, span: call.span, failureClass: .input) }
        if port != nil, path != nil { throw wrong("wait_for takes a port or a path, not both") }
        if path != nil, state == "stopped" || state == "drained" {
            throw wrong("state: \(state) is for ports, not paths")
        }
        if state == "drained", port == nil { throw wrong("state: drained needs a port") }
        if call["exclude_hosts"] != nil, state != "drained" { throw wrong("exclude_hosts is for state: drained") }
        if let port {
            target = .port(host: call["host"]?.string ?? "127.0.0.1", port: port)
        } else {
            target = path.map { .path($0) } ?? .time
        }
        if let text = call["search_regex"]?.string {
            guard let regex = try? Regex(text) else {
                throw ModuleError(
                    "search_regex is no regular expression: \(text)",
                    span: call.source["search_regex"]?.span ?? call.span,
                    failureClass: .input)
            }
            expression = Pattern(regex: regex.anchorsMatchLineEndings())
        } else {
            expression = nil
        }
    }

    /// A regular expression that can go to other threads.
    private struct Pattern: RegexComponent, @unchecked Sendable {
        // Regex is not marked Sendable, but a compiled one is only read from.
        let regex: Regex<AnyRegexOutput>
    }

    func run() async throws -> ModuleResult {
        let clock = ContinuousClock()
        let start = clock.now
        if let delay = call["delay"]?.int, delay > 0 {
            context.progress("waiting \(delay) s before the first look")
            try await Task.sleep(for: .seconds(delay))
        }
        var groups: [String] = []
        if case .time = target {
            context.progress("waiting \(limit.components.seconds) s")
            try await Task.sleep(for: limit)
        } else {
            while true {
                let (isReached, found) = try await look(remaining: limit - (clock.now - start))
                if isReached {
                    groups = found
                    break
                }
                let elapsed = clock.now - start
                guard elapsed < limit else { throw timedOut(after: elapsed) }
                context.progress(
                    "waiting for \(goal): \(elapsed.components.seconds) s of \(limit.components.seconds) s")
                try await Task.sleep(for: min(.seconds(call["sleep"]?.int ?? 1), limit - elapsed))
            }
        }
        return ModuleResult(
            changed: false,
            values: try await pathValues().merging([
                "state": .string(state), "port": call["port"] ?? nil, "path": call["path"] ?? nil,
                "search_regex": call["search_regex"] ?? nil, "match_groups": .list(groups.map { .string($0) }),
                "match_groupdict": [:], "elapsed": .int(Int((clock.now - start).components.seconds)),
            ]) { found, _ in found })
    }

    /// What Ansible adds to every result that has a `path`.
    private func pathValues() async throws -> ValueMap {
        guard case .path(let path) = target, wantsPresence else { return [:] }
        let status = try await context.status(of: path, FileQuery(followsLinks: true))
        guard status.exists else { return [:] }
        return [
            "state": .string(status.kind == .directory ? "directory" : "file"), "mode": .string(octal(status.mode)),
            "size": .int(status.size), "uid": .int(status.userID), "gid": .int(status.groupID),
            "owner": .string(status.owner ?? String(status.userID)),
            "group": .string(status.group ?? String(status.groupID)),
        ]
    }

    private var wantsPresence: Bool { state == "started" || state == "present" }

    private var goal: String {
        switch target {
        case .port(let host, let port):
            switch state {
            case "drained": "\(host):\(port) to drain"
            case "stopped", "absent": "\(host):\(port) to stop"
            default: call["search_regex"]?.string.map { "'\($0)' from \(host):\(port)" } ?? "\(host):\(port)"
            }
        case .path(let path):
            wantsPresence ? call["search_regex"]?.string.map { "'\($0)' in \(path)" } ?? path : "\(path) to go away"
        case .time: "the time to pass"
        }
    }

    private func timedOut(after elapsed: Duration) -> ModuleError {
        let standard = "\(context.hostName) waited \(elapsed.components.seconds) s for \(goal) in vain"
        let message = call["msg"]?.string ?? standard
        return ModuleError(
            message, span: call.span, notes: message == standard ? [] : [Diagnostic.Note(standard)],
            values: ["elapsed": .int(Int(elapsed.components.seconds))])
    }

    /// Looks once: whether the state is reached, and what the groups of the expression matched.
    private func look(remaining: Duration) async throws -> (Bool, [String]) {
        switch target {
        case .time: return (true, [])
        case .path(let path):
            let status = try await context.status(of: path, FileQuery(followsLinks: wantsPresence))
            guard wantsPresence else { return (!status.exists, []) }
            guard status.exists, expression != nil else { return (status.exists, []) }
            let bytes = try await context.connection().readFile(status.path, become: context.become)
            return match(bytes)
        case .port(let host, let port):
            if state == "drained" { return (try await activeConnections(host: host, port: port) == 0, []) }
            return try await lookAtPort(host: host, port: port, remaining: remaining)
        }
    }

    private func lookAtPort(host: String, port: Int, remaining: Duration) async throws -> (Bool, [String]) {
        let limit = min(.seconds(call["connect_timeout"]?.int ?? 5), max(remaining, .milliseconds(100)))
        let connection = try await context.connection()
        let channel: (any ByteChannel)?
        do {
            channel = try await withTimeLimit(limit) { try await connection.openForward(host: host, port: port) }
        } catch let error as ConnectionError where error.kind == .forwardRefused {
            // A server that forbids forwarding would look like a port that never opens.
            if ([error.message] + error.notes).contains(where: { $0.contains("rohibited") }) { throw error }
            channel = nil
        }
        guard let channel else { return (!wantsPresence, []) }
        guard wantsPresence, expression != nil else {
            await channel.close()
            return (wantsPresence, [])
        }
        let found = try await withTimeLimit(max(remaining, .milliseconds(100))) { () -> (Bool, [String]) in
            var received: [UInt8] = []
            while let bytes = try await channel.read() {
                received += bytes
                let found = match(received)
                if found.0 { return found }
            }
            return (false, [])
        }
        await channel.close()
        return found ?? (false, [])
    }

    private func match(_ bytes: [UInt8]) -> (Bool, [String]) {
        guard let pattern = expression as? Pattern,
            let match = try? pattern.regex.firstMatch(in: String(decoding: bytes, as: UTF8.self))
        else { return (false, []) }
        return (true, match.output.dropFirst().map { $0.substring.map(String.init) ?? "" })
    }

    /// How many connections to the port are in one of the states that count, from Linux's tables.
    private func activeConnections(host: String, port: Int) async throws -> Int {
        let result = try await context.connection().run(
            Command(.shell("cat /proc/net/tcp; cat /proc/net/tcp6 2>/dev/null || true"), become: context.become))
        guard result.exitStatus == 0 else {
            throw ModuleError("\(context.hostName) has no /proc/net/tcp to see connections in")
        }
        let states = Set(
            (call["active_connection_states"]?.list ?? []).compactMap { $0.string }.compactMap { Self.codes[$0] })
        let digits = String(port, radix: 16, uppercase: true)
        let suffix = ":" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        return result.outputText.split(separator: "\n").count { line in
            let words = line.split(separator: " ")
            return words.count > 3 && words[1].hasSuffix(suffix) && states.contains(String(words[3]))
        }
    }

    /// The codes of include/net/tcp_states.h of Linux.
    private static let codes = [
        "ESTABLISHED": "01", "SYN_SENT": "02", "SYN_RECV": "03", "FIN_WAIT1": "04", "FIN_WAIT2": "05",
        "TIME_WAIT": "06", "CLOSE": "07", "CLOSE_WAIT": "08", "LAST_ACK": "09", "LISTEN": "0A", "CLOSING": "0B",
    ]
}
