import LabCore
import LabKube

/// The last step of a role that keeps a set of objects: what carries the set's label and was not applied in this run is
/// removed, and the record says what is left. The engine makes the step itself; no task calls it.
package struct LeftoversModule: Module {
    package static let title = "Left-overs pruned"
    package static let name = "labctl.prune"
    /// How long each group of objects may take to go.
    private static let timeout: Duration = .seconds(120)

    package let specification = ModuleSpecification(LeftoversModule.name, parameters: [])
    private let inventory: RoleInventory

    package init(_ inventory: RoleInventory) { self.inventory = inventory }

    private struct Work: Sendable {
        let cluster: RoleInventory.Cluster
        let leftovers: [LiveObject]
    }

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        try await translatingErrors {
            let set = inventory.set
            var works: [Work] = []
            var changes: [Change] = []
            for cluster in try await inventory.brought() {
                let store = cluster.store(set)
                let parent = try await store.parent()
                let recorded = parent?.scope ?? ApplySetScope()
                let members = try await store.members(
                    recorded.union(cluster.scope).groupKinds, metadataOnly: true)
                var leftovers = members.filter {
                    !cluster.wanted.contains($0.identity) && !cluster.uids.contains($0.uid)
                }
                // What moved to another role, or entry point, is wanted there.
                for member in leftovers where await cluster.session.isWanted(member.identity) {
                    leftovers.removeAll { $0.identity == member.identity }
                }
                leftovers.sort { Removal.Stage($0.reference) < Removal.Stage($1.reference) }
                try await RemovalGuard(client: cluster.session.client, set: set, advice: RemovalAdvice.advice)
                    .refuseLosses(with: leftovers, of: set.role, isUpgrade: true)
                let record = recordChange(parent, cluster, in: context)
                if leftovers.isEmpty, record == nil { continue }
                works.append(Work(cluster: cluster, leftovers: leftovers))
                changes += leftovers.map { Change(.delete, "\($0.reference)") } + [record].compactMap(\.self)
            }
            return changes.isEmpty ? Plan(.nothing) : Plan(.changes(changes), payload: works)
        }
    }

    /// What becomes of the record; nil when it is right.
    private func recordChange(
        _ parent: ApplySetParent?, _ cluster: RoleInventory.Cluster, in context: ModuleContext
    ) -> Change? {
        let store = cluster.store(inventory.set)
        if let parent, store.isCurrent(parent, cluster.scope) { return nil }
        var recorded = parent?.scope ?? ApplySetScope()
        // What tasks before this one would have written, if this run wrote.
        if context.checkMode { recorded = recorded.union(cluster.planned) }
        let planned = Set(recorded.groupKinds)
        let wanted = Set(cluster.scope.groupKinds)
        if context.checkMode, planned == wanted, recorded.contains(cluster.scope) { return nil }
        let fields = [
            Change.Field(
                ".metadata.annotations[\"applyset.kubernetes.io/contains-group-kinds\"]",
                before: parent.map { _ in .string(Self.list(planned)) }, after: .string(Self.list(wanted)))
        ]
        return Change(parent == nil ? .create : .update, "\(inventory.set.parent)", fields: fields)
    }

    private static func list(_ kinds: Set<GroupKind>) -> String {
        kinds.sorted().map(\.description).joined(separator: ",")
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        try await translatingErrors {
            for work in plan.payload as? [Work] ?? [] {
                let client = work.cluster.session.client
                try await Removal(
                    client: client, set: inventory.set, timeout: Self.timeout, progress: context.progress
                ).run(work.leftovers)
                try await work.cluster.store(inventory.set).narrow(to: work.cluster.scope)
            }
            return ModuleResult(changed: true)
        }
    }
}
