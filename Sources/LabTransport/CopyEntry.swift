/// One file, folder or link that is copied.
package struct CopyEntry: Sendable, Hashable {
    /// What sort of file it is.
    package enum Kind: Sendable, Hashable {
        case file
        case folder
        /// A symbolic link, and what it says.
        case link(String)
        /// A socket, a device, a pipe: with the letter that find(1) has for it.
        case other(Character)
    }

    /// A point in time since 1970.
    package struct Time: Sendable, Hashable {
        package var seconds: Int
        package var nanoseconds: Int

        package init(seconds: Int, nanoseconds: Int = 0) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }
    }

    package var path: String
    package var kind: Kind
    /// Permission bits.
    package var mode: Int
    /// Bytes.
    package var size: Int
    package var modified: Time

    package init(path: String, kind: Kind, mode: Int, size: Int, modified: Time) {
        self.path = path
        self.kind = kind
        self.mode = mode
        self.size = size
        self.modified = modified
    }
}

/// What one path of a copy's source stands for: itself, and what is in it.
package struct CopyTree: Sendable, Hashable {
    /// The path as it was found.
    package var path: String
    /// The path's own entry first; folders before what is in them.
    package var entries: [CopyEntry]

    package init(path: String, entries: [CopyEntry]) {
        self.path = path
        self.entries = entries
    }

    /// The name that the copy gets in a folder; empty for `.`, `..`, `~` and `/`, whose contents go into the folder itself.
    package var name: String {
        var trimmed = path[...]
        while trimmed.hasSuffix("/") { trimmed = trimmed.dropLast() }
        let last = trimmed.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init) ?? ""
        return [".", "..", "~"].contains(last) ? "" : last
    }

    /// The part of an entry's path below the tree's own, empty for the tree itself.
    ///
    /// - Returns: nil for a path that leads out of the tree: a node that says so is not to be believed.
    package func relativePath(of entry: CopyEntry) -> String? {
        if entry.path == path { return "" }
        let prefix = path.hasSuffix("/") ? path : path + "/"
        guard entry.path.hasPrefix(prefix) else { return nil }
        let rest = entry.path.dropFirst(prefix.count)
        let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.isEmpty, parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else { return nil }
        return String(rest)
    }
}
