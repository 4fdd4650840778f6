import LabCore
import LabTransport

/// A file of the node that shall have certain contents.
struct ContentFile: Sendable {
    var path: String
    var bytes: [UInt8]
    var attributes: WantedAttributes
    /// The permission bits of the file it comes from, for `mode: preserve`.
    var sourceMode: Int?
    /// What stood at the path when the plan was made; looked at through links.
    var status: FileStatus

    /// SHA-1 as Ansible returns it.
    var checksum: String { Checksum.of(bytes, .sha1) }
    var hasOtherContents: Bool { status.kind != .regular || status.checksum != checksum }

    /// What would change; nil when the file is as wanted.
    func change(in context: ModuleContext) async throws -> Change? {
        var fields: [Change.Field] = []
        var diff: String?
        if hasOtherContents {
            fields.append(
                Change.Field(
                    "content", before: status.exists ? .string("\(status.size) bytes") : nil,
                    after: .string("\(bytes.count) \(status.size == bytes.count ? "other " : "")bytes")))
            if context.wantsDiff { diff = try await textDiff(in: context) }
        }
        if status.exists {
            fields += attributes.differences(from: status, source: sourceMode)
        } else {
            fields += attributes.fieldsOfNew(isDirectory: false, umask: status.umask, source: sourceMode)
        }
        guard !fields.isEmpty else { return nil }
        return Change(status.exists ? .update : .create, path, fields: fields, textDiff: diff)
    }

    private func textDiff(in context: ModuleContext) async throws -> String? {
        // Larger files would be fetched only to be looked at; diff(1) of them helps nobody.
        guard status.size <= 1_000_000, bytes.count <= 1_000_000 else { return nil }
        var before: String?
        if status.kind == .regular, status.isReadable {
            let old = try await context.connection().readFile(status.path, become: context.become)
            before = String(decoding: old, as: UTF8.self)
        }
        return TextDiff.unified(
            before: before, after: String(decoding: bytes, as: UTF8.self), beforeName: path, afterName: path)
    }

    /// Writes what differs.
    ///
    /// - Parameter validation: a command with `%s` for the path of the new file before it replaces the old one.
    /// - Returns: the path of the backup, when one was asked for and there was something to keep.
    func write(in context: ModuleContext, backup: Bool, validation: String? = nil, follow: Bool = false) async throws
        -> String?
    {
        let bits = attributes.mode.map { mode in
            mode.bits(
                applyingTo: status.exists ? status.mode : 0o666 & ~status.umask, isDirectory: false,
                umask: status.umask, source: sourceMode)
        }
        let target = follow ? status.resolvedPath ?? status.path : status.path
        guard hasOtherContents else {
            try await context.perform(attributes.commands(for: target, bits: bits), subject: path)
            return nil
        }
        var backupPath: String?
        if backup, status.kind == .regular {
            let name = backupName(of: target)
            try await context.perform([["cp", "-p", "--", target, name]], subject: path)
            backupPath = name
        }
        let replacesLink = status.linkTarget != nil && !follow
        let keeps = status.exists && !replacesLink
        // A mode is set before the contents come, so that they are never readable for more people than they may be. The
        // connection keeps the owner of an existing file only where no mode is given.
        if keeps, let bits, bits != status.mode {
            try await context.perform([["chmod", "--", octal(bits), target]], subject: path)
        }
        if replacesLink { try await context.perform([["rm", "-f", "--", target]], subject: path) }
        let file = FileAttributes(mode: keeps ? nil : bits, owner: attributes.owner, group: attributes.group)
        let connection = try await context.connection()
        guard let validation else {
            try await connection.writeFile(bytes, to: target, attributes: file, become: context.become)
            return backupPath
        }
        guard validation.contains("%s") else {
            throw ModuleError("validate needs %s where the path of the file belongs", failureClass: .input)
        }
        let candidate = target + ".labctl-new"
        if keeps { try await context.perform([["cp", "-p", "--", target, candidate]], subject: candidate) }
        try await connection.writeFile(bytes, to: candidate, attributes: file, become: context.become)
        let command = validation.replacing("%s", with: ShellQuoting.quote(candidate))
        let result = try await connection.run(Command(.shell(command), become: context.become))
        guard result.exitStatus == 0 else {
            try await context.perform([["rm", "-f", "--", candidate]], subject: candidate)
            let words = (result.errorText + result.outputText).split(separator: "\n").prefix(10)
            throw ModuleError(
                "the new \(path) did not pass '\(validation)'", notes: words.map { Diagnostic.Note(String($0)) })
        }
        try await context.perform([["mv", "-f", "--", candidate, target]], subject: path)
        return backupPath
    }

    /// Ansible's return values of a file.
    var values: ValueMap {
        var values: ValueMap = [
            "dest": .string(path), "path": .string(path), "checksum": .string(checksum),
            "md5sum": .string(Checksum.of(bytes, .md5)),
            "size": .int(bytes.count), "state": "file",
        ]
        if status.exists {
            values["mode"] = .string(octal(status.mode))
            values["uid"] = .int(status.userID)
            values["gid"] = .int(status.groupID)
            values["owner"] = .string(status.owner ?? String(status.userID))
            values["group"] = .string(status.group ?? String(status.groupID))
        }
        return values
    }
}

/// The name that Ansible gives a backup: `motd.4711.2026-11-23@05:30:32~`.
func backupName(of path: String) -> String {
    let time = Timestamp.now().text.split(separator: ".").first.map(String.init) ?? ""
    return "\(path).\(processNumber()).\(time.replacing(" ", with: "@"))~"
}
