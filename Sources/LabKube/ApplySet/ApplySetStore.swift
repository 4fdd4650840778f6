import LabCore

/// Reads and writes the record of a set in one cluster, and finds its members.
package struct ApplySetStore: Sendable {
    package let client: KubeClient
    package let set: ApplySet

    package init(client: KubeClient, set: ApplySet) {
        self.client = client
        self.set = set
    }

    private static let maximumTries = 5

    private func parentResource() async throws -> APIResource {
        try await client.discovery.resource(apiVersion: set.parent.apiVersion, kind: set.parent.kind)
    }

    /// The set's parent; nil when there is no record.
    ///
    /// - Throws: `KubeError`, of kind `refused` when the object is not ours.
    package func parent() async throws -> ApplySetParent? {
        let live = try await client.get(
            parentResource(), namespace: set.parent.namespace, name: set.parent.name)
        return try live.map { try ApplySetParent($0, of: set) }
    }

    /// Has the parent hold at least `scope`; writes nothing when it does already.
    ///
    /// Called before members are applied, so that whatever happens afterwards, the record leads to them.
    ///
    /// - Returns: whether it was written.
    /// - Throws: `KubeError`.
    @discardableResult
    package func widen(to scope: ApplySetScope) async throws -> Bool {
        try await write { live in
            guard let live else { return scope }
            return live.scope.contains(ignoringParentNamespace(scope)) && isComplete(live)
                ? nil : live.scope.union(scope)
        }
    }

    /// Has the parent hold exactly `scope`, after what is not in it was removed.
    ///
    /// - Returns: whether it was written.
    /// - Throws: `KubeError`.
    @discardableResult
    package func narrow(to scope: ApplySetScope) async throws -> Bool {
        try await write { live in live.map { isCurrent($0, scope) } == true ? nil : scope }
    }

    /// Whether a parent is as `narrow` would leave it.
    package func isCurrent(_ parent: ApplySetParent, _ scope: ApplySetScope) -> Bool {
        parent.scope == ignoringParentNamespace(scope) && isComplete(parent)
    }

    private func ignoringParentNamespace(_ scope: ApplySetScope) -> ApplySetScope {
        ApplySetScope(
            groupKinds: scope.groupKinds, namespaces: scope.namespaces.subtracting([ApplySet.parentNamespace]))
    }

    /// Whether nobody took off what makes the object the set's parent.
    private func isComplete(_ parent: ApplySetParent) -> Bool {
        parent.live[["metadata", "labels", ApplySet.idLabel]]?.string == set.id
            && parent.live[["data", "role"]]?.string == set.role
    }

    /// Writes what `wanted` makes of the live parent, guarded by its resource version: two runs at once widen it both.
    private func write(_ wanted: (ApplySetParent?) -> ApplySetScope?) async throws -> Bool {
        let resource = try await parentResource()
        var tries = 0
        while true {
            tries += 1
            let live = try await parent()
            guard let scope = wanted(live) else { return false }
            do {
                // As kubectl does: another manager's hand on these fields is none that counts.
                _ = try await client.apply(
                    ApplySetParent.object(
                        of: set, scope: scope, resourceVersion: live?.live[["metadata", "resourceVersion"]]),
                    resource, reference: set.parent, fieldManager: ApplySet.fieldManager, force: true, dryRun: false)
                return true
            } catch let error as KubeError where error.kind == .race && tries < Self.maximumTries {
                continue
            }
        }
    }

    /// Removes the record itself. Gives false when there was none.
    ///
    /// - Throws: `KubeError`.
    package func forget() async throws -> Bool {
        guard let parent = try await parent() else { return false }
        return try await client.delete(
            parentResource(), reference: set.parent, options: LiveObject.preconditions(of: parent.live))
    }

    // MARK: Members

    /// The live members of the given kinds, wherever they are; kinds that are not served any more have none.
    ///
    /// - Parameter metadataOnly: Without anything but their metadata: CRDs are large.
    /// - Throws: `KubeError`.
    package func members(_ kinds: Set<GroupKind>, metadataOnly: Bool = false) async throws -> [LiveObject] {
        var resources: [APIResource] = []
        for kind in kinds.sorted() {
            if let resource = try await client.discovery.find(kind) { resources.append(resource) }
        }
        return try await members(of: resources, metadataOnly: metadataOnly)
    }

    /// The live members of every kind that is served: for a set whose record is gone.
    ///
    /// - Throws: `KubeError`.
    package func membersOfAllKinds() async throws -> [LiveObject] {
        try await members(of: try await client.discovery.preferredKinds(), metadataOnly: true)
    }

    private func members(of resources: [APIResource], metadataOnly: Bool) async throws -> [LiveObject] {
        let selector = set.selector
        let found = try await concurrently(resources, limit: ApplyEngine.concurrency) { resource in
            try await client.listOrNothing(
                resource, labelSelector: selector, metadataOnly: metadataOnly
            ).filter {
                Self.isMember($0.object, of: set)
            }
        }
        return found.flatMap(\.self)
    }

    /// Whether the label was put on the object by an apply. Controllers copy labels of an object to what they make for
    /// it (EndpointSlices, Endpoints): such a copy is no member.
    static func isMember(_ object: Value, of set: ApplySet) -> Bool {
        guard ApplySet.id(of: object) == set.id else { return false }
        let owners = object[["metadata", "ownerReferences"]]?.list ?? []
        if owners.contains(where: { $0["controller"] == true }) { return false }
        let fields = ManagedFields(of: object)
        guard !fields.entries.isEmpty else { return true }
        return fields.owners(of: .keys("metadata", "labels", ApplySet.partOfLabel), in: object).contains {
            $0.operation == "Apply"
        }
    }

    /// Those of the intents that exist, without members of other sets: for objects that no record names.
    ///
    /// - Throws: `KubeError`.
    package func existing(_ intents: [Intent]) async throws -> [LiveObject] {
        let found = try await concurrently(intents, limit: ApplyEngine.concurrency) { intent -> LiveObject? in
            let reference = intent.reference
            guard
                let resource = try await client.discovery.find(
                    apiVersion: reference.apiVersion, kind: reference.kind)
            else { return nil }
            do {
                let live = try await client.get(
                    resource, namespace: resource.isNamespaced ? reference.namespace : nil, name: reference.name)
                return live.map { LiveObject(resource, $0) }
            } catch let error as KubeError where error.kind == .unknownKind {
                return nil
            }
        }
        return found.compactMap(\.self).filter { object in
            ApplySet.id(of: object.object).map { $0 == set.id } ?? true
        }
    }

    // MARK: Other sets

    /// Fails when an object is a member of another set: applying it would take it away from there.
    ///
    /// - Throws: `KubeError` that names both sets, for each such object.
    package func refuseMembersOfOthers(_ objects: [(intent: Intent, live: Value)]) async throws {
        var mistakes: [Diagnostic] = []
        for (intent, live) in objects {
            guard let id = ApplySet.id(of: live), id != set.id else { continue }
            let owner = try await describe(id)
            mistakes.append(
                Diagnostic(
                    "\(intent.reference) belongs to \(owner), so \(set.role) does not apply it", span: intent.span,
                    notes: [
                        Diagnostic.Note("its label \(ApplySet.partOfLabel) is \(id)"),
                        Diagnostic.Note("the set of \(set.role) is \(set.id), recorded in \(set.parent)"),
                    ],
                    hint: "have one of the two leave it out, or take the label off the object to hand it over"))
        }
        if !mistakes.isEmpty { throw KubeError(.refused, diagnostics: mistakes) }
    }

    /// A set that is not ours, for people: the role or the tool that keeps it, where its parent can be found.
    private func describe(_ id: String) async throws -> String {
        for kind in ["ConfigMap", "Secret"] {
            let resource = try await client.discovery.resource(apiVersion: "v1", kind: kind)
            let found = try? await client.list(resource, labelSelector: "\(ApplySet.idLabel)=\(id)").items.first
            guard let parent = found else { continue }
            let place = "\(LiveObject(resource, parent).reference)"
            if let role = parent[["data", "role"]]?.string, kind == "ConfigMap" {
                return "the role \(role) (recorded in \(place))"
            }
            let tool = parent[["metadata", "annotations", ApplySet.toolingAnnotation]]?.string
            return "another set\(tool.map { " of \($0)" } ?? "") (recorded in \(place))"
        }
        return "another set (whose record was not found)"
    }
}
