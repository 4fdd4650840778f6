import LabCore
import LabKube

extension MetalLBObjects {
    /// The mistakes in MetalLB's configuration that a call of `kubernetes.core.k8s` brings.
    static func check(_ call: ModuleCall, _ manifests: [Manifest], in scope: ValidationScope) -> [Diagnostic] {
        // A patch is a part of an object, which says nothing by itself.
        guard call["state"]?.string ?? "present" == "present" else { return [] }
        let isRendered = call["template"].map { !$0.isNull } ?? false
        let objects = manifests.filter { isConfiguration($0.value) }.map { manifest in
            SourceValue(
                manifest.value, at: manifest.source, isRendered: isRendered, in: scope,
                owner: manifest.value[["metadata", "name"]]?.string)
        }
        guard !objects.isEmpty else { return [] }
        let namespaced = call["namespace"].map { namespace in objects.map { $0.inNamespace(namespace) } } ?? objects
        return check(namespaced, scope: scope, cluster: cluster(of: call), near: call.span)
    }

    /// Takes note of a manifest that is not downloaded yet: upstream's names of its files tell how it speaks BGP.
    ///
    /// - Returns: whether it is one of upstream's manifests, which bring no pool and no advertisement.
    static func expectManifest(of call: ModuleCall, in scope: ValidationScope) -> Bool {
        guard let name = call["src"]?.string?.split(separator: "/").last, name.hasSuffix(".yaml"),
            let implementation: BGPImplementation = name.hasPrefix("metallb-frr")
                ? .frr : name.hasPrefix("metallb-native") ? .native : nil
        else { return false }
        scope.record?.update("metallb", initial: MetalLBTally()) { tally in
            tally.note(implementation, cluster: "\(scope.hostName) \(cluster(of: call))")
        }
        return true
    }

    private static func cluster(of call: ModuleCall) -> String {
        "\(call["kubeconfig"]?.json() ?? "") \(call["context"]?.string ?? "")"
    }

    private static func isConfiguration(_ object: Value) -> Bool {
        object["apiVersion"]?.string?.hasPrefix("metallb.io/") == true || BGPImplementation(ofDeployment: object) != nil
            || object["items"]?.list?.contains(where: isConfiguration) == true
    }
}

extension SourceValue {
    /// A rendered value with the places of what it was rendered from.
    ///
    /// What a template made is shown where a variable holds it; its own place, in the template or in the task that uses
    /// it, is only the second best. A value is known by its key and the name of the object, or of the element of a list,
    /// that it belongs to (`owner`), a text by itself, and an empty list by the name that it has.
    fileprivate init(
        _ value: Value, at source: SourceValue?, isRendered: Bool, in scope: ValidationScope, key: String? = nil,
        owner: String? = nil
    ) {
        let isTemplate = isRendered || source == nil
        func place() -> SourceSpan? {
            guard isTemplate, let key, let owner else { return nil }
            // The shipped role's name for it.
            return scope.spanOfEntry(key, owner) ?? (key == "ipAddressPools" ? scope.spanOfEntry("pools", owner) : nil)
        }
        switch value {
        case .map(let entries):
            let written = source?.entries ?? []
            let owner = entries["name"]?.string ?? owner
            let placed = entries.map { key, value in
                let entry = written.first { $0.key == key }
                return Entry(
                    key: key, keySpan: entry?.keySpan ?? source?.span,
                    value: SourceValue(
                        value, at: entry?.value, isRendered: isRendered, in: scope, key: key, owner: owner))
            }
            self.init(.map(placed), span: source?.span)
        case .list([]) where isRendered || source?.list == nil:
            self.init(.list([]), span: place() ?? key.flatMap(scope.spanOfEmptyList) ?? source?.span)
        case .list(let items):
            let written = source?.list ?? []
            let placed = items.enumerated().map { index, item in
                SourceValue(
                    item, at: written.indices.contains(index) ? written[index] : source, isRendered: isRendered,
                    in: scope, owner: owner)
            }
            self.init(.list(placed), span: place() ?? source?.span)
        case .string(let text) where isRendered || source?.string != text:
            self.init(.string(text), span: place() ?? scope.spanOfText(text) ?? source?.span)
        default: self.init(value, span: place() ?? source?.span)
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
