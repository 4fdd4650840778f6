import LabCore

/// `stat`: what is at a path, in Ansible's shape.
package struct StatModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.stat",
        parameters: [
            .init("path", .path, aliases: ["dest", "name"], required: true), .init("follow", .bool, default: false),
            .init("get_checksum", .bool, default: true),
            .init("get_mime", .bool, aliases: ["mime", "mime_type", "mime-type"], default: true),
            .init("get_attributes", .bool, aliases: ["attr", "attributes"], default: true),
            .init(
                "checksum_algorithm", aliases: ["checksum", "checksum_algo"],
                choices: ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"], default: "sha1"),
        ])

    package init() {}

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan { Plan(.readOnly) }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        let path = call["path"]?.string ?? ""
        let mime = call["get_mime"]?.bool ?? true
        let attributes = call["get_attributes"]?.bool ?? true
        let query = FileQuery(
            followsLinks: call["follow"]?.bool ?? false,
            checksum: call["get_checksum"]?.bool == false ? nil : call["checksum_algorithm"]?.string,
            details: mime || attributes)
        let status = try await context.status(of: path, query)
        guard status.exists else { return ModuleResult(changed: false, values: ["stat": ["exists": false]]) }
        var values = Self.values(status)
        values["path"] = .string(path)
        if mime {
            // `text/plain; charset=us-ascii`
            let parts = status.mimeType?.split(separator: ";").map { $0.trimmingWhitespace() } ?? []
            values["mimetype"] = .string(parts.first ?? "unknown")
            values["charset"] = .string(parts.count > 1 ? String(parts[1].drop { $0 != "=" }.dropFirst()) : "unknown")
        }
        if attributes {
            let flags = status.attributeFlags?.filter { $0 != "-" } ?? ""
            values["version"] = status.attributeVersion.map { .string($0) } ?? nil
            values["attr_flags"] = .string(flags)
            values["attributes"] = .list(flags.compactMap { Self.attributeNames[$0] }.map { .string($0) })
        }
        return ModuleResult(changed: false, values: ["stat": .map(values)])
    }

    /// As `format_output` of ansible/modules/stat.py.
    static func values(_ status: FileStatus) -> ValueMap {
        var values: ValueMap = [
            "exists": true, "path": .string(status.path), "mode": .string(octal(status.mode)),
            "isdir": .bool(status.kind == .directory), "ischr": .bool(status.kind == .characterDevice),
            "isblk": .bool(status.kind == .blockDevice), "isreg": .bool(status.kind == .regular),
            "isfifo": .bool(status.kind == .fifo), "islnk": .bool(status.kind == .link),
            "issock": .bool(status.kind == .socket), "uid": .int(status.userID), "gid": .int(status.groupID),
            "size": .int(status.size), "inode": .int(status.inode), "dev": .int(status.device),
            "nlink": .int(status.linkCount), "atime": .float(Double(status.accessTime)),
            "mtime": .float(Double(status.modificationTime)), "ctime": .float(Double(status.changeTime)),
        ]
        for (person, shift) in [("usr", 6), ("grp", 3), ("oth", 0)] {
            for (name, bit) in [("r", 4), ("w", 2), ("x", 1)] {
                values[name + person] = .bool(status.mode >> shift & bit != 0)
            }
        }
        values["isuid"] = .bool(status.mode & 0o4000 != 0)
        values["isgid"] = .bool(status.mode & 0o2000 != 0)
        values["readable"] = .bool(status.isReadable)
        values["writeable"] = .bool(status.isWritable)
        values["executable"] = .bool(status.isExecutable)
        if let owner = status.owner { values["pw_name"] = .string(owner) }
        if let group = status.group { values["gr_name"] = .string(group) }
        if status.kind == .link {
            if let target = status.linkTarget { values["lnk_target"] = .string(target) }
            if let source = status.resolvedPath { values["lnk_source"] = .string(source) }
        }
        if let checksum = status.checksum { values["checksum"] = .string(checksum) }
        return values
    }

    /// As `FILE_ATTRIBUTES` of ansible/module_utils/basic.py.
    private static let attributeNames: [Character: String] = [
        "A": "noatime", "a": "append", "c": "compressed", "C": "nocow", "d": "nodump", "D": "dirsync", "e": "extents",
        "E": "encrypted", "h": "blocksize", "i": "immutable", "I": "indexed", "j": "journalled", "N": "inline",
        "s": "zero", "S": "synchronous", "t": "notail", "T": "blockroot", "u": "undelete", "X": "compressedraw",
        "Z": "compresseddirty",
    ]
}
