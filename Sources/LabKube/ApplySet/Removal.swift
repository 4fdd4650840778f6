import LabCore

/// Takes objects out of the cluster: what others need goes last, and nothing goes that was changed since it was looked at.
package struct Removal: Sendable {
    /// What is removed together, in this order.
    package enum Stage: Int, Sendable, CaseIterable, Comparable {
        /// First, while the controllers still run that have to let go of them.
        case customResources
        /// Before what answers for them.
        case webhooks
        case workloads
        /// Accounts, roles, configuration, services, and kinds of the cluster.
        case configuration
        /// CustomResourceDefinitions.
        case definitions
        case namespaces

        package init(_ reference: ObjectReference) {
            switch ApplyStage(reference) {
            case .customResources: self = .customResources
            case .webhooks: self = .webhooks
            case .workloads: self = .workloads
            case .cluster, .configuration: self = .configuration
            case .foundations: self = reference.kind == "Namespace" ? .namespaces : .definitions
            }
        }

        package static func < (a: Stage, b: Stage) -> Bool { a.rawValue < b.rawValue }
    }

    /// Somebody may write an object while it is removed, but not for ever.
    private static let maximumTries = 20

    package let client: KubeClient
    /// nil removes objects that no record names: they are only compared with what was seen.
    package let set: ApplySet?
    package let timeout: Duration
    package let progress: @Sendable (String) -> Void

    package init(
        client: KubeClient, set: ApplySet?, timeout: Duration,
        progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.client = client
        self.set = set
        self.timeout = timeout
        self.progress = progress
    }

    /// Removes objects, stage by stage, and waits for each stage to be gone.
    ///
    /// - Throws: `KubeError`; kind `notReady` with what keeps an object when it is still there when the time is up, kind
    ///   `refused` when an object came to belong to somebody else, or when a namespace would stay in Terminating.
    package func run(_ objects: [LiveObject]) async throws {
        let stages = Dictionary(grouping: objects) { Stage($0.reference) }
        for (stage, objects) in stages.sorted(by: { $0.key < $1.key }) {
            if stage == .namespaces { try await RemovalGuard(client: client, set: set).refuseStuckNamespaces(objects) }
            try await remove(together: objects, stage)
            // What was served may be served no more.
            if stage == .definitions { await client.discovery.invalidate() }
        }
    }

    /// Removes the objects of a stage. What a webhook keeps goes after the others of the stage, which may be why: MetalLB
    /// lets no BFDProfile go that a BGPPeer names. A controller sees only a moment later that they are gone.
    private func remove(together objects: [LiveObject], _ stage: Stage) async throws {
        var rest = objects
        var tries = 0
        while !rest.isEmpty {
            let kept = try await concurrently(rest, limit: ApplyEngine.concurrency) {
                object -> (object: LiveObject, error: KubeError)? in
                do {
                    try await remove(object, stage)
                    return nil
                } catch let error as KubeError where error.kind == .denied {
                    return (object, error)
                }
            }
            try await waitUntilGone(zip(rest, kept).filter { $0.1 == nil }.map(\.0))
            let denied = kept.compactMap { $0 }
            tries = denied.count < rest.count ? 0 : tries + 1
            if let first = denied.first {
                guard denied.count < objects.count, tries < Self.maximumTries else { throw first.error }
                if tries > 0 { try await Task.sleep(for: .milliseconds(200)) }
            }
            rest = denied.map(\.object)
        }
    }

    private func remove(_ object: LiveObject, _ stage: Stage) async throws {
        var object = object
        var tries = 0
        while true {
            tries += 1
            var options = LiveObject.preconditions(of: object.object)
            // A workload is gone when its pods are: until then they need their accounts and roles.
            if stage == .workloads { options["propagationPolicy"] = "Foreground" }
            do {
                _ = try await client.delete(object.resource, reference: object.reference, options: options)
                return
            } catch let error as KubeError where error.kind == .unknownKind {
                return
            } catch let error as KubeError where error.kind == .race && tries < Self.maximumTries {
                guard let now = try await again(object) else { return }
                object = now
            }
        }
    }

    /// The object as it is now; nil when it is gone, or another has its name.
    private func again(_ object: LiveObject) async throws -> LiveObject? {
        let live = try await client.get(
            object.resource, namespace: object.reference.namespace, name: object.reference.name)
        guard let live else { return nil }
        let now = LiveObject(object.resource, live)
        guard now.uid == object.uid else { return nil }
        if let set, ApplySet.id(of: live) != set.id {
            throw KubeError(
                .refused, "\(object.reference) is not removed: it does not belong to \(set.role) any more",
                notes: [Diagnostic.Note("somebody took off or changed its label \(ApplySet.partOfLabel) just now")])
        }
        return now
    }

    private func waitUntilGone(_ objects: [LiveObject]) async throws {
        let wait = ReadinessWait(client: client, condition: .absent, timeout: timeout, progress: progress)
        do {
            _ = try await wait.wait(for: objects.map { ($0.resource, $0.reference) })
        } catch let error as KubeError where error.kind == .unknownKind {
            return
        } catch let error as KubeError where error.kind == .notReady {
            throw try await kept(objects) ?? error
        }
    }

    /// Why objects are still there, in the cluster's own words.
    private func kept(_ objects: [LiveObject]) async throws -> KubeError? {
        var diagnostics: [Diagnostic] = []
        for object in objects {
            let live = try? await client.get(
                object.resource, namespace: object.reference.namespace, name: object.reference.name)
            guard let live else { continue }
            let now = LiveObject(object.resource, live)
            guard now.uid == object.uid else { continue }
            diagnostics.append(await RemovalGuard(client: client, set: set).explain(now, after: timeout))
        }
        return diagnostics.isEmpty ? nil : KubeError(.notReady, diagnostics: diagnostics)
    }
}
