import LabCore
import LabTransport

/// `file`: folders, links, modes and owners, and the absence of things.
package struct FileModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.file",
        parameters: [
            .init("path", .path, aliases: ["dest", "name"], required: true),
            .init("state", choices: ["absent", "directory", "file", "hard", "link", "touch"]),
            .init("src", .path), .init("recurse", .bool, default: false), .init("force", .bool, default: false),
            .init("follow", .bool, default: true), .init("modification_time"), .init("modification_time_format"),
            .init("access_time"), .init("access_time_format"),
        ] + WantedAttributes.parameters)

    package init() {}

    package func mayRepeat(_ call: ModuleCall) -> Bool { true }

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        var wanted = FileState(call: call, attributes: try WantedAttributes(call), context: context)
        return try await wanted.plan()
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        let commands = plan.payload as? [[String]] ?? []
        try await context.perform(commands, subject: call["path"]?.string ?? "")
        guard case .changes(let changes) = plan.verdict else { return ModuleResult(changed: true) }
        return ModuleResult(changed: true, changes: changes)
    }
}

/// One use of `file`, while it is planned.
private struct FileState {
    let call: ModuleCall
    let attributes: WantedAttributes
    let context: ModuleContext
    var commands: [[String]] = []
    var changes: [Change] = []

    init(call: ModuleCall, attributes: WantedAttributes, context: ModuleContext) {
        self.call = call
        self.attributes = attributes
        self.context = context
    }

    private var path: String { call["path"]?.string ?? "" }
    private var recurses: Bool { call["recurse"]?.bool ?? false }
    private var follows: Bool { call["follow"]?.bool ?? true }
    private var forces: Bool { call["force"]?.bool ?? false }

    mutating func plan() async throws -> Plan {
        let written = call["state"]?.string
        // The folders above are asked about too: new ones get the attributes, as Ansible has it.
        let ancestors = written == "directory" || written == nil ? self.ancestors(of: path) : []
        var found = try await context.status(of: ancestors + [path])
        guard var status = found.popLast() else { throw ModuleError("\(context.hostName) did not tell of \(path)") }
        let state = written ?? currentState(status)
        if recurses, state != "directory" {
            throw ModuleError("recurse needs state: directory", span: call.span, failureClass: .input)
        }
        if call["src"] != nil, state != "link", state != "hard" {
            throw ModuleError("src needs state: link or state: hard", span: call.span, failureClass: .input)
        }
        if status.kind == .link, follows, ["directory", "file", "touch"].contains(state) {
            status = try await context.status(
                of: status.resolvedPath ?? status.path, FileQuery(followsLinks: true))
        }
        switch state {
        case "absent": planAbsence(status)
        case "directory": try await planFolder(status, ancestors: found)
        case "link": try await planLink(status)
        case "hard": try await planHardLink(status)
        case "touch":
            if let plan = try planTouch(status) { return plan }
        default: try planFile(status)
        }
        return finish(status, state: state)
    }

    private func finish(_ status: FileStatus, state: String) -> Plan {
        var values: ValueMap = ["path": .string(path), "state": .string(state == "touch" ? "file" : state)]
        if state == "link" || state == "hard" || state == "touch" { values["dest"] = .string(path) }
        if let source = call["src"] { values["src"] = source }
        if status.exists, state != "absent" {
            values["mode"] = .string(octal(status.mode))
            values["owner"] = .string(status.owner ?? String(status.userID))
            values["group"] = .string(status.group ?? String(status.groupID))
            values["uid"] = .int(status.userID)
            values["gid"] = .int(status.groupID)
            values["size"] = .int(status.size)
        }
        return changes.isEmpty
            ? Plan(.nothing, values: values) : Plan(.changes(changes), values: values, payload: commands)
    }

    private func currentState(_ status: FileStatus) -> String {
        switch status.kind {
        case nil: recurses ? "directory" : "file"
        case .link: "link"
        case .directory: "directory"
        default: status.linkCount > 1 ? "hard" : "file"
        }
    }

    /// The folders above a path, outermost first.
    private func ancestors(of path: String) -> [String] {
        var found: [String] = []
        var prefix = path.hasPrefix("/") ? "/" : ""
        for name in path.split(separator: "/").dropLast() {
            prefix += prefix.isEmpty || prefix.hasSuffix("/") ? name : "/\(name)"
            found.append(String(prefix))
        }
        return found
    }

    private mutating func planAbsence(_ status: FileStatus) {
        guard status.exists else { return }
        commands.append(["rm", "-rf", "--", status.path])
        changes.append(
            Change(.delete, path, fields: [Change.Field("state", before: .string(name(of: status)), after: "absent")]))
    }

    private mutating func planFile(_ status: FileStatus) throws {
        guard status.kind != nil, status.kind != .directory, status.kind != .link else {
            throw ModuleError(
                "\(path) is \(status.exists ? "a \(name(of: status))" : "absent"); state: file makes no files",
                span: call.span, hint: "use copy or template to make a file, or state: touch for an empty one",
                values: [
                    "path": .string(path), "state": .string(status.exists ? name(of: status) : "absent"),
                    "msg": .string(
                        "file (\(path)) is \(status.exists ? name(of: status) : "absent"), cannot continue"),
                ])
        }
        update(status, named: path)
    }

    private mutating func planFolder(_ status: FileStatus, ancestors: [FileStatus]) async throws {
        guard status.exists else {
            for folder in ancestors + [status] where !folder.exists {
                let bits = attributes.newMode(isDirectory: true, umask: folder.umask)
                // Another host's task may make the same folder at the same time, on a machine that both share.
                commands.append(["mkdir", "-p", "--", folder.path])
                commands += attributes.commands(for: folder.path, bits: attributes.mode == nil ? nil : bits)
            }
            changes.append(
                Change(
                    .create, path,
                    fields: [Change.Field("state", before: "absent", after: "directory")]
                        + attributes.fieldsOfNew(isDirectory: true, umask: status.umask)))
            return
        }
        guard status.kind == .directory else {
            throw ModuleError("\(path) is a \(name(of: status)), not a folder", span: call.span)
        }
        update(status, named: path)
        guard recurses else { return }
        let listing = try await context.connection().run(
            Command(.arguments(["find", status.path, "-mindepth", "1"]), become: context.become))
        guard listing.exitStatus == 0 else {
            throw ModuleError(
                "\(context.hostName) cannot list \(path)",
                notes: listing.errorText.split(separator: "\n").prefix(5).map { Diagnostic.Note(String($0)) })
        }
        let paths = listing.outputText.split(separator: "\n").map(String.init)
        // An argument list has a limit (128 KiB is what POSIX systems have at least in practice).
        var batch: [String] = []
        var size = 0
        for (index, inner) in paths.enumerated() {
            batch.append(inner)
            size += inner.utf8.count + 1
            if size > 60_000 || index == paths.count - 1 {
                for status in try await context.status(of: batch) { update(status, named: status.path) }
                batch = []
                size = 0
            }
        }
    }

    private mutating func planLink(_ status: FileStatus) async throws {
        guard let source = call["src"]?.string ?? (follows ? status.linkTarget : nil) else {
            throw ModuleError("a new link needs src", span: call.span, failureClass: .input)
        }
        let absolute = source.hasPrefix("/") ? source : parent(of: status.path) + "/" + source
        let target = try await context.status(of: absolute, FileQuery(followsLinks: true))
        if !forces, call["src"] != nil, !target.exists {
            throw ModuleError(
                "\(context.hostName) has no \(absolute) for the link to lead to",
                span: call.source["src"]?.span ?? call.span,
                hint: "give force: true for a link that leads nowhere yet")
        }
        if status.exists, status.kind != .link, !forces {
            throw ModuleError(
                "\(path) is a \(name(of: status)), not a link", span: call.span,
                hint: "give force: true to replace it")
        }
        if status.linkTarget != source {
            switch status.kind {
            case .directory: commands.append(["rmdir", "--", status.path])
            case nil, .link: break
            default: commands.append(["rm", "-f", "--", status.path])
            }
            commands.append(["ln", "-sfn", "--", source, status.path])
            changes.append(
                Change(
                    status.exists ? .update : .create, path,
                    fields: [
                        Change.Field(
                            "target", before: status.linkTarget.map { .string($0) }, after: .string(source))
                    ]))
        }
        if follows {
            if target.exists { update(target, named: path) }
        } else if status.kind == .link {
            update(status, named: path)
        } else {
            commands += attributes.commands(for: status.path, bits: nil, isLink: true)
        }
    }

    private mutating func planHardLink(_ status: FileStatus) async throws {
        guard let source = call["src"]?.string else {
            throw ModuleError("a hard link needs src", span: call.span, failureClass: .input)
        }
        let target = try await context.status(of: source)
        guard target.exists else {
            throw ModuleError(
                "\(context.hostName) has no \(source) for the link to lead to",
                span: call.source["src"]?.span ?? call.span)
        }
        if status.exists, status.inode == target.inode, status.device == target.device {
            update(status, named: path)
            return
        }
        if status.exists, !forces {
            throw ModuleError(
                "\(path) exists and is another file", span: call.span, hint: "give force: true to replace it")
        }
        commands.append(["ln", "-f", "--", target.path, status.path])
        changes.append(
            Change(
                status.exists ? .update : .create, path,
                fields: [Change.Field("target", before: nil, after: .string(source))]))
        commands += attributes.commands(
            for: status.path,
            bits: attributes.mode.map { $0.bits(applyingTo: target.mode, isDirectory: false, umask: target.umask) })
    }

    /// Plans `state: touch`; gives a plan of its own where the times are set on every run.
    private mutating func planTouch(_ status: FileStatus) throws -> Plan? {
        guard status.exists else {
            commands.append(["touch", "--", status.path])
            let bits = attributes.mode.map {
                $0.bits(applyingTo: 0o666 & ~status.umask, isDirectory: false, umask: status.umask)
            }
            commands += attributes.commands(for: status.path, bits: bits)
            changes.append(
                Change(
                    .create, path, fields: attributes.fieldsOfNew(isDirectory: false, umask: status.umask)))
            return nil
        }
        update(status, named: path)
        let times = [("-m", call["modification_time"]?.string), ("-a", call["access_time"]?.string)]
        var setsNow = false
        for (option, time) in times where time != "preserve" {
            if let time, time != "now" {
                let digits = time.filter { $0.isNumber || $0 == "." }
                guard digits == time, time.split(separator: ".").first?.count == 12 else {
                    throw ModuleError(
                        "'\(time)' is no time", span: call.span, hint: "write YYYYMMDDhhmm.ss, now or preserve",
                        failureClass: .input)
                }
                commands.append(["touch", option, "-t", time, "--", status.path])
            } else {
                commands.append(["touch", option, "--", status.path])
            }
            setsNow = true
        }
        guard setsNow else { return nil }
        var plan = finish(status, state: "touch")
        plan.verdict = .unpredictable(
            reason: "touch sets the times on every run; give it modification_time: preserve and access_time: preserve")
        plan.payload = commands
        return plan
    }

    /// Plans the attributes of something that exists.
    private mutating func update(_ status: FileStatus, named name: String) {
        let fields = attributes.differences(from: status)
        guard !fields.isEmpty else { return }
        let bits = attributes.mode.map {
            $0.bits(applyingTo: status.mode, isDirectory: status.kind == .directory, umask: status.umask)
        }
        commands += attributes.commands(
            for: status.path,
            bits: bits == status.mode && attributes.owner == nil && attributes.group == nil ? nil : bits,
            isLink: status.kind == .link)
        changes.append(Change(.update, name, fields: fields))
    }

    private func name(of status: FileStatus) -> String {
        switch status.kind {
        case nil: "absent"
        case .directory: "directory"
        case .link: "link"
        case .regular: "file"
        case .fifo: "pipe"
        case .socket: "socket"
        case .characterDevice, .blockDevice: "device"
        }
    }
}

/// The folder that a path is in.
func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}
