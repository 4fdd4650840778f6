extension Filters {
    static let paths: [String: Filter] = [
        "basename": Filter { .string(PosixPath.split(try $0.inputText()).name) },
        "dirname": Filter { .string(PosixPath.split(try $0.inputText()).directory) },
        "normpath": Filter { .string(PosixPath.normalized(try $0.inputText())) },
        "relpath": Filter("start") { call in
            let (path, start) = (try call.inputText(), try call.string(0) ?? ".")
            guard path.hasPrefix("/") == start.hasPrefix("/") else {
                throw Failure("\(call.subject) needs two absolute paths or two relative ones")
            }
            return .string(PosixPath.relative(path, to: start))
        },
        "splitext": Filter { call in
            let (root, suffix) = PosixPath.splitSuffix(try call.inputText())
            return .tuple([.string(root), .string(suffix)])
        },
        "path_join": Filter { call in
            if let text = call.input.string { return .string(text) }
            return .string(PosixPath.joined(try call.items().map { try Call.path($0, call) }))
        },
        "commonpath": Filter { call in
            .string(try PosixPath.common(try call.items().map { try Call.path($0, call) }))
        },
        "expanduser": Filter { call in
            let path = try call.inputText()
            guard path.hasPrefix("~") else { return .string(path) }
            let user = String(path.dropFirst().prefix { $0 != "/" })
            guard case .string(let home) = try call.service(.homeDirectory(user: user)) else { return .string(path) }
            return .string((home.hasSuffix("/") ? String(home.dropLast()) : home) + path.dropFirst(1 + user.count))
        },
        "win_basename": Filter { .string(WindowsPath.split(try $0.inputText()).name) },
        "win_dirname": Filter { .string(WindowsPath.split(try $0.inputText()).directory) },
        "win_splitdrive": Filter { call in
            let text = try call.inputText()
            let drive = WindowsPath.drive(of: text)
            return .tuple([.string(drive), .string(String(text.dropFirst(drive.count)))])
        },
    ]
}

extension Call {
    fileprivate static func path(_ item: Object, _ call: Call) throws -> String {
        guard let text = item.string else { throw Failure("\(call.subject) needs strings, not \(item.typeName)") }
        return text
    }
}

/// Python's `posixpath`, on texts alone.
enum PosixPath {
    static func split(_ path: String) -> (directory: String, name: String) {
        let scalars = path.unicodeScalars
        guard let slash = scalars.lastIndex(of: "/") else { return ("", path) }
        var head = scalars[...slash]
        if head.contains(where: { $0 != "/" }) { while head.last == "/" { head.removeLast() } }
        return (String(head), String(scalars[scalars.index(after: slash)...]))
    }

    static func splitSuffix(_ path: String) -> (root: String, suffix: String) {
        let scalars = Array(path.unicodeScalars)
        let nameStart = (scalars.lastIndex(of: "/") ?? -1) + 1
        guard let dot = scalars.lastIndex(of: "."), dot >= nameStart,
            scalars[nameStart..<dot].contains(where: { $0 != "." })
        else { return (path, "") }
        return (scalars[..<dot].map(String.init).joined(), scalars[dot...].map(String.init).joined())
    }

    static func joined(_ parts: [String]) -> String {
        guard var result = parts.first else { return "" }
        for part in parts.dropFirst() {
            if part.hasPrefix("/") {
                result = part
            } else if result.isEmpty || result.hasSuffix("/") {
                result += part
            } else {
                result += "/" + part
            }
        }
        return result
    }

    static func normalized(_ path: String) -> String {
        guard !path.isEmpty else { return "." }
        let root = path.hasPrefix("//") && !path.hasPrefix("///") ? "//" : path.hasPrefix("/") ? "/" : ""
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != ".." {
                parts.removeLast()
            } else if part != ".." || root.isEmpty {
                parts.append(part)
            }
        }
        let result = root + parts.joined(separator: "/")
        return result.isEmpty ? "." : result
    }

    static func relative(_ path: String, to start: String) -> String {
        let target = normalized(path).split(separator: "/").filter { $0 != "." }
        let origin = normalized(start).split(separator: "/").filter { $0 != "." }
        let common = zip(target, origin).prefix { $0 == $1 }.count
        let parts = Array(repeating: "..", count: origin.count - common) + target.dropFirst(common).map(String.init)
        return parts.isEmpty ? "." : parts.joined(separator: "/")
    }

    static func common(_ paths: [String]) throws -> String {
        guard let first = paths.first else { throw Failure("the common path of no paths is not known") }
        guard paths.allSatisfy({ $0.hasPrefix("/") == first.hasPrefix("/") }) else {
            throw Failure("absolute and relative paths have nothing in common")
        }
        let parts = paths.map { $0.split(separator: "/").filter { $0 != "." } }
        var common = parts[0]
        for other in parts.dropFirst() { common = Array(common.prefix(zip(common, other).prefix { $0 == $1 }.count)) }
        return (first.hasPrefix("/") ? "/" : "") + common.joined(separator: "/")
    }
}

/// Python's `ntpath`, as far as filters use it.
enum WindowsPath {
    static func drive(of path: String) -> String {
        let characters = Array(path)
        return characters.count >= 2 && characters[1] == ":" ? String(characters[..<2]) : ""
    }

    static func split(_ path: String) -> (directory: String, name: String) {
        let drive = drive(of: path)
        let rest = path.dropFirst(drive.count)
        guard let slash = rest.lastIndex(where: { $0 == "\\" || $0 == "/" }) else { return (drive, String(rest)) }
        var head = rest[...slash]
        if head.contains(where: { $0 != "\\" && $0 != "/" }) {
            while head.last == "\\" || head.last == "/" { head.removeLast() }
        }
        return (drive + head, String(rest[rest.index(after: slash)...]))
    }
}
