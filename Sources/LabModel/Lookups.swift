import LabCore
import LabTemplate

/// `lookup('env', …)` and its like: values from the laptop.
struct Lookups {
    static let names = [
        "env", "file", "template", "vars", "first_found", "items", "list", "dict", "fileglob", "lines", "pipe", "url",
        "password", "indexed_items", "nested", "together", "sequence", "flattened",
    ]
    let base: VariableScope
    /// Knows which variables are being rendered, so that a circle through a lookup is told and not followed.
    let scope: ChainedScope

    func run(_ plugin: String, arguments: [Value], options: ValueMap) throws -> Value {
        let name = plugin.hasPrefix("ansible.builtin.") ? String(plugin.dropFirst("ansible.builtin.".count)) : plugin
        switch name {
        case "env": return .list(try texts(arguments, of: name).map { try environment($0, options) })
        case "file": return .list(try texts(arguments, of: name).map { try file($0, options) })
        case "template": return .list(try texts(arguments, of: name).map { try template($0) })
        case "vars": return .list(try texts(arguments, of: name).map { try variable($0, options) })
        case "first_found": return .list(try firstFound(arguments, options))
        case "fileglob": return .list(try texts(arguments, of: name).flatMap { glob($0) })
        case "items", "flattened": return .list(arguments.flatMap { $0.list ?? [$0] })
        case "list": return .list(arguments)
        case "dict":
            return .list(
                arguments.flatMap { ($0.map ?? [:]).map { .map(["key": .string($0.key), "value": $0.value]) } })
        case "indexed_items", "nested", "together", "sequence": return try loop("with_\(name)", arguments)
        case "pipe", "lines", "url", "password":
            throw InputError(
                "the lookup '\(name)' is not offered: labctl runs nothing and fetches nothing while it reads variables",
                hint: "use a task with 'delegate_to: localhost' and 'register'")
        default:
            throw InputError(
                "unknown lookup '\(plugin)'",
                hint: nearestName(to: name, among: Self.names).map { "did you mean '\($0)'?" })
        }
    }

    private func texts(_ arguments: [Value], of name: String) throws -> [String] {
        try arguments.flatMap { $0.list ?? [$0] }.map { argument in
            guard let text = String(keyword: argument) else {
                throw InputError("the lookup '\(name)' needs texts, not \(argument.brief)")
            }
            return text
        }
    }

    private func environment(_ name: String, _ options: ValueMap) throws -> Value {
        if let value = base.magic.processEnvironment[name] { return .string(value) }
        return options["default"] ?? ""
    }

    private func variable(_ name: String, _ options: ValueMap) throws -> Value {
        if let value = try scope.variable(name) { return value }
        if let value = options["default"] { return value }
        throw InputError(
            "undefined variable '\(name)'",
            hint: nearestName(to: name, among: scope.names).map { "did you mean '\($0)'?" })
    }

    private func file(_ name: String, _ options: ValueMap) throws -> Value {
        let path = try find(name, kind: "files")
        var text = String(decoding: try FileTree.read(path).bytes, as: UTF8.self)
        if options["rstrip"].flatMap(Bool.init(keyword:)) ?? true {
            while let last = text.last, last.isWhitespace { text.removeLast() }
        }
        if options["lstrip"].flatMap(Bool.init(keyword:)) == true { text = String(text.drop(while: \.isWhitespace)) }
        return .string(text)
    }

    private func template(_ name: String) throws -> Value {
        let path = try find(name, kind: "templates")
        let file = try FileTree.read(path)
        let text = String(decoding: file.bytes, as: UTF8.self)
        return try Template.parse(text, span: file.span(0..<file.bytes.count), options: .file)
            .render(try scope.entering(file: path))
    }

    private func find(_ name: String, kind: String) throws -> String {
        if let path = candidates(name, kind: kind).first(where: FileTree.isFile) { return path }
        throw InputError(
            "no file '\(name)'",
            notes: [Diagnostic.Note("looked for \(candidates(name, kind: kind).joined(separator: ", "))")])
    }

    private func candidates(_ name: String, kind: String) -> [String] {
        if name.hasPrefix("/") { return [name] }
        if name.hasPrefix("~/"), let home = base.magic.processEnvironment["HOME"] {
            return [Path.join(home, String(name.dropFirst(2)))]
        }
        var paths: [String] = []
        for folder in base.magic.searchPaths + [base.magic.playbookDirectory] {
            for path in [Path.join(Path.join(folder, kind), name), Path.join(folder, name)] where !paths.contains(path)
            {
                paths.append(path)
            }
        }
        return paths
    }

    private func firstFound(_ arguments: [Value], _ options: ValueMap) throws -> [Value] {
        var names: [String] = []
        var folders: [String] = []
        var skips = options["skip"].flatMap(Bool.init(keyword:)) ?? false
        func take(_ value: Value) {
            if let map = value.map {
                take(map["files"] ?? .list([]))
                for folder in map["paths"]?.list ?? [map["paths"]].compactMap(\.self) {
                    if let text = folder.string { folders.append(text) }
                }
                skips = map["skip"].flatMap(Bool.init(keyword:)) ?? skips
            } else if let list = value.list {
                list.forEach(take)
            } else if let text = String(keyword: value) {
                names.append(text)
            }
        }
        arguments.forEach(take)
        if let files = options["files"] { take(files) }
        if let paths = options["paths"] { folders += (paths.list ?? [paths]).compactMap(\.string) }
        let wanted = folders.isEmpty ? names : names.flatMap { name in folders.map { Path.join($0, name) } }
        for name in wanted {
            for kind in ["files", "templates", "vars"] {
                if let path = candidates(name, kind: kind).first(where: FileTree.isFile) {
                    return [.string(FileTree.absolute(path))]
                }
            }
        }
        if skips { return [] }
        throw InputError("none of the files is there: \(wanted.joined(separator: ", "))")
    }

    private func glob(_ pattern: String) -> [Value] {
        let folder = Path.directory(pattern)
        let name = Array(Path.name(pattern))
        let folders = pattern.hasPrefix("/") ? [folder] : candidates(folder, kind: "files")
        for folder in folders {
            let files = FileTree.entries(folder).filter { globMatches(name[...], Array($0)[...]) }
                .map { Path.join(folder, $0) }.filter(FileTree.isFile)
            if !files.isEmpty { return files.map { .string(FileTree.absolute($0)) } }
        }
        return []
    }

    private func loop(_ keyword: String, _ arguments: [Value]) throws -> Value {
        guard let kind = Loop.Kind(rawValue: keyword) else { return .list(arguments) }
        return .list(try Loop(kind, source: SourceValue(.list(arguments))).items(scope))
    }
}
