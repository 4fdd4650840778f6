import LabCore

/// One object as the user wants it, and where it was written.
package struct Intent: Sendable {
    /// What is sent: without what only the server sets.
    package var object: Value
    /// The place of the object in a file; may be less deep than the object where a template made it.
    package let source: SourceValue?
    /// Without a namespace for kinds that have none; decided by discovery.
    package var reference: ObjectReference

    /// Where a field of the object was written, or the object itself, or nil.
    package func span(of path: FieldPath) -> SourceSpan? { source?.span(of: path) }
    package var span: SourceSpan? { source?.span }
}

/// An object before it was looked at: its value and its place.
package struct Manifest: Sendable {
    package let value: Value
    package let source: SourceValue?

    package init(_ value: Value, source: SourceValue? = nil) {
        self.value = value
        self.source = source
    }

    package init(_ source: SourceValue) { self.init(source.value, source: source) }
}

/// The way from manifests to intents.
package enum Intents {
    /// Makes intents of manifests: empty ones skipped, lists taken apart, mistakes found, what only servers set removed.
    ///
    /// - Parameters:
    ///   - defaultNamespace: For objects of namespaced kinds that name none.
    ///   - keepsNulls: A merge patch removes fields by null; an apply must not have any.
    /// - Throws: `KubeError` of kind `input` with a diagnostic for each mistake.
    package static func read(
        _ manifests: [Manifest], defaultNamespace: String, keepsNulls: Bool = false
    ) throws(KubeError) -> [Intent] {
        var intents: [Intent] = []
        var mistakes: [Diagnostic] = []
        var seen: [ObjectReference: SourceSpan?] = [:]
        for manifest in manifests.flatMap(flatten) where !manifest.value.isNull {
            do {
                let reference = try reference(of: manifest, defaultNamespace: defaultNamespace)
                if let first = seen[reference] {
                    mistakes.append(
                        Diagnostic(
                            "\(reference) is defined twice", span: manifest.source?.span,
                            notes: [Diagnostic.Note("the first definition is here", span: first)],
                            hint: "remove one of them"))
                    continue
                }
                seen[reference] = manifest.source?.span
                intents.append(
                    Intent(
                        object: cleaned(manifest.value, keepsNulls: keepsNulls), source: manifest.source,
                        reference: reference))
            } catch {
                mistakes += error.diagnostics
            }
        }
        if !mistakes.isEmpty { throw KubeError(.input, diagnostics: mistakes) }
        return intents
    }

    /// A `List` (or a YAML list) stands for its items.
    private static func flatten(_ manifest: Manifest) -> [Manifest] {
        if let items = manifest.value.list { return children(items, of: manifest.source).flatMap(flatten) }
        guard let kind = manifest.value["kind"]?.string, kind.hasSuffix("List"),
            let items = manifest.value["items"]?.list
        else { return [manifest] }
        return children(items, of: manifest.source?["items"]).flatMap(flatten)
    }

    private static func children(_ items: [Value], of source: SourceValue?) -> [Manifest] {
        items.enumerated().map { index, item in
            let sources = source?.list ?? []
            return Manifest(item, source: sources.indices.contains(index) ? sources[index] : source)
        }
    }

    private static func reference(
        of manifest: Manifest, defaultNamespace: String
    ) throws(KubeError) -> ObjectReference {
        let value = manifest.value
        guard value.map != nil else {
            throw KubeError(
                .input, "a Kubernetes object must be a map, not \(value.typeName)", span: manifest.source?.span)
        }
        func text(_ path: [String]) throws(KubeError) -> String {
            let span = manifest.source?.span(of: FieldPath(path.map { .key($0) }))
            let name = path.joined(separator: ".")
            guard let found = value[path], !found.isNull else {
                throw KubeError(
                    .input, "the object has no \(name)", span: span,
                    hint: value[["metadata", "generateName"]] == nil
                        ? nil : "generateName cannot be applied: every run would make another object")
            }
            guard let text = found.string, !text.isEmpty else {
                throw KubeError(
                    .input, "\(name) must be a string that is not empty, not \(found.typeName)", span: span,
                    hint: found.string == nil && found.map == nil && found.list == nil ? "put it in quotes" : nil)
            }
            return text
        }
        let apiVersion = try text(["apiVersion"])
        let kind = try text(["kind"])
        let name = try text(["metadata", "name"])
        let isCluster = BuiltInResources.find(apiVersion: apiVersion, kind: kind)?.isNamespaced == false
        let namespace =
            value[["metadata", "namespace"]]?.isNull ?? true ? defaultNamespace : try text(["metadata", "namespace"])
        return ObjectReference(apiVersion: apiVersion, kind: kind, namespace: isCluster ? nil : namespace, name: name)
    }

    /// The object without nulls, `status` and the metadata that servers set: those would be written at every apply
    /// (`creationTimestamp: null` in MetalLB's manifests, kubernetes#116865) or be refused (`managedFields`).
    static func cleaned(_ object: Value, keepsNulls: Bool) -> Value {
        guard case .map(var entries) = keepsNulls ? object : withoutNulls(object) else { return object }
        entries["status"] = nil
        if case .map(var metadata)? = entries["metadata"] {
            for key in ["creationTimestamp", "managedFields", "resourceVersion", "uid", "generation", "selfLink"] {
                metadata[key] = nil
            }
            entries["metadata"] = .map(metadata)
        }
        return .map(entries)
    }

    private static func withoutNulls(_ value: Value) -> Value {
        switch value {
        case .map(let entries): .map(entries.filter { !$0.value.isNull }.mapValues(withoutNulls))
        case .list(let values): .list(values.filter { !$0.isNull }.map(withoutNulls))
        default: value
        }
    }
}
