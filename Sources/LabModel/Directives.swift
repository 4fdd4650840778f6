import LabCore
import LabTemplate

/// The keywords that a task shares with the blocks and the play around it.
///
/// A task's own are already joined with those around it when it was loaded: the nearest value counts; `when`, `tags`,
/// `environment` and `vars` add up, the outermost first.
package struct Directives: Sendable {
    package var when: [Condition] = []
    package var tags: [SourceValue] = []
    package var environment: [SourceValue] = []
    /// The `vars` of the blocks around the task (`blockVars`) and its own (`taskVars`).
    package var variables: [VariableLayer] = []
    package var become: Templated<Bool>?
    package var becomeUser: Templated<String>?
    package var becomeMethod: Templated<String>?
    package var connection: Templated<String>?
    package var remoteUser: Templated<String>?
    package var port: Templated<Int>?
    package var delegateTo: Templated<String>?
    package var delegateFacts: Templated<Bool>?
    package var runOnce: Templated<Bool>?
    package var checkMode: Templated<Bool>?
    package var diff: Templated<Bool>?
    package var noLog: Templated<Bool>?
    package var ignoreErrors: Templated<Bool>?
    package var ignoreUnreachable: Templated<Bool>?
    package var anyErrorsFatal: Templated<Bool>?
    package var throttle: Templated<Int>?
    /// Seconds.
    package var timeout: Templated<Int>?
    /// Names of handlers; nil where the keyword is not written.
    package var notify: [Templated<String>]?
    /// Default arguments by module, outermost first.
    package var moduleDefaults: [SourceValue] = []

    package init() {}

    /// These keywords inside of `outer` ones.
    package func inside(_ outer: Directives) -> Directives {
        var result = self
        result.when = outer.when + when
        result.tags = outer.tags + tags
        result.environment = outer.environment + environment
        result.variables = outer.variables + variables
        result.moduleDefaults = outer.moduleDefaults + moduleDefaults
        result.become = become ?? outer.become
        result.becomeUser = becomeUser ?? outer.becomeUser
        result.becomeMethod = becomeMethod ?? outer.becomeMethod
        result.connection = connection ?? outer.connection
        result.remoteUser = remoteUser ?? outer.remoteUser
        result.port = port ?? outer.port
        result.delegateTo = delegateTo ?? outer.delegateTo
        result.delegateFacts = delegateFacts ?? outer.delegateFacts
        result.runOnce = runOnce ?? outer.runOnce
        result.checkMode = checkMode ?? outer.checkMode
        result.diff = diff ?? outer.diff
        result.noLog = noLog ?? outer.noLog
        result.ignoreErrors = ignoreErrors ?? outer.ignoreErrors
        result.ignoreUnreachable = ignoreUnreachable ?? outer.ignoreUnreachable
        result.anyErrorsFatal = anyErrorsFatal ?? outer.anyErrorsFatal
        result.throttle = throttle ?? outer.throttle
        result.timeout = timeout ?? outer.timeout
        result.notify = notify ?? outer.notify
        return result
    }
}

extension Directives {
    /// The task's tags, rendered where they are templates; a tag that renders to a list gives several.
    package func tagNames(_ scope: some TemplateScope) throws -> [String] {
        var names: [String] = []
        for tag in tags {
            let value = tag.containsTemplate ? try tag.rendered(scope) : tag.value
            for item in value.list ?? [value] {
                guard let text = String(keyword: item) else {
                    throw InputError("a tag needs a text, not \(item.brief)", span: tag.span)
                }
                names.append(text)
            }
        }
        return names
    }

    /// The environment for commands: inner maps win.
    ///
    /// - Throws: `InputError` when it renders to something else than maps.
    package func renderedEnvironment(_ scope: some TemplateScope) throws -> [(name: String, value: String)] {
        var entries = ValueMap()
        for source in environment {
            let value = try source.rendered(scope)
            for item in value.list ?? [value] {
                if item.isNull || item == "" { continue }
                guard let map = item.map else {
                    throw InputError("'environment' needs a map, not \(item.brief)", span: source.span)
                }
                entries.merge(map) { _, inner in inner }
            }
        }
        return try entries.map { name, value in
            guard let text = String(keyword: value) else {
                throw InputError(
                    "the environment variable \(name) needs a text, not \(value.typeName)",
                    span: environment.last?.span)
            }
            return (name, text)
        }
    }
}

extension StringProtocol {
    /// The text without spaces and line breaks at both ends.
    var trimmed: SubSequence {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return rest
    }
}
