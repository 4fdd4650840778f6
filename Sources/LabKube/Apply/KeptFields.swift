import LabCore

/// Fields that a controller writes over what manifests say: they are left to it, and that is told.
///
/// - `caBundle` of CRD conversion webhooks, webhook configurations and API services: MetalLB's native manifest carries a
///   placeholder that its controller replaces; sent again it conflicts for ever (ground truth, section 0.1).
/// - `replicas` under an autoscaler.
package struct KeptFields {
    /// What was left out of an intent, as sentences.
    let notes: [String]
    let object: Value

    /// Whether an intent has fields that may have to be kept, so that the live object must be read before it is sent.
    static func mayApply(to object: Value) -> Bool { !candidates(in: object).isEmpty }

    /// Leaves out what others own.
    ///
    /// - Parameter own: The managers whose entries are ours, or become ours: a field that only they own is not kept by
    ///   anybody, and leaving it out would remove it.
    init(_ object: Value, reference: ObjectReference, live: Value, own: Set<String>) {
        let owners = ManagedFields(of: live)
        var kept = object
        var notes: [String] = []
        for (path, isController) in Self.candidates(in: object) {
            let others = owners.owners(of: path, in: live).filter { !own.contains($0.manager) && isController($0) }
            guard let owner = others.first else { continue }
            // Owned by both with the value that is wanted: nothing to give up.
            let isAlsoOurs = owners.owners(of: path, in: live).contains { own.contains($0.manager) }
            if isAlsoOurs, live[field: path] == object[field: path] { continue }
            kept = kept.removing(path)
            notes.append("kept \(path) of \(reference): \(owner.manager) owns it")
        }
        self.object = kept
        self.notes = notes
    }

    /// The fields of an object that a controller may own, as paths.
    package static func candidates(of object: Value) -> [String] { candidates(in: object).map(\.path.description) }

    private typealias Candidate = (path: FieldPath, isController: (ManagedFields.Entry) -> Bool)

    private static func candidates(in object: Value) -> [Candidate] {
        let group = object["apiVersion"]?.string.map { splitAPIVersion($0).group } ?? ""
        let anybody: (ManagedFields.Entry) -> Bool = { _ in true }
        let paths: [Candidate]
        switch (group, object["kind"]?.string ?? "") {
        case ("apiextensions.k8s.io", "CustomResourceDefinition"):
            paths = [(.keys("spec", "conversion", "webhook", "clientConfig", "caBundle"), anybody)]
        case ("apiregistration.k8s.io", "APIService"):
            paths = [(.keys("spec", "caBundle"), anybody)]
        case ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
            ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"):
            paths = (object["webhooks"]?.list ?? []).compactMap { webhook in
                webhook["name"].map { name in
                    (
                        FieldPath([
                            .key("webhooks"), .element(["name": name]), .key("clientConfig"), .key("caBundle"),
                        ]), anybody
                    )
                }
            }
        case ("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "ReplicaSet"):
            // An autoscaler writes through the scale subresource as the controller manager; a person's `kubectl scale`
            // has another manager, and is drift.
            paths = [
                (.keys("spec", "replicas"), { $0.subresource == "scale" && $0.manager == "kube-controller-manager" })
            ]
        default: paths = []
        }
        return paths.filter { object[field: $0.path] != nil }
    }
}
