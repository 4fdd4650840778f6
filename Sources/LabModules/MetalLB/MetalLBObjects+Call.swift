import LabCore
import LabKube

extension MetalLBObjects {
    /// The mistakes in MetalLB's configuration that a call of `kubernetes.core.k8s` brings.
    static func check(_ call: ModuleCall, _ manifests: [Manifest], in scope: ValidationScope) -> [Diagnostic] {
        // A patch is a part of an object, which says nothing by itself.
        guard call["state"]?.string ?? "present" == "present" else { return [] }
        let isRendered = call["template"].map { !$0.isNull } ?? false
        let objects = manifests.filter { isConfiguration($0.value) }.map { manifest in
            SourceValue(manifest.value, at: manifest.source, isRendered: isRendered, in: scope)
        }
        guard !objects.isEmpty else { return [] }
        let namespaced = call["namespace"].map { namespace in objects.map { $0.inNamespace(namespace) } } ?? objects
        let cluster = "\(call["kubeconfig"]?.json() ?? "") \(call["context"]?.string ?? "")"
        return check(namespaced, scope: scope, cluster: cluster, near: call.span)
    }

    private static func isConfiguration(_ object: Value) -> Bool {
        object["apiVersion"]?.string?.hasPrefix("metallb.io/") == true
            || object["items"]?.list?.contains(where: isConfiguration) == true
    }
}

extension SourceValue {
    /// A rendered value with the places of what it was rendered from.
    ///
    /// A text that a template made is shown where a variable holds it; its own place, in the template or in the task that
    /// uses it, is only the second best. So it is with an empty list, which is known by the name that it has.
    fileprivate init(
        _ value: Value, at source: SourceValue?, isRendered: Bool, in scope: ValidationScope, key: String? = nil
    ) {
        switch value {
        case .map(let entries):
            let written = source?.entries ?? []
            let placed = entries.map { key, value in
                let entry = written.first { $0.key == key }
                return Entry(
                    key: key, keySpan: entry?.keySpan ?? source?.span,
                    value: SourceValue(value, at: entry?.value, isRendered: isRendered, in: scope, key: key))
            }
            self.init(.map(placed), span: source?.span)
        case .list([]) where isRendered || source?.list == nil:
            self.init(.list([]), span: key.flatMap(scope.spanOfEmptyList) ?? source?.span)
        case .list(let items):
            let written = source?.list ?? []
            let placed = items.enumerated().map { index, item in
                SourceValue(
                    item, at: written.indices.contains(index) ? written[index] : source, isRendered: isRendered,
                    in: scope)
            }
            self.init(.list(placed), span: source?.span)
        case .string(let text) where isRendered || source?.string != text:
            self.init(.string(text), span: scope.spanOfText(text) ?? source?.span)
        default: self.init(value, span: source?.span)
        }
    }

    /// The object with the namespace that the task names, where it has none of its own.
    fileprivate func inNamespace(_ namespace: Value) -> SourceValue {
        guard let entries, let metadata = self["metadata"], let own = metadata.entries,
            metadata["namespace"]?.isNull ?? true
        else { return self }
        let filled =
            own.filter { $0.key != "namespace" } + [
                Entry(key: "namespace", keySpan: nil, value: SourceValue(namespace))
            ]
        let changed = entries.map { entry in
            entry.key == "metadata"
                ? Entry(
                    key: entry.key, keySpan: entry.keySpan,
                    value: SourceValue(.map(filled), span: metadata.span)) : entry
        }
        return SourceValue(.map(changed), span: span)
    }
}
