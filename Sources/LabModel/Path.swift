/// Paths as texts, without asking the file system.
package enum Path {
    /// `directory/name`, or `name` alone when it is absolute or the directory is empty or `.`.
    package static func join(_ directory: String, _ name: String) -> String {
        if name.hasPrefix("/") || directory.isEmpty || directory == "." { return name.isEmpty ? directory : name }
        if name.isEmpty { return directory }
        return directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
    }

    /// The folder that the path is in; `.` for a bare name.
    package static func directory(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The last part of the path.
    package static func name(_ path: String) -> String {
        let trimmed = path.count > 1 && path.hasSuffix("/") ? path.dropLast() : path[...]
        guard let slash = trimmed.lastIndex(of: "/") else { return String(trimmed) }
        return String(trimmed[trimmed.index(after: slash)...])
    }

    /// The last extension without its dot, or an empty text.
    package static func fileExtension(_ path: String) -> String {
        let name = name(path)
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return "" }
        return String(name[name.index(after: dot)...])
    }
}
