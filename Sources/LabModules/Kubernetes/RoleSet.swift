import LabCore
import LabKube
import Synchronization

/// The set of objects that a role keeps in clusters (`galaxy_info.labctl.prune`), as one of its tasks sees it.
package struct RoleSet: Sendable {
    private static let calls = Atomic<UInt64>(0)

    /// Shared by all tasks of the role in one pass.
    package let inventory: RoleInventory
    /// Tells one step, with all of its tries, from all others.
    let call: UInt64
    /// The calls by which the whole role applies objects, as far as they are known by now; nil when the run leaves out
    /// part of the role, or when only the rest of the run can tell.
    package let forecast: @Sendable () async -> [ApplyCall]?

    package init(inventory: RoleInventory, forecast: @escaping @Sendable () async -> [ApplyCall]?) {
        self.inventory = inventory
        self.forecast = forecast
        call = Self.calls.add(1, ordering: .relaxed).newValue
    }
}

/// A call of a task that applies objects, and where it would run.
package struct ApplyCall: Sendable {
    package let call: ModuleCall
    package let context: ModuleContext

    package init(_ call: ModuleCall, in context: ModuleContext) {
        self.call = call
        self.context = context
    }

    /// Whether a call of `kubernetes.core.k8s` brings objects (and does not take them away).
    package static func brings(_ call: ModuleCall) -> Bool { call["state"] != "absent" }

    /// The session of the cluster that the call goes to, made at its first use in the run.
    ///
    /// - Throws: `ModuleError` when there is no kubeconfig or it cannot be used; `ConnectionError`.
    package func session() async throws -> ClusterSession {
        try await ClusterLogin(call: call, context: context).session()
    }

    /// The objects of the call, from files of the laptop and the task itself; nil when they would have to be downloaded.
    ///
    /// - Throws: `ModuleError` when a file is missing or wrong.
    func intents(defaultNamespace: String) throws -> [Intent]? {
        if let path = call["src"]?.string, path.hasPrefix("http://") || path.hasPrefix("https://") { return nil }
        let context = context
        let source = ManifestSource(
            call: call, localFile: { try context.localFile($0, span: $1) }, renderFile: context.renderFile)
        do {
            return try Intents.read(
                source.local(), defaultNamespace: call["namespace"]?.string ?? defaultNamespace)
        } catch let error as KubeError {
            throw ModuleError(error)
        }
    }
}

/// What the tasks of a role bring to clusters in one pass of a run, and the record of it there.
package actor RoleInventory {
    /// What was brought to one cluster.
    struct Cluster: Sendable {
        let session: ClusterSession
        var wanted: Set<ObjectIdentity> = []
        /// Of the objects that exist: one may be served in two groups.
        var uids: Set<String> = []
        var scope = ApplySetScope()
        /// What a run that only plans would have recorded by now.
        var planned = ApplySetScope()

        func store(_ set: ApplySet) -> ApplySetStore { ApplySetStore(client: session.client, set: set) }
    }

    package nonisolated let set: ApplySet
    private var clusters: [ObjectIdentifier: Cluster] = [:]
    private var order: [ObjectIdentifier] = []
    private var guarded: Set<ObjectIdentifier> = []
    private var begun: [UInt64: String] = [:]
    private var settled: Set<UInt64> = []

    package init(role: String) { set = ApplySet(role: role) }

    /// Whether the role applied, or would apply, anything.
    package var hasBroughtAnything: Bool { !clusters.isEmpty }

    /// The name of a call of which it never became known what it applies; nil when there is none.
    package var unsettledTask: String? { begun.first { !settled.contains($0.key) }?.value }

    /// Notes that a call is about to find out what it applies.
    func begin(_ call: UInt64, _ task: String) { begun[call] = task }

    /// Notes what a call has in the cluster that it does not make a member of the set: it is not left over either.
    func keep(_ plan: ApplyPlan, of call: UInt64, in session: ClusterSession) {
        settled.insert(call)
        want(plan, in: session)
    }

    private func want(_ plan: ApplyPlan, in session: ClusterSession) {
        let id = ObjectIdentifier(session)
        if clusters[id] == nil { order.append(id) }
        var cluster = clusters[id] ?? Cluster(session: session)
        cluster.wanted.formUnion(plan.items.map { ObjectIdentity($0.reference) })
        cluster.uids.formUnion(plan.items.compactMap { $0.live?[["metadata", "uid"]]?.string })
        clusters[id] = cluster
    }

    /// Notes what a call would apply.
    func note(_ plan: ApplyPlan, of call: UInt64, in session: ClusterSession, isCheck: Bool) {
        settled.insert(call)
        want(plan, in: session)
        let scope = ApplySetScope(of: plan.items.map(\.reference))
        let id = ObjectIdentifier(session)
        if let cluster = clusters[id] { clusters[id]?.scope = cluster.scope.union(scope) }
        if isCheck, !plan.isEmpty, let cluster = clusters[id] {
            clusters[id]?.planned = cluster.planned.union(scope)
        }
    }

    /// Has the record lead to everything that was noted for a cluster, before any of it is applied.
    ///
    /// - Throws: `KubeError`.
    func record(in session: ClusterSession) async throws {
        guard let cluster = clusters[ObjectIdentifier(session)] else { return }
        try await cluster.store(set).widen(to: cluster.scope)
    }

    /// Whether this is the first question about a cluster.
    func isFirst(in session: ClusterSession) -> Bool { guarded.insert(ObjectIdentifier(session)).inserted }

    /// What was brought, cluster by cluster: hosts that log in to the same cluster count as one.
    ///
    /// - Throws: `KubeError`.
    func brought() async throws -> [Cluster] {
        let all = order.compactMap { clusters[$0] }
        guard all.count > 1 else { return all }
        var merged: [(uid: String, cluster: Cluster)] = []
        for cluster in all {
            // The namespace that no cluster is without tells clusters apart.
            let client = cluster.session.client
            let namespaces = try await client.discovery.resource(apiVersion: "v1", kind: "Namespace")
            let uid =
                try await client.get(namespaces, namespace: nil, name: "kube-system")?[["metadata", "uid"]]?.string
                ?? "\(merged.count)"
            guard let index = merged.firstIndex(where: { $0.uid == uid }) else {
                merged.append((uid, cluster))
                continue
            }
            merged[index].cluster.wanted.formUnion(cluster.wanted)
            merged[index].cluster.uids.formUnion(cluster.uids)
            merged[index].cluster.scope = merged[index].cluster.scope.union(cluster.scope)
            merged[index].cluster.planned = merged[index].cluster.planned.union(cluster.planned)
        }
        return merged.map(\.cluster)
    }
}

extension RoleSet {
    /// Fails before anything is applied when what the role no longer has would take along what somebody else made: told
    /// at the end of the role it would be too late, as its new version would run already.
    ///
    /// - Throws: `KubeError` of kind `refused`.
    func refuseLosses(of plan: ApplyPlan, in session: ClusterSession) async throws {
        guard await inventory.isFirst(in: session) else { return }
        let store = ApplySetStore(client: session.client, set: inventory.set)
        guard let parent = try await store.parent() else { return }
        // Only these take anything along.
        let kinds = parent.scope.groupKinds.filter { $0.kind == "CustomResourceDefinition" || $0.kind == "Namespace" }
        let own = Set(plan.items.map { ObjectIdentity($0.reference) })
        let left = try await store.members(kinds, metadataOnly: true).filter { !own.contains($0.identity) }
        guard !left.isEmpty, let calls = await forecast() else { return }
        var wanted = own
        for call in calls {
            // Another cluster's objects keep nothing from going here, but they harm nothing either.
            guard let intents = try? call.intents(defaultNamespace: session.client.kubeconfig.namespace) else { return }
            for intent in intents { wanted.insert(ObjectIdentity(intent.reference)) }
        }
        let going = left.filter { !wanted.contains($0.identity) }
        guard !going.isEmpty else { return }
        // The role's own objects of those kinds go first.
        let members = try await store.members(parent.scope.groupKinds, metadataOnly: true).filter {
            !wanted.contains($0.identity)
        }
        try await RemovalGuard(client: session.client, set: inventory.set, advice: RemovalAdvice.advice)
            .refuseLosses(with: members, of: inventory.set.role, isUpgrade: true)
    }
}
