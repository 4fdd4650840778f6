import LabCore

/// What was seen of live objects before they are looked at again, by a list or in the answer of a write.
///
/// It spares reading them: a dry run answers with the version that it compared with, so what is no longer true shows.
package struct KnownObjects: Sendable {
    /// The object as it was; nil when there was none.
    package struct Sight: Sendable { let object: Value? }

    private var sights: [ObjectReference: Sight] = [:]

    package init() {}

    /// What applying some objects answered.
    package init(_ applied: [AppliedObject]) {
        for object in applied { if let value = object.object { self[object.item.reference] = Sight(object: value) } }
    }

    subscript(reference: ObjectReference) -> Sight? {
        get { sights[reference] }
        set { sights[reference] = newValue }
    }
}

extension ApplyEngine {
    /// From how many objects of one kind in one namespace on they are listed instead of read one by one.
    private static let worthListing = 32

    /// What is known, and what lists of the kinds with many objects say.
    func listed(_ intents: [Intent], expected: ExpectedObjects, known: KnownObjects) async -> KnownObjects {
        guard case .serverSide = settings.method, settings.createsMissing, intents.count >= Self.worthListing else {
            return known
        }
        struct Group: Hashable { let apiVersion, kind: String; let namespace: String? }
        let groups = Dictionary(grouping: intents.map(\.reference).filter { known[$0] == nil }) {
            Group(apiVersion: $0.apiVersion, kind: $0.kind, namespace: $0.namespace)
        }
        var known = known
        for (group, references) in groups where references.count >= Self.worthListing {
            // A kind that is yet to come, or may not be listed, is looked at object by object.
            guard
                let resource = try? await client.discovery.find(apiVersion: group.apiVersion, kind: group.kind),
                let list = try? await client.list(
                    resource, namespace: resource.isNamespaced ? group.namespace : nil, limit: 4 * references.count)
            else { continue }
            let objects = Dictionary(
                list.items.map { ($0[["metadata", "name"]]?.string ?? "", $0) }, uniquingKeysWith: { _, last in last })
            for reference in references {
                let object = objects[reference.name]
                if object != nil || list.isComplete { known[reference] = KnownObjects.Sight(object: object) }
            }
        }
        return known
    }

    // MARK: Looking at one object

    /// - Parameter known: What was seen of the live object before.
    func examine(
        _ intent: Intent, expected: ExpectedObjects, known: KnownObjects.Sight? = nil
    ) async throws -> ApplyItem {
        guard let (intent, resource) = try await resolve(intent, expected: expected) else {
            return ApplyItem(intent, .unchecked("its CustomResourceDefinition comes first"), resource: nil)
        }
        var known = known
        var looks = 0
        while true {
            looks += 1
            do {
                let seen =
                    if let known {
                        try await look(intent, resource, live: known.object)
                    } else {
                        try await look(intent, resource)
                    }
                known = nil
                if seen.isTorn, looks < Self.maximumLooks { continue }
                return item(intent, resource, seen)
            } catch let error as KubeError {
                // Who was there before may be others now.
                if known != nil, error.kind == .fieldConflict || error.kind == .race {
                    known = nil
                    continue
                }
                // Where its kind or its namespace is missing, so is the object.
                if let reason = uncheckable(error, intent, expected) {
                    return ApplyItem(intent, .unchecked(reason), resource: resource)
                }
                // A webhook may fail to answer once; a race is over at once.
                if error.kind == .race || error.kind == .webhookUnavailable, looks < Self.maximumLooks {
                    try await Task.sleep(for: .milliseconds(100 * looks))
                    continue
                }
                if error.kind == .webhookUnavailable {
                    let live = try? await client.get(
                        resource, namespace: intent.reference.namespace, name: intent.reference.name)
                    return ApplyItem(intent, .unchecked(webhookReason(error)), resource: resource, live: live)
                }
                throw await explained(error, intent, resource)
            }
        }
    }

    /// The two states that are compared.
    struct Look {
        var live: Value?
        /// What the dry run answered.
        var result: Value?
        var isCreated = false
        var kept: [String] = []
        var migration: Migration?
        /// The fields that the migration takes away.
        var abandoned: Set<FieldPath> = []

        /// Whether somebody wrote between the two requests: what they say does not belong together. A dry run answers
        /// with the version that it found (ground truth, "Facts measured here").
        var isTorn: Bool {
            guard let result else { return false }
            guard let live else { return !isCreated }
            return isCreated || live[["metadata", "resourceVersion"]] != result[["metadata", "resourceVersion"]]
        }
    }

    private func look(_ intent: Intent, _ resource: APIResource) async throws -> Look {
        let reference = intent.reference
        let isServerSide = settings.method == .serverSide(force: true) || settings.method == .serverSide(force: false)
        guard isServerSide, settings.createsMissing, !mayKeep(intent.object) else {
            let live = try await client.get(resource, namespace: reference.namespace, name: reference.name)
            return try await look(intent, resource, live: live)
        }
        // Nothing has to be known of the live object before the dry run: both at once.
        async let reading = client.get(resource, namespace: reference.namespace, name: reference.name)
        async let checking = Result.capture {
            try await write(intent.object, intent, resource, live: nil, dryRun: true)
        }
        let live = try await reading
        let checked = await checking
        var look = Look(live: live, migration: migration(live))
        do {
            let result = try checked.get()
            look.result = result.object
            look.isCreated = result.isCreated
        } catch let error as KubeError where isResolvedByMigration(error, look.migration) {
            look.result = try await write(intent.object, intent, resource, live: live, dryRun: true, force: true).object
        }
        look.abandoned = await abandoned(look, intent, resource)
        return look
    }

    private func look(_ intent: Intent, _ resource: APIResource, live: Value?) async throws -> Look {
        var look = Look(live: live)
        if live == nil, !settings.createsMissing { return look }
        var object = intent.object
        if let live, case .serverSide = settings.method {
            if mayKeep(object) {
                let kept = keep(object, intent.reference, live: live)
                object = kept.object
                look.kept = kept.notes
            }
            look.migration = migration(live)
        }
        do {
            let result = try await write(object, intent, resource, live: live, dryRun: true)
            look.result = result.object
            look.isCreated = result.isCreated
        } catch let error as KubeError where isResolvedByMigration(error, look.migration) {
            look.result = try await write(object, intent, resource, live: live, dryRun: true, force: true).object
        }
        look.abandoned = await abandoned(look, intent, resource)
        return look
    }

    /// The fields that go with a migration. kubectl's entry also has what the server filled in when kubectl created the
    /// object: that comes back as soon as it is gone, so it is no change.
    private func abandoned(_ look: Look, _ intent: Intent, _ resource: APIResource) async -> Set<FieldPath> {
        guard let migration = look.migration, let live = look.live, let result = look.result else { return [] }
        let going = migration.abandoned(live: live, result: result, by: settings.fieldManager)
        guard !going.isEmpty else { return [] }
        // An element of a list is found by its key fields, so these go last, and the element with them.
        let keys = going.filter(\.isKeyOfElement)
        let others = going.subtracting(keys).reduce(live) { $0.removing($1) }
        let rest = keys.reduce(others) { $0.removing(FieldPath(Array($1.steps.dropLast()))) }
        // An object that is not valid without them does not say; then all are told.
        let filled = try? await client.replace(
            rest, resource, reference: intent.reference, fieldManager: settings.fieldManager, dryRun: true)
        return going.filter { filled?.object[field: $0] == nil }
    }

    /// A conflict only with managers whose fields become ours is none.
    private func isResolvedByMigration(_ error: KubeError, _ migration: Migration?) -> Bool {
        guard let migration, error.kind == .fieldConflict, let causes = error.status?.fieldConflicts else {
            return false
        }
        return causes.allSatisfy { cause in migration.takenManagers.contains { cause.message.contains("\"\($0)\"") } }
    }

    /// Why the server cannot check an object yet, when that is only because something comes first.
    private func uncheckable(_ error: KubeError, _ intent: Intent, _ expected: ExpectedObjects) -> String? {
        let reference = intent.reference
        if error.kind == .unknownKind,
            expected.resource(apiVersion: reference.apiVersion, kind: reference.kind) != nil
        {
            return "its CustomResourceDefinition comes first"
        }
        if error.kind == .notFound, let namespace = reference.namespace, expected.namespaces.contains(namespace),
            error.status?.message.contains("namespaces \"\(namespace)\" not found") == true
        {
            return "its namespace comes first"
        }
        return nil
    }

    func webhookReason(_ error: KubeError) -> String {
        let name = error.status?.message.firstMatch(of: /webhook "([^"]+)"/).map { String($0.output.1) }
        return name.map { "the webhook \($0) does not answer yet" } ?? "a webhook does not answer yet"
    }
}
