import LabCore

/// Looks for what would be lost with objects that are to be removed, and for what would keep them from going.
package struct RemovalGuard: Sendable {
    /// What is known of a kind besides its name: what its objects have become in newer versions.
    package typealias Advice =
        @Sendable (_ kind: GroupKind, _ objects: [LiveObject]) -> (notes: [String], hint: String)?

    package let client: KubeClient
    /// The set whose members may go.
    package let set: ApplySet?
    private let advice: Advice

    package init(client: KubeClient, set: ApplySet?, advice: @escaping Advice = { _, _ in nil }) {
        self.client = client
        self.set = set
        self.advice = advice
    }

    private static let maximumNamed = 5
    /// What the cluster's own controllers set and take off.
    private static let clustersFinalizers: Set<String> = [
        "foregroundDeletion", "orphan", "customresourcecleanup.apiextensions.k8s.io", "kubernetes",
    ]

    /// Fails when a CustomResourceDefinition or a Namespace that is to go would take along what somebody else made.
    ///
    /// - Parameters:
    ///   - role: Whose objects go, for people.
    ///   - isUpgrade: Whether the role stays and only some of its objects go.
    /// - Throws: `KubeError` of kind `refused` that names the objects.
    package func refuseLosses(with objects: [LiveObject], of role: String, isUpgrade: Bool) async throws {
        let going = Set(objects.map(\.uid))
        let objects = try await concurrently(objects, limit: ApplyEngine.concurrency) { try await whole($0) }
        var diagnostics: [Diagnostic] = []
        for object in objects {
            let others: [LiveObject]
            switch (object.reference.group, object.reference.kind) {
            case ("apiextensions.k8s.io", "CustomResourceDefinition"):
                others = try await instances(of: object.object).filter {
                    !going.contains($0.uid) && !$0.isOwned && !$0.isStatusOnly
                }
            case ("", "Namespace"):
                let defined = Set(objects.compactMap { Self.definedKind($0.object) })
                others = try await contents(of: object.reference.name).filter {
                    !going.contains($0.uid) && !$0.isOwned && !isAutomatic($0)
                        && !defined.contains(GroupKind($0.reference))
                        && !(Removal.Stage($0.reference) == .customResources && $0.isStatusOnly)
                }
            default: continue
            }
            if !others.isEmpty { diagnostics.append(loss(of: others, with: object, role, isUpgrade: isUpgrade)) }
        }
        if !diagnostics.isEmpty { throw KubeError(.refused, diagnostics: diagnostics) }
    }

    /// A CustomResourceDefinition with all that it says, where only its metadata was read.
    private func whole(_ object: LiveObject) async throws -> LiveObject {
        guard object.reference.kind == "CustomResourceDefinition", object.object["spec"] == nil else { return object }
        let live = try await client.get(object.resource, namespace: nil, name: object.reference.name)
        return live.map { LiveObject(object.resource, $0) } ?? object
    }

    private func loss(
        of others: [LiveObject], with object: LiveObject, _ role: String, isUpgrade: Bool
    ) -> Diagnostic {
        let names = others.prefix(Self.maximumNamed).map { "\($0.reference)" }.joined(separator: ", ")
        let rest = others.count > Self.maximumNamed ? " and \(others.count - Self.maximumNamed) more" : ""
        let told = Self.definedKind(object.object).flatMap { advice($0, others) }
        let why = isUpgrade ? "is no longer part of \(role), but" : "cannot be removed:"
        let whose = others.count == 1 ? "an object" : "\(others.count) objects"
        return Diagnostic(
            "\(object.reference) \(why) \(whose) that \(role) did not make would be destroyed with it: \(names)\(rest)",
            notes: (told?.notes ?? []).map { Diagnostic.Note($0) },
            hint: told?.hint ?? "move them elsewhere or delete them yourself, and run this again")
    }

    private static func definedKind(_ definition: Value) -> GroupKind? {
        guard let group = definition[["spec", "group"]]?.string,
            let kind = definition[["spec", "names", "kind"]]?.string
        else { return nil }
        return GroupKind(group: group, kind: kind)
    }

    /// The objects of a CustomResourceDefinition, in the version in which they are stored, which needs no conversion.
    private func instances(of definition: Value) async throws -> [LiveObject] {
        let versions = definition[["spec", "versions"]]?.list ?? []
        guard let kind = Self.definedKind(definition),
            let plural = definition[["spec", "names", "plural"]]?.string,
            let version = versions.first(where: { $0["storage"] == true && $0["served"] == true })
                ?? versions.first(where: { $0["served"] == true }), let name = version["name"]?.string
        else { return [] }
        return try await client.listOrNothing(
            APIResource(
                group: kind.group, version: name, kind: kind.kind, plural: plural,
                isNamespaced: definition[["spec", "scope"]]?.string == "Namespaced"))
    }

    // MARK: Namespaces

    /// Everything in a namespace.
    private func contents(of namespace: String) async throws -> [LiveObject] {
        let resources = try await client.discovery.preferredKinds().filter(\.isNamespaced)
        return try await concurrently(resources, limit: ApplyEngine.concurrency) { resource in
            try await client.listOrNothing(resource, namespace: namespace)
        }.flatMap(\.self)
    }

    /// What a cluster puts into namespaces by itself.
    private func isAutomatic(_ object: LiveObject) -> Bool {
        switch (object.reference.group, object.reference.kind) {
        case ("", "Event"), ("events.k8s.io", "Event"), ("", "Endpoints"), ("discovery.k8s.io", "EndpointSlice"),
            ("coordination.k8s.io", "Lease"), ("metrics.k8s.io", _):
            true
        case ("", "ConfigMap"): ["kube-root-ca.crt", "openshift-service-ca.crt"].contains(object.reference.name)
        case ("", "ServiceAccount"): object.reference.name == "default"
        case ("", "Secret"): object.object["type"] == "kubernetes.io/service-account-token"
        default: false
        }
    }

    /// Fails when a namespace would stay in Terminating: an object in it has a finalizer, or part of the API does not
    /// answer, so that the cluster cannot tell what is in the namespace.
    ///
    /// - Throws: `KubeError` of kind `refused` that names what holds it.
    package func refuseStuckNamespaces(_ namespaces: [LiveObject]) async throws {
        try await refuseSilentServices(namespaces)
        var diagnostics: [Diagnostic] = []
        for namespace in namespaces where !namespace.isBeingDeleted {
            let held = try await contents(of: namespace.reference.name).filter { !$0.finalizers.isEmpty }
            guard !held.isEmpty else { continue }
            diagnostics.append(
                Diagnostic(
                    "\(namespace.reference) is not removed: it would stay in Terminating",
                    notes: held.prefix(Self.maximumNamed).map { Diagnostic.Note(finalizers(of: $0)) },
                    hint: "have whoever set the finalizers let go of them, and run this again"))
        }
        if !diagnostics.isEmpty { throw KubeError(.refused, diagnostics: diagnostics) }
    }

    /// Fails when part of the API does not answer: asked before anything is removed for the sake of a namespace.
    ///
    /// - Throws: `KubeError` of kind `refused`.
    package func refuseSilentServices(_ namespaces: [LiveObject]) async throws {
        guard let namespace = namespaces.first(where: { !$0.isBeingDeleted }) else { return }
        let diagnostics = try await silentServices().map { service, reason in
            Diagnostic(
                "\(namespace.reference) cannot be removed: the APIService \(service) does not answer, and while it does "
                    + "not, a namespace stays in Terminating", notes: [Diagnostic.Note(reason)],
                hint: "repair what serves it, or delete the APIService if nobody needs it, and run this again")
        }
        if !diagnostics.isEmpty { throw KubeError(.refused, diagnostics: diagnostics) }
    }

    /// The API services that others than the API server answer for, and do not.
    private func silentServices() async throws -> [(name: String, reason: String)] {
        let resource = try await client.discovery.resource(apiVersion: "apiregistration.k8s.io/v1", kind: "APIService")
        return try await client.listOrNothing(resource).compactMap { service in
            guard let available = Readiness.condition("Available", of: service.object), available.status != "True"
            else { return nil }
            return (service.reference.name, available.text)
        }
    }

    private func finalizers(of object: LiveObject) -> String {
        let names = object.finalizers
        return "\(object.reference) is kept by the finalizer\(names.count == 1 ? "" : "s") "
            + names.joined(separator: " and ")
    }

    // MARK: What stays

    /// Why an object that was deleted is still there.
    func explain(_ object: LiveObject, after timeout: Duration) async -> Diagnostic {
        var notes: [String] = []
        if !object.finalizers.isEmpty { notes.append(finalizers(of: object)) }
        for condition in object.object[["status", "conditions"]]?.list ?? [] {
            guard let type = condition["type"]?.string, condition["status"] == "True",
                type == "Terminating" || type.hasPrefix("Namespace")
            else { continue }
            notes.append("\(type): \(condition["message"]?.string ?? condition["reason"]?.string ?? "")")
        }
        if object.reference.kind == "Namespace" {
            notes += ((try? await contents(of: object.reference.name)) ?? []).filter { !$0.finalizers.isEmpty }
                .prefix(Self.maximumNamed).map(finalizers)
            notes += ((try? await silentServices()) ?? []).map {
                "the APIService \($0.name) does not answer: \($0.reason)"
            }
        }
        if object.reference.kind == "CustomResourceDefinition" {
            notes += ((try? await instances(of: object.object)) ?? []).filter { !$0.finalizers.isEmpty }
                .prefix(Self.maximumNamed).map(finalizers)
        }
        if notes.isEmpty { notes.append(object.isBeingDeleted ? "it is being deleted" : "it was made anew") }
        return Diagnostic(
            "\(object.reference) is not gone after \(timeout.text)", notes: notes.map { Diagnostic.Note($0) },
            hint: Set(object.finalizers).isSubset(of: Self.clustersFinalizers)
                ? nil
                : "the controller that set the finalizer has to let go of it; where it is gone for good, take the "
                    + "finalizer off by hand")
    }
}
