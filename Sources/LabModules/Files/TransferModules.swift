import LabCore
import LabTransport

/// `slurp`: a file of the node, in base64.
package struct SlurpModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.slurp", parameters: [.init("src", .path, aliases: ["path"], required: true)])

    package init() {}

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan { Plan(.readOnly) }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        let path = call["src"]?.string ?? ""
        let (status, bytes) = try await context.contents(of: path, FileQuery(followsLinks: true))
        guard status.exists else {
            throw ModuleError(
                "\(context.hostName) has no file \(path)", span: call.source["src"]?.span ?? call.span,
                values: ["msg": .string("file not found: \(path)")])
        }
        guard status.kind != .directory else { throw ModuleError("\(path) is a folder", span: call.span) }
        return ModuleResult(
            changed: false,
            values: ["content": .string(Base64.encode(bytes)), "encoding": "base64", "source": .string(status.path)])
    }
}

/// `fetch`: a file of the node, brought to the laptop.
package struct FetchModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.fetch",
        parameters: [
            .init("src", .path, required: true), .init("dest", .path, required: true),
            .init("flat", .bool, default: false), .init("fail_on_missing", .bool, default: true),
            .init("validate_checksum", .bool, default: true),
        ])

    package init() {}

    package func mayRepeat(_ call: ModuleCall) -> Bool { true }

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        let path = call["src"]?.string ?? ""
        let status = try await context.status(of: path, FileQuery(followsLinks: true, checksum: "sha1"))
        guard status.kind == .regular else {
            let what = status.exists ? "is no regular file" : "is not there"
            if call["fail_on_missing"]?.bool == false {
                return Plan(
                    .nothing, values: ["file": .string(path), "msg": .string("the remote file \(what), ignored")],
                    notes: ["\(path) \(what)"])
            }
            throw ModuleError("\(path) \(what) on \(context.hostName)", span: call.source["src"]?.span ?? call.span)
        }
        let local = destination(call, status.path, host: context.hostName)
        let existing = LocalFiles.status(local) == nil ? nil : try LocalFiles.read(local)
        let localChecksum = existing.map { Checksum.of($0, .sha1) }
        let values: ValueMap = [
            "dest": .string(local), "file": .string(path), "checksum": status.checksum.map { .string($0) } ?? nil,
            "remote_checksum": status.checksum.map { .string($0) } ?? nil,
        ]
        if let localChecksum, localChecksum == status.checksum { return Plan(.nothing, values: values) }
        let field = Change.Field(
            "content", before: existing.map { .string("\($0.count) bytes") }, after: .string("\(status.size) bytes"))
        return Plan(
            .changes([Change(existing == nil ? .create : .update, local, fields: [field])]), values: values,
            payload: Work(remote: status.path, local: local))
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        guard let work = plan.payload as? Work else { return ModuleResult(changed: false, values: plan.values) }
        let bytes = try await context.connection().readFile(work.remote, become: context.become)
        try LocalFiles.makeFolder(parent(of: work.local))
        try LocalFiles.write(bytes, to: work.local)
        return ModuleResult(changed: true, values: ["md5sum": .string(Checksum.of(bytes, .md5))])
    }

    private struct Work: Sendable {
        var remote: String
        var local: String
    }

    /// `dest/HOST/path`, or with `flat` the path itself, below it when it ends with a slash.
    private func destination(_ call: ModuleCall, _ path: String, host: String) -> String {
        let written = call["dest"]?.string ?? ""
        if call["flat"]?.bool == true { return written.hasSuffix("/") ? written + baseName(of: path) : written }
        let root = written.hasSuffix("/") ? written : written + "/"
        return root + host + (path.hasPrefix("/") ? path : "/" + path)
    }
}

/// `tempfile`: a new file or folder with a name of its own.
package struct TempfileModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.tempfile",
        parameters: [
            .init("state", choices: ["file", "directory"], default: "file"), .init("path", .path),
            .init("prefix", default: "ansible."), .init("suffix", default: ""),
        ])

    package init() {}

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        Plan(.unpredictable(reason: "tempfile makes a new one on every run"))
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        let isFolder = call["state"]?.string == "directory"
        let script =
            #"d=${1:-${TMPDIR:-/tmp}}; p=$(mktemp $4 "$d/$2XXXXXXXX") && mv "$p" "$p$3" 2>/dev/null; echo "$p$3""#
        let result = try await context.connection().run(
            Command(
                .arguments(
                    [
                        "/bin/sh", "-c", script, "sh", call["path"]?.string ?? "", call["prefix"]?.string ?? "",
                        call["suffix"]?.string ?? "", isFolder ? "-d" : "-q",
                    ]), become: context.become))
        let path = result.outputText.trimmingWhitespace()
        guard result.exitStatus == 0, path.hasPrefix("/"),
            try await context.status(of: path).exists
        else {
            throw ModuleError(
                "\(context.hostName) cannot make a temporary file",
                notes: result.errorText.split(separator: "\n").prefix(3).map { Diagnostic.Note(String($0)) })
        }
        return ModuleResult(
            changed: true, values: ["path": .string(path), "state": .string(isFolder ? "directory" : "file")],
            changes: [Change(.create, path)])
    }
}

/// `pause`: waits for some time. Nothing is asked: a run may have nobody to answer.
package struct PauseModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.pause",
        parameters: [
            .init("seconds", .float), .init("minutes", .float), .init("prompt"), .init("echo", .bool, default: true),
        ], runsOnController: true)

    package init() {}

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan { Plan(.readOnly) }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        let seconds = (call["seconds"]?.double ?? 0) + (call["minutes"]?.double ?? 0) * 60
        var notes = call["prompt"]?.string.map { [$0] } ?? []
        if seconds > 0 {
            context.progress("waiting \(Int(seconds.rounded(.up))) s")
            if !context.checkMode { try await Task.sleep(for: .seconds(seconds)) }
        } else {
            notes.append("nobody was asked: labctl goes on by itself")
        }
        return ModuleResult(
            changed: false, values: ["delta": .int(Int(seconds)), "user_input": "", "rc": 0], notes: notes)
    }
}
