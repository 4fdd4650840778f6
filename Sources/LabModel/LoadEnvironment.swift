import LabCore
import Synchronization

/// What all loading of one run shares: the modules, where roles are, the extra variables, the files already read.
package final class LoadEnvironment: Sendable {
    package let catalog: any ModuleCatalog
    package let roles: RoleFinder
    /// `-e`, for names of imported files that are templates.
    package let extraVariables: [VariableLayer]
    private let documents = Mutex<[String: SourceValue]>([:])

    package init(catalog: any ModuleCatalog, roles: RoleFinder, extraVariables: [VariableLayer] = []) {
        self.catalog = catalog
        self.roles = roles
        self.extraVariables = extraVariables
    }

    /// The document of a YAML file, read once.
    ///
    /// - Throws: `YAMLError`, `InputError`.
    func document(_ path: String) throws -> SourceValue {
        if let known = documents.withLock({ $0[path] }) { return known }
        let document = try YAMLFile.document(path)
        documents.withLock { $0[path] = document }
        return document
    }
}

/// Where a list of tasks stands: what is around it.
struct TaskContext: Sendable {
    /// Keywords of the play and the blocks around.
    var directives = Directives()
    var role: RoleContext?
    /// Variables of the imports and includes around.
    var includeParameters: [VariableLayer] = []
    /// The file that the list is in.
    var path: String
    /// The playbook's or project's folder.
    var directory: String
    var isHandlers = false
    /// Files and roles on the way here, to find circles.
    var chain: [String] = []

    /// How deep includes may go: a file that includes itself is allowed where a condition ends it.
    static let maximumDepth = 64
}
