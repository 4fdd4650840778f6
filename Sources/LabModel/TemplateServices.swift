import LabCore
import LabTemplate
import LabYAML

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What filters and tests need from outside of the template language: YAML, files, the clock.
struct TemplateServices {
    let magic: MagicVariables

    func answer(_ request: TemplateService) throws -> Value? {
        switch request {
        case .parseYAML(let text): return try documents(text).first ?? .null
        case .parseYAMLDocuments(let text): return .list(try documents(text))
        case .emitYAML(let value, let nice, let indent, let sortKeys):
            let ordered = sortKeys ? Self.sorted(value) : value
            return .string(nice ? YAML.emit(ordered, indent: indent) : YAML.emit(ordered))
        case .digest(let algorithm, let bytes): return magic.digest(algorithm, bytes).map { .string($0) }
        case .file(let test, let path): return Self.test(test, path).map { .bool($0) }
        case .now: return .float(Self.now)
        case .homeDirectory(let user): return home(of: user).map { .string($0) }
        }
    }

    private func documents(_ text: String) throws -> [Value] {
        try YAML.load(SourceFile(path: "<from_yaml>", text: text), schema: .ansible).map(\.value)
    }

    private static func sorted(_ value: Value) -> Value {
        switch value {
        case .map(let entries):
            var result = ValueMap()
            for key in entries.keys.sorted() { result[key] = entries[key].map(sorted) }
            return .map(result)
        case .list(let items): return .list(items.map(sorted))
        default: return value
        }
    }

    private static func test(_ test: String, _ path: String) -> Bool? {
        switch test {
        case "exists": FileTree.exists(path)
        case "file": FileTree.isFile(path)
        case "directory": FileTree.isDirectory(path)
        case "link": FileTree.isLink(path)
        case "mount": FileTree.isMount(path)
        default: nil
        }
    }

    private static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private func home(of user: String) -> String? {
        if user.isEmpty, let home = magic.processEnvironment["HOME"] { return home }
        guard let entry = user.isEmpty ? getpwuid(getuid()) : getpwnam(user), let home = entry.pointee.pw_dir else {
            return nil
        }
        return String(cString: home)
    }
}
