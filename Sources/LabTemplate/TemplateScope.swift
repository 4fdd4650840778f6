import LabCore
import OrderedCollections

/// What a template sees of the world: variables by name, lookups, and the services of the program around it.
///
/// A scope may be asked for the same name many times in the life of a template, but once per rendering.
package protocol TemplateScope: Sendable {
    /// The variable's value, rendered; nil when it is undefined.
    ///
    /// - Throws: what rendering the variable threw, passed on to the caller of the template.
    func variable(_ name: String) throws -> Value?
    /// All names, for "did you mean".
    var names: [String] { get }
    /// What a lookup plugin finds: a list, as in Ansible. The options are the keyword arguments without `wantlist`
    /// and `errors`, which the template handles.
    func lookup(_ plugin: String, arguments: [Value], options: ValueMap) throws -> Value
    /// Does what templates need from outside of this target; nil when the scope does not offer it.
    func service(_ request: TemplateService) throws -> Value?
}

/// What a template asks of the program around it, because this target has no YAML, no digests, no clock and no files.
package enum TemplateService: Sendable {
    /// The first document of a text (`from_yaml`), under Ansible's schema.
    case parseYAML(String)
    /// All documents of a text as a list (`from_yaml_all`).
    case parseYAMLDocuments(String)
    /// A value as YAML text (`to_yaml`, `to_nice_yaml`); `nice` wants block style, indented by `indent`.
    case emitYAML(Value, nice: Bool, indent: Int, sortKeys: Bool)
    /// The digest of bytes in lower-case hexadecimal; algorithms as Python names them: `md5`, `sha1`, `sha256` …
    case digest(algorithm: String, bytes: [UInt8])
    /// What kind of file a path of the control machine is: `exists`, `file`, `directory`, `link`, `mount`; gives a bool.
    case file(test: String, path: String)
    /// The current time in seconds since 1970, as a float.
    case now
    /// The home directory of a user (`expanduser`); the empty name is the current user.
    case homeDirectory(user: String)
}

extension TemplateScope {
    package func lookup(_ plugin: String, arguments: [Value], options: ValueMap) throws -> Value {
        throw Failure("lookups are not available here")
    }

    package func service(_ request: TemplateService) throws -> Value? { nil }
}

/// Plain variables, with no lookups and no services.
package struct VariableScope: TemplateScope {
    package var variables: ValueMap

    package init(_ variables: ValueMap = [:]) { self.variables = variables }

    package var names: [String] { Array(variables.keys) }
    package func variable(_ name: String) -> Value? { variables[name] }
}
