import LabCore

/// What happens to deleted objects that finalizers hold: the garbage collector, the namespace controller, and the API server's
/// own controller for CustomResourceDefinitions.
extension Cluster {
    static let foregroundFinalizer = "foregroundDeletion"
    static let orphanFinalizer = "orphan"
    static let definitionFinalizer = "customresourcecleanup.apiextensions.k8s.io"

    /// Has controllers look at a deleted object, now and whenever something else is gone.
    func terminate(_ key: ObjectKey) {
        terminating.insert(key)
        schedule(after: options.delays.contentDeleted) { $0.advance(key) }
    }

    /// Something is gone: what waited for it may go on.
    func noteForTermination(_ change: Change) {
        if change.kind == .deleted { terminating.remove(change.key) }
        guard change.kind == .deleted || change.object.finalizers != change.previous?.finalizers else { return }
        for key in terminating {
            schedule(after: options.delays.contentDeleted) { $0.advance(key) }
        }
    }

    private func advance(_ key: ObjectKey) {
        guard let object = store[key], object[path: ["metadata", "deletionTimestamp"]] != nil else { return }
        if key.resource == "/namespaces" { return emptyNamespace(key, object) }
        let finalizers = object.finalizers
        if finalizers.contains(Self.orphanFinalizer) {
            for dependent in dependents(of: object.uid) { disown(dependent.key, object.uid) }
            release(key, Self.orphanFinalizer)
        } else if finalizers.contains(Self.foregroundFinalizer) {
            for dependent in dependents(of: object.uid) { removeStored(dependent.key, .foreground) }
            let isBlocked = dependents(of: object.uid).contains { dependent in
                dependent.object[path: ["metadata", "ownerReferences"]]?.list?.contains {
                    $0["uid"]?.string == object.uid && $0["blockOwnerDeletion"] == true
                } ?? false
            }
            if !isBlocked { release(key, Self.foregroundFinalizer) }
        } else if finalizers.contains(Self.definitionFinalizer) {
            removeInstances(key, object)
        }
    }

    /// Takes a finalizer off; an object without any is gone.
    private func release(_ key: ObjectKey, _ finalizer: String) {
        guard var object = store[key] else { return }
        let rest = object.finalizers.filter { $0 != finalizer }
        guard !rest.isEmpty else {
            _ = discard(key)
            return collectOrphans(of: object.uid)
        }
        object.set(["metadata", "finalizers"], .list(rest.map { .string($0) }))
        commit(object, at: key)
    }

    // MARK: Owners

    private func dependents(of uid: String) -> [(key: ObjectKey, object: Value)] {
        guard !uid.isEmpty else { return [] }
        return store.allKeys.compactMap { key -> (key: ObjectKey, object: Value)? in
            guard let object = store[key], let owners = object[path: ["metadata", "ownerReferences"]]?.list,
                owners.contains(where: { $0["uid"]?.string == uid })
            else { return nil }
            return (key, object)
        }
    }

    /// What named the removed object as its owner goes with it, unless another owner is left.
    func collectOrphans(of uid: String) {
        for (key, object) in dependents(of: uid) {
            let others = (object[path: ["metadata", "ownerReferences"]]?.list ?? []).compactMap { $0["uid"]?.string }
                .filter { $0 != uid }
            let hasOther =
                !others.isEmpty && store.allKeys.contains { store[$0].map { others.contains($0.uid) } ?? false }
            if hasOther { disown(key, uid) } else { removeStored(key, .background) }
        }
    }

    private func disown(_ key: ObjectKey, _ uid: String) {
        guard var object = store[key] else { return }
        let rest = (object[path: ["metadata", "ownerReferences"]]?.list ?? []).filter { $0["uid"]?.string != uid }
        object.set(["metadata", "ownerReferences"], rest.isEmpty ? nil : .list(rest))
        commit(object, at: key)
    }

    private func removeStored(_ key: ObjectKey, _ propagation: Propagation) {
        guard let object = store[key] else { return }
        guard let endpoint = endpoint(storedAs: key.resource) else {
            _ = discard(key)
            return
        }
        // A second deletion of what is being deleted changes nothing.
        if object[path: ["metadata", "deletionTimestamp"]] != nil { return }
        remove(endpoint, key, object, propagation)
    }

    private func endpoint(storedAs storageKey: String) -> Endpoint? {
        let builtIn = APIResource.builtIn.first { $0.storageKey == storageKey }
        let custom = definitions.versions.values.lazy.compactMap { versions in
            versions.values.first { $0.resource.storageKey == storageKey }?.resource
        }.first
        return (builtIn ?? custom).flatMap { endpoint($0.groupVersion, $0.plural) }
    }

    // MARK: CustomResourceDefinitions

    /// The API server's finalizer controller: all objects of the kind first, then the definition.
    private func removeInstances(_ key: ObjectKey, _ definition: Value) {
        let group = definition[path: ["spec", "group"]]?.string ?? ""
        let plural = definition[path: ["spec", "names", "plural"]]?.string ?? ""
        for item in store.list("\(group)/\(plural)", namespace: nil) { removeStored(item.key, .background) }
        if store.list("\(group)/\(plural)", namespace: nil).isEmpty {
            return release(key, Self.definitionFinalizer)
        }
        setCondition(
            "apiextensions.k8s.io/v1", "customresourcedefinitions", key, manager: "kube-apiserver",
            [
                (
                    "Terminating", "True", "InstanceDeletionInProgress",
                    "CustomResource deletion is in progress"
                )
            ])
    }

    // MARK: Namespaces

    /// The namespace controller: everything in it first, then the namespace; what cannot go is told in its conditions.
    private func emptyNamespace(_ key: ObjectKey, _ namespace: Value) {
        for item in store.allKeys where item.namespace == key.name { removeStored(item, .background) }
        let remaining = store.allKeys.filter { $0.namespace == key.name }
        guard !remaining.isEmpty else {
            if namespace.finalizers.isEmpty { _ = discard(key) }
            return
        }
        func count(_ names: [String]) -> [(name: String, count: Int)] {
            Dictionary(grouping: names) { $0 }.map { (name: $0.key, count: $0.value.count) }.sorted {
                $0.name < $1.name
            }
        }
        // As the namespace controller writes it: `configmaps.`, `deployments.apps`.
        let resources = count(
            remaining.map {
                let parts = $0.resource.split(separator: "/", omittingEmptySubsequences: false)
                return "\(parts[1]).\(parts[0])"
            })
        let finalizers = count(remaining.flatMap { store[$0]?.finalizers ?? [] })
        let content = resources.map { "\($0.name) has \($0.count) resource instances" }.joined(separator: ", ")
        let held = finalizers.map { "\($0.name) in \($0.count) resource instances" }.joined(separator: ", ")
        setCondition(
            "v1", "namespaces", key, manager: "kube-controller-manager",
            [
                (
                    "NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered",
                    "All resources successfully discovered"
                ),
                (
                    "NamespaceDeletionContentFailure", "False", "ContentDeleted",
                    "All content successfully deleted, may be waiting on finalization"
                ),
                (
                    "NamespaceContentRemaining", "True", "SomeResourcesRemain",
                    "Some resources are remaining: \(content)"
                ),
                (
                    "NamespaceFinalizersRemaining", finalizers.isEmpty ? "False" : "True",
                    finalizers.isEmpty ? "ContentHasNoFinalizers" : "SomeFinalizersRemain",
                    finalizers.isEmpty
                        ? "All content-preserving finalizers finished"
                        : "Some content in the namespace has finalizers remaining: \(held)"
                ),
            ])
    }

    private func setCondition(
        _ version: String, _ plural: String, _ key: ObjectKey, manager: String,
        _ conditions: [(type: String, status: String, reason: String, message: String)]
    ) {
        let time = Value.string("\(now)")
        control(version, plural, name: key.name, manager: manager, subresource: "status") { object in
            var list = object[path: ["status", "conditions"]]?.list ?? []
            for condition in conditions {
                var new: Value = [
                    "type": .string(condition.type), "status": .string(condition.status),
                    "lastTransitionTime": time, "reason": .string(condition.reason),
                    "message": .string(condition.message),
                ]
                guard let index = list.firstIndex(where: { $0["type"]?.string == condition.type }) else {
                    list.append(new)
                    continue
                }
                if list[index]["status"] == new["status"] {
                    new["lastTransitionTime"] = list[index]["lastTransitionTime"]
                }
                list[index] = new
            }
            object.fill(["status"], .map([:]))
            object.set(["status", "conditions"], .list(list))
        }
    }
}
