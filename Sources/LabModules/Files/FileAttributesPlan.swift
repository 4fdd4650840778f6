import LabCore
import LabTransport

/// The mode and the owner that a task wants, and how they differ from a file's.
struct WantedAttributes: Sendable {
    var mode: FileMode?
    var owner: String?
    var group: String?

    /// The parameters that Ansible's file modules share.
    static let parameters: [ModuleSpecification.Parameter] = [
        .init("mode", .any), .init("owner"), .init("group"), .init("seuser"), .init("serole"), .init("setype"),
        .init("selevel"), .init("attributes", aliases: ["attr"]), .init("unsafe_writes", .bool, default: false),
    ]

    /// The same from the arguments of a call.
    init(_ call: ModuleCall) throws(ModuleError) {
        owner = call["owner"]?.string
        group = call["group"]?.string
        if let value = call["mode"], !value.isNull {
            mode = try FileMode(value, span: call.source["mode"]?.span ?? call.span)
        }
    }

    init(mode: FileMode? = nil, owner: String? = nil, group: String? = nil) {
        self.mode = mode
        self.owner = owner
        self.group = group
    }

    /// What would change on something that exists.
    func differences(from status: FileStatus, source: Int? = nil) -> [Change.Field] {
        var fields: [Change.Field] = []
        if let mode, status.kind != .link {
            let wanted = mode.bits(
                applyingTo: status.mode, isDirectory: status.kind == .directory, umask: status.umask, source: source)
            if wanted != status.mode {
                fields.append(
                    Change.Field("mode", before: .string(octal(status.mode)), after: .string(octal(wanted))))
            }
        }
        if let owner, !matches(owner, name: status.owner, id: status.userID) {
            fields.append(
                Change.Field("owner", before: .string(status.owner ?? String(status.userID)), after: .string(owner)))
        }
        if let group, !matches(group, name: status.group, id: status.groupID) {
            fields.append(
                Change.Field("group", before: .string(status.group ?? String(status.groupID)), after: .string(group)))
        }
        return fields
    }

    /// The fields of something that is made.
    func fieldsOfNew(isDirectory: Bool, umask: Int, source: Int? = nil) -> [Change.Field] {
        var fields: [Change.Field] = []
        if mode != nil {
            fields.append(
                Change.Field(
                    "mode", before: nil,
                    after: .string(octal(newMode(isDirectory: isDirectory, umask: umask, source: source)))))
        }
        if let owner { fields.append(Change.Field("owner", before: nil, after: .string(owner))) }
        if let group { fields.append(Change.Field("group", before: nil, after: .string(group))) }
        return fields
    }

    /// The permission bits of something that is made.
    func newMode(isDirectory: Bool, umask: Int, source: Int? = nil) -> Int {
        let start = (isDirectory ? 0o777 : 0o666) & ~umask
        return mode?.bits(applyingTo: start, isDirectory: isDirectory, umask: umask, source: source) ?? start
    }

    /// The commands that set what is wanted, owner first because chown(2) clears set-id bits.
    func commands(for path: String, bits: Int?, isLink: Bool = false) -> [[String]] {
        var commands: [[String]] = []
        let person = (owner ?? "") + (group.map { ":" + $0 } ?? "")
        if !person.isEmpty { commands.append(["chown"] + (isLink ? ["-h"] : []) + ["--", person, path]) }
        if let bits, !isLink { commands.append(["chmod", "--", octal(bits), path]) }
        return commands
    }

    private func matches(_ wanted: String, name: String?, id: Int) -> Bool {
        wanted == name || Int(wanted) == id
    }
}

extension ModuleContext {
    /// Runs commands on the node one after the other, in one round trip; the first that fails ends it.
    ///
    /// - Throws: `ModuleError` with the node's words.
    func perform(_ commands: [[String]], subject: String) async throws {
        guard !commands.isEmpty else { return }
        let script =
            "set -e\n"
            + commands.map { $0.map(ShellQuoting.quote).joined(separator: " ") }.joined(separator: "\n")
        let result = try await connection().run(Command(.shell(script), become: become))
        guard result.exitStatus == 0 else {
            throw ModuleError(
                "\(hostName) cannot change \(subject)",
                notes: result.errorText.split(separator: "\n").prefix(8).map { Diagnostic.Note(String($0)) },
                hint: become == nil && result.errorText.contains("ermi") ? "should the task use become?" : nil)
        }
    }
}
