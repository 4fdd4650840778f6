import LabCore
import LabTransport

/// `copy`: files and folders of the laptop, a given text, or (with `remote_src`) files of the node itself.
package struct CopyModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.copy",
        parameters: [
            .init("src", .path), .init("content", .any), .init("dest", .path, required: true),
            .init("backup", .bool, default: false), .init("force", .bool, aliases: ["thirsty"], default: true),
            .init("directory_mode", .any), .init("remote_src", .bool, default: false),
            .init("follow", .bool, default: false), .init("local_follow", .bool, default: true),
            .init("checksum"), .init("validate"), .init("decrypt", .bool, default: true),
        ] + WantedAttributes.parameters)

    package init() {}

    package func mayRepeat(_ call: ModuleCall) -> Bool { true }

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        let destination = call["dest"]?.string ?? ""
        switch (call["src"]?.string, call["content"]) {
        case (nil, nil), (nil, .some(.null)):
            throw ModuleError("copy needs src or content", span: call.span, failureClass: .input)
        case (_?, let content?) where !content.isNull:
            throw ModuleError("copy has both src and content; keep one", span: call.span, failureClass: .input)
        case (nil, let content?):
            guard !destination.hasSuffix("/") else {
                throw ModuleError("content needs the path of a file, not of a folder, in dest", span: call.span)
            }
            return try await plan(
                [Source(relativePath: "", bytes: contentBytes(content), mode: nil)], to: destination,
                isFolder: false, call, in: context)
        case (let path?, _):
            if call["remote_src"]?.bool == true {
                return try await RemoteCopy(call, source: path, destination: destination, context: context).plan()
            }
            let span = call.source["src"]?.span ?? call.span
            let file = try context.localFile(path, span: span)
            guard LocalFiles.status(file)?.isDirectory == true else {
                let source = try Source(
                    relativePath: baseName(of: file), bytes: LocalFiles.read(file), mode: LocalFiles.status(file)?.mode)
                return try await plan([source], to: destination, isFolder: false, call, in: context)
            }
            var tree = SourceTree(followsLinks: call["local_follow"]?.bool ?? true)
            let prefix = path.hasSuffix("/") ? "" : baseName(of: file)
            try tree.walk(file, relativePath: prefix)
            return try await plan(tree, to: destination, call, in: context)
        }
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        guard case .changes(let changes) = plan.verdict else {
            return ModuleResult(changed: false, values: plan.values)
        }
        if let copy = plan.payload as? RemoteCopy.Steps {
            try await context.perform(copy.commands, subject: copy.subject)
            return ModuleResult(changed: true, changes: changes)
        }
        guard let work = plan.payload as? Work else { return ModuleResult(changed: false, values: plan.values) }
        try await context.perform(work.commands, subject: call["dest"]?.string ?? "")
        var values: ValueMap = [:]
        for file in work.files {
            let backup = try await file.write(
                in: context, backup: call["backup"]?.bool ?? false, validation: call["validate"]?.string,
                follow: call["follow"]?.bool ?? false)
            if let backup { values["backup_file"] = .string(backup) }
        }
        return ModuleResult(changed: true, values: values, changes: changes)
    }

    /// What `apply` does.
    private struct Work: Sendable {
        /// Folders to make and links to set.
        var commands: [[String]] = []
        var files: [ContentFile] = []
    }

    /// Plans one file.
    private func plan(
        _ sources: [Source], to destination: String, isFolder: Bool, _ call: ModuleCall, in context: ModuleContext
    ) async throws -> Plan {
        guard let source = sources.first else { return Plan(.nothing) }
        let query = FileQuery(followsLinks: true, checksum: "sha1")
        let inside =
            destination.hasSuffix("/") ? destination + source.relativePath : "\(destination)/\(source.relativePath)"
        let found = try await context.status(of: [destination, inside], query)
        let isInside = destination.hasSuffix("/") || found[0].kind == .directory
        guard !isInside || !source.relativePath.isEmpty else {
            throw ModuleError("\(destination) is a folder; content needs the path of a file in dest", span: call.span)
        }
        let file = ContentFile(
            path: isInside ? inside : destination, bytes: source.bytes, attributes: try WantedAttributes(call),
            sourceMode: source.mode, status: isInside ? found[1] : found[0])
        var values = file.values
        if let path = call["src"]?.string { values["src"] = .string(path) }
        try check(source.bytes, call)
        if call["force"]?.bool == false, file.status.exists { return Plan(.nothing, values: values) }
        guard let change = try await file.change(in: context) else { return Plan(.nothing, values: values) }
        var work = Work()
        if isInside, destination.hasSuffix("/"), !found[0].exists {
            work.commands.append(["mkdir", "-p", "--", found[0].path])
        }
        work.files = [file]
        return Plan(.changes([change]), values: values, payload: work)
    }

    /// Plans a folder with everything in it.
    private func plan(
        _ tree: SourceTree, to destination: String, _ call: ModuleCall, in context: ModuleContext
    ) async throws -> Plan {
        let root = destination.hasSuffix("/") ? destination : destination + "/"
        let attributes = try WantedAttributes(call)
        var folderAttributes = attributes
        folderAttributes.mode = try call["directory_mode"].flatMap { $0.isNull ? nil : $0 }.map {
            value throws(ModuleError) in
            try FileMode(value, span: call.source["directory_mode"]?.span)
        }
        let folders = [String(root.dropLast())] + tree.folders.map { root + $0 }
        let files = tree.files.map { root + $0.relativePath }
        let links = tree.links.map { root + $0.path }
        let found = try await context.status(of: folders + files, FileQuery(followsLinks: true, checksum: "sha1"))
        let (folderStatus, fileStatus) = (found.prefix(folders.count), Array(found.dropFirst(folders.count)))
        let linkStatus = try await context.status(of: links)
        var work = Work()
        var changes: [Change] = []
        for (path, status) in zip(folders, folderStatus) where status.kind != .directory {
            let mode = folderAttributes.newMode(isDirectory: true, umask: status.umask)
            work.commands.append(["mkdir", "-p", "--", status.path])
            work.commands += folderAttributes.commands(
                for: status.path, bits: folderAttributes.mode == nil ? nil : mode)
            changes.append(
                Change(
                    .create, path + "/", fields: folderAttributes.fieldsOfNew(isDirectory: true, umask: status.umask)))
        }
        for (index, link) in tree.links.enumerated() where linkStatus[index].linkTarget != link.target {
            work.commands.append(["ln", "-sfn", "--", link.target, linkStatus[index].path])
            changes.append(
                Change(
                    linkStatus[index].exists ? .update : .create, links[index],
                    fields: [
                        Change.Field(
                            "target", before: linkStatus[index].linkTarget.map { .string($0) },
                            after: .string(link.target))
                    ]))
        }
        for (index, source) in tree.files.enumerated() {
            let file = ContentFile(
                path: files[index], bytes: source.bytes, attributes: attributes, sourceMode: source.mode,
                status: fileStatus[index])
            if call["force"]?.bool == false, file.status.exists { continue }
            guard let change = try await file.change(in: context) else { continue }
            work.files.append(file)
            changes.append(change)
        }
        let values: ValueMap = ["dest": .string(destination), "src": call["src"] ?? nil]
        return changes.isEmpty
            ? Plan(.nothing, values: values) : Plan(.changes(changes), values: values, payload: work)
    }

    /// Compares the source with the checksum that the task gives for it.
    private func check(_ bytes: [UInt8], _ call: ModuleCall) throws {
        guard let wanted = call["checksum"]?.string, !wanted.isEmpty else { return }
        let found = Checksum.of(bytes, .sha1)
        guard found != wanted.lowercased() else { return }
        throw ModuleError(
            "the source has another checksum than the task gives", span: call.source["checksum"]?.span ?? call.span,
            notes: [Diagnostic.Note("wanted SHA-1 \(wanted)"), Diagnostic.Note("found  SHA-1 \(found)")])
    }
}

/// A file to be copied.
private struct Source: Sendable {
    /// Below the destination when that is a folder.
    var relativePath: String
    var bytes: [UInt8]
    var mode: Int?
}

/// A folder of the laptop with everything in it.
private struct SourceTree {
    let followsLinks: Bool
    var files: [Source] = []
    var folders: [String] = []
    var links: [(path: String, target: String)] = []

    init(followsLinks: Bool) { self.followsLinks = followsLinks }

    mutating func walk(_ folder: String, relativePath: String, depth: Int = 0) throws(ModuleError) {
        guard depth < 64 else { throw ModuleError("\(folder) is nested too deeply; does a link lead back up?") }
        if !relativePath.isEmpty { folders.append(relativePath) }
        for name in try LocalFiles.names(in: folder) {
            let path = "\(folder)/\(name)"
            let relative = relativePath.isEmpty ? name : "\(relativePath)/\(name)"
            if !followsLinks, let target = LocalFiles.linkTarget(path) {
                links.append((relative, target))
            } else if let status = LocalFiles.status(path) {
                if status.isDirectory {
                    try walk(path, relativePath: relative, depth: depth + 1)
                } else {
                    files.append(Source(relativePath: relative, bytes: try LocalFiles.read(path), mode: status.mode))
                }
            }
        }
    }
}

/// The last component of a path.
func baseName(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
}

/// The bytes of `content`: a text as it is, anything else as JSON (plugins/action/copy.py).
private func contentBytes(_ content: Value) -> [UInt8] {
    switch content {
    case .string(let text): Array(text.utf8)
    case .list, .map: content.jsonBytes()
    case .bool(let flag): Array((flag ? "True" : "False").utf8)
    default: content.jsonBytes()
    }
}
