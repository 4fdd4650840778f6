import LabCore
import LabTransport

/// `copy` with `remote_src`: from one place of the node to another.
struct RemoteCopy {
    struct Steps: Sendable {
        var commands: [[String]]
        var subject: String
    }

    let call: ModuleCall
    let source: String
    let destination: String
    let context: ModuleContext

    init(_ call: ModuleCall, source: String, destination: String, context: ModuleContext) {
        self.call = call
        self.source = source
        self.destination = destination
        self.context = context
    }

    func plan() async throws -> Plan {
        let query = FileQuery(followsLinks: true, checksum: "sha1")
        let base = baseName(of: source)
        let inside = destination.hasSuffix("/") ? destination + base : "\(destination)/\(base)"
        let found = try await context.status(of: [source, destination, inside], query)
        guard let kind = found[0].kind else {
            throw ModuleError(
                "\(context.hostName) has no file \(source)", span: call.source["src"]?.span ?? call.span)
        }
        if kind == .directory {
            let root = source.hasSuffix("/") ? destination : inside
            return try await planFolder(from: found[0].path, to: root)
        }
        let isInside = destination.hasSuffix("/") || found[1].kind == .directory
        let target = isInside ? found[2] : found[1]
        return try await plan([(found[0], target)], folders: [], root: target.path)
    }

    private func planFolder(from folder: String, to root: String) async throws -> Plan {
        // Names with line breaks would be split; they are refused rather than mistaken.
        let listing = try await context.connection().run(
            Command(
                .shell("cd \(ShellQuoting.quote(folder)) && find . -type d && echo && find . ! -type d"),
                become: context.become))
        guard listing.exitStatus == 0 else {
            throw ModuleError(
                "\(context.hostName) cannot list \(folder)",
                notes: listing.errorText.split(separator: "\n").prefix(5).map { Diagnostic.Note(String($0)) })
        }
        let lines = listing.outputText.split(separator: "\n", omittingEmptySubsequences: false)
        let divider = lines.firstIndex { $0.isEmpty } ?? lines.endIndex
        let folders = lines[..<divider].map { String($0.dropFirst(2)) }
        let files = lines[divider...].filter { $0.hasPrefix("./") }.map { String($0.dropFirst(2)) }
        let root = root.hasSuffix("/") ? String(root.dropLast()) : root
        let query = FileQuery(followsLinks: true, checksum: "sha1")
        let sources = try await context.status(of: files.map { "\(folder)/\($0)" }, query)
        let targets = try await context.status(of: files.map { "\(root)/\($0)" }, query)
        let places = try await context.status(
            of: folders.map { $0.isEmpty ? root : "\(root)/\($0)" }, FileQuery(followsLinks: true))
        return try await plan(Array(zip(sources, targets)), folders: places, root: root)
    }

    private func plan(
        _ pairs: [(source: FileStatus, target: FileStatus)], folders: [FileStatus], root: String
    ) async throws -> Plan {
        let attributes = try WantedAttributes(call)
        var changes: [Change] = []
        var steps = Steps(commands: [], subject: root)
        for folder in folders where folder.kind != .directory {
            steps.commands.append(["mkdir", "-p", "--", folder.path])
            changes.append(Change(.create, folder.path + "/"))
        }
        for (source, target) in pairs {
            let differs = target.kind != .regular || target.checksum != source.checksum
            if target.exists, call["force"]?.bool == false { continue }
            let bits = attributes.mode.map { mode in
                mode.bits(
                    applyingTo: target.exists ? target.mode : 0o666 & ~target.umask, isDirectory: false,
                    umask: target.umask, source: source.mode)
            }
            var fields = target.exists ? attributes.differences(from: target, source: source.mode) : []
            if differs {
                fields.insert(
                    Change.Field(
                        "content", before: target.exists ? .string("\(target.size) bytes") : nil,
                        after: .string("\(source.size) bytes")), at: 0)
                let temporary = target.path + ".labctl-new"
                if call["backup"]?.bool == true, target.kind == .regular {
                    steps.commands.append(["cp", "-p", "--", target.path, backupName(of: target.path)])
                }
                steps.commands.append(["cp", "--", source.path, temporary])
                steps.commands += attributes.commands(
                    for: temporary, bits: bits ?? (target.exists ? target.mode : nil))
                steps.commands.append(["mv", "-f", "--", temporary, target.path])
            } else if !fields.isEmpty {
                steps.commands += attributes.commands(for: target.path, bits: bits)
            }
            if !fields.isEmpty {
                changes.append(Change(target.exists ? .update : .create, target.path, fields: fields))
            }
        }
        let values: ValueMap = ["dest": .string(root), "src": .string(source)]
        return changes.isEmpty
            ? Plan(.nothing, values: values) : Plan(.changes(changes), values: values, payload: steps)
    }
}
