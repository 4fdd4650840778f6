import LabCore
import LabKube
import LabTransport
import LabYAML
import Synchronization

/// Where the objects of a `k8s` task come from: a file or URL, a definition in the task, templates, or its name alone.
struct ManifestSource {
    let call: ModuleCall
    /// Finds a file of the laptop.
    let localFile: (_ path: String, _ span: SourceSpan?) throws -> String
    /// Renders a template file with the host's variables.
    let renderFile: (_ text: String, _ path: String, _ format: TemplateFormat) throws -> String

    /// The files that were read, by the path under which their mistakes are told.
    private static let definitionNames = ["definition", "resource_definition", "inline"]

    /// What the task describes, with the places of its parts.
    ///
    /// - Parameter fetch: Downloads a text; nil where nothing may be asked of the network, and then URLs give nothing.
    /// - Throws: `ModuleError` of class `input`.
    func manifests(fetch: ((_ url: String, _ span: SourceSpan?) async throws -> String)?) async throws -> [Manifest] {
        if let path = call["src"]?.string, isURL(path) {
            guard let fetch else { return [] }
            let text = try await fetch(path, call.source["src"]?.span)
            return filled(try load(SourceFile(path: path, text: text)))
        }
        return try local()
    }

    /// As `manifests`, without what would have to be downloaded.
    func local() throws -> [Manifest] {
        if let path = call["src"]?.string {
            guard !isURL(path) else { return [] }
            let file = try localFile(path, call.source["src"]?.span ?? call.span)
            return filled(try load(SourceFile(path: file, bytes: try LocalFiles.read(file))))
        }
        if let definition = call["definition"], !definition.isNull {
            let source = Self.definitionNames.lazy.compactMap { call.source[$0] }.first
            return filled(try manifests(definition, source))
        }
        if let template = call["template"], !template.isNull { return filled(try templates(template)) }
        return [Manifest(try named())]
    }

    private func isURL(_ path: String) -> Bool {
        path.hasPrefix("http://") || path.hasPrefix("https://")
    }

    /// A definition: a map, a list of maps, or a text of YAML documents, also as items of a list.
    private func manifests(_ value: Value, _ source: SourceValue?) throws -> [Manifest] {
        switch value {
        case .string(let text):
            // A text that stands in the task as it is keeps the task's file as the place of its mistakes.
            let place = source?.span.map { "\($0)" }
            return try load(SourceFile(path: place.map { "<definition at \($0)>" } ?? "<definition>", text: text))
        case .list(let items):
            return try items.enumerated().flatMap { index, item in
                let sources = source?.list ?? []
                return try manifests(item, sources.indices.contains(index) ? sources[index] : source)
            }
        default: return [Manifest(value, source: source)]
        }
    }

    /// `template`: a path, `{path: …, trim_blocks: …}`, or a list of these.
    private func templates(_ value: Value) throws -> [Manifest] {
        if let items = value.list { return try items.flatMap(templates) }
        let span = call.source["template"]?.span ?? call.span
        guard let path = value.string ?? value["path"]?.string else {
            throw ModuleError("template needs the path of a template", span: span, failureClass: .input)
        }
        let file = try localFile(path, span)
        func markers(_ name: String, _ start: String, _ end: String) -> (start: String, end: String)? {
            let first = value["\(name)_start_string"]?.string
            let last = value["\(name)_end_string"]?.string
            return first == nil && last == nil ? nil : (first ?? start, last ?? end)
        }
        let format = TemplateFormat(
            trimsBlocks: value["trim_blocks"]?.bool ?? true, stripsBeforeBlocks: value["lstrip_blocks"]?.bool ?? false,
            variableMarkers: markers("variable", "{{", "}}"), blockMarkers: markers("block", "{%", "%}"),
            commentMarkers: markers("comment", "{#", "#}"))
        let text = try renderFile(String(decoding: try LocalFiles.read(file), as: UTF8.self), file, format)
        return try load(SourceFile(path: "\(file) (rendered)", text: text))
    }

    private func load(_ file: SourceFile) throws -> [Manifest] {
        if let known = RecentManifests.shared.manifests(of: file) { return known }
        do {
            let manifests = try YAML.load(file, schema: .kubernetes).map { Manifest($0) }
            RecentManifests.shared.note(manifests, of: file)
            return manifests
        } catch {
            throw ModuleError(error.diagnostics, failureClass: .input)
        }
    }

    /// An object that the task's own parameters name.
    private func named() throws -> Value {
        guard let kind = call["kind"]?.string, let name = call["name"]?.string else {
            throw ModuleError(
                "k8s needs src, definition or template, or kind and name", span: call.span, failureClass: .input)
        }
        var metadata: ValueMap = ["name": .string(name)]
        if let namespace = call["namespace"] { metadata["namespace"] = namespace }
        return [
            "apiVersion": call["api_version"] ?? "v1", "kind": .string(kind), "metadata": .map(metadata),
        ]
    }

    /// What a definition leaves out, the task's parameters say; what it has, it keeps.
    private func filled(_ manifests: [Manifest]) -> [Manifest] {
        let apiVersion = call["api_version"]
        let kind = call["kind"]
        let name = call["name"]
        return manifests.map { manifest in
            guard case .map(var object) = manifest.value else { return manifest }
            if object["apiVersion"] == nil, let apiVersion { object["apiVersion"] = apiVersion }
            if object["kind"] == nil, let kind { object["kind"] = kind }
            if let name, manifests.count == 1 {
                var metadata = object["metadata"]?.map ?? [:]
                if metadata["name"] == nil { metadata["name"] = name }
                object["metadata"] = .map(metadata)
            }
            return Manifest(.map(object), source: manifest.source)
        }
    }
}

/// The manifests that were parsed last: a step reads the same file when it is checked, planned, and planned again.
private final class RecentManifests: Sendable {
    static let shared = RecentManifests()
    private static let limit = 4

    private let recent = Mutex<[(file: SourceFile, manifests: [Manifest])]>([])

    /// nil where the file is another one, or has changed.
    func manifests(of file: SourceFile) -> [Manifest]? {
        recent.withLock { recent in
            recent.first { $0.file.path == file.path && $0.file.bytes == file.bytes }?.manifests
        }
    }

    func note(_ manifests: [Manifest], of file: SourceFile) {
        recent.withLock { recent in
            recent.insert((file, manifests), at: 0)
            if recent.count > Self.limit { recent.removeLast() }
        }
    }
}
