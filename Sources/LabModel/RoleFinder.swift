import LabCore

/// Finds roles by name.
package struct RoleFinder: Sendable {
    /// The project's folder, where labctl was started or the playbook is.
    package let directory: String
    /// Further folders with roles, looked into first.
    package let additionalFolders: [String]

    package init(directory: String = ".", additionalFolders: [String] = []) {
        self.directory = directory
        self.additionalFolders = additionalFolders
    }

    /// Folders below a project in which roles are.
    private static let places = ["Roles", "roles", "ansible/roles", "ansible/Roles"]
    /// What makes a folder a role.
    private static let parts = ["tasks", "handlers", "defaults", "vars", "meta", "files", "templates", "verify"]

    /// The folders in which roles are looked for, from a playbook's folder or the project's; those that exist first.
    package func folders(from origin: String? = nil) -> [String] {
        var folders = additionalFolders
        for base in [origin, directory].compactMap(\.self) {
            for place in Self.places {
                let folder = Path.join(base, place)
                if !folders.contains(folder) { folders.append(folder) }
            }
        }
        return folders
    }

    /// The folder of a role.
    ///
    /// - Parameters:
    ///   - name: a name, or a path (with a slash).
    ///   - origin: the folder of the playbook that asks.
    ///   - parent: the folder of the role that asks: its neighbours are found too.
    /// - Throws: `InputError` that tells where it was looked for, with the nearest name.
    package func find(
        _ name: String, from origin: String? = nil, parent: String? = nil, span: SourceSpan? = nil
    ) throws(InputError) -> String {
        var folders = folders(from: origin)
        if let parent { folders.append(Path.directory(parent)) }
        if name.contains("/") {
            for path in [origin.map { Path.join($0, name) }, name].compactMap(\.self) where Self.isRole(path) {
                return path.hasSuffix("/") ? String(path.dropLast()) : path
            }
            throw notFound(name, in: [name], among: [], span: span)
        }
        for folder in folders where Self.isRole(Path.join(folder, name)) { return Path.join(folder, name) }
        // A role's own folder, named as `Roles/metallb` is from inside of `Roles`.
        if Self.isRole(Path.join(directory, name)) { return Path.join(directory, name) }
        throw notFound(name, in: folders, among: names(from: origin), span: span)
    }

    /// The names of the roles that can be found.
    package func names(from origin: String? = nil) -> [String] {
        var names: [String] = []
        for name in folders(from: origin).flatMap(Self.roles) where !names.contains(name) { names.append(name) }
        return names
    }

    private static func isRole(_ path: String) -> Bool {
        FileTree.isDirectory(path) && parts.contains { FileTree.isDirectory(Path.join(path, $0)) }
    }

    private static func roles(in folder: String) -> [String] {
        FileTree.entries(folder).filter { isRole(Path.join(folder, $0)) }
    }

    private func notFound(
        _ name: String, in folders: [String], among names: [String], span: SourceSpan?
    ) -> InputError {
        let existing = folders.filter(FileTree.isDirectory)
        var notes = [Diagnostic.Note("looked in \((existing.isEmpty ? folders : existing).joined(separator: ", "))")]
        if !names.isEmpty { notes.append(Diagnostic.Note("roles there: \(names.joined(separator: ", "))")) }
        return InputError(
            "no such role: \(name)", span: span, notes: notes,
            hint: nearestName(to: name, among: names).map { "did you mean '\($0)'?" })
    }
}
