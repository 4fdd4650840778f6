import LabCore
import LabTemplate

/// Reads the keywords that plays, blocks, roles and tasks share.
struct DirectivesReader {
    private(set) var directives = Directives()
    private(set) var collector = DiagnosticCollector()
    /// The level that `vars` has here.
    let level: Origin.Level
    let owner: String?

    init(level: Origin.Level, owner: String? = nil) {
        self.level = level
        self.owner = owner
    }

    /// Takes the entry if it is one of the shared keywords; false when it is not.
    mutating func read(_ entry: SourceValue.Entry) -> Bool {
        let value = entry.value
        switch entry.key {
        case "name", "collections": break
        case "when": attempt { $0.when = try Condition.list(value, keyword: "when") }
        case "tags": readTags(value)
        case "vars": readVariables(value)
        case "environment": readEnvironment(value)
        case "notify": readNotify(value)
        case "module_defaults": readModuleDefaults(value)
        case "become": attempt { $0.become = try Templated("become", value) }
        case "become_user": attempt { $0.becomeUser = try Templated("become_user", value) }
        case "become_method": attempt { $0.becomeMethod = try Templated("become_method", value) }
        case "connection": attempt { $0.connection = try Templated("connection", value) }
        case "remote_user", "user": attempt { $0.remoteUser = try Templated(entry.key, value) }
        case "port": attempt { $0.port = try Templated("port", value) }
        case "delegate_to": attempt { $0.delegateTo = try Templated("delegate_to", value) }
        case "delegate_facts": attempt { $0.delegateFacts = try Templated("delegate_facts", value) }
        case "run_once": attempt { $0.runOnce = try Templated("run_once", value) }
        case "check_mode": attempt { $0.checkMode = try Templated("check_mode", value) }
        case "diff": attempt { $0.diff = try Templated("diff", value) }
        case "no_log": attempt { $0.noLog = try Templated("no_log", value) }
        case "ignore_errors": attempt { $0.ignoreErrors = try Templated("ignore_errors", value) }
        case "ignore_unreachable": attempt { $0.ignoreUnreachable = try Templated("ignore_unreachable", value) }
        case "any_errors_fatal": attempt { $0.anyErrorsFatal = try Templated("any_errors_fatal", value) }
        case "throttle": attempt { $0.throttle = try Templated("throttle", value) }
        case "timeout": attempt { $0.timeout = try Templated("timeout", value) }
        default:
            guard let refused = Keywords.refused[entry.key] else { return false }
            collector.report(
                "'\(entry.key)' is not offered: \(refused.reason)", span: entry.keySpan, hint: refused.hint)
        }
        return true
    }

    private mutating func attempt(_ body: (inout Directives) throws -> Void) {
        do {
            try body(&directives)
        } catch {
            collector.add(error)
        }
    }

    private mutating func readTags(_ value: SourceValue) {
        // Commas separate tags in a text, and mean nothing in the items of a list (`Taggable._load_tags` of Ansible).
        if let text = value.string, !text.hasTemplateMarks {
            for name in text.split(separator: ",") {
                directives.tags.append(SourceValue(.string(String(name.trimmed)), span: value.span))
            }
            return
        }
        for tag in value.list ?? [value] {
            if tag.isNull { continue }
            guard String(keyword: tag.value) != nil else {
                collector.report("a tag needs a text, not \(tag.typeName)", span: tag.span)
                continue
            }
            directives.tags.append(tag)
        }
    }

    private mutating func readVariables(_ value: SourceValue) {
        if value.isNull { return }
        guard let entries = value.entries else {
            let hint = value.list == nil ? nil : "write 'name: value' instead of '- name: value'"
            collector.report("'vars' needs a map, not \(value.typeName)", span: value.span, hint: hint)
            return
        }
        for entry in entries where !entry.key.isVariableName {
            collector.report(
                "'\(entry.key)' is no name for a variable", span: entry.keySpan,
                hint: "use letters, digits and underscores, and begin with no digit")
        }
        directives.variables.append(VariableLayer(level, owner: owner, map: value))
    }

    private mutating func readEnvironment(_ value: SourceValue) {
        for item in value.list ?? [value] {
            if item.isNull { continue }
            guard item.entries != nil || item.containsTemplate else {
                collector.report("'environment' needs a map, not \(item.typeName)", span: item.span)
                continue
            }
            directives.environment.append(item)
        }
    }

    private mutating func readNotify(_ value: SourceValue) {
        var names: [Templated<String>] = []
        for item in value.list ?? [value] {
            if let name = collector.attempt({ try Templated<String>("notify", item) }) { names.append(name) }
        }
        directives.notify = names
    }

    private mutating func readModuleDefaults(_ value: SourceValue) {
        for item in value.list ?? [value] {
            guard let entries = item.entries else {
                collector.report("'module_defaults' needs a map, not \(item.typeName)", span: item.span)
                continue
            }
            for entry in entries where entry.key.hasPrefix("group/") {
                collector.report(
                    "groups of modules in 'module_defaults' are not offered", span: entry.keySpan,
                    hint: "name the modules one by one")
            }
            directives.moduleDefaults.append(item)
        }
    }
}

extension String {
    /// Whether the text may be a variable's name: a Python identifier in ASCII.
    var isVariableName: Bool {
        guard let first = utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
        return utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
