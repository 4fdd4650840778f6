import LabCore
import LabYAML

extension MetalLBObjects {
    /// The mistakes in MetalLB's configuration that a call of `kubernetes.core.k8s` brings. That module calls this from
    /// its `validate`.
    ///
    /// Looked at are `definition`, `src` and `template`. What cannot be read or rendered yet is no mistake here; the
    /// record is told that it did not see everything.
    package static func check(_ call: ModuleCall, in scope: ValidationScope) -> [Diagnostic] {
        guard call["state"]?.string ?? "present" == "present" else { return [] }
        let cluster = "\(call["kubeconfig"]?.string ?? "") \(call["context"]?.string ?? "")"
        do {
            let objects = try objects(of: call, in: scope)
            guard !objects.isEmpty else { return [] }
            return check(objects, scope: scope, cluster: cluster, near: call.span)
        } catch {
            scope.record?.markIncomplete()
            return []
        }
    }

    private static func objects(of call: ModuleCall, in scope: ValidationScope) throws -> [SourceValue] {
        var objects: [SourceValue] = []
        if let definition = call["definition"] ?? call["resource_definition"], !definition.isNull {
            let written = call.source["definition"] ?? call.source["resource_definition"]
            for item in definition.list ?? [definition] {
                if let text = item.string {
                    objects += try documents(text, path: "<definition>", keepingPlaces: false)
                } else {
                    // What holds no template stands in the task as it is, with its places.
                    objects.append(written.flatMap { $0.value == item ? $0 : nil } ?? SourceValue(item))
                }
            }
        }
        if let source = call["src"]?.string, !source.contains("://") {
            let path = try file(source, in: scope)
            objects += try documents(read(path), path: path, keepingPlaces: true)
        }
        for template in templates(call["template"]) {
            let path = try file(template, in: scope)
            let text = try read(path)
            guard mayConfigure(text) else { continue }
            let rendered = try scope.render(text, path)
            objects += try documents(rendered.string ?? rendered.json(), path: path, keepingPlaces: false)
        }
        return objects
    }

    /// `template` is a path, a map with `path`, or a list of them.
    private static func templates(_ value: Value?) -> [String] {
        switch value {
        case .string(let path): [path]
        case .map(let options): options["path"]?.string.map { [$0] } ?? []
        case .list(let all): all.flatMap { templates($0) }
        default: []
        }
    }

    /// Whether a text could hold MetalLB's configuration: the manifest itself need not be parsed for it.
    private static func mayConfigure(_ text: String) -> Bool { text.contains("metallb.io/v1") }

    private static func documents(_ text: String, path: String, keepingPlaces: Bool) throws -> [SourceValue] {
        guard mayConfigure(text) else { return [] }
        let documents = try YAML.load(SourceFile(path: path, text: text), schema: .kubernetes)
        // Lines of a rendered text are no lines of a file of the user's.
        return keepingPlaces ? documents : documents.map { SourceValue($0.value) }
    }

    private static func read(_ path: String) throws -> String {
        String(decoding: try LocalFiles.read(path), as: UTF8.self)
    }

    private static func file(_ path: String, in scope: ValidationScope) throws -> String {
        let candidates =
            path.hasPrefix("/") ? [path] : scope.searchPaths.map { $0.hasSuffix("/") ? $0 + path : "\($0)/\(path)" }
        guard let found = candidates.first(where: { LocalFiles.status($0) != nil }) else {
            throw ModuleError("there is no file '\(path)'")
        }
        return found
    }
}
